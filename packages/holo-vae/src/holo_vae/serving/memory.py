"""The return of memory to the system, which the C library would otherwise keep."""

import asyncio
import contextlib
import ctypes
import sys

__all__ = ["MemoryReturn"]

_PAUSE = 1.0  # seconds between two returns


class MemoryReturn:
    """Returns memory that is no longer used (glibc).

    By itself, glibc keeps freed blocks of up to 32 MiB for each thread, and whatever lies below a block in use. After a
    few long requests at once, that is gigabytes.
    """

    def __init__(self) -> None:
        self._due: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Return memory in a second, by when what was just used has been freed."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_PAUSE, self._now)

    def _now(self) -> None:
        self._due = None
        asyncio.get_running_loop().run_in_executor(None, _trim)


def _trim() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
