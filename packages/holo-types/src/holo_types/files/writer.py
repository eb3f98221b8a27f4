"""Writing objects to files, whole or row by row."""

import contextlib
import copy
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
from numpy.typing import NDArray

from holo_types.errors import FormatError, HoloError
from holo_types.objects.columns import Index
from holo_types.objects.joining import Data, concatenate
from holo_types.objects.named_arrays import NamedArrays

from .atomic import place_of, replacing, uninterrupted, write_errors
from .journal import PagedFile, journal_of
from .locks import PathLock
from .reader import HDF5, Reader, open_hdf5
from .schema import KINDS, SCHEMA_VERSION, Layout, arrays_of, create_file, mark, stored_arrays

__all__ = ["Writer", "save"]

_COMMIT_BYTES = 1 << 23
_COMMIT_SECONDS = 2.0
_COMMIT_REST = (
    20.0  # the next commit waits at least this many times as long as one took, so they cost a twentieth
)


def _append(file: h5py.File, layout: Layout, rows: Mapping[str, NDArray[Any]]) -> None:
    arrays = stored_arrays(file, layout.datasets)
    for path, values in rows.items():
        array, more = arrays[path], values
        if path == "fields/offsets" and layout.kind == "PointClouds":
            more = values[1:] + array.read(slice(len(array) - 1, len(array)))
        array.append(more)


