"""Changes to a file that happen whole or not at all, even if the process is killed.

HDF5 rewrites its own bookkeeping in place, so if a process dies while HDF5 writes, the file can no longer be opened.
Here HDF5 writes to a `PagedFile`, which keeps every changed page in memory; the disk changes only in
`PagedFile.commit`, in four steps:

1. Pages beyond the committed end are appended. HDF5 ignores them until the first page refers to them.
2. Pages that replace committed ones go to a journal beside the file, with a checksum.
3. They are written in place.
4. The journal is removed.

If the process is killed in step 1 or 2, the old state holds: an incomplete journal is ignored. If it is killed in step
3 or 4, the journal is complete, and the next one to open the file reads its pages instead of the file's.
"""

import hashlib
import os
import stat
import struct
from pathlib import Path
from typing import Any

import attrs
import h5py

from holo_types.contents import most_bytes
from holo_types.errors import FormatError, HoloError

from .atomic import place_of, sync_folder
from .locks import lock

__all__ = ["PagedFile", "journal_of", "open_hdf5"]

PAGE = 1 << 16

_known: dict[tuple[int, ...], tuple[int, ...]] = {}  # files as this process wrote or verified them

_MAGIC = b"holo journal 1\r\n"
_HEADER = struct.Struct("<16sQQQ")  # magic, file size before, file size after, number of pages
_NUMBER = struct.Struct("<Q")
_PACKED = 16  # how many times a file system may compress a file
_CHECKSUM = 32  # bytes of a SHA-256
_BINARY = getattr(os, "O_BINARY", 0)  # otherwise Windows changes line ends
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, nor the next
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def open_hdf5(stream: "PagedFile", mode: str) -> h5py.File:
    """Open a stream as an HDF5 file."""
    # The format of HDF5 1.8: later ones mark a file as "being written" until HDF5 itself closes it.
    return h5py.File(stream.path, mode, driver="fileobj", fileobj=stream, libver="v108")


def journal_of(path: Path) -> Path:
    """Return the path of a file's journal."""
    return path.with_name(path.name + ".journal")


def _write(descriptor: int, position: int, content: bytes | bytearray | memoryview) -> None:
    os.lseek(descriptor, position, os.SEEK_SET)
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _read(descriptor: int, position: int, size: int) -> bytes:
    content = b""
    while len(content) < size:  # one call may return less, and always does beyond 2 GB
        if hasattr(os, "pread"):  # leaves the position, which forked processes share, unchanged
            part = os.pread(descriptor, size - len(content), position + len(content))
        else:
            os.lseek(descriptor, position + len(content), os.SEEK_SET)
            part = os.read(descriptor, size - len(content))
        if not part:
            break
        content = content + part if content else part
    return content.ljust(size, b"\0")


@attrs.frozen
class _Journal:
    """The pages that a commit overwrites, and the file's sizes, which identify the file that it belongs to."""

    size_before: int
    size_after: int
    pages: dict[int, bytes]

    def to_bytes(self) -> bytes:
        parts = [_HEADER.pack(_MAGIC, self.size_before, self.size_after, len(self.pages))]
        for number, content in self.pages.items():
            parts += [_NUMBER.pack(number), content]
        whole = b"".join(parts)
        return whole + hashlib.sha256(whole).digest()

    @classmethod
    def read(cls, descriptor: int, file_size: int) -> "_Journal | None":
        """Read a journal; return None if it is incomplete, or belongs to another file.

        Its size is compared with what it claims, and its pages with those of the file, before they are read.
        """
        header = _read(descriptor, 0, _HEADER.size)
        magic, size_before, size_after, count = _HEADER.unpack(header)
        if magic != _MAGIC or file_size not in (max(size_before, size_after), size_after):
            return None
        step = _NUMBER.size + PAGE
        size = _HEADER.size + count * step + _CHECKSUM
        if count > -(-size_before // PAGE) or os.fstat(descriptor).st_size != size:
            return None
        digest, pages = hashlib.sha256(header), {}
        for start in range(_HEADER.size, size - _CHECKSUM, step):
            entry = _read(descriptor, start, step)
            digest.update(entry)
            (number,) = _NUMBER.unpack_from(entry)
            if number in pages or number * PAGE >= size_before:
                return None
            pages[number] = entry[_NUMBER.size :]
        if _read(descriptor, size - _CHECKSUM, _CHECKSUM) != digest.digest():
            return None
        return cls(size_before, size_after, pages)


def _open_journal(path: Path) -> int | None:
    """Open a file's journal; return None if there is none.

    Raises
    ------
    FormatError
        If it is a link, or anything but a regular file, or too large to be kept in memory.
    """
    refusal = FormatError(
        f"{path} is a link or no regular file; it can only be the journal of the file that it lies beside, so remove it"
    )
    if path.is_symlink():
        raise refusal
    try:
        descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _BINARY)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    large = status.st_size > most_bytes()
    if large or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        if large:
            refusal = FormatError(
                f"{path} has {status.st_size} bytes; it may have {most_bytes()} (HOLO_MAX_BYTES allows more)"
            )
        raise refusal
    return descriptor


