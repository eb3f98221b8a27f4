"""The nearest rows of other groups, for all rows at once and without an index."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_types import HoloError

__all__ = ["NONE", "nearest_rows"]

NONE = -1
_DISTANCES_AT_ONCE = 1 << 24


def nearest_rows(
    vectors: Float[np.ndarray, "n d"], groups: Int[np.ndarray, "n"], count: int
) -> tuple[Int[np.ndarray, "n count"], Float[np.ndarray, "n count"]]:
    """Return for each row the nearest rows of other groups by Euclidean distance, the nearest first.

    Every row is compared with every other row, which takes a minute for 100,000 rows with 128 dimensions.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The vectors, on a common scale, see `holo_downstream.standardization`.
    groups : Int[ndarray, "n"]
        Rows of one group, such as the residues of a structure, are never neighbors of each other.
    count
        The number of neighbors for each row.

    Returns
    -------
    Int[ndarray, "n count"]
        Row numbers; -1 if there are fewer neighbors.
    Float[ndarray, "n count"]
        Distances; NaN if there is no such neighbor.

    Raises
    ------
    HoloError
        If `count` is below 1, or there is not exactly one group for each vector.

    Examples
    --------
    >>> rows, distances = nearest_rows(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]), 2)
    >>> rows.tolist(), distances[2].tolist()
    ([[2, -1], [2, -1], [1, 0]], [4.0, 5.0])
    """
    if count < 1:
        raise HoloError(f"count is {count}; it must be 1 or more")
    if len(groups) != len(vectors):
        raise HoloError(
            f"there are {len(groups)} groups for {len(vectors)} vectors; there must be one for each"
        )
    short = vectors.astype(np.float32, copy=False)
    squares = np.einsum("nd,nd->n", short, short)
    rows = np.full((len(short), count), NONE, np.int64)
    distances = np.full((len(short), count), np.nan)
    step = max(1, _DISTANCES_AT_ONCE // max(len(short), 1))
    for start in range(0, len(short), step):
        block = slice(start, start + step)
        # The squared length of the query is left out, since it does not change the order.
        apart: NDArray[np.float32] = squares - 2 * short[block] @ short.T
        apart[groups[block, None] == groups] = np.inf
        kept = min(count, len(short))
        near = np.argpartition(apart, kept - 1, axis=1)[:, :kept]
        near = np.where(np.isfinite(np.take_along_axis(apart, near, 1)), near, NONE)
        # Differences give exact distances, unlike the product of long vectors.
        exact = np.linalg.norm(vectors[near] - vectors[block, None], axis=2)
        exact[near == NONE] = np.nan
        order = np.argsort(exact, axis=1, kind="stable")
        rows[block, :kept] = np.take_along_axis(near, order, 1)
        distances[block, :kept] = np.take_along_axis(exact, order, 1)
    return rows, distances
