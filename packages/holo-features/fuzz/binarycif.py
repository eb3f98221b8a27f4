"""A second, strict reader of BinaryCIF for comparison, because gemmi has none.

It is written from the specification (https://github.com/molstar/BinaryCIF), value by value in plain Python, and shares
nothing with the package under test except msgpack. A file that declares a wrong size is refused.
"""

import math
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gemmi
import msgpack  # type: ignore[import-untyped]

__all__ = ["Refused", "atom_site_block"]

_TYPES = {1: "b", 2: "h", 3: "i", 4: "B", 5: "H", 6: "I", 32: "f", 33: "d"}
_RANGES = {
    code: (-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1) if signed else (0, 2 ** (8 * size) - 1)
    for code, size, signed in (
        (1, 1, True),
        (2, 2, True),
        (3, 4, True),
        (4, 1, False),
        (5, 2, False),
        (6, 4, False),
    )
}
_COLUMNS = (
    *("id", "type_symbol", "label_alt_id", "label_asym_id", "label_comp_id", "label_atom_id", "label_seq_id"),
    *("auth_asym_id", "auth_comp_id", "auth_atom_id", "auth_seq_id", "pdbx_pdb_ins_code", "occupancy"),
    *("cartn_x", "cartn_y", "cartn_z", "pdbx_pdb_model_num"),
)
_NUMBERS = ("auth_seq_id", "label_seq_id", "cartn_x", "cartn_y", "cartn_z", "occupancy", "pdbx_pdb_model_num")
# Without these columns gemmi finds no atoms at all; their values are compared only if the file has them.
_NEEDED = ("id", "type_symbol", "label_alt_id", "label_asym_id")


class Refused(Exception):
    """The content of the file differs from what it declares."""


def atom_site_block(content: bytes) -> gemmi.cif.Block:
    """Return the first category atom_site as CIF, from which gemmi makes a structure."""
    try:
        return _block(content)
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        struct.error,
        RecursionError,
    ) as error:
        raise Refused(f"{type(error).__name__}: {error}") from error


def _block(content: bytes) -> gemmi.cif.Block:
    file = msgpack.unpackb(content, raw=False)
    categories = (category for block in file["dataBlocks"] for category in block["categories"])
    category = next((category for category in categories if category["name"] == "_atom_site"), None)
    if category is None:
        raise Refused("no atom_site")
    rows = category["rowCount"]
    names = [column["name"] for column in category["columns"]]
    if not 0 <= rows <= len(content) or len({name.lower() for name in names}) != len(names):
        raise Refused("impossible number of rows, or a column twice")
    columns = {
        name: _values(column, rows, name.lower() in _NUMBERS)
        for name, column in zip(names, category["columns"], strict=True)
        if name.lower() in _COLUMNS
    }
    there = {name.lower() for name in columns}
    columns.update({name: ["?"] * rows for name in _NEEDED if name not in there})
    block = gemmi.cif.Block("x")
    loop = block.init_loop("_atom_site.", list(columns))
    loop.set_all_values(list(columns.values()))
    return block


def _values(column: dict[str, Any], rows: int, numbers: bool) -> list[str]:
    """Return the values of a column as in CIF."""
    values = _decoded(column["data"], rows)
    mask = column.get("mask")
    marks = _decoded(mask, rows) if mask is not None else [0] * rows
    if len(values) != rows or len(marks) != rows or not set(marks) <= {0, 1, 2}:
        raise Refused("a column of another length")
    return [
        ("", ".", "?")[mark] or _written(value, numbers) for value, mark in zip(values, marks, strict=True)
    ]


def _written(value: str | float, number: bool) -> str:
    if isinstance(value, str):
        # Text that is not masked is present, even if it is "?"; but it is not a number.
        return value if number and value in (".", "?") else gemmi.cif.quote(value)
    return str(int(value)) if number and isinstance(value, float) and value.is_integer() else repr(value)


def _decoded(data: dict[str, Any], rows: int) -> Sequence[Any]:
    return _steps(data["data"], data["encoding"], rows)


