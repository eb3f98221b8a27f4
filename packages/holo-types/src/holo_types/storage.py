"""Holo's HDF5 files: the one schema, and all that reads and writes it.

A file holds one object: its kind and header as attributes of the root, its arrays under ``fields``, the
columns of its index under ``index``, one row each along the first axis::

    /               format = "holo", schema_version = 1, kind = "Holograms" ..., complete = True or False,
                    header = JSON of basis, channels, grid or model, basis_digest (of Holograms),
                    columns = JSON list of the index's columns in order
                    settings = JSON of what the writer was told of how the rows are made, if anything
    /fields/NAME    float32, float64, or bool (degenerate); chunked, gzip; offsets [n+1] int64
    /index/NAME     int64, or text as variable-length UTF-8

``complete`` is false while a `Writer` has not been closed. `journal` says how a killed writer is survived.
"""

import contextlib
import copy
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs
import h5py
import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .atomic import replacing, uninterrupted, write_errors
from .basis import Basis
from .chunks import extend_floats
from .data import Data, Embeddings, Grid, Holograms, ModelReference, PointClouds, SphereImages, concatenate
from .errors import FormatError, HoloError
from .index import Index, Rows
from .journal import PagedFile, journal_of

__all__ = ["SCHEMA_VERSION", "Reader", "Writer", "load", "open", "save"]

SCHEMA_VERSION = 1

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CHUNK_BYTES = 1 << 18
_CHUNK_ROWS = 1 << 12  # at most, so that short rows do not make chunks that every commit rewrites
_COMMIT_BYTES = 1 << 23

_KINDS: dict[str, type[Data]] = {
    kind.__name__: kind for kind in (PointClouds, SphereImages, Holograms, Embeddings)
}
_FIELDS: dict[str, tuple[str, ...]] = {
    "PointClouds": ("coordinates", "weights", "offsets"),
    "SphereImages": ("values",),
    "Holograms": ("coefficients",),
    "Embeddings": ("invariants", "frames", "log_variances", "degenerate", "reconstruction_cosine"),
}
_OPTIONAL = {"log_variances", "degenerate", "reconstruction_cosine"}
_HEADERS: dict[str, tuple[str, ...]] = {
    "PointClouds": ("channels",),
    "SphereImages": ("grid", "channels"),
    "Holograms": ("basis",),
    "Embeddings": ("model",),
}
_TO_JSON: dict[str, Callable[[Any], object]] = {
    "basis": Basis.to_dict,
    "channels": list,
    "grid": str,
    "model": attrs.asdict,
}
_FROM_JSON: dict[str, Callable[[Any], object]] = {
    "basis": Basis.from_dict,
    "channels": tuple,
    "grid": str,
    "model": lambda plain: ModelReference(**plain),
}


@attrs.frozen
class _Layout:
    """All that one file's rows have in common."""

    kind: str
    header: dict[str, object]
    fields: dict[str, tuple[str, tuple[int, ...]]]  # name to dtype and shape of a row
    columns: dict[str, str]  # name to "int64" or "text"

    @classmethod
    def of(cls, data: Data) -> "_Layout":
        kind = type(data).__name__
        arrays = {name: getattr(data, name) for name in _FIELDS[kind]}
        return cls(
            kind,
            {name: getattr(data, name) for name in _HEADERS[kind]},
            {name: (a.dtype.name, a.shape[1:]) for name, a in arrays.items() if a is not None},
            {name: "text" if v.dtype.kind == "U" else "int64" for name, v in data.index.items()},
        )

    def difference(self, other: "_Layout") -> str | None:
        """Say in what the other differs from this, or None."""
        if other.kind != self.kind:
            return f"it is {other.kind}; it must be {self.kind}"
        for name, value in self.header.items():
            if other.header[name] != value:
                return f"its {name} is {other.header[name]}; it must be {value}"
        if list(other.columns.items()) != list(self.columns.items()):
            return f"its index has the columns {other.columns}; it must have {self.columns}"
        for name in _FIELDS[self.kind]:
            mine, its = self.fields.get(name), other.fields.get(name)
            if mine != its:
                return f"its {name} is {_described(its)}; it must be {_described(mine)}"
        return None


