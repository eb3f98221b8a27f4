"""The index: named columns that say what each row is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import HoloError

__all__ = ["Index", "Rows"]

Rows = slice | NDArray[np.bool_] | NDArray[np.integer[Any]]


def _is_plain(text: str) -> bool:
    """Say whether HDF5 and every table can hold the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise HoloError(
            f"index[{name!r}] has shape {array.shape}; it must have one dimension, one value a row"
        )
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise HoloError(
                f"index[{name!r}] holds {array.max()}; integers must fit into 64 bits with a sign"
            )
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=object)  # so that neither ["a", 1] nor a last NUL passes unseen
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array):
        return _text_column(name, array.tolist())
    if array.size == 0 and array.dtype.kind == "f":  # numpy's dtype of an empty list
        return array.astype(np.int64)
    if array.dtype.kind != "U":
        raise HoloError(f"index[{name!r}] has dtype {array.dtype}; it must hold only integers or only text")
    return _text_column(name, array.tolist())


def _text_column(name: str, texts: list[str]) -> NDArray[Any]:
    for text in set(texts):
        if not _is_plain(text):
            raise HoloError(f"index[{name!r}] holds {text!r}; it must be valid Unicode text without NUL")
    # The narrowest dtype, so that equal columns have equal dtypes whatever made them.
    return np.array(texts, dtype=np.str_)


class Index(Mapping[str, NDArray[Any]]):
    """An ordered mapping of column name to numpy array ``[n]`` of int64 or text.

    Residues have the columns ``structure, model, chain, residue_number, insertion_code, residue_name``,
    images ``image, label``; further columns are free.

    Parameters
    ----------
    columns
        Name to values. Integers become int64, text the narrowest numpy text dtype.

    Raises
    ------
    HoloError
        If a column is not one-dimensional, not of integers or text, or the columns differ in length.

    Examples
    --------
    >>> index = Index({"chain": ["A", "A", "B"], "residue_number": [1, 2, 1]})
    >>> list(index), index.rows
    (['chain', 'residue_number'], 3)
    >>> index.take(slice(0, 2))["residue_number"]
    array([1, 2])
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, ArrayLike] | None = None) -> None:
        checked: dict[str, NDArray[Any]] = {}
        for name, values in (columns or {}).items():
            if not isinstance(name, str) or name in ("", ".") or "/" in name or not _is_plain(name):
                raise HoloError(
                    f"index: {name!r} is no column name; it must be text, not empty, without '/' or NUL"
                )
            checked[name] = _column(name, values)
        lengths = {name: len(values) for name, values in checked.items()}
        if len(set(lengths.values())) > 1:
            raise HoloError(f"index: its columns must have one length; they have {lengths}")
        self._columns = checked

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(f"index has no column {name!r}; it has {list(self._columns)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Index):
            return NotImplemented
        return list(self) == list(other) and all(np.array_equal(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Index({', '.join(self._columns)}; rows={self.rows})"

    @property
    def rows(self) -> int | None:
        """The number of rows, or None if there is no column."""
        return next((len(values) for values in self._columns.values()), None)

    def take(self, rows: Rows) -> "Index":
        """Give the chosen rows of every column."""
        return Index({name: values[rows] for name, values in self._columns.items()})

    def assign(self, **columns: ArrayLike) -> "Index":
        """Give a copy with columns added or replaced."""
        return Index({**self._columns, **columns})

    @staticmethod
    def concatenate(parts: "Sequence[Index]") -> "Index":
        """Join indices of the same columns, one after the other.

        Raises
        ------
        HoloError
            If there is nothing to join, or the columns differ.
        """
        if not parts:
            raise HoloError("index: there is nothing to concatenate")
        names = list(parts[0])
        for part in parts:
            if list(part) != names:
                raise HoloError(f"index: columns {list(part)} do not match {names}")
        return Index({name: np.concatenate([part[name] for part in parts]) for name in names})
