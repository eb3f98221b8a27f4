"""Checks that all scores make of their input: finite vectors, and one label per row."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike, NDArray

from holo_types import HoloError

__all__ = ["check_vectors", "text_labels"]


def check_vectors(name: str, vectors: NDArray[np.generic]) -> Float[np.ndarray, "n d"]:
    """Return the vectors unchanged if they are ``[n, d]`` finite floats with d >= 1; refuse them otherwise.

    Raises
    ------
    HoloError
        If the shape, the dtype or a value does not match.

    Examples
    --------
    >>> check_vectors("z", np.array([[np.nan]]))
    Traceback (most recent call last):
        ...
    holo_types.errors.HoloError: z: row 0 is not finite; every value must be a finite number
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] == 0:
        raise HoloError(
            f"{name}: has shape {list(vectors.shape)} and dtype {vectors.dtype}; it must be [n, d] of floats, d >= 1"
        )
    if not np.isfinite(vectors).all():
        row = int(np.argwhere(~np.isfinite(vectors))[0][0])
        raise HoloError(f"{name}: row {row} is not finite; every value must be a finite number")
    return vectors


def text_labels(name: str, values: ArrayLike, rows: int) -> Shaped[np.ndarray, "rows"]:
    """Return the labels of rows as text, whether they are text or integers.

    Raises
    ------
    HoloError
        If there is not one label per row, or they are neither text nor integers.

    Examples
    --------
    >>> text_labels("labels", [3, 1], 2).tolist()
    ['3', '1']
    """
    array = np.asarray(values)
    if array.shape != (rows,):
        raise HoloError(
            f"{name}: has shape {list(array.shape)}; it must be [{rows}], one for each row of features"
        )
    is_text = array.dtype.kind == "U" or all(isinstance(value, str) for value in array)
    if array.dtype.kind not in "iu" and not is_text:
        raise HoloError(f"{name}: has dtype {array.dtype}; it must hold text or integers")
    return array.astype(np.str_)
