"""Named columns that describe each row: those of an index, and those of the points of clouds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from holo_types.errors import HoloError

__all__ = [
    "Columns",
    "Index",
    "PointColumns",
    "RowSelection",
    "as_index",
    "as_point_columns",
    "check_name",
    "text_array",
]

ColumnsT = TypeVar("ColumnsT", bound="Columns")  # not Self, which beartype accepts in decorated classes only

RowSelection = slice | NDArray[np.bool_] | NDArray[np.integer[Any]]


def _is_plain(text: str) -> bool:
    """Return whether HDF5 and every table can hold the text: it has no NUL and no unpaired surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_name(what: str, name: object) -> None:
    """Refuse a name under which HDF5 cannot keep an array."""
    if not isinstance(name, str) or name in ("", ".") or "/" in name or not _is_plain(name):
        raise HoloError(f"{what}; it must be text, not empty, without '/' or NUL")


# In an array of text, numpy gives every item the size of the longest: one long text among many would fill the memory.
_LARGEST_TEXTS, _WIDEST = (
    1 << 28,
    1 << 8,
)  # bytes that are always allowed, and how many more each character may take


def text_array(where: str, texts: list[str]) -> NDArray[Any]:
    """Make an array of text with the narrowest dtype, so that equal columns have equal dtypes."""
    for text in set(texts):
        if not _is_plain(text):
            raise HoloError(f"{where} holds {text!r}; it must be valid Unicode text without NUL")
    longest, whole = max(map(len, texts), default=0), sum(map(len, texts))
    if 4 * longest * len(texts) > max(_LARGEST_TEXTS, _WIDEST * whole):
        raise HoloError(
            f"{where} holds {len(texts)} texts, of which one has {longest} characters; so many must be shorter"
        )
    return np.array(texts, dtype=np.str_)


def _column(where: str, values: ArrayLike, kinds: str) -> NDArray[Any]:
    """Check a column; `kinds` are the numpy kinds that it may have beside text."""
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return text_array(where, values)  # which, unlike `numpy.asarray`, refuses what would fill the memory
    array = np.asarray(values)
    if array.ndim != 1:
        raise HoloError(f"{where} has shape {array.shape}; it must have one dimension, one value a row")
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise HoloError(f"{where} holds {array.max()}; integers must fit into 64 bits with a sign")
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=object)  # so that neither ["a", 1] nor a trailing NUL passes
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array):
        return text_array(where, array.tolist())
    if array.size == 0 and not isinstance(values, np.ndarray):  # numpy makes floats of an empty list
        return array.astype(np.int64)
    native = array.dtype.newbyteorder("=")
    if native.kind in kinds and native in (np.float32, np.float64, np.bool_):
        return array.astype(native, copy=False)
    if array.dtype.kind != "U":
        truths = "only truth values, " if "b" in kinds else ""
        raise HoloError(
            f"{where} has dtype {array.dtype}; it must hold {truths}only integers, only float32 or float64, "
            "or only text"
        )
    return text_array(where, array.tolist())


