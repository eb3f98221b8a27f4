"""Checks of an object's arrays when it is made, and the comparison of two objects."""

from collections.abc import Sized
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_types.errors import HoloError

from .columns import Columns, RowSelection

__all__ = ["EXACT", "check_centers", "check_columns", "check_floats", "rows_of"]


def check_floats(owner: object, name: str, array: object, shape: tuple[int | str, ...]) -> None:
    """Refuse an array that is not float32 or float64, is not finite, or has another shape; text matches any size."""
    where = f"{type(owner).__name__}.{name}"
    expected = f"[{', '.join(map(str, shape))}]"
    if not isinstance(array, np.ndarray):
        raise HoloError(f"{where} is a {type(array).__name__}; it must be a numpy array {expected}")
    if array.dtype not in (np.float32, np.float64):
        raise HoloError(f"{where} has dtype {array.dtype}; it must be float32 or float64")
    fits = array.ndim == len(shape) and all(
        isinstance(size, str) or size == actual for size, actual in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise HoloError(f"{where} has shape {list(array.shape)}; it must be {expected}")
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise HoloError(f"{where} is not finite in row {row}; every value must be a finite number")


def check_centers(owner: Sized, centers: object) -> None:
    """Refuse centers that are not one finite position for each row; None means that they are unknown."""
    if centers is not None:
        check_floats(owner, "centers", centers, (len(owner), 3))


def check_columns(owner: object, columns: Columns, rows: int, row: str = "row") -> None:
    """Refuse columns whose length is not the object's number of rows."""
    if columns.rows not in (None, rows):
        name = next(iter(columns))
        raise HoloError(
            f"{type(owner).__name__}.{columns.noun}[{name!r}] has {columns.rows} values; "
            f"it must have {rows}, one a {row}"
        )


def rows_of(array: NDArray[Any] | None, rows: RowSelection) -> NDArray[Any] | None:
    """Return the chosen rows of an array that may be None."""
    return None if array is None else array[rows]


def _same(array: object, other: object) -> bool:
    if array is None or other is None:
        return array is other
    a, b = np.asarray(array), np.asarray(other)
    return a.dtype == b.dtype and np.array_equal(a, b)


EXACT = attrs.cmp_using(eq=_same)
