"""How a program begins: importing it takes a second, in which Ctrl-C is to be no traceback."""

import importlib
import signal

__all__ = ["launch"]


def launch(module: str) -> int:
    """Import a program and run it.

    Before and after its ``main``, which says itself that it was interrupted, Ctrl-C ends the process without a word,
    as SIGTERM does. Where Ctrl-C is ignored, or somebody else's, it stays so.

    Parameters
    ----------
    module
        Has a function ``main``, which gives the exit status.

    Returns
    -------
    int
        The exit status.

    Examples
    --------
    >>> import sys, types
    >>> sys.modules["program"] = types.SimpleNamespace(main=lambda: 3)
    >>> handler = signal.getsignal(signal.SIGINT)
    >>> launch("program")
    3
    >>> _ = signal.signal(signal.SIGINT, handler)
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    main = importlib.import_module(module).main
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(main())
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