def _described(field: tuple[str, tuple[int, ...]] | None) -> str:
    return "absent" if field is None else f"{field[0]} [{', '.join(map(str, ('n', *field[1])))}]"


# Writing


def _create(file: h5py.File, layout: _Layout, settings: Mapping[str, str] | None = None) -> None:
    plain = {name: _TO_JSON[name](value) for name, value in layout.header.items()}
    file.attrs["format"] = "holo"
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["kind"] = layout.kind
    file.attrs["complete"] = False
    file.attrs["header"] = json.dumps(plain)
    file.attrs["columns"] = json.dumps(list(layout.columns))
    file.attrs["written_by"] = f"holo-types {__version__}"
    if settings is not None:
        file.attrs["settings"] = json.dumps(dict(settings))
    if isinstance(basis := layout.header.get("basis"), Basis):
        file.attrs["basis_digest"] = basis.digest
    fields, index = file.create_group("fields"), file.create_group("index")
    for name, (dtype, row) in layout.fields.items():
        _create_dataset(fields, name, np.dtype(dtype), row)
    for name, kind in layout.columns.items():
        _create_dataset(index, name, h5py.string_dtype() if kind == "text" else np.dtype(kind), ())
    if layout.kind == "PointClouds":
        _extend(fields["offsets"], np.zeros(1, np.int64))


