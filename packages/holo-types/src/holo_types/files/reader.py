"""Reading objects from files, whole or by rows."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from holo_types.contents import most_bytes
from holo_types.errors import FormatError, HoloError
from holo_types.objects.basis import Basis
from holo_types.objects.columns import Index, PointColumns, RowSelection, text_array
from holo_types.objects.embeddings import Embeddings, ModelReference
from holo_types.objects.holograms import Holograms
from holo_types.objects.joining import Data
from holo_types.objects.named_arrays import NamedArrays
from holo_types.objects.point_clouds import PointClouds
from holo_types.objects.sphere_images import Grid, SphereImages

from .datasets import StoredArray
from .journal import PagedFile, open_hdf5
from .schema import KINDS, read_layout
from .trial import examine

__all__ = ["HDF5", "Reader", "load", "open", "open_hdf5"]

_RATIO = 100  # of what is read at once to its bytes in the file; measured data compress a few times

HDF5 = b"\x89HDF\r\n\x1a\n"

KindT = TypeVar("KindT", PointClouds, SphereImages, Holograms, Embeddings, NamedArrays)


@overload
def load(path: str | os.PathLike[str]) -> Data | NamedArrays: ...


@overload
def load(path: str | os.PathLike[str], *, kind: type[KindT]) -> KindT: ...


def load(path: str | os.PathLike[str], *, kind: Any = None) -> Any:
    """Read a whole HDF5 file.

    Parameters
    ----------
    path
        The file; from a file of an interrupted run, the rows that it holds are read.
    kind
        The type that the file must hold, such as `Embeddings`; by default it may hold any.

    Raises
    ------
    FormatError
        If the file is missing or damaged, holds another type of object, or is not a Holo file of a known schema
        version.

    Examples
    --------
    >>> load("absent.h5")
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: absent.h5: there is no such file; it must be a Holo HDF5 file
    """
    with Reader(path) as reader:
        if kind is not None and kind is not KINDS.get(reader.kind, NamedArrays):
            raise FormatError(f"{path}: holds {reader.kind}; it must hold {kind.__name__}")
        return reader.read()


def open(path: str | os.PathLike[str]) -> "Reader":
    """Open an HDF5 file to read rows of it; the same as `Reader`."""
    return Reader(path)


class Reader:
    """A file whose rows are read on demand.

    ``len(reader)`` is the number of rows; ``reader[rows]`` returns an object with the chosen rows (a slice, a bool
    array or an array of row numbers), and `chunks` yields one object after the other. Only the HDF5 chunks that hold
    those rows are read, and each is verified with its checksum. Use it in a ``with`` statement, or call `close`.

    Each array of `NamedArrays` has its own rows: `field` reads them, and `read` reads the whole object.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FormatError
        If the file is missing or damaged, or is not a Holo file of a known schema version. Also if damaged rows are
        read, or rows are read after a `Writer` has changed the file.

    Examples
    --------
    >>> import tempfile
    >>> from holo_types import save
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
                examine(self._stream)
                self._file = open_hdf5(self._stream, "r")
                self._layout, self._arrays, self._rows = read_layout(self._file, self.path)
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
        if self._rows is None:
            raise HoloError(
                f"{self.path}: holds {self.kind}, each of whose arrays has rows of its own; read a field"
            )
        return self._rows

    @property
    def kind(self) -> str:
        """PointClouds, SphereImages, Holograms or Embeddings, or the kind of `NamedArrays`."""
        return self._layout.kind

    @property
    def schema_version(self) -> int:
        """The schema version of the file."""
        return int(self._file.attrs["schema_version"])

    @property
    def complete(self) -> bool:
        """Whether the writer was closed; false for a file of an interrupted run."""
        return self._complete

    @property
    def basis(self) -> Basis:
        """The basis of holograms."""
        return self._header("basis")  # type: ignore[no-any-return]

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of all types but embeddings."""
        if self.kind == "Holograms":
            return self.basis.channels
        return self._header("channels")  # type: ignore[no-any-return]

    @property
    def grid(self) -> Grid:
        """The grid of sphere images."""
        return self._header("grid")  # type: ignore[no-any-return]

    @property
    def model(self) -> ModelReference:
        """The model that computed the embeddings."""
        return self._header("model")  # type: ignore[no-any-return]

    @property
    def header(self) -> dict[str, Any]:
        """The header of `NamedArrays`."""
        return self._header("header")  # type: ignore[no-any-return]

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which the rows were made, if the writer was given any."""
        with self._damage():
            return dict(json.loads(self._file.attrs.get("settings", "{}")))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the index's columns, in order."""
        return self._layout.names("index")

    def column(self, name: str) -> NDArray[Any]:
        """Read one column of the index.

        Raises
        ------
        HoloError
            If there is no such column; the message lists the columns that there are.
        """
        if name not in self.columns:
            there = ", ".join(self.columns) or "none"
            raise HoloError(f"{self.path}: its index has no column {name!r}; it has {there}")
        with self._damage():
            values = self._arrays[f"index/{name}"].read(slice(0, len(self)))
            return Index({name: values})[name]

    def field(self, name: str, rows: RowSelection) -> NDArray[Any]:
        """Read rows of one array, without the index.

        Parameters
        ----------
        name
            Name of the array, such as ``"coefficients"``. Point clouds have none, because their rows differ in length.
        rows
            A slice, a bool array, or an array of row numbers.
        """
        names = [] if self.kind == "PointClouds" else list(self._layout.names("fields"))
        if name not in names:
            raise HoloError(
                f"{self.path}: holds {self.kind}, of which rows of {names} can be read, not of {name!r}"
            )
        array = self._arrays[f"fields/{name}"]
        chosen = _checked_rows(rows, len(array))
        with self._damage():
            self._check_budget([array], len(array), chosen)
            values = array.read(chosen)
            return text_array(f"fields/{name}", values.tolist()) if values.dtype.kind == "O" else values

    @property
    def chunk_rows(self) -> int:
        """The number of rows that are compressed together: reading one of them costs as much as reading all."""
        return next(array.chunk_rows for path, array in self._arrays.items() if path.startswith("fields/"))

    @property
    def index(self) -> Index:
        """The whole index; it is read anew each time."""
        with self._damage():
            return Index(self._read_group("index", slice(0, len(self))))

    def __getitem__(self, rows: RowSelection) -> Data:
        chosen = _checked_rows(rows, len(self))
        with self._damage():
            self._check_budget(self._arrays.values(), len(self), chosen)
            clouds = self.kind == "PointClouds"
            values = self._read_clouds(chosen) if clouds else self._read_group("fields", chosen)
            index = Index(self._read_group("index", chosen))
            return KINDS[self.kind](**self._layout.header, **values, index=index)  # type: ignore[arg-type]

    def read(self) -> Data | NamedArrays:
        """Read the whole object."""
        if self.kind in KINDS:
            return self[:]
        with self._damage():
            fields = {name: self._arrays[f"fields/{name}"] for name in self._layout.names("fields")}
            self._check_budget(fields.values(), 1, slice(0, 1))
            arrays = {name: array.read(slice(0, len(array))) for name, array in fields.items()}
            return NamedArrays(self.kind, arrays, self.header)

    def chunks(self, rows: int) -> Iterator[Data]:
        """Yield all rows in order, `rows` at a time."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    def _header(self, name: str) -> Any:
        if name not in self._layout.header:
            raise HoloError(f"{self.path}: holds {self.kind}, which have no {name}")
        return self._layout.header[name]

    def _check_budget(
        self, arrays: Iterable[StoredArray], length: int, rows: "slice | NDArray[np.int64]"
    ) -> None:
        """Refuse to read at once what would fill the memory, though nearly nothing of it is in the file.

        Zeros compress a thousand times. A file of them can still be read in pieces.
        """
        chosen = max(0, rows.stop - rows.start) if isinstance(rows, slice) else len(rows)
        size, most = sum(array.nbytes for array in arrays) * chosen // max(1, length), most_bytes()
        if size <= most:
            return
        stored = sum(array.stored_bytes for array in arrays)
        if size > _RATIO * stored:
            raise HoloError(
                f"its {stored} bytes of chunks unpack to {size} bytes; at most {max(most, _RATIO * stored)} are read "
                "at once (HOLO_MAX_BYTES allows more); read fewer rows"
            )

    def _read_group(self, group: str, rows: "slice | NDArray[np.int64]") -> dict[str, Any]:
        return {name: self._arrays[f"{group}/{name}"].read(rows) for name in self._layout.names(group)}

    def _read_clouds(self, rows: "slice | NDArray[np.int64]") -> dict[str, Any]:
        edges = self._arrays["fields/offsets"]
        if isinstance(rows, slice):
            bounds = edges.read(slice(rows.start, rows.stop + 1))
            self._check_bounds(bounds[:-1], bounds[1:])
            points: slice | NDArray[np.int64] = slice(int(bounds[0]), int(bounds[-1]))
            offsets = bounds - bounds[0]
        else:
            starts, stops = edges.read(rows), edges.read(rows + 1)
            self._check_bounds(starts, stops)
            sizes = stops - starts
            offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
            points = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
        values = {name: self._arrays[f"fields/{name}"].read(points) for name in ("coordinates", "weights")}
        if "fields/centers" in self._arrays:
            values["centers"] = self._arrays["fields/centers"].read(rows)
        return {
            **values,
            "offsets": offsets,
            "point_columns": PointColumns(self._read_group("points", points)),
        }

    def _check_bounds(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        points = len(self._arrays["fields/coordinates"])
        if not ((starts >= 0) & (starts <= stops) & (stops <= points)).all():
            raise HoloError(f"its offsets must ascend from 0 to its {points} points")

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn an error inside a file into one error that names the file."""
        try:
            yield
        except FormatError:
            raise
        except Exception as error:
            if self._stream.changed():
                reason = "was written to after it was opened; open it again"
            elif isinstance(error, HoloError):
                reason = str(error)
            elif isinstance(error, MemoryError):
                reason = "takes more memory than there is"
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
    first = bytearray(len(HDF5))
    size = stream.readinto(memoryview(first))
    if bytes(first) != HDF5:
        stream.close()
        raise FormatError(f"{path}: is {'empty' if size == 0 else 'not HDF5'}; {expected}")
    return stream


def _checked_rows(rows: object, length: int) -> "slice | NDArray[np.int64]":
    """Return chosen rows as a slice without a step, or as row numbers counted from the start."""
    if isinstance(rows, slice):
        start, stop, step = rows.indices(length)
        if step == 1:
            return slice(start, max(start, stop))
        most = max(length, 1)  # a longer step takes one row too, and may be beyond 64 bits
        return np.arange(start, stop, min(max(step, -most), most), dtype=np.int64)
    if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind not in "iub":
        raise HoloError(f"rows are {rows!r}; they must be a slice, a bool array, or an array of row numbers")
    numbers: NDArray[np.int64] = np.arange(length)[rows]  # with numpy's own checks and meaning
    return numbers