def _equal(column: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two columns hold the same values; NaN, which marks a missing value, equals itself."""
    return column.dtype == other.dtype and np.array_equal(column, other, equal_nan=column.dtype.kind == "f")


class Columns(Mapping[str, NDArray[Any]]):
    """An ordered mapping of column names to numpy arrays of one length; the base of `Index` and `PointColumns`."""

    __slots__ = ("_columns",)

    noun: ClassVar[str]
    kinds: ClassVar[str]  # the numpy kinds that columns may have, beside integers and text

    def __init__(self, columns: Mapping[str, ArrayLike] | None = None) -> None:
        checked: dict[str, NDArray[Any]] = {}
        for name, values in (columns or {}).items():
            check_name(f"{self.noun}: {name!r} is not a column name", name)
            checked[name] = _column(f"{self.noun}[{name!r}]", values, self.kinds)
        lengths = {name: len(values) for name, values in checked.items()}
        if len(set(lengths.values())) > 1:
            raise HoloError(f"{self.noun}: its columns must have one length; they have {lengths}")
        self._columns = checked

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(self._lacks(name)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return list(self) == list(other) and all(_equal(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._columns)}; rows={self.rows})"

    @property
    def rows(self) -> int | None:
        """The number of rows, or None if there is no column."""
        return next((len(values) for values in self._columns.values()), None)

    def column(self, name: str) -> NDArray[Any]:
        """Return one column; unlike ``[name]``, raise an error that is meant for users.

        Raises
        ------
        HoloError
            If there is no such column; the message lists the columns that there are.

        Examples
        --------
        >>> Index({"chain": ["A"], "model": [1]}).column("chian")
        Traceback (most recent call last):
        ...
        holo_types.errors.HoloError: index has no column 'chian'; it has chain, model
        """
        if name not in self._columns:
            raise HoloError(self._lacks(name))
        return self._columns[name]

    def take(self: ColumnsT, rows: RowSelection) -> ColumnsT:
        """Return the chosen rows of every column."""
        return type(self)({name: values[rows] for name, values in self._columns.items()})

    def assign(self: ColumnsT, **columns: ArrayLike) -> ColumnsT:
        """Return a copy with columns added or replaced."""
        return type(self)({**self._columns, **columns})

    @classmethod
    def concatenate(cls: type[ColumnsT], parts: Sequence[ColumnsT]) -> ColumnsT:
        """Join the rows of parts that have the same columns, one after the other.

        Raises
        ------
        HoloError
            If there is nothing to join, or the columns differ in name or type.
        """
        if not parts:
            raise HoloError(f"{cls.noun}: there is nothing to concatenate")
        names = list(parts[0])
        for part in parts:
            if list(part) != names:
                raise HoloError(f"{cls.noun}: columns {list(part)} do not match {names}")
        return cls({name: cls._joined(name, [part[name] for part in parts]) for name in names})

    @classmethod
    def _joined(cls, name: str, columns: list[NDArray[Any]]) -> NDArray[Any]:
        filled = [values for values in columns if len(values)] or columns[
            :1
        ]  # a part without rows does not count
        kinds = {"text" if values.dtype.kind == "U" else str(values.dtype) for values in filled}
        if len(kinds) > 1:  # numpy would convert them to one type, and round what does not fit
            raise HoloError(
                f"{cls.noun}[{name!r}] is of {' and '.join(sorted(kinds))}; all parts must be of one type"
            )
        return np.concatenate(filled)

    def _lacks(self, name: object) -> str:
        return f"{self.noun} has no column {name!r}; it has {', '.join(self._columns) or 'none'}"


class Index(Columns):
    """A description of each row: an ordered mapping of column names to numpy arrays ``[n]``.

    Residues have the columns ``structure, model, chain, residue_number, insertion_code, residue_name``, and
    images have ``image, label``; any other columns may be added.

    Parameters
    ----------
    columns
        Values by name. Integers become int64, and text the narrowest numpy text dtype; float32 and float64 are kept to
        the bit. NaN marks a missing value and equals itself here.

    Raises
    ------
    HoloError
        If a column is not one-dimensional or not of integers, floats or text, or if the columns differ in length.

    Examples
    --------
    >>> index = Index({"chain": ["A", "A", "B"], "residue_number": [1, 2, 1], "b_factor": [7.5, np.nan, 20.0]})
    >>> list(index), index.rows
    (['chain', 'residue_number', 'b_factor'], 3)
    >>> index.take(slice(0, 2))["residue_number"]
    array([1, 2])
    """

    __slots__ = ()
    noun = "index"
    kinds = "f"


class PointColumns(Columns):
    """A description of each point of `PointClouds`: an ordered mapping of column names to arrays ``[points]``.

    Parameters
    ----------
    columns
        Values by name, as in an `Index`; they may also be truth values.

    Raises
    ------
    HoloError
        If a column is not one-dimensional or not of truth values, integers, floats or text, or if the columns differ
        in length.

    Examples
    --------
    >>> columns = PointColumns({"backbone": np.array([True, False]), "side": ["receptor", "ligand"]})
    >>> columns.take(columns["backbone"])["side"].tolist()
    ['receptor']
    """

    __slots__ = ()
    noun = "point_columns"
    kinds = "bf"


def as_index(value: Mapping[str, ArrayLike] | None) -> Index:
    """Return an index unchanged, or make one from a mapping."""
    return value if isinstance(value, Index) else Index(value)


def as_point_columns(value: Mapping[str, ArrayLike] | None) -> PointColumns:
    """Return columns of points unchanged, or make them from a mapping."""
    return value if isinstance(value, PointColumns) else PointColumns(value)
