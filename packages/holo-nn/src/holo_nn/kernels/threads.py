"""The number of parts into which a batch is cut, one for each thread, and their working memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["part_count", "workspace"]

# A part with fewer samples is not worth a thread of its own.
_LEAST = 8

_work: list[Tensor] = []


def part_count(size: int, least: int = 0) -> int:
    """Return into how many parts to cut a batch, none with fewer than 8 samples or than ``least``.

    There are at most as many parts as torch has threads. Which sample is in which part depends only on these numbers,
    so sums over parts are the same in every run.
    """
    return max(1, min(torch.get_num_threads(), size // max(least, _LEAST)))


@contextmanager
def workspace(size: int) -> Iterator[int]:
    """Lend the address of `size` bytes; memory that was used before needs no new pages."""
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
