"""Numpy's files, read safely: arrays have the size of their data, whatever a header claims; no pickled objects."""

import io
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holo_types import FormatError
from holo_types.contents import most_unpacked, regular_file

__all__ = ["check_archive", "npy_array", "read_member", "read_npz"]

_SHOWN = 100  # characters of a name that is refused
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def npy_array(content: bytes) -> NDArray[Any]:
    """Read an array from the bytes of a .npy file.

    Raises
    ------
    ValueError
        If the bytes are not such a file, or one of an unknown version of the format, or one of objects.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> np.save(stream, np.arange(3))
    >>> npy_array(stream.getvalue())
    array([0, 1, 2])
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in _READ_HEADER:
        raise ValueError(f"an array has version {version} of numpy's format; it must be 1.0 or 2.0")
    shape, by_columns, dtype = _READ_HEADER[version](stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"an array has the shape {shape}")
    values: NDArray[Any] = np.frombuffer(content, dtype, offset=stream.tell())  # refuses objects
    return values.reshape(shape, order="F" if by_columns else "C")


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a zip archive whose members unpack to more than `holo_types.contents.most_unpacked` allows.

    Members must be stored or deflated. The other methods of zip archives unpack a whole block at a time, however little
    of a member is asked for, and a block of bzip2 or LZMA may hold any number of bytes.

    Raises
    ------
    FormatError
        If they do so, or a member is packed by another method.
    """
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError(
                f"{path}: its member {member.filename[:_SHOWN]!r} is packed by method {member.compress_type}; "
                "it must be stored or deflated"
            )
    size = sum(member.file_size for member in archive.infolist())
    most = most_unpacked(path.stat().st_size)
    if size > most:
        raise FormatError(f"{path}: unpacks to {size} bytes; it may hold {most} (HOLO_MAX_BYTES allows more)")


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member of an archive; no more is unpacked than the size that the archive states.

    Raises
    ------
    KeyError
        If there is no member of this name.
    """
    with archive.open(name) as file:
        return file.read(archive.getinfo(name).file_size + 1)


def read_npz(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of a .npz file that are among the given names.

    Raises
    ------
    FormatError
        If it is not a regular file, or unpacks to too much data.
    Exception
        If it is damaged; see `holo_types.reading`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "vectors.npz")
    >>> np.savez(path, id=np.array(["1abc"]))
    >>> read_npz(path, ("id", "vectors"))
    {'id': array(['1abc'], dtype='<U4')}
    """
    with zipfile.ZipFile(regular_file(path)) as archive:
        check_archive(path, archive)
        there = set(archive.namelist())
        return {
            name: npy_array(read_member(archive, f"{name}.npy")) for name in names if f"{name}.npy" in there
        }
