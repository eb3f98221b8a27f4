"""Tables of values, independent of how a file stores them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from holo_types import FormatError

from .columns import integer, number

__all__ = ["Column", "ListColumn", "Table", "bad_value", "check_length"]

# An array of text is as wide as its longest value.
_LONGEST, _MOST_CHARACTERS = 32, 2**24


class Column(Protocol):
    """The values of a table's column, some of which may be missing in the file (``.`` or ``?``)."""

    def present(self) -> Bool[np.ndarray, "rows"]:
        """Return which values are present."""

    def text(self) -> Shaped[np.ndarray, "rows"]:
        """Return the values as text, empty if missing."""

    def numbers(self, missing: float) -> Float[np.ndarray, "rows"]:
        """Return the values as float64, or raise a FormatError that names the value that is not a number."""

    def integers(self, missing: int) -> Int[np.ndarray, "rows"]:
        """Return the values as int64, or raise a FormatError that names the value that is not an integer."""


@attrs.frozen(eq=False)
class Table:
    """A category: columns of one length, by name."""

    name: str
    columns: Mapping[str, Column]
    rows: int


def bad_value(name: str, row: int, value: str, kind: str) -> FormatError:
    """Return the error for a value that is not of the required kind; `row` counts from 0."""
    return FormatError(f"row {row + 1} has {name} = {value!r}; it must be {kind}")


def check_length(name: str, rows: int, row: int, length: int) -> None:
    """Refuse a value that nobody would write on purpose, before an array is made as wide as it.

    Parameters
    ----------
    name, rows
        The name and the number of rows of the column.
    row, length
        The row and length of its longest value; rows are counted from 0.

    Raises
    ------
    FormatError
        If the column would be much larger as text of one width than in the file.
    """
    if rows * length > _MOST_CHARACTERS and length > _LONGEST:
        raise FormatError(
            f"row {row + 1} has a {name} of {length} characters; it must have at most {_LONGEST}"
        )


@attrs.frozen(eq=False)
class ListColumn:
    """Values as a list of text, with None for missing ones."""

    name: str
    values: Sequence[str | None]

    def __attrs_post_init__(self) -> None:
        lengths = [len(value or "") for value in self.values]
        longest = max(lengths, default=0)
        check_length(self.name, len(lengths), lengths.index(longest) if lengths else 0, longest)

    def present(self) -> Bool[np.ndarray, "rows"]:
        """Return which values are present."""
        return np.array([value is not None for value in self.values], dtype=bool)

    def text(self) -> Shaped[np.ndarray, "rows"]:
        """Return the values as text."""
        return np.array([value or "" for value in self.values], dtype=np.str_)

    def numbers(self, missing: float) -> Float[np.ndarray, "rows"]:
        """Return the values as float64."""
        numbers = np.full(len(self.values), missing, dtype=np.float64)
        for row, value in enumerate(self.values):
            try:
                numbers[row] = missing if value is None else number(value)
            except ValueError:
                raise bad_value(self.name, row, value or "", "a number") from None
        return numbers

    def integers(self, missing: int) -> Int[np.ndarray, "rows"]:
        """Return the values as int64."""
        integers = np.full(len(self.values), missing, dtype=np.int64)
        for row, value in enumerate(self.values):
            try:
                integers[row] = missing if value is None else integer(value)
            except (ValueError, OverflowError):
                raise bad_value(self.name, row, value or "", "an integer") from None
        return integers