class PagedFile:
    """A file object for HDF5 that reads a file, keeps all writes in memory, and commits them as a whole.

    Parameters
    ----------
    path
        The file.
    writable
        Whether the file is to be changed. It is then locked against other writers, and a commit that was killed is
        completed; otherwise nothing on disk changes.

    Raises
    ------
    HoloError
        If another process is writing the file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> path.touch()
    >>> with PagedFile(path, writable=True) as file:
    ...     _ = file.write(b"kept")
    ...     file.commit()
    ...     _ = file.write(b"forgotten")
    >>> path.read_bytes()
    b'kept'
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        # If it is a link, the journal lies beside the file itself.
        self.path = place_of(path) if writable else Path(os.path.realpath(path))
        self._descriptor = -1
        if writable:
            self._descriptor = os.open(self.path, os.O_RDWR | _NOFOLLOW | _BINARY)
        else:
            self._descriptor = os.open(path, os.O_RDONLY | _BINARY)
        try:
            if writable and not lock(self._descriptor):
                raise HoloError(f"{path}: another process is writing this file; wait until it is done")
            self._opened = self._state()
            self._position = 0
            self._pages: dict[int, bytearray] = {}
            self._committed = self._size = os.fstat(self._descriptor).st_size
            self._journal: tuple[int, ...] = ()
            journal = self._read_journal()
            if journal is not None:
                self._pages = {number: bytearray(page) for number, page in journal.pages.items()}
                self._size = journal.size_after
            if writable and journal is not None:
                self._apply(journal)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> "PagedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; uncommitted changes are discarded."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_journal(self) -> _Journal | None:
        descriptor = _open_journal(journal_of(self.path))
        if descriptor is None:
            return None
        try:
            status = os.fstat(descriptor)
            self._journal = status.st_ino, status.st_size, status.st_mtime_ns
            return _Journal.read(descriptor, self._size)
        finally:
            os.close(descriptor)

    def changed(self) -> bool:
        """Return whether another process has written to the file since it was opened."""
        return self._state() != self._opened

    @property
    def identity(self) -> tuple[int, int]:
        """What distinguishes the file from others, whatever its name is now."""
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    @property
    def opened(self) -> tuple[int, ...]:
        """The identity and the state of the file and of its journal when they were opened."""
        return (*self.identity, *self._opened, *self._journal)

    @property
    def real_size(self) -> int:
        """The size of the file without most of its holes, of which there can be any number on a small disk."""
        blocks = getattr(os.fstat(self._descriptor), "st_blocks", 0)  # of 512 bytes; some systems do not say
        return min(self._size, _PACKED * 512 * blocks) if blocks else self._size

    def trusted(self) -> bool:
        """Return whether the file is as this process left it or has verified it."""
        file, state = self._identity()
        return _known.get(file) == state

    def trust(self) -> None:
        """Record that the file in its present state can be read safely."""
        file, state = self._identity()
        _known[file] = state

    def _identity(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what identifies the file, and what changes when it or its journal is written."""
        status = os.fstat(self._descriptor)
        file, state = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
        try:
            journal = journal_of(self.path).stat()
        except OSError:
            return file, state
        return file, (*state, journal.st_ino, journal.st_size, journal.st_mtime_ns)

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self._size

    def _state(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    # The methods that HDF5 requires of a file object.

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position from the start, or from the end with `os.SEEK_END`."""
        self._position = position + (self._size if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:  # anything with the buffer protocol; a type for it has 3.12
        """Read into a buffer from the position and return the number of bytes read."""
        view = memoryview(buffer)
        size = max(0, min(len(view), self._size - self._position))
        if not self._pages:  # the common situation: a file that is only read
            view[:size] = self._stored(self._position, size)
        else:
            for number, inside, part in self._spans(size):
                page = self._pages.get(number)
                start = number * PAGE + inside.start
                length = inside.stop - inside.start
                view[part] = self._stored(start, length) if page is None else page[inside]
        self._position += size
        return size

    def write(self, content: Any) -> int:
        """Write at the position; the data stay in memory."""
        view = memoryview(content)
        for number, inside, part in self._spans(len(view)):
            if number not in self._pages:
                self._pages[number] = bytearray(self._stored(number * PAGE, PAGE))
            self._pages[number][inside] = view[part]
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def truncate(self, size: int) -> int:
        """Set the size; the change stays in memory."""
        self._size = size
        return size

    def flush(self) -> None:
        """Do nothing: the disk changes only in `commit`."""

    def _spans(self, size: int) -> "list[tuple[int, slice, slice]]":
        """Cut `size` bytes from the position into pages: number, slice of the page, slice of the bytes."""
        spans, done = [], 0
        while done < size:
            number, start = divmod(self._position + done, PAGE)
            length = min(PAGE - start, size - done)
            spans.append((number, slice(start, start + length), slice(done, done + length)))
            done += length
        return spans

    def _stored(self, start: int, length: int) -> bytes:
        """Read bytes of the file on disk, with zeros beyond its end."""
        return _read(self._descriptor, start, length) if start < self._committed else bytes(length)

    # The methods that change the disk.

    def write_back(self) -> None:
        """Write every changed page in place; only for a file that nobody else knows yet."""
        for number, page in self._pages.items():
            self._put(number, page)
        self._resize(self._size)
        self._forget()
        self.trust()

    def commit(self) -> None:
        """Make all writes since the last commit part of the file, as a whole or not at all.

        Raises
        ------
        OSError
            For example if the disk is full. The file then holds what it held before, and the writes are discarded.
        """
        try:
            replaced = {}
            for number, page in sorted(self._pages.items()):
                if number * PAGE < self._committed:
                    replaced[number] = bytes(page)
                else:
                    self._put(number, page)
            if self._size > self._committed:
                self._resize(self._size)
            os.fsync(self._descriptor)
            journal = _Journal(self._committed, self._size, replaced)
            self._write_journal(journal)
            self._apply(journal)
            self.trust()
        except BaseException:
            self._forget()
            raise

    def _write_journal(self, journal: _Journal) -> None:
        path = journal_of(self.path)
        path.unlink(
            missing_ok=True
        )  # one that is not whole; whatever else it is by now, it is not written to
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
        descriptor = os.open(path, flags, 0o666)
        try:
            _write(descriptor, 0, journal.to_bytes())
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, 0)
            raise
        finally:
            os.close(descriptor)
        sync_folder(path.parent)

    def _apply(self, journal: _Journal) -> None:
        for number, page in journal.pages.items():
            self._put(number, page)
        self._resize(journal.size_after)
        os.fsync(self._descriptor)
        journal_of(self.path).unlink()
        self._forget()

    def _put(self, number: int, page: bytes | bytearray) -> None:
        start = number * PAGE
        length = max(0, min(PAGE, self._size - start))
        _write(self._descriptor, start, memoryview(page)[:length])

    def _resize(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def _forget(self) -> None:
        self._pages.clear()
        self._committed = self._size = os.fstat(self._descriptor).st_size
