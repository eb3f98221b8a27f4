"""Read the bytes of other people's files: of regular files only, and never more bytes than a fixed limit.

A device or a pipe has no end, and a few compressed bytes can expand to any number. Therefore every function that reads
a whole file reads it here, and every function that passes a path to a library calls `regular_file` first.
"""

import gzip
import io
import os
import stat
from pathlib import Path

from .errors import FormatError, HoloError

__all__ = ["check_lines", "gunzipped", "most_bytes", "most_unpacked", "read_content", "regular_file"]

_VARIABLE = "HOLO_MAX_BYTES"
_MOST = 1 << 30  # three times the size of the HIV capsid (3J3Q, 2.4 million atoms) as mmCIF
# Structure files compress ten times, at best a hundred times; small ones may be mostly blanks.
_FREE, _RATIO = 1 << 26, 100
_STEP = 1 << 20
_FEW_LINES, _SHORTEST = 1 << 20, 4  # more lines than these have this many bytes on average, with their ends
_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def _budget() -> int | None:
    """Return the limit that the environment variable sets, if it sets one."""
    value = os.environ.get(_VARIABLE)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 19):
        raise HoloError(f"{_VARIABLE} is {value!r}; it must be a number of bytes")
    return int(value)


def most_bytes() -> int:
    """Return the largest number of bytes that a file, or what it describes, may have.

    It is 1 GiB, unless the environment variable HOLO_MAX_BYTES sets another limit.

    Raises
    ------
    HoloError
        If HOLO_MAX_BYTES is not a number of bytes.

    Examples
    --------
    >>> most_bytes() == 2**30
    True
    """
    budget = _budget()
    return _MOST if budget is None else budget


def most_unpacked(packed: int) -> int:
    """Return the largest size to which compressed data may expand.

    It is 64 MiB plus a hundred times the compressed size, but at most 1 GiB. The environment variable HOLO_MAX_BYTES
    replaces this limit.

    Parameters
    ----------
    packed
        Number of compressed bytes.

    Raises
    ------
    HoloError
        If HOLO_MAX_BYTES is not a number of bytes.

    Examples
    --------
    >>> most_unpacked(1000), most_unpacked(10**9) == 2**30
    (67208864, True)
    """
    budget = _budget()
    return min(_FREE + _RATIO * packed, _MOST) if budget is None else budget


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file, unless it is a folder, a device, a pipe or a socket.

    Parameters
    ----------
    path
        The file; it may be a link to a regular file.

    Raises
    ------
    FormatError
        If it is not a regular file.
    OSError
        If it does not exist, or links form a circle.

    Examples
    --------
    >>> import tempfile
    >>> regular_file(tempfile.gettempdir())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: ... is a folder; it must be a regular file
    """
    place = Path(path)
    mode = place.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((words for is_kind, words in _OTHERS if is_kind(mode)), "a device")
        raise FormatError(f"{place} is {kind}; it must be a regular file")
    return place


def read_content(path: str | os.PathLike[str]) -> bytes:
    """Read a whole regular file of at most 1 GiB, or of at most HOLO_MAX_BYTES.

    Raises
    ------
    FormatError
        If it is not a regular file, or is larger.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> _ = path.write_bytes(b"content")
    >>> read_content(path)
    b'content'
    """
    place = regular_file(path)
    size, most = place.stat().st_size, most_bytes()
    if size > most:
        raise FormatError(f"{place} has {size} bytes; it may have {most} ({_VARIABLE} allows more)")
    return place.read_bytes()


def gunzipped(content: bytes, name: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Decompress gzip data of one or several members, up to the limit of `most_unpacked`.

    Parameters
    ----------
    content
        The compressed data.
    name
        Name of the data in the error message.
    most
        A lower limit, in bytes.

    Raises
    ------
    FormatError
        If the data expand to more.
    EOFError, OSError, zlib.error
        If the data are damaged.

    Examples
    --------
    >>> gunzipped(gzip.compress(b"content"), "a file")
    b'content'
    """
    allowed = most_unpacked(len(content))
    if most is not None:
        allowed = min(allowed, most)
    parts, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while part := file.read(_STEP):  # `read` allocates memory for all that it is asked for
            parts.append(part)
            size += len(part)
            if size > allowed:
                raise FormatError(
                    f"{os.fspath(name)}: its {len(content)} bytes of gzip data unpack to more than {allowed} "
                    f"({_VARIABLE} allows more)"
                )
    return b"".join(parts)


def check_lines(content: bytes, name: str | os.PathLike[str]) -> None:
    r"""Refuse a text that consists of blank lines, before it is divided into lines, which take far more memory.

    Raises
    ------
    FormatError
        If there are more than a million lines, of fewer than four bytes on average.

    Examples
    --------
    >>> check_lines(b"\n" * 2_000_000, "a.off")
    Traceback (most recent call last):
    holo_types.errors.FormatError: a.off: nearly all of its 2000000 lines are blank
    """
    count = content.count(b"\n")
    if count > max(_FEW_LINES, len(content) // _SHORTEST):
        raise FormatError(f"{os.fspath(name)}: nearly all of its {count} lines are blank")
