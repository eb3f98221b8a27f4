"""Actions when a scheduler ends a process that does not handle this otherwise."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["at_sigterm"]

_TERMINATED = 143  # exit status after a SIGTERM, as in shells


@contextmanager
def at_sigterm(do: Callable[[], None]) -> Iterator[None]:
    """Do something when SIGTERM arrives, and then end the process, unless the program has its own handler.

    A Python handler runs in the main thread, and not while that waits for another process; a separate thread can always
    run.

    Parameters
    ----------
    do
        The function, called in a thread.
    """
    if (
        sys.platform == "win32"
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    here, there = socket.socketpair()
    there.setblocking(False)
    number = bytes([signal.SIGTERM])

    def watch() -> None:
        while come := here.recv(1):
            if come == number:
                try:
                    do()
                finally:
                    os._exit(_TERMINATED)

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        """Leave the work to the thread, which the signal wakes."""

    thread = threading.Thread(target=watch, name="holo-vae SIGTERM", daemon=True)
    thread.start()
    signal.signal(signal.SIGTERM, pass_on)
    before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        there.close()
        thread.join()
        here.close()
