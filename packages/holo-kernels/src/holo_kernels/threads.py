"""The library ``threads``: a piece of compiled work in parts, all at the same time.

Where torch has brought OpenMP into the process, its threads do the parts: they wait for torch's operations anyway, and
others beside them would only take their processors away. Elsewhere threads of our own do, which stay awake for a
moment after each piece of work, so that the next one need not wait for them.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from ctypes import c_char, c_int64, c_void_p
from functools import cache
from threading import Lock, Thread

from .libraries import load

__all__ = ["in_parts"]

_AWAKE_SECONDS = 2e-4


class _Job(ctypes.Structure):
    """``Job`` of ``csrc/threads.c``."""

    _fields_ = (
        ("work", c_void_p),
        ("argument", c_void_p),
        ("parts", c_int64),
        ("thread", c_void_p),
        ("threads", c_void_p),
    )


@cache
def _library() -> ctypes.CDLL:
    library = load("threads")
    assert library is not None  # else there would be no compiled work
    library.team_bytes.argtypes, library.team_bytes.restype = (c_int64,), c_int64
    library.team_wait.argtypes = (c_int64,)
    library.team_begin.argtypes = (c_void_p, c_void_p, c_void_p, c_int64, c_void_p)
    library.team_finish.argtypes = (c_void_p,)
    library.team_help.argtypes = (c_void_p, c_int64, c_int64)
    for function in (library.team_wait, library.team_begin, library.team_finish, library.team_help):
        function.restype = None
    return library


def _address(function: object) -> int:
    address = ctypes.cast(function, c_void_p).value  # type: ignore[arg-type]
    assert address is not None
    return address


# OpenMP's threads are not there in a forked process, and its library would wait for them for ever.
_forked = False


@cache
def _openmp() -> tuple[Callable[..., None], int, int, int] | None:
    """Find OpenMP as torch calls it: how work is begun, and the addresses of what `_Job` needs."""
    try:
        symbols = ctypes.CDLL(None)
        begin, thread, threads = (
            symbols.GOMP_parallel,
            symbols.omp_get_thread_num,
            symbols.omp_get_num_threads,
        )
    except (AttributeError, OSError, TypeError):  # TypeError: of Windows, which knows no such symbols
        return None
    begin.argtypes, begin.restype = (c_void_p, c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return begin, _address(_library().openmp_thread), _address(thread), _address(threads)


@cache
def _turns() -> int:
    """Say how often a thread looks for work until it goes to sleep."""
    library, turns = _library(), 1000
    start = time.perf_counter()
    library.team_wait(turns)
    return max(1, int(turns * _AWAKE_SECONDS / max(time.perf_counter() - start, 1e-9)))


class _Team:
    """Threads of our own, one for each part but the caller's."""

    def __init__(self, helpers: int) -> None:
        size = _library().team_bytes(helpers)
        # Never given back: a thread may still look into it while the interpreter ends.
        allocate = ctypes.pythonapi.PyMem_RawCalloc
        allocate.argtypes, allocate.restype = (ctypes.c_size_t, ctypes.c_size_t), c_void_p
        start = allocate(1, size + 64)
        if start is None:
            raise MemoryError
        self.address = start + -start % 64
        self.asleep = (c_char * helpers)()
        self.locks = [Lock() for _ in range(helpers)]
        for number, lock in enumerate(self.locks):
            lock.acquire()  # a helper sleeps in taking its lock again
            Thread(target=self.help, args=(number, lock), name=f"holo-kernels {number}", daemon=True).start()

    def help(self, number: int, lock: Lock) -> None:
        """Work when woken; never returns."""
        library, turns = _library(), _turns()
        while True:
            lock.acquire()
            library.team_help(self.address, number, turns)

    def run(self, work: int, argument: int, parts: int) -> None:
        """Do a piece of work."""
        library = _library()
        try:
            library.team_begin(self.address, work, argument, parts, self.asleep)
        finally:  # also where Ctrl-C strikes: the helpers are at work
            for number, lock in enumerate(self.locks):
                if self.asleep[number] != b"\0":
                    self.asleep[number] = b"\0"
                    lock.release()
            library.team_finish(self.address)


_teams: dict[int, list[_Team]] = {}


def _after_fork() -> None:
    global _forked  # noqa: PLW0603
    _forked = True
    _teams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def in_parts(work: int, argument: int, parts: int) -> None:
    """Call a compiled function for each part of a piece of work, all at the same time.

    Parameters
    ----------
    work
        Address of a C function ``void work(const void *argument, int64_t part, int64_t parts)``.
    argument
        Address of what it takes, the same for all parts.
    parts
        How many there are. The caller's thread does one of them.

    Examples
    --------
    >>> done = []
    >>> @ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64)
    ... def work(argument, part, parts):
    ...     done.append((part, parts))
    >>> in_parts(_address(work), 0, 2)
    >>> sorted(done)
    [(0, 2), (1, 2)]
    """
    openmp = _openmp() if "torch" in sys.modules and not _forked else None
    if openmp is not None:
        begin, run, thread, threads = openmp
        job = _Job(work, argument, parts, thread, threads)
        begin(run, ctypes.addressof(job), parts, 0)
        return
    free = _teams.setdefault(parts, [])
    try:
        team = free.pop()
    except IndexError:
        team = _Team(parts - 1)
    try:
        team.run(work, argument, parts)
    finally:
        free.append(team)
