"""Decode BinaryCIF to tables.

Each step of the decoding is checked: the sizes that a damaged file declares must agree with its content before an array
is made, so that nothing is padded with zeros, cut, or larger than the file can account for.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
import msgpack  # type: ignore[import-untyped]
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

from holo_types import FormatError

from .columns import integer, number
from .tables import Table, bad_value, check_length

__all__ = ["binary_categories"]

_INTEGERS = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4"}
_LIMITS = {code: np.iinfo(dtype) for code, dtype in _INTEGERS.items()}
_FLOATS = {32: "<f4", 33: "<f8"}
_PACKED: dict[tuple[int, int], str] = {
    (1, False): "<i1",
    (2, False): "<i2",
    (1, True): "<u1",
    (2, True): "<u2",
}
_SHOWN = 40  # characters of a kind that is unknown
_PRESENT, _LAST_MASK = 0, 2  # 0 is present, 1 is not applicable (.), 2 is unknown (?)

# A column of a single value takes a few bytes for any number of rows, but atoms never coincide: their coordinates alone
# take six bytes for each row.
_FEW_ROWS, _ROW = 1 << 16, 2
_MOST_VALUES = 1 << 20  # of maps and lists; files of the PDB have some thousands
_LARGEST = 2.0**53  # up to it, every integer is exact in float64
_MOST_STEPS = 8  # of the decoding of a column; files have at most five

_Array = NDArray[np.generic]


def binary_categories(content: bytes, wanted: Collection[str]) -> list[dict[str, Table]]:
    """Read the wanted categories of each data block of a BinaryCIF file, like `readers.cif.categories`.

    Columns are decoded when they are requested.

    Raises
    ------
    FormatError
        If it is not BinaryCIF.
    """
    file = _mapping(_unpacked(content), "it")
    blocks = []
    for block in _sequence(file, "dataBlocks"):
        tables = {}
        for category in _sequence(block, "categories"):
            name = str(_mapping(category, "a category").get("name", "")).lower().lstrip("_")
            if name in wanted:
                if name in tables:
                    raise FormatError(f"its category {name} is there twice")
                tables[name] = _table(category, name)
        blocks.append(tables)
    return blocks


def _unpacked(content: bytes) -> object:
    """Unpack msgpack with a limited number of values, because each byte can become an object."""
    values = 0

    def counted(value: Any) -> Any:
        nonlocal values
        values += 1 + len(value)
        if values > _MOST_VALUES:
            raise FormatError(f"its maps and lists have more than {_MOST_VALUES} values")
        return value

    limits = {"max_array_len": _MOST_VALUES, "max_map_len": _MOST_VALUES}
    return msgpack.unpackb(content, strict_map_key=True, list_hook=counted, object_hook=counted, **limits)


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise FormatError(f"{what} is {type(value).__name__}; it must be a map")
    return value


def _sequence(value: object, key: str) -> Sequence[object]:
    found = _mapping(value, f"what holds {key}").get(key)
    if not isinstance(found, list):
        raise FormatError(f"its {key} is {type(found).__name__}; it must be a list")
    return found


def _number(encoding: Mapping[str, object], key: str) -> float:
    value = encoding.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"an encoding has {key} = {value!r}; it must be a number")
    return float(value)


def _integer(encoding: Mapping[str, object], key: str) -> int:
    value = _number(encoding, key)
    if not value.is_integer() or abs(value) > _LARGEST:
        raise FormatError(f"an encoding has {key} = {value!r}; it must be an integer up to 2^53")
    return int(value)


def _kind(encoding: Mapping[str, object]) -> str:
    value = encoding.get("kind")
    if not isinstance(value, str):
        raise FormatError(f"the kind of an encoding is {type(value).__name__}; it must be text")
    return value


def _table(category: object, name: str) -> Table:
    rows = _mapping(category, "a category").get("rowCount")
    contents = [_mapping(column, "a column") for column in _sequence(category, "columns")]
    most = max(_FEW_ROWS, sum(map(_size, contents)) // _ROW)
    if not isinstance(rows, int) or isinstance(rows, bool) or not 0 <= rows <= most:
        raise FormatError(
            f"its {name} has rowCount {rows!r}; it must be an integer from 0 to {most}, as its columns have bytes for"
        )
    columns: dict[str, _BinaryColumn] = {}
    for content in contents:
        item = str(content.get("name")).lower()
        if item in columns:
            raise FormatError(f"its {name}.{item} is there twice")
        columns[item] = _BinaryColumn(item, content, rows)
    return Table(name, columns, rows)


def _size(column: Mapping[str, object]) -> int:
    """Return the size of a column's values in bytes."""
    data = column.get("data")
    content = data.get("data") if isinstance(data, dict) else None
    return len(content) if isinstance(content, bytes) else 0


