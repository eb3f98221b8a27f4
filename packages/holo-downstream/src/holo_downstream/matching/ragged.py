"""Consecutive integers in many ranges at once, without a loop."""

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

__all__ = ["first_of_each", "runs"]


def runs(
    starts: Int[np.ndarray, "n"], ends: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "m"]]:
    """Return the integers from each start up to its end, exclusive, and the range that each belongs to.

    Examples
    --------
    >>> owners, numbers = runs(np.array([2, 7, 7]), np.array([4, 7, 10]))
    >>> owners.tolist(), numbers.tolist()
    ([0, 0, 2, 2, 2], [2, 3, 7, 8, 9])
    """
    counts = np.maximum(ends - starts, 0)
    owners: NDArray[np.int64] = np.repeat(np.arange(len(starts)), counts)
    before = np.cumsum(counts) - counts
    return owners, np.arange(len(owners)) + (starts - before)[owners]


def first_of_each(owners: Int[np.ndarray, "m"], most: int) -> Int[np.ndarray, "kept"]:
    """Return the positions of the first few entries of each owner, whose entries must be contiguous.

    Examples
    --------
    >>> first_of_each(np.array([3, 3, 3, 5, 8, 8]), 2).tolist()
    [0, 1, 3, 4, 5]
    """
    begins = np.flatnonzero(np.diff(owners, prepend=-1) != 0)
    lengths = np.diff(np.append(begins, len(owners)))
    rank = np.arange(len(owners)) - np.repeat(begins, lengths)
    return np.flatnonzero(rank < most)
