"""Into how many parts a batch is cut, one a thread, and the memory that they work in."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["part_count", "workspace"]

# A part of fewer samples is not worth a thread of its own.
_LEAST = 8

_work: list[Tensor] = []


def part_count(size: int, least: int = 0) -> int:
    """Say into how many parts a batch is cut, none smaller than 8 samples, or than ``least``.

    As many as torch has threads, at most. Which sample is in which part depends on nothing but the numbers given, so
    sums over parts are the same in every run.
    """
    return max(1, min(torch.get_num_threads(), size // max(least, _LEAST)))


@contextmanager
def workspace(size: int) -> Iterator[int]:
    """Lend the address of so many bytes: memory that was used before needs no fresh pages."""
    try:
        work = _work.pop()
    except IndexError:
        work = torch.empty(0, dtype=torch.uint8, device="cpu")
    if work.numel() < size:
        work = torch.empty(size, dtype=torch.uint8, device="cpu")
    try:
        yield work.data_ptr()
    finally:
        _work.append(work)
