"""The similarity of vectors on a meaningful scale: 1 for identical vectors, 0 for two random ones."""

import numpy as np
from jaxtyping import Float

from holo_types import HoloError

from .scaling import standardization

__all__ = ["similarities"]

_PAIRS = 20_000


def similarities(vectors: Float[np.ndarray, "n d"], row: int, *, seed: int = 0) -> Float[np.ndarray, "n"]:
    """Return the similarity of each row to one row: 1 - d / r, with its distance d and the distance r of random rows.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The rows. Distances are Euclidean, after each dimension is divided by its standard deviation over all rows.
    row
        The row that all others are compared with.
    seed
        The seed of the 20,000 random pairs, whose median distance is r.

    Returns
    -------
    Float[ndarray, "n"]
        1 for the row itself, 0 for rows as far away as two random rows, and below 0 for rows farther away.

    Raises
    ------
    HoloError
        If there are fewer than two rows, a value is not finite, there is no such row, or all rows are identical.

    Examples
    --------
    >>> vectors = np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 2.0]])
    >>> similarities(vectors, 0).tolist()
    [1.0, 1.0, 0.0]
    """
    scaled = standardization(vectors).of(vectors.astype(np.float64))
    if not 0 <= row < len(scaled):
        raise HoloError(f"row is {row}; it must be from 0 to {len(scaled) - 1}")
    one, other = np.random.default_rng(seed).integers(len(scaled), size=(2, _PAIRS))
    apart = np.linalg.norm((scaled[one] - scaled[other])[one != other], axis=1)
    random = float(np.median(apart))
    if random == 0:
        raise HoloError("at least half of the rows are the same; similarity needs rows that differ")
    found: Float[np.ndarray, n] = 1 - np.linalg.norm(scaled - scaled[row], axis=1) / random
    return found
