"""How a program starts: its import takes a second, during which Ctrl-C must not show a traceback."""

import importlib
import signal

__all__ = ["launch"]


def launch(module: str) -> int:
    """Import a program and run it.

    Ctrl-C and SIGTERM before and after ``main`` end the process without a message; ``main`` itself reports that it was
    interrupted. Where Ctrl-C is ignored or has another handler, that does not change.

    Parameters
    ----------
    module
        Name of the module; its function ``main`` returns the exit status.

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