@attrs.frozen(eq=False)
class _BinaryColumn:
    """A column as stored in the file, to be decoded."""

    name: str
    content: Mapping[str, object]
    rows: int

    def present(self) -> Bool[np.ndarray, "rows"]:
        mask = self.content.get("mask")
        if mask is None:
            return np.ones(self.rows, dtype=bool)
        values = self._decoded(mask, "mask")
        if values.dtype.kind not in "iu" or values.min(initial=0) < 0 or values.max(initial=0) > _LAST_MASK:
            raise FormatError(f"the mask of its {self.name} has other values than 0, 1 and 2")
        present: NDArray[np.bool_] = values == _PRESENT
        return present

    def text(self) -> Shaped[np.ndarray, "rows"]:
        values, present = self._values(), self.present()
        if values.dtype.kind != "U":
            values = values.astype(np.str_)
        return values if present.all() else np.where(present, values, "")

    def numbers(self, missing: float) -> Float[np.ndarray, "rows"]:
        values = self._values()
        if values.dtype.kind == "U":
            return self._read(values, missing, np.float64)
        return np.where(self.present(), values.astype(np.float64), missing)

    def integers(self, missing: int) -> Int[np.ndarray, "rows"]:
        values = self._values()
        if values.dtype.kind == "U":
            return self._read(values, float(missing), np.int64)
        present = self.present()
        if values.dtype.kind == "f":
            whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2.0**53)
            if not (whole | ~present).all():
                row = int(np.argmin(whole | ~present))
                raise bad_value(self.name, row, str(values[row]), "an integer")
        return np.where(present, values, missing).astype(np.int64)

    def _read(
        self, values: Shaped[np.ndarray, "rows"], missing: float, kind: type
    ) -> Shaped[np.ndarray, "rows"]:
        """Read numbers that a file stores as text."""
        read, words = (number, "a number") if kind is np.float64 else (integer, "an integer")
        found: NDArray[Any] = np.full(len(values), missing, dtype=kind)
        for row in np.flatnonzero(self.present()).tolist():
            value = str(values[row])
            try:
                found[row] = missing if value in {".", "?"} else read(value)
            except (ValueError, OverflowError):
                raise bad_value(self.name, row, value, words) from None
        return found

    def _values(self) -> Shaped[np.ndarray, "rows"]:
        return self._decoded(self.content.get("data"), "data")

    def _decoded(self, data: object, what: str) -> Shaped[np.ndarray, "rows"]:
        try:
            values = _decode(_mapping(data, f"the {what} of its {self.name}"), self.rows, self.name)
        except FormatError as error:
            raise FormatError(f"its {self.name}: {error}") from None
        if len(values) != self.rows:
            raise FormatError(f"its {self.name} has {len(values)} values ({what}); it must have {self.rows}")
        return values


def _decode(data: Mapping[str, object], rows: int, name: str) -> _Array:
    content = data.get("data")
    if not isinstance(content, bytes):
        raise FormatError(f"its data are {type(content).__name__}; they must be bytes")
    encodings = _sequence(data, "encoding")
    if len(encodings) == 1 and _mapping(encodings[0], "an encoding").get("kind") == "StringArray":
        return _strings(content, _mapping(encodings[0], "an encoding"), rows, name)
    return _steps(content, encodings, rows)


def _steps(content: bytes, encodings: Sequence[object], rows: int) -> _Array:
    """Undo encodings of numbers, the last one first."""
    if not 1 <= len(encodings) <= _MOST_STEPS:
        raise FormatError(f"it has {len(encodings)} encodings; it must have 1 to {_MOST_STEPS}")
    steps = [_mapping(encoding, "an encoding") for encoding in reversed(encodings)]
    values = _byte_array(content, steps[0])
    for step in steps[1:]:
        kind = _kind(step)
        if kind not in _DECODERS:
            raise FormatError(f"its encoding {kind[:_SHOWN]!r} is unknown")
        if kind != "ByteArray" and values.dtype.kind not in "iu":
            raise FormatError(f"its encoding {kind} has no integers to work on")
        # Before run-length decoding there are at most two values for each row.
        if "srcSize" in step and not 0 <= _number(step, "srcSize") <= 2 * rows:
            raise FormatError(f"its {kind} has srcSize {step['srcSize']}; the column has {rows} rows")
        if kind == "IntegerPacking":
            _check_packed(values.dtype, step)
        values = _DECODERS[kind](values.astype(np.int64, copy=False), step)
        if kind in {"RunLength", "Delta"}:
            _check_range(values, step)
    return values


def _check_packed(dtype: np.dtype[Any], step: Mapping[str, object]) -> None:
    unsigned = step.get("isUnsigned")
    said = _PACKED.get((_integer(step, "byteCount"), unsigned)) if isinstance(unsigned, int) else None
    if said is None or np.dtype(said) != dtype:
        raise FormatError(
            f"its IntegerPacking has byteCount {step.get('byteCount')!r} and isUnsigned {step.get('isUnsigned')!r}, "
            f"and holds {dtype.name}"
        )