def _steps(values: Any, encodings: list[dict[str, Any]], rows: int) -> Sequence[Any]:
    for encoding in reversed(encodings):
        size = encoding.get("srcSize")
        if size is not None and not 0 <= size <= 4 * rows + 1024:  # there are at most as many packed runs
            raise Refused("a size that cannot be")
        values = _STEPS[encoding["kind"]](values, encoding, rows)
        if size is not None and len(values) != size:
            raise Refused("another size than the encoding says")
    if isinstance(values, bytes):
        raise Refused("bytes without ByteArray")
    return tuple(values)


def _byte_array(data: bytes, encoding: dict[str, Any], rows: int) -> Sequence[Any]:
    code = _TYPES[encoding["type"]]
    count, rest = divmod(len(data), struct.calcsize(code))
    if rest or not isinstance(data, bytes):
        raise Refused("bytes left over")
    return struct.unpack(f"<{count}{code}", data)


def _fixed_point(values: Sequence[int], encoding: dict[str, Any], rows: int) -> Sequence[float]:
    factor = encoding["factor"]
    return [_float(value / factor, encoding["srcType"]) for value in values]


def _interval(values: Sequence[int], encoding: dict[str, Any], rows: int) -> Sequence[float]:
    low, step = encoding["min"], (encoding["max"] - encoding["min"]) / (encoding["numSteps"] - 1)
    return [_float(low + value * step, encoding["srcType"]) for value in values]


def _float(value: float, code: int) -> float:
    """Round to the type that the values had."""
    if _TYPES[code] == "d":
        return float(value)
    if _TYPES[code] != "f":
        raise Refused("decimals in integers")
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _run_length(values: Sequence[int], encoding: dict[str, Any], rows: int) -> Sequence[int]:
    pairs = list(zip(values[::2], values[1::2], strict=True))
    if any(run < 0 for _, run in pairs) or sum(run for _, run in pairs) != encoding["srcSize"]:
        raise Refused("runs of another length than said")
    return _integers([value for value, run in pairs for _ in range(run)], encoding)


def _delta(values: Sequence[int], encoding: dict[str, Any], rows: int) -> Sequence[int]:
    total, sums = encoding["origin"], []
    for value in values:
        total += value
        sums.append(total)
    return _integers(sums, encoding)


def _integers(values: Sequence[Any], encoding: dict[str, Any]) -> Sequence[int]:
    low, high = _RANGES[encoding["srcType"]]
    if not all(isinstance(value, int) and low <= value <= high for value in values):
        raise Refused("integers that their type does not hold")
    return values


def _unpacked(values: Sequence[int], encoding: dict[str, Any], rows: int) -> Sequence[int]:
    unsigned, bytes_each = encoding["isUnsigned"], encoding["byteCount"]
    low, high = _RANGES[
        {(1, False): 1, (2, False): 2, (1, True): 4, (2, True): 5}[bytes_each, bool(unsigned)]
    ]
    _integers(
        values, {"srcType": {(-128, 127): 1, (-32768, 32767): 2, (0, 255): 4, (0, 65535): 5}[low, high]}
    )
    total, unpacked, open_value = 0, [], False
    for value in values:
        total += value
        open_value = value == high or (value == low and not unsigned)
        if not open_value:
            unpacked.append(total)
            total = 0
    if open_value:
        raise Refused("it ends within a packed integer")
    return unpacked


def _strings(data: bytes, encoding: dict[str, Any], rows: int) -> Sequence[str]:
    indices = _steps(data, encoding["dataEncoding"], rows)
    offsets = _steps(encoding["offsets"], encoding["offsetEncoding"], rows)
    text = encoding["stringData"]
    ascending = all(a <= b for a, b in pairwise(offsets))
    if (
        not isinstance(text, str)
        or not ascending
        or (offsets and (offsets[0] < 0 or offsets[-1] > len(text)))
    ):
        raise Refused("offsets outside the text")
    strings = [text[a:b] for a, b in pairwise(offsets)]
    if not all(isinstance(index, int) and -1 <= index < len(strings) for index in indices):
        raise Refused("the index of no string")
    return [strings[index] if index >= 0 else "" for index in indices]


_STEPS = {
    "ByteArray": _byte_array,
    "FixedPoint": _fixed_point,
    "IntervalQuantization": _interval,
    "RunLength": _run_length,
    "Delta": _delta,
    "IntegerPacking": _unpacked,
    "StringArray": _strings,
}
