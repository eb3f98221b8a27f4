"""How a program starts: its import takes a second, during which Ctrl-C must not show a traceback."""

import importlib
import os
import signal
import sys

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
        The exit status; 1, with one line on stderr, if the working directory no longer exists.

    Examples
    --------
    >>> import sys, types
    >>> sys.modules["program"] = types.SimpleNamespace(main=lambda: 3)
    >>> handler = signal.getsignal(signal.SIGINT)
    >>> launch("program")
    3
    >>> _ = signal.signal(signal.SIGINT, handler)
    """
    if (
        not _has_working_directory()
    ):  # libraries would fail where nobody expects it, even while they are imported
        if sys.stderr is not None:
            sys.stderr.write("Error: the working directory no longer exists\n")
        return 1
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


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib is slow to import
    except FileNotFoundError:
        return False
    return True
