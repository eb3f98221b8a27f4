"""How alike vectors are, in units that mean something: 1 for the same, 0 for two random ones."""

import numpy as np
from jaxtyping import Float

from holo_types import HoloError

from .scaling import standardization

__all__ = ["similarities"]

_PAIRS = 20_000


def similarities(vectors: Float[np.ndarray, "n d"], row: int, *, seed: int = 0) -> Float[np.ndarray, "n"]:
    """Return how like one row each row is: 1 - d / r, where d is its distance and r that of two random rows.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Distances are Euclidean after each number was divided by its standard deviation over all rows.
    row
        The one that all are compared with.
    seed
        Of the 20,000 pairs whose median distance is r.

    Returns
    -------
    Float[ndarray, "n"]
        1 for the row itself, 0 for a row as far as two random ones are, below 0 for rows that are farther.

    Raises
    ------
    HoloError
        If there are fewer than two rows, a value is not finite, the row is not one of them, or all rows are the same.

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
