"""How Ctrl-C and SIGTERM end a program: by an exception, which reaches the program wherever the signal comes.

Python raises the exception of a signal handler in whatever the main thread executes. Compiled code that is being
imported may abort the process then, in a destructor or in the callback of a weak reference Python reports the
exception and goes on, and some libraries catch it. The signal is therefore repeated until its exception can be raised
and is not lost.
"""

import _thread
import contextlib
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["Terminated", "endable", "settle"]

_AGAIN = 0.05  # seconds until a signal is repeated
_SOON = 0.001  # the same for one whose exception was lost: what goes on may be wrong
_PATIENCE = 200  # repetitions, 10 s, after which an import is interrupted after all
_IMPORTING = "<frozen importlib._bootstrap>"


class _Ending(KeyboardInterrupt):
    """A signal as an exception, which notices if it is swallowed: then it is destroyed before the program ends.

    Some libraries catch every exception, also this one, and go on with a value that is then wrong.
    """

    swallowed: Callable[[], None] | None = None

    def __del__(self) -> None:
        if self.swallowed is not None:
            self.swallowed()


class Terminated(_Ending):
    """SIGTERM, which a scheduler sends before it kills a process; work ends as it does after Ctrl-C."""


def settle(error: KeyboardInterrupt) -> None:
    """Let a signal's exception end here: whoever catches it has done what the signal asks for."""
    if isinstance(error, _Ending):
        error.swallowed = None


@contextlib.contextmanager
def endable() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on Ctrl-C and `Terminated` on SIGTERM, so that work is kept and workers are ended.

    If something within catches the exception and goes on, the signal is repeated, unless it calls `settle`. Once the
    exception of a SIGTERM has been raised, a second one kills. Nothing changes outside of the main thread, or for a
    signal with a handler of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in usual}
    report, waits, over, main = sys.unraisablehook, 0, False, threading.get_ident()

    def repeat(number: int, seconds: float) -> None:
        time.sleep(seconds)
        if not over and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, number)
        elif not over:
            signal.raise_signal(number)

    def again(number: int, seconds: float) -> None:
        # Not by threading, whose locks the main thread may hold where the signal has come.
        _thread.start_new_thread(repeat, (number, seconds))

    def swallowed(number: int) -> None:
        if not over:
            if threading.get_ident() == main:
                signal.signal(number, end)
            again(number, _SOON)

    def ending(number: int) -> _Ending:
        error = Terminated() if number == signal.SIGTERM else _Ending()
        error.swallowed = functools.partial(swallowed, number)
        return error

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal waits
        if _is_importing(frame) and waits < _PATIENCE:
            waits += 1
            again(number, _AGAIN)
            return
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
        raise ending(number)  # which no variable holds: its own traceback would keep it alive

    def lost(found: "sys.UnraisableHookArgs") -> None:
        if not isinstance(found.exc_value, _Ending):
            report(found)

    ours = [number for number, handler in before.items() if handler == usual[number]]
    for number in ours:
        signal.signal(number, end)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        over = True
        sys.unraisablehook = report
        for number in ours:
            signal.signal(number, before[number])


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