def _create_dataset(group: h5py.Group, name: str, dtype: Any, row: tuple[int, ...]) -> None:
    row_bytes = max(1, dtype.itemsize * int(np.prod(row)))
    chunk = max(1, min(_CHUNK_BYTES // row_bytes, _CHUNK_ROWS))
    group.create_dataset(
        name,
        shape=(0, *row),
        maxshape=(None, *row),
        dtype=dtype,
        chunks=(chunk, *row),
        shuffle=True,
        compression="gzip",
        compression_opts=1,
        track_times=False,
    )


def _extend(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and values.dtype == dataset.dtype and len(values):
        extend_floats(dataset, values)
        return
    start = len(dataset)
    dataset.resize(start + len(values), axis=0)
    if len(values):
        dataset[start:] = values.astype(object) if values.dtype.kind == "U" else values


def _append(file: h5py.File, data: Data) -> None:
    for name, dataset in file["fields"].items():
        values = getattr(data, name)
        if name == "offsets":
            values = values[1:] + dataset[-1]
        _extend(dataset, values)
    for name, dataset in file["index"].items():
        _extend(dataset, data.index[name])


def _row_bytes(data: Data) -> int:
    arrays = [getattr(data, name) for name in _FIELDS[type(data).__name__]]
    return sum(array.nbytes for array in (*arrays, *data.index.values()) if array is not None)


def _h5(stream: PagedFile, mode: str) -> h5py.File:
    # The format of HDF5 1.8: later ones mark a file as "being written" until HDF5 itself has closed it.
    return h5py.File(stream.path, mode, driver="fileobj", fileobj=stream, libver="v108")


def save(data: Data, path: str | os.PathLike[str]) -> None:
    """Write an object to an HDF5 file, which appears at `path` whole or not at all.

    Parameters
    ----------
    data
        Point clouds, sphere images, holograms or embeddings.
    path
        The file; one that is there is replaced.

    Raises
    ------
    HoloError
        If `data` is something else or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> path = Path(tempfile.mkdtemp(), "holograms.h5")
    >>> save(Holograms(np.eye(4), basis, {"image": range(4)}), path)
    >>> load(path).index["image"]
    array([0, 1, 2, 3])
    """
    path = Path(path)
    _check_data(data, path)
    rows = max(1, _COMMIT_BYTES * len(data) // max(1, _row_bytes(data)))
    with _new_file(path) as stream:
        with uninterrupted(), _h5(stream, "w") as file:
            _create(file, _Layout.of(data))
            file.attrs["complete"] = True
        stream.write_back()
        for start in range(0, len(data), rows):
            with uninterrupted(), _h5(stream, "r+") as file:
                _append(file, data[start : start + rows])
            stream.write_back()


def _check_data(data: object, path: Path) -> None:
    if type(data).__name__ not in _KINDS or not isinstance(data, Data):
        raise HoloError(f"{path}: cannot hold a {type(data).__name__}; it must be one of {', '.join(_KINDS)}")


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[PagedFile]:
    with replacing(path) as new:
        new.touch()
        with PagedFile(new, writable=True) as stream:
            yield stream
    journal_of(path.resolve()).unlink(missing_ok=True)  # of the file that was there before


class Writer:
    """Write rows to an HDF5 file piece by piece, so that a killed process loses the last few MiB at most.

    Appends gather in memory; every 8 MiB they are committed, whole appends together. Killed at any time,
    the file holds what was committed, opens, and is continued with ``resume=True``. Closed, it is complete;
    left by an exception, it holds all that was appended, but is not complete. A writer to which nothing was
    appended leaves nothing. The first commit replaces a complete file of the same name.

    Parameters
    ----------
    path
        The file.
    resume
        Continue the file that is there, complete or not; if there is none, begin it.
    settings
        How the rows are made, by name; kept in the file, so that it is continued with the same.

    Raises
    ------
    HoloError
        If `path` holds an interrupted run or something that is no HDF5 file and `resume` is false, if the
        file to continue was begun with other settings, if another process is writing it, or if its folder is
        missing.
    FormatError
        If `resume` is true and the file is not a Holo file of this schema version.

    Examples
    --------
    >>> import tempfile
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
        self._layout: _Layout | None = None
        self._stream: PagedFile | None = None  # held open, as it holds the lock
        self._begun = False  # whether the file at path is ours
        self._rows = 0  # in the file
        self._pending: list[Data] = []
        self._pending_bytes = 0
        self._closed = False
        if not self.path.parent.is_dir():
            raise HoloError(f"{self.path}: cannot be written: there is no folder {self.path.parent}")
        if resume and self.path.exists():
            self._reopen()
            self._check_settings()
        else:
            _check_replaceable(self.path)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(HoloError):  # the error that brought us here is the one to report
            self.commit()
        self._release()

    def __len__(self) -> int:
        return self._rows + sum(map(len, self._pending))

    @property
    def index(self) -> Index:
        """The index of the rows that are in the file, such as those that an interrupted run has left."""
        if not self._begun:
            return Index()
        with Reader(self.path) as reader:
            return reader.index

    def append(self, data: Data) -> None:
        """Add rows; after a kill the file holds all rows of an append or none.

        Raises
        ------
        HoloError
            If the rows do not fit the file's (type, basis, channels, model, index columns, dtype) or the
            writer is closed; they are then not taken. Also if a commit that was due fails, as on a full
            disk; the rows are then pending, and the next commit tries again.
        """
        if self._closed:
            raise HoloError(f"{self.path}: the writer is closed; nothing can be appended")
        _check_data(data, self.path)
        layout = _Layout.of(data)
        if self._layout is None:
            self._layout = layout
        elif difference := self._layout.difference(layout):
            raise HoloError(f"{self.path}: what is appended does not fit what is there: {difference}")
        self._pending.append(copy.deepcopy(data))  # the caller may use its arrays again
        self._pending_bytes += _row_bytes(data)
        if self._pending_bytes >= _COMMIT_BYTES:
            self.commit()

    def commit(self) -> None:
        """Put what was appended into the file now.

        Raises
        ------
        HoloError
            If the file cannot be written, as when the disk is full. It then holds what it held before, and
            what was appended is still pending.
        """
        if self._pending:
            self._commit(complete=False)

    def close(self) -> None:
        """Commit what was appended and mark the file as complete.

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

    def _check_settings(self) -> None:
        if self._settings is None:
            return
        with Reader(self.path) as reader:
            there = reader.settings
        for name in dict.fromkeys((*self._settings, *there)):
            was, now = there.get(name), self._settings.get(name)
            if was != now:
                self._release()
                raise HoloError(
                    f"{self.path}: was made with other options: {name} was {was}, and is now {now}; continue "
                    "it with the same, or choose another file"
                )

    def _release(self) -> None:
        self._closed = True
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _commit(self, *, complete: bool) -> None:
        with write_errors(self.path), uninterrupted():
            if not self._begun:
                _check_replaceable(self.path)  # again, as another process may have begun one meanwhile
                with _new_file(self.path) as stream:
                    self._put(stream, "w", complete=complete)
                    stream.write_back()
                self._begun = True
            else:
                stream = self._stream or self._reopen()
                try:
                    self._put(stream, "r+", complete=complete)
                    stream.commit()
                except BaseException:
                    stream.close()  # the next commit sees what the disk holds
                    self._stream = None
                    raise
            self._taken()
            if self._stream is None:
                self._stream = PagedFile(self.path, writable=True)

    def _put(self, stream: PagedFile, mode: str, *, complete: bool) -> None:
        assert self._layout is not None
        with _h5(stream, mode) as file:
            if mode == "w":
                _create(file, self._layout, self._settings)
            if self._pending:
                _append(file, concatenate(self._pending))  # type: ignore[type-var]
            file.attrs["complete"] = complete

    def _taken(self) -> None:
        self._rows = len(self)
        self._pending, self._pending_bytes = [], 0

    def _reopen(self) -> PagedFile:
        """Open the file to go on with it, after its journal is put right."""
        with write_errors(self.path):
            self._stream = PagedFile(self.path, writable=True)
        try:
            with Reader(self.path) as reader:
                self._layout, rows = reader._layout, len(reader)
        except BaseException:
            self._stream.close()
            self._stream = None
            raise
        if (
            self._begun and rows > self._rows
        ):  # a commit that was interrupted, but after its journal was whole
            self._taken()
        self._begun, self._rows = True, rows
        return self._stream


def _check_replaceable(path: Path) -> None:
    """Refuse to begin a file where a folder, an interrupted run, or something that is not HDF5 is."""
    if path.is_dir():
        raise HoloError(f"{path}: cannot be written: it is a folder")
    if not path.exists():
        return
    with write_errors(path), path.open("rb") as file:
        first = file.read(len(_HDF5))
    if first and first != _HDF5:
        raise HoloError(f"{path}: is not an HDF5 file and is not replaced; delete it, or write elsewhere")
    with contextlib.suppress(FormatError), Reader(path) as reader:
        if not reader.complete:
            raise HoloError(
                f"{path}: holds {len(reader)} rows of an interrupted run; continue it with resume=True "
                "(--resume on the command line), or delete it"
            )


# Reading


def load(path: str | os.PathLike[str]) -> Data:
    """Read a whole HDF5 file.

    Parameters
    ----------
    path
        The file; one that an interrupted run left gives what it holds.

    Raises
    ------
    FormatError
        If the file is missing or damaged, or is not a Holo file of a schema version that is known here.

    Examples
    --------
    >>> load("absent.h5")
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: absent.h5: there is no such file; it must be a Holo HDF5 file
    """
    with Reader(path) as reader:
        return reader[:]


def open(path: str | os.PathLike[str]) -> "Reader":
    """Open an HDF5 file to read rows of it; the same as `Reader`."""
    return Reader(path)


class Reader:
    """The rows of an HDF5 file, read when asked for.

    It has a length; ``reader[rows]`` gives an object with the chosen rows (a slice, a bool array, or an
    array of row numbers), `chunks` one object after the other. Only the HDF5 chunks with those rows are
    read. Use it in ``with``, or call `close`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FormatError
        If the file is missing or damaged, or is not a Holo file of a schema version that is known here; also
        when rows are read that are damaged, or after a `Writer` has changed the file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "holograms.h5")
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> save(Holograms(np.eye(4), basis, {"image": range(4)}), path)
    >>> with open(path) as reader:
    ...     reader.kind, len(reader), reader[1:3].index["image"], [len(part) for part in reader.chunks(3)]
    ('Holograms', 4, array([1, 2]), [3, 1])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._stream = _open_to_read(self.path)
        try:
            with self._damage():
                self._file = _h5(self._stream, "r")
                self._layout, self._rows = _read_layout(self._file, self.path)
                self._complete = bool(self._file.attrs["complete"])
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._stream.close()

    def __len__(self) -> int:
        return self._rows

    @property
    def kind(self) -> str:
        """The name of the type: PointClouds, SphereImages, Holograms or Embeddings."""
        return self._layout.kind

    @property
    def complete(self) -> bool:
        """Whether its writer was closed; false in what an interrupted run has left."""
        return self._complete

    @property
    def basis(self) -> Basis:
        """The basis, of holograms."""
        return self._header("basis")  # type: ignore[no-any-return]

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels, of all but embeddings."""
        if self.kind == "Holograms":
            return self.basis.channels
        return self._header("channels")  # type: ignore[no-any-return]

    @property
    def grid(self) -> Grid:
        """The grid, of sphere images."""
        return self._header("grid")  # type: ignore[no-any-return]

    @property
    def model(self) -> ModelReference:
        """What made them, of embeddings."""
        return self._header("model")  # type: ignore[no-any-return]

    @property
    def settings(self) -> dict[str, str]:
        """How the rows were made, as far as the writer was told."""
        with self._damage():
            return dict(json.loads(self._file.attrs.get("settings", "{}")))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the index's columns, in order."""
        return tuple(self._layout.columns)

    def column(self, name: str) -> NDArray[Any]:
        """Read one column of the index."""
        if name not in self._layout.columns:
            raise HoloError(
                f"{self.path}: its index has no column {name!r}; it has {list(self._layout.columns)}"
            )
        with self._damage():
            return self._read_index(slice(0, len(self)), (name,))[name]

    def field(self, name: str, rows: Rows) -> NDArray[Any]:
        """Read rows of one array, without the index.

        Parameters
        ----------
        name
            As the object names it, such as ``"coefficients"``; not of point clouds, whose rows differ in length.
        rows
            A slice, a bool array, or an array of row numbers.
        """
        if self.kind == "PointClouds" or name not in self._layout.fields:
            names = [] if self.kind == "PointClouds" else list(self._layout.fields)
            raise HoloError(
                f"{self.path}: holds {self.kind}, of which rows of {names} are read, not of {name!r}"
            )
        chosen = _checked_rows(rows, len(self))
        with self._damage():
            return _read_rows(self._file["fields"][name], chosen)

    @property
    def chunk_rows(self) -> int:
        """How many rows are compressed together: to read one of them costs as much as to read them all."""
        return int(self._file["fields"][_FIELDS[self.kind][0]].chunks[0])

    @property
    def index(self) -> Index:
        """The whole index, read anew each time."""
        with self._damage():
            return self._read_index(slice(0, len(self)))

    def __getitem__(self, rows: Rows) -> Data:
        chosen = _checked_rows(rows, len(self))
        with self._damage():
            fields = self._file["fields"]
            values: dict[str, Any] = dict(self._layout.header)
            if self.kind == "PointClouds":
                values |= _read_clouds(fields, chosen)
            else:
                values |= {name: _read_rows(dataset, chosen) for name, dataset in fields.items()}
            return _KINDS[self.kind](**values, index=self._read_index(chosen))

    def chunks(self, rows: int) -> Iterator[Data]:
        """Give all rows in order, `rows` at a time."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    def _header(self, name: str) -> Any:
        if name not in self._layout.header:
            raise HoloError(f"{self.path}: holds {self.kind}, which have no {name}")
        return self._layout.header[name]

    def _read_index(self, rows: "slice | NDArray[np.int64]", names: Iterable[str] | None = None) -> Index:
        group = self._file["index"]
        chosen = self._layout.columns if names is None else names
        return Index({name: _read_rows(group[name], rows) for name in chosen})

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn what goes wrong inside a file into one error that names the file."""
        try:
            yield
        except FormatError:
            raise
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            if self._stream.changed():
                reason = "was written to after it was opened; open it again"
            elif isinstance(error, HoloError):
                reason = str(error)
            else:
                reason = f"is cut short or damaged ({' '.join(str(error).split())})"
            raise FormatError(f"{self.path}: {reason}") from error
        if self._stream.changed():
            raise FormatError(f"{self.path}: was written to after it was opened; open it again")


def _open_to_read(path: Path) -> PagedFile:
    expected = "it must be a Holo HDF5 file"
    if not path.exists():
        raise FormatError(f"{path}: there is no such file; {expected}")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file"
        raise FormatError(f"{path}: is {what}; {expected}")
    try:
        stream = PagedFile(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    first = bytearray(len(_HDF5))
    size = stream.readinto(memoryview(first))
    if bytes(first) != _HDF5:
        stream.close()
        raise FormatError(f"{path}: is {'empty' if size == 0 else 'not HDF5'}; {expected}")
    return stream


def _read_layout(file: h5py.File, path: Path) -> tuple[_Layout, int]:
    """Read and check all but the rows."""
    root = file.attrs
    if root.get("format") != "holo":
        raise FormatError(
            f"{path}: is HDF5, but not written by Holo; it must have the attribute format 'holo'"
        )
    version = root.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FormatError(
            f"{path}: has schema version {version}; holo-types {__version__} reads version {SCHEMA_VERSION}"
        )
    kind = root["kind"]
    if kind not in _KINDS:
        raise FormatError(f"{path}: holds {kind!r}; it must be one of {', '.join(_KINDS)}")
    plain = json.loads(root["header"])
    header = {name: _FROM_JSON[name](plain[name]) for name in _HEADERS[kind]}
    if isinstance(basis := header.get("basis"), Basis) and basis.digest != root["basis_digest"]:
        raise FormatError(f"{path}: its basis does not match its basis_digest; the file was changed")
    for name in _FIELDS[kind]:
        if name not in _OPTIONAL and name not in file["fields"]:
            raise FormatError(f"{path}: holds {kind}, but lacks fields/{name}")
    columns = {}
    for name in json.loads(root["columns"]):
        if name not in file["index"]:
            raise FormatError(f"{path}: holds {kind}, but lacks index/{name}")
        columns[name] = "text" if h5py.check_string_dtype(file["index"][name].dtype) else "int64"
    rows = {f"fields/{name}": len(d) - (name == "offsets") for name, d in file["fields"].items()}
    if kind == "PointClouds":
        points = int(file["fields/offsets"][-1])
        if {rows.pop("fields/coordinates"), rows.pop("fields/weights")} != {points}:
            raise FormatError(f"{path}: its coordinates and weights must have {points} rows, as offsets says")
    rows |= {f"index/{name}": len(file["index"][name]) for name in columns}
    if len(set(rows.values())) != 1:
        raise FormatError(f"{path}: its datasets must have one number of rows; they have {rows}")
    fields = {name: (d.dtype.name, d.shape[1:]) for name, d in file["fields"].items()}
    return _Layout(kind, header, fields, columns), next(iter(rows.values()))


def _checked_rows(rows: object, length: int) -> "slice | NDArray[np.int64]":
    """Give chosen rows as a slice without a step, or as row numbers from the start."""
    if isinstance(rows, slice):
        start, stop, step = rows.indices(length)
        return slice(start, max(start, stop)) if step == 1 else np.arange(start, stop, step)
    if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind not in "iub":
        raise HoloError(f"rows are {rows!r}; they must be a slice, a bool array, or an array of row numbers")
    numbers: NDArray[np.int64] = np.arange(length)[rows]  # with numpy's own checks and meaning
    return numbers


def _read_rows(dataset: h5py.Dataset, rows: "slice | NDArray[np.int64]") -> NDArray[Any]:
    """Read rows, each HDF5 chunk that holds any of them once."""
    source = dataset.asstr() if h5py.check_string_dtype(dataset.dtype) else dataset
    if isinstance(rows, slice):
        return np.asarray(source[rows])
    dtype = object if source is not dataset else dataset.dtype
    values = np.empty((len(rows), *dataset.shape[1:]), dtype)
    order = np.argsort(rows, kind="stable")
    chunks = rows[order] // dataset.chunks[0]
    for part in np.split(order, np.flatnonzero(np.diff(chunks)) + 1):
        if len(part):
            first, last = rows[part[0]], rows[part[-1]]
            values[part] = source[first : last + 1][rows[part] - first]
    return values


def _read_clouds(fields: h5py.Group, rows: "slice | NDArray[np.int64]") -> dict[str, NDArray[Any]]:
    if isinstance(rows, slice):
        bounds = fields["offsets"][rows.start : rows.stop + 1]
        points: slice | NDArray[np.int64] = slice(int(bounds[0]), int(bounds[-1]))
        offsets = bounds - bounds[0]
    else:
        starts, stops = _read_rows(fields["offsets"], rows), _read_rows(fields["offsets"], rows + 1)
        sizes = stops - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        points = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
    arrays = {name: _read_rows(fields[name], points) for name in ("coordinates", "weights")}
    return {**arrays, "offsets": offsets}