def _check_range(values: _Array, step: Mapping[str, object]) -> None:
    """Refuse integers beyond the range of the type that an encoding declares."""
    limits = _LIMITS.get(_integer(step, "srcType"))
    if limits is None:
        raise FormatError(
            f"its {step.get('kind')} has srcType {step.get('srcType')}; it must be a type of integer"
        )
    if len(values) and not (limits.min <= values.min() and values.max() <= limits.max):
        raise FormatError(f"its {step.get('kind')} gives values beyond {limits.dtype.name}")


def _byte_array(content: bytes, step: Mapping[str, object]) -> _Array:
    kind = _kind(step)
    dtype = (_INTEGERS | _FLOATS).get(_integer(step, "type")) if kind == "ByteArray" else None
    if dtype is None:
        raise FormatError(f"its data are encoded as {kind[:_SHOWN]!r} of type {step.get('type')!r}")
    if len(content) % np.dtype(dtype).itemsize:
        raise FormatError(f"its {len(content)} bytes are not an array of {np.dtype(dtype).name}")
    return np.frombuffer(content, dtype=dtype)


def _fixed_point(values: NDArray[np.int64], step: Mapping[str, object]) -> _Array:
    factor = _number(step, "factor")
    if not factor:
        raise FormatError("its FixedPoint has factor 0")
    return (values / factor).astype(_float_type(step), copy=False)


def _interval_quantization(values: NDArray[np.int64], step: Mapping[str, object]) -> _Array:
    low, high, count = (_number(step, key) for key in ("min", "max", "numSteps"))
    if count < 2 or ((values < 0) | (values >= count)).any():
        raise FormatError(f"its IntervalQuantization has {count:g} steps, and values beyond them")
    return (low + values * ((high - low) / (count - 1))).astype(_float_type(step), copy=False)


def _float_type(step: Mapping[str, object]) -> str:
    code = _integer(step, "srcType")
    if code not in _FLOATS:
        raise FormatError(f"its {step.get('kind')} has srcType {code}; it must be a type of float")
    return _FLOATS[code]


def _run_length(values: NDArray[np.int64], step: Mapping[str, object]) -> _Array:
    size = _number(step, "srcSize")
    runs = values[1::2]
    if len(values) % 2 or runs.min(initial=0) < 0 or runs.max(initial=0) > size or runs.sum() != size:
        raise FormatError(f"its RunLength has runs that do not add up to {size:g}")
    return np.repeat(values[::2], runs)


def _delta(values: NDArray[np.int64], step: Mapping[str, object]) -> _Array:
    return np.cumsum(values) + _integer(step, "origin")


def _integer_packing(values: NDArray[np.int64], step: Mapping[str, object]) -> _Array:
    size, bits = _number(step, "srcSize"), 8 * _integer(step, "byteCount")
    low, high = (-1, 2**bits - 1) if step.get("isUnsigned") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    last = (values != high) & (values != low)
    count = int(np.count_nonzero(last))
    if count != size or (len(values) and not last[-1]):
        raise FormatError(f"its IntegerPacking holds {count} values; it must hold {size:g}")
    if count == len(values):
        return values
    return np.add.reduceat(values, np.concatenate([[0], np.flatnonzero(last)[:-1] + 1]))


_DECODERS = {
    "FixedPoint": _fixed_point,
    "IntervalQuantization": _interval_quantization,
    "RunLength": _run_length,
    "Delta": _delta,
    "IntegerPacking": _integer_packing,
}


def _strings(content: bytes, step: Mapping[str, object], rows: int, name: str) -> _Array:
    text, offset_bytes = step.get("stringData"), step.get("offsets")
    if not isinstance(text, str) or not isinstance(offset_bytes, bytes):
        raise FormatError("its StringArray lacks stringData or offsets")
    offsets = _steps(offset_bytes, _sequence(step, "offsetEncoding"), rows + 1)
    places = _steps(content, _sequence(step, "dataEncoding"), rows)
    if offsets.dtype.kind not in "iu" or places.dtype.kind not in "iu":
        raise FormatError("its StringArray has no integers")
    offsets = offsets.astype(np.int64)
    lengths = np.diff(offsets)
    if len(lengths) > rows:
        raise FormatError(f"its StringArray has {len(lengths)} strings; the column has {rows} rows")
    if len(offsets) and (offsets[0] < 0 or offsets[-1] > len(text) or (lengths < 0).any()):
        raise FormatError("its StringArray has offsets beyond its text, or not ascending")
    check_length(name, rows, 0, int(lengths.max(initial=0)))
    bounds = offsets.tolist()
    strings = [text[first:end] for first, end in pairwise(bounds)]
    if len(places) and (places.min() < -1 or places.max() >= len(strings)):
        raise FormatError("its StringArray has indices beyond its strings")
    found: _Array = np.array([*strings, ""])[places]
    return found
