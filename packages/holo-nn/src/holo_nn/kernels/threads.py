"""A batch cut into parts, one a thread, as many threads as torch uses, and the memory that each works in."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["in_parts", "part_count", "workspace"]

# A part of fewer samples is not worth a thread of its own: OpenMP's threads, which torch's operations have just used,
# still spin where the second part could run.
_LEAST = 8

_work: list[Tensor] = []
_pools: dict[int, ThreadPoolExecutor] = {}
# The threads of a pool are not there in a forked process.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


def part_count(size: int, least: int = 0) -> int:
    """Say into how many parts a batch is cut, none smaller than 8 samples, or than ``least``."""
    return max(1, min(torch.get_num_threads(), size // max(least, _LEAST)))


def in_parts(function: Callable[[int, int, int], object], size: int, parts: int) -> None:
    """Call ``function(part, begin, end)`` for each part of a range, all at the same time.

    The last runs in the calling thread. Which sample is in which part depends on nothing but the numbers
    given, so sums over parts are the same in every run.
    """
    bounds = [size * part // parts for part in range(parts + 1)]
    if parts == 1:
        function(0, 0, size)
        return
    pool = _pools.get(parts)
    if pool is None:
        pool = _pools.setdefault(parts, ThreadPoolExecutor(parts - 1, thread_name_prefix="holo-nn"))
    waiting = [pool.submit(function, part, bounds[part], bounds[part + 1]) for part in range(parts - 1)]
    function(parts - 1, bounds[-2], size)
    for each in waiting:
        each.result()


@contextmanager
def workspace(size: int) -> Iterator[int]:
    """Lend the address of so many bytes: memory that was used before needs no fresh pages."""
    try:
        work = _work.pop()
    except IndexError:
        work = torch.empty(0, dtype=torch.uint8, device="cpu")
    if len(work) < size:
        work = torch.empty(size, dtype=torch.uint8, device="cpu")
    try:
        yield work.data_ptr()
    finally:
        _work.append(work)
