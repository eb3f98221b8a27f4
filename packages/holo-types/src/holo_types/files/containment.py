"""What a file may make HDF5 do: read plain chunks of this file, and nothing else.

HDF5 can take the values of a dataset from any file of the machine (external storage, virtual datasets), follow links
into other files, and load plugins as filters. Holo writes none of that. So every object of a file is first inspected
link by link, and nothing is read from an object whose layout, type or filter is not one that Holo writes.
"""

import math
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z

from holo_types.errors import HoloError

__all__ = ["FILTERS", "GROUPS", "check_sizes", "member_names", "open_dataset", "root_attributes"]

GROUPS = ("fields", "points", "index")  # of datasets; the checksums lie in the root
FILTERS = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE)
# Deflate codes at most 258 bytes in 2 bits: what is stored cannot become larger than this times its size.
_LARGEST_RATIO = 1032
_LARGEST_CHUNK = 1 << 24  # bytes, unless it is a single row; Holo writes chunks of 256 KiB
_MOST_ATTRIBUTES = 32

_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")


def _stored(dtype: Any) -> h5t.TypeID:
    return h5t.py_create(np.dtype(dtype), logical=True)


_TEXT = _stored(h5py.string_dtype())
_TYPES = (
    *(_stored(order + np.dtype(name).str[1:]) for name in _NUMBERS for order in "<>"),
    _stored(np.bool_),
    _TEXT,
)


def _opened(file: h5py.File, path: str) -> Any:  # of h5py's low-level identifiers
    """Open a member of a file without following any link that leads elsewhere."""
    here = file.id
    for name in path.split("/"):
        if not isinstance(here, h5g.GroupID | h5py.h5f.FileID):
            raise HoloError(f"{path} lies in no group; it must be a dataset in a group of the file")
        if here.links.get_info(name.encode()).type != h5l.TYPE_HARD:
            raise HoloError(
                f"{path} is a link to elsewhere; it must lie in the file itself, so nothing of it is read"
            )
        here = h5o.open(here, name.encode())
    return here


def member_names(file: h5py.File, path: str | None = None) -> list[str]:
    """Return the names of the members of a group of a file, or of its root, in alphabetical order.

    Raises
    ------
    HoloError
        If it is not a group of the file itself.
    """
    group = h5g.open(file.id, b"/") if path is None else _opened(file, path)
    if not isinstance(group, h5g.GroupID):
        raise HoloError(f"{path} is not a group; it must be one")
    return [name.decode() for name in group]


def open_dataset(file: h5py.File, path: str) -> h5py.Dataset:
    """Open a dataset that is one of Holo's: chunks of this file, with a type and filters of the schema.

    Raises
    ------
    HoloError
        If it is anything else; the message names the dataset, and the caller adds the file.
    KeyError
        If it does not exist.
    """
    identifier = _opened(file, path)
    if not isinstance(identifier, h5d.DatasetID):
        raise HoloError(f"{path} is not a dataset; it must be one")
    how = identifier.get_create_plist()
    if how.get_layout() != h5d.CHUNKED or how.get_external_count():
        raise HoloError(
            f"{path} is virtual, external or in one piece; it must be chunks of this file, so nothing of it is read"
        )
    filters = tuple(how.get_filter(number)[0] for number in range(how.get_nfilters()))
    if filters != FILTERS:
        raise HoloError(f"{path} has the HDF5 filters {filters}; it must have {FILTERS} (shuffle, deflate)")
    if not any(identifier.get_type().equal(its) for its in _TYPES):
        raise HoloError(
            f"{path} has an HDF5 type that Holo does not write; it must hold numbers, truth values or text"
        )
    return h5py.Dataset(identifier)


def root_attributes(file: h5py.File) -> dict[str, Any]:
    """Read the attributes of a file's root, each of which is one number, one truth value or one text.

    Raises
    ------
    HoloError
        If one is anything else, or there are too many.
    """
    count = h5a.get_num_attrs(file.id)
    if count > _MOST_ATTRIBUTES:
        raise HoloError(f"its root has {count} attributes; it may have {_MOST_ATTRIBUTES}")
    values = {}
    for number in range(count):
        attribute = h5a.open(file.id, index=number)
        name = attribute.name.decode()
        single = attribute.get_space().get_simple_extent_type() == h5s.SCALAR
        if not single or not any(attribute.get_type().equal(its) for its in _TYPES):
            raise HoloError(f"its attribute {name} must be one number, truth value or text; it is not")
        values[name] = file.attrs[name]
    return values


def check_sizes(file: h5py.File, datasets: Iterable[h5py.Dataset]) -> None:
    """Refuse datasets that claim to hold more than the file can, before anything is allocated for them.

    Holo cuts datasets into chunks of whole rows, and leaves out no chunk, so that a dataset's rows are in its chunks,
    and the chunks are in the file.

    Raises
    ------
    HoloError
        If a dataset has other chunks, or lacks one, or claims more than deflate could produce from its chunks; if all
        chunks together are larger than the file.
    """
    size, stored = file.id.get_filesize(), 0
    for each in datasets:
        name, (rows, *row), chunk = each.name.removeprefix("/"), each.shape, each.chunks
        of_a_row = math.prod(row) * each.id.get_type().get_size()
        if chunk[1:] != each.shape[1:] or (chunk[0] > 1 and chunk[0] * of_a_row > _LARGEST_CHUNK):
            raise HoloError(
                f"{name} has chunks of {list(chunk)} values; they must be whole rows {list(each.shape[1:])}, "
                f"of at most {_LARGEST_CHUNK} bytes together"
            )
        chunks, own = each.id.get_num_chunks(), each.id.get_storage_size()
        if chunks != -(-rows // chunk[0]):
            raise HoloError(
                f"{name} has {chunks} chunks of {chunk[0]} rows; they must hold its {rows} rows, none missing"
            )
        if (claimed := chunks * chunk[0] * of_a_row) > _LARGEST_RATIO * own:
            raise HoloError(
                f"{name} claims {claimed} bytes; its {own} bytes in the file can hold {_LARGEST_RATIO * own} at most"
            )
        stored += own
    if stored > size:
        raise HoloError(f"its datasets claim {stored} bytes of the file, which has {size}")
