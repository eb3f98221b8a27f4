"""The library ``threads``, which does pieces of compiled work in sequence and the parts of each piece in parallel.

Threads stay awake for a moment after the last piece, so that the next one need not wait for them. torch's OpenMP is not
used, because it assigns each part to a thread: if another program occupies that thread's processor, all others wait.
"""

import ctypes
import os
import time
from collections.abc import Sequence
from ctypes import c_char, c_int64, c_void_p
from functools import cache
from itertools import chain
from struct import pack
from threading import Lock, Thread

from .libraries import load

__all__ = ["in_parts"]

_AWAKE_SECONDS = 1e-3


@cache
def _library() -> ctypes.CDLL:
    library = load("threads")
    assert library is not None  # otherwise there would be no compiled work
    library.team_bytes.argtypes, library.team_bytes.restype = (c_int64,), c_int64
    library.team_make.argtypes = (c_void_p, c_int64)
    library.team_wait.argtypes = (c_int64,)
    library.team_begin.argtypes = (c_void_p, c_void_p, c_void_p)
    library.team_finish.argtypes = (c_void_p, c_void_p, c_int64)
    library.team_help.argtypes = (c_void_p, c_int64, c_int64)
    for name in ("make", "wait", "begin", "finish", "help"):
        library[f"team_{name}"].restype = None
    return library


@cache
def _turns() -> int:
    """Return how many times a thread checks for work before it goes to sleep."""
    library, turns, least = _library(), 1000, float("inf")
    for _ in range(20):  # the shortest of them: during the others, another program may have had the processor
        start = time.perf_counter()
        library.team_wait(turns)
        least = min(least, time.perf_counter() - start)
    return max(1, int(turns * _AWAKE_SECONDS / max(least, 1e-9)))


class _Team:
    """The threads that help one caller at a time."""

    def __init__(self, helpers: int) -> None:
        size = _library().team_bytes(helpers)
        # Never freed: a thread may still read it while the interpreter exits.
        allocate = ctypes.pythonapi.PyMem_RawCalloc
        allocate.argtypes, allocate.restype = (ctypes.c_size_t, ctypes.c_size_t), c_void_p
        start = allocate(1, size + 64)
        if start is None:
            raise MemoryError
        self.address = start + -start % 64
        _library().team_make(self.address, helpers)
        self.asleep = (c_char * helpers)()
        self.locks = [Lock() for _ in range(helpers)]
        for number, lock in enumerate(self.locks):
            lock.acquire()  # a helper sleeps by acquiring its lock again
            Thread(target=self.help, args=(number, lock), name=f"holo-kernels {number}", daemon=True).start()

    def help(self, number: int, lock: Lock) -> None:
        """Work whenever woken; this never returns."""
        library, turns = _library(), _turns()
        while True:
            lock.acquire()
            library.team_help(self.address, number, turns)

    def run(self, pieces: Sequence[tuple[int, int, int]]) -> None:
        """Do pieces of work in sequence."""
        library = _library()
        first, others = pack("3q", *pieces[0]), pieces[1:]
        rest = pack(f"{3 * len(others)}q", *chain.from_iterable(others))
        try:
            library.team_begin(self.address, first, self.asleep)
        finally:  # also after Ctrl-C, because the helpers are at work
            for number, lock in enumerate(self.locks):
                if self.asleep[number] != b"\0":
                    self.asleep[number] = b"\0"
                    lock.release()
            library.team_finish(self.address, rest, len(others))


_teams: dict[int, list[_Team]] = {}


# A forked process does not have the threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_teams.clear)


def in_parts(pieces: Sequence[tuple[int, int, int]]) -> None:
    """Do pieces of compiled work in sequence, and the parts of each piece in parallel.

    Parameters
    ----------
    pieces
        At least one piece; each is three integers: the address of a C function
        ``void work(const void *argument, int64_t part, int64_t parts)``, the address of its argument, which all parts
        share, and the number of parts, at most 65,535. As many threads as the largest number of parts take part,
        including the caller's; which thread does which part is not determined.

    Examples
    --------
    >>> done = []
    >>> @ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64)
    ... def work(argument, part, parts):
    ...     done.append((argument, part, parts))
    >>> address = ctypes.cast(work, c_void_p).value
    >>> in_parts([(address, 8, 2), (address, 9, 1)])
    >>> sorted(done[:2]), done[2]
    ([(8, 0, 2), (8, 1, 2)], (9, 0, 1))
    """
    threads = max(parts for _, _, parts in pieces)
    free = _teams.setdefault(threads, [])
    try:
        team = free.pop()
    except IndexError:
        team = _Team(threads - 1)
    try:
        team.run(pieces)
    finally:
        free.append(team)
