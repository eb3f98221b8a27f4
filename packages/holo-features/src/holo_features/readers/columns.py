"""Convert columns of text, as bytes of a file, to arrays.

A column is one array of bytes, with a row for each value. Numbers are exact: values of the usual form are read as
integers of their digits, and all others by Python's own `float` and `int`.
"""

import re
from collections.abc import Callable

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.typing import NDArray

__all__ = ["decimals", "integer", "integers", "number", "text", "windows"]

_BLANK, _ZERO, _PLUS, _MINUS, _POINT = tuple(b" 0+-.")
_TEN = np.uint8(10)
_MOST_DIGITS = 18  # of an int64
_EXACT = 2**53  # every integer up to this is exact in float64
_POWERS = 10.0 ** np.arange(_MOST_DIGITS)
_BLOCK = 4096  # rows, so that intermediate arrays stay in the cache


def windows(octets: UInt8[np.ndarray, "bytes"], width: int) -> UInt8[np.ndarray, "starts width"]:
    """View the bytes from each position on, like NumPy's `sliding_window_view` but faster.

    Examples
    --------
    >>> windows(np.arange(4, dtype=np.uint8), 3).tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    # The array checks that all of it lies within the buffer.
    octets = np.ascontiguousarray(octets)
    return np.ndarray((len(octets) - width + 1, width), np.uint8, octets, strides=(1, 1))


def text(column: UInt8[np.ndarray, "rows width"]) -> Shaped[np.ndarray, "rows"]:
    """Return the values as text (Latin-1), without surrounding blanks.

    Examples
    --------
    >>> text(np.frombuffer(b" CA CB  ", dtype=np.uint8).reshape(2, 4)).tolist()
    ['CA', 'CB']
    """
    characters = np.ascontiguousarray(column, dtype=np.uint32)
    values: NDArray[np.str_] = characters.view(f"U{column.shape[1]}").ravel()
    if (column == _BLANK).any():
        values = np.char.strip(values)
    return values


def number(value: str) -> float:
    """Read a number as files write it, without the underscores and non-ASCII digits that Python accepts.

    Raises
    ------
    ValueError
        If it is not a number.

    Examples
    --------
    >>> number(" -1.50")
    -1.5
    """
    if "_" in value or not value.isascii():
        raise ValueError(f"could not convert string to float: {value!r}")
    return float(value)


def integer(value: str) -> int:
    """Read an integer in ASCII digits, with an optional sign.

    Raises
    ------
    ValueError
        If it is not such an integer.

    Examples
    --------
    >>> integer("-12")
    -12
    """
    if not re.fullmatch(r" *[+-]?[0-9]{1,18} *", value):
        raise ValueError(f"could not convert string to integer: {value!r}")
    return int(value)


def decimals(
    column: UInt8[np.ndarray, "rows width"],
) -> tuple[Float[np.ndarray, "rows"], Int[np.ndarray, "bad"]]:
    """Read decimal numbers that are right-aligned in the column.

    Parameters
    ----------
    column
        Values, with blanks before them.

    Returns
    -------
    Float[ndarray, "rows"]
        The numbers, rounded once to float64; NaN if there is none.
    Int[ndarray, "bad"]
        Rows that do not hold a number.

    Examples
    --------
    >>> decimals(np.frombuffer(b"  1.25-10.50 1.5e1   x.y", dtype=np.uint8).reshape(4, 6))
    (array([  1.25, -10.5 ,  15.  ,    nan]), array([3]))
    """
    read = _read(column)
    return read.values, _read_unusual(column, read.values, ~read.usual, number, np.nan)


def integers(
    column: UInt8[np.ndarray, "rows width"], read: Callable[[str], int] = integer
) -> tuple[Int[np.ndarray, "rows"], Int[np.ndarray, "bad"]]:
    """Read integers that are right-aligned in the column.

    Parameters
    ----------
    column
        Values, with blanks before them.
    read
        Function for values that are not digits with an optional sign.

    Returns
    -------
    Int[ndarray, "rows"]
        The integers, 0 if there is none.
    Int[ndarray, "bad"]
        Rows that do not hold an integer.

    Examples
    --------
    >>> integers(np.frombuffer(b"  12  -5 1.0", dtype=np.uint8).reshape(3, 4))
    (array([12, -5,  0]), array([2]))
    """
    found = _read(column)
    values = found.values.astype(np.int64)
    return values, _read_unusual(column, values, ~found.usual | found.pointed, read, 0.0)


@attrs.frozen(eq=False)
class _Read:
    """Numbers of the usual form, [+-]digits[.digits], and which of them have a point; other rows are undefined."""

    values: Float[np.ndarray, "rows"]
    usual: Bool[np.ndarray, "rows"]
    pointed: Bool[np.ndarray, "rows"]


def _read(column: UInt8[np.ndarray, "rows width"]) -> _Read:
    rows, width = column.shape
    read = _Read(np.zeros(rows), np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool))
    if 0 < width <= _MOST_DIGITS:
        for first in range(0, rows, _BLOCK):
            _read_block(column[first : first + _BLOCK], read, slice(first, first + _BLOCK))
    return read


def _read_block(column: UInt8[np.ndarray, "block width"], read: _Read, block: slice) -> None:
    octets = np.ascontiguousarray(column.T)
    digits = octets - _ZERO  # characters below "0" wrap around to large numbers
    digit, blank, minus, point = digits < _TEN, octets == _BLANK, octets == _MINUS, octets == _POINT
    opening = blank | minus | (octets == _PLUS)
    usual = (digit | opening | point).all(axis=0) & digit[-1] & (point.sum(axis=0, dtype=np.uint8) < 2)
    usual &= ~(opening[1:] & ~blank[:-1]).any(axis=0)  # only blanks may precede blanks and signs
    for i in range(1, len(point)):  # from here on true also for what comes after a point
        point[i] |= point[i - 1]
    pointed = point[-1]
    weights = _POWERS[len(octets) - 1 :: -1]
    digits *= digit
    every = weights @ digits.astype(np.float64)
    digits *= point
    decimal = weights @ digits.astype(np.float64)
    # The point was counted as a digit. All of these integers are exact, and so is the remainder of the division.
    magnitude = (every - decimal) / np.where(pointed, 10.0, 1.0) + decimal
    # The quotient of two integers that are exact in float64 is the float64 nearest to the decimal number.
    values = magnitude / _POWERS[point.sum(axis=0, dtype=np.uint8) - pointed]
    read.values[block] = values * (1.0 - 2.0 * minus.any(axis=0))
    read.usual[block], read.pointed[block] = usual & (every < _EXACT), pointed


def _read_unusual(
    column: UInt8[np.ndarray, "rows width"],
    values: Shaped[np.ndarray, "rows"],
    unusual: Bool[np.ndarray, "rows"],
    read: Callable[[str], float],
    none: float,
) -> Int[np.ndarray, "bad"]:
    """Read the values of unusual form one by one."""
    bad = []
    for row in np.flatnonzero(unusual).tolist():
        try:
            values[row] = read(column[row].tobytes().decode("latin-1"))
        except (ValueError, OverflowError):
            values[row] = none
            bad.append(row)
    return np.array(bad, dtype=np.int64)
