"""The bytes of files from others: of regular files only, and never more of them than a stated budget.

A device or a pipe has no end, and a few packed bytes unpack to as many as one likes. So whoever reads a whole file
reads it here, and whoever hands a path to a library asks `regular_file` first.
"""

import gzip
import io
import os
import stat
from pathlib import Path

from .errors import FormatError, HoloError

__all__ = ["gunzipped", "most_unpacked", "read_content", "regular_file"]

_VARIABLE = "HOLO_MAX_BYTES"
_MOST = 1 << 30  # three times the 2.4 million atoms of the HIV capsid (3J3Q), as mmCIF has them
# Files of structures pack ten times, a hundred times at best; small ones may be mostly blanks.
_FREE, _RATIO = 1 << 26, 100
_STEP = 1 << 20
_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def _budget() -> int | None:
    """Return what the environment sets in place of the limits."""
    value = os.environ.get(_VARIABLE)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 19):
        raise HoloError(f"{_VARIABLE} is {value!r}; it must be a number of bytes")
    return int(value)


def most_unpacked(packed: int) -> int:
    """Return the most bytes that packed data may unpack to.

    That is 64 MiB and a hundred times the packed bytes, but 1 GiB at most; or what HOLO_MAX_BYTES says in its place.

    Parameters
    ----------
    packed
        How many bytes are packed.

    Raises
    ------
    HoloError
        If HOLO_MAX_BYTES is no number of bytes.

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
        May be a link to a regular file.

    Raises
    ------
    FormatError
        If it is no regular file.
    OSError
        If there is none, or links lead to one another.

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
    """Read a whole regular file of at most 1 GiB, or of what HOLO_MAX_BYTES says.

    Raises
    ------
    FormatError
        If it is no regular file, or is larger.
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
    size, most = place.stat().st_size, _budget() or _MOST
    if size > most:
        raise FormatError(f"{place} has {size} bytes; it may have {most} ({_VARIABLE} allows more)")
    return place.read_bytes()


def gunzipped(content: bytes, name: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Unpack gzip data, of one member or several, as far as `most_unpacked` allows.

    Parameters
    ----------
    content
        The packed data.
    name
        What the error calls them.
    most
        A smaller limit.

    Raises
    ------
    FormatError
        If they unpack to more.
    EOFError, OSError, zlib.error
        If they are damaged.

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
        while part := file.read(_STEP):  # `read` takes the memory for all that it is asked for
            parts.append(part)
            size += len(part)
            if size > allowed:
                raise FormatError(
                    f"{os.fspath(name)}: its {len(content)} bytes of gzip data unpack to more than {allowed} "
                    f"({_VARIABLE} allows more)"
                )
    return b"".join(parts)