def _pieces(data: Data | NamedArrays) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Cut an object into the pieces that are committed one at a time."""
    if isinstance(data, NamedArrays):
        for path, values in arrays_of(data).items():
            rows = max(1, _COMMIT_BYTES * len(values) // max(1, values.nbytes))
            for start in range(0, len(values), rows):
                yield {path: values[start : start + rows]}
        return
    rows = max(1, _COMMIT_BYTES * len(data) // max(1, _bytes(data)))
    for start in range(0, len(data), rows):
        yield arrays_of(data[start : start + rows])


def _bytes(data: Data) -> int:
    return sum(array.nbytes for array in arrays_of(data).values())


def save(data: Data | NamedArrays, path: str | os.PathLike[str]) -> None:
    """Write an object to an HDF5 file, which appears at `path` whole or not at all.

    Parameters
    ----------
    data
        Point clouds, sphere images, holograms, embeddings or named arrays.
    path
        The file; an existing one is replaced.

    Raises
    ------
    HoloError
        If `data` is something else, the file cannot be written, or another run is writing it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from holo_types import Basis, Holograms, load
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> path = Path(tempfile.mkdtemp(), "holograms.h5")
    >>> save(Holograms(np.eye(4), basis, {"image": range(4)}), path)
    >>> load(path).index["image"]
    array([0, 1, 2, 3])
    """
    path = Path(path)
    if type(data) not in (*KINDS.values(), NamedArrays):
        kinds = ", ".join((*KINDS, NamedArrays.__name__))
        raise HoloError(f"{path}: cannot hold a {type(data).__name__}; it must be one of {kinds}")
    layout = Layout.of(data)
    with PathLock(path), _new_file(path) as stream:
        with uninterrupted(), open_hdf5(stream, "w") as file:
            create_file(file, layout)
            mark(file, complete=True)
        stream.write_back()
        for piece in _pieces(data):
            with uninterrupted(), open_hdf5(stream, "r+") as file:
                _append(file, layout, piece)
            stream.write_back()


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[PagedFile]:
    with replacing(path) as new:
        new.touch()
        with PagedFile(new, writable=True) as stream:
            yield stream
    journal_of(place_of(path)).unlink(missing_ok=True)  # that of the file that was there before


class Writer:
    """Write rows to an HDF5 file piece by piece, so that a killed process loses at most the last few seconds.

    Appended rows gather in memory. They are committed, whole appends together, every 8 MiB, or with the first append
    after two seconds. If the process is killed at any time, the file holds what was committed, can be opened, and can
    be continued with ``resume=True``. When the writer is closed, the file is complete; after an exception it holds all
    that was appended, but is not complete. A writer to which nothing was appended leaves nothing. The first commit
    replaces a complete file of the same name.

    From the start, no other run can write the file (`holo_types.files.locks`). If another file has taken its place, it
    is not overwritten: each commit checks that the path still names the file that this writer began.

    Parameters
    ----------
    path
        The file.
    resume
        Continue the existing file, complete or not; if there is none, begin one.
    settings
        How the rows are made, by name; stored in the file, so that it is continued with the same settings only.

    Raises
    ------
    HoloError
        If `resume` is false and `path` holds an interrupted run or is not an HDF5 file; if the file to continue was
        begun with other settings; if another run is writing it; or if its folder is missing.
    FormatError
        If `resume` is true and the file is not a Holo file of this schema version; earlier versions can only be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from holo_types import Basis, Holograms
    >>> path = Path(tempfile.mkdtemp(), "holograms.h5")
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> with Writer(path) as writer:
    ...     for image in range(3):
    ...         writer.append(Holograms(np.eye(4), basis, {"image": [image] * 4}))
    >>> with Writer(path, resume=True) as writer:
    ...     sorted(set(writer.index["image"].tolist())), len(writer)
    ([0, 1, 2], 12)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        resume: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._settings = settings
        self._layout: Layout | None = None
        self._stream: PagedFile | None = None  # kept open, so that no other file gets its identity
        self._identity = (0, 0)  # of the file that this writer began
        self._begun = False  # whether the file at path is ours
        self._rows = 0  # in the file
        self._pending: list[Data] = []
        self._pending_bytes = 0
        self._due = time.monotonic() + _COMMIT_SECONDS
        self._closed = False
        if not self.path.parent.is_dir():
            raise HoloError(f"{self.path}: cannot be written: there is no folder {self.path.parent}")
        self._lock = PathLock(self.path)
        try:
            if resume and self.path.exists():
                self._reopen()
                self._check_settings()
            else:
                _check_replaceable(self.path)
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(HoloError):  # the error that led here is the one to report
            self.commit()
        self._release()

    def __len__(self) -> int:
        return self._rows + sum(map(len, self._pending))

    @property
    def index(self) -> Index:
        """The index of the rows that are in the file, such as those of an interrupted run."""
        if not self._begun:
            return Index()
        with Reader(self.path) as reader:
            return reader.index

    def append(self, data: Data) -> None:
        """Append rows; after a kill the file holds either all rows of an append or none.

        Raises
        ------
        HoloError
            If the rows do not fit those of the file (type, basis, channels, model, index columns, dtype) or the writer
            is closed; the rows are then not taken. Also if a commit that is due fails, as on a full disk; the rows are
            then pending, and the next commit tries again.
        """
        if self._closed:
            raise HoloError(f"{self.path}: the writer is closed; nothing can be appended")
        if type(data) not in KINDS.values():
            raise HoloError(
                f"{self.path}: cannot append a {type(data).__name__}; it must be one of {', '.join(KINDS)}"
            )
        layout = Layout.of(data)
        if self._layout is None:
            self._layout = layout
        elif difference := self._layout.difference(layout):
            raise HoloError(f"{self.path}: what is appended does not fit what is there: {difference}")
        self._pending.append(copy.deepcopy(data))  # the caller may use its arrays again
        self._pending_bytes += _bytes(data)
        if self._pending_bytes >= _COMMIT_BYTES or time.monotonic() >= self._due:
            self.commit()

    def commit(self) -> None:
        """Write the appended rows to the file now.

        Raises
        ------
        HoloError
            If the file cannot be written, as when the disk is full. It then holds what it held before, and the appended
            rows are still pending. Also if the file was removed or replaced.
        """
        if self._pending:
            self._commit(complete=False)

    def close(self) -> None:
        """Commit the appended rows and mark the file as complete.

        Raises
        ------
        HoloError
            If the file cannot be written.
        """
        if self._closed:
            return
        try:
            if self._begun or self._pending:
                self._commit(complete=True)
        finally:
            self._release()

    def discard(self) -> None:
        """Remove the file, if it is no longer needed."""
        if self._begun:
            for path in (self.path, journal_of(place_of(self.path))):
                path.unlink(missing_ok=True)
        self._release()

    def _check_settings(self) -> None:
        if self._settings is None:
            return
        with Reader(self.path) as reader:
            there = reader.settings
        for name in dict.fromkeys((*self._settings, *there)):
            was, now = there.get(name), self._settings.get(name)
            if was != now:
                raise HoloError(
                    f"{self.path}: was made with other options: {name} was {was}, and is now {now}; continue "
                    "it with the same, or choose another file"
                )

    def _release(self) -> None:
        self._closed = True
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._lock.release()

    def _commit(self, *, complete: bool) -> None:
        start = time.monotonic()
        with write_errors(self.path), uninterrupted():
            if not self._begun:
                _check_replaceable(self.path)  # again, for file systems without locks
                with _new_file(self.path) as stream:
                    self._put(stream, "w", complete=complete)
                    stream.write_back()
                self._begun = True
            else:
                self._check_named()
                stream = self._stream or self._reopen()
                try:
                    self._put(stream, "r+", complete=complete)
                    stream.commit()
                except BaseException:
                    stream.close()  # the next commit reads what the disk holds
                    self._stream = None
                    raise
            self._taken()
            if self._stream is None:
                self._stream = PagedFile(self.path, writable=True)
                self._identity = self._stream.identity
        now = time.monotonic()
        self._due = now + max(_COMMIT_SECONDS, _COMMIT_REST * (now - start))

    def _check_named(self) -> None:
        """Check that the path still names the file that this writer began."""
        with contextlib.suppress(FileNotFoundError):
            status = self.path.stat()
            if (status.st_dev, status.st_ino) == self._identity:
                return
        raise HoloError(
            f"{self.path}: was removed or replaced while this run wrote it; the {self._rows} rows that it had are gone"
        )

    def _put(self, stream: PagedFile, mode: str, *, complete: bool) -> None:
        assert self._layout is not None
        with open_hdf5(stream, mode) as file:
            if mode == "w":
                create_file(file, self._layout, self._settings)
            if self._pending:
                _append(file, self._layout, arrays_of(concatenate(self._pending)))  # type: ignore[type-var]
            mark(file, complete=complete)

    def _taken(self) -> None:
        self._rows = len(self)
        self._pending, self._pending_bytes = [], 0

    def _reopen(self) -> PagedFile:
        """Open the file to continue it, after completing its journal."""
        with write_errors(self.path):
            self._stream = PagedFile(self.path, writable=True)
            self._identity = self._stream.identity
        try:
            with Reader(self.path) as reader:
                if reader.schema_version != SCHEMA_VERSION:
                    raise FormatError(
                        f"{self.path}: has schema version {reader.schema_version}, which is read but not continued; "
                        "load it and save it anew, or write to another file"
                    )
                self._layout, rows = reader._layout, len(reader)
        except BaseException:
            self._stream.close()
            self._stream = None
            raise
        if self._begun and rows > self._rows:  # a commit that was interrupted after its journal was complete
            self._taken()
        self._begun, self._rows = True, rows
        return self._stream


def _check_replaceable(path: Path) -> None:
    """Refuse to begin a file in the place of a folder, an interrupted run, or a file that is not HDF5."""
    if path.is_dir():
        raise HoloError(f"{path}: cannot be written: it is a folder")
    if not path.exists():
        return
    with write_errors(path), path.open("rb") as file:
        first = file.read(len(HDF5))
    if first and first != HDF5:
        raise HoloError(
            f"{path}: is not an HDF5 file and will not be replaced; delete it, or write elsewhere"
        )
    with contextlib.suppress(FormatError), Reader(path) as reader:
        if not reader.complete:
            raise HoloError(
                f"{path}: holds {len(reader)} rows of an interrupted run; continue it with resume=True "
                "(--resume on the command line), or delete it"
            )
