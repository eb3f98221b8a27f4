"""One array in a file: appending rows, reading rows, and the checksum of each chunk."""

import math
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from holo_types.errors import HoloError

from .chunks import extend_floats

__all__ = ["TEXT", "StoredArray", "create_checksums", "create_dataset", "dtype_name"]

TEXT = "text"

_CHUNK_BYTES = 1 << 18
_CHUNK_ROWS = 1 << 12  # at most, so that a commit does not rewrite large chunks of short rows


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return the name of the type of an array's values, in memory or in a file; all text is one type."""
    return TEXT if dtype.kind == "U" or h5py.check_string_dtype(dtype) else dtype.name


def create_dataset(file: h5py.File, path: str, dtype: str, row: tuple[int, ...]) -> None:
    """Create an empty dataset whose rows have the given type and shape."""
    stored = h5py.string_dtype() if dtype == TEXT else np.dtype(dtype)
    row_bytes = max(1, stored.itemsize * int(np.prod(row)))
    chunk = max(1, min(_CHUNK_BYTES // row_bytes, _CHUNK_ROWS))
    _create(file, path, stored, row, chunk)


def create_checksums(file: h5py.File, datasets: int) -> None:
    """Create the empty table of checksums, with a column for each dataset."""
    _create(file, "checksums", np.dtype(np.uint32), (datasets,), 256)


def _create(file: h5py.File, path: str, dtype: np.dtype[Any], row: tuple[int, ...], chunk: int) -> None:
    file.create_dataset(
        path,
        shape=(0, *row),
        maxshape=(None, *row),
        dtype=dtype,
        chunks=(chunk, *row),
        shuffle=True,
        compression="gzip",
        compression_opts=1,
        track_times=False,
    )


def _bytes(values: NDArray[Any]) -> Any:  # with the buffer protocol
    if values.dtype.kind in "UO":
        return "".join([f"{text}\0" for text in values.tolist()]).encode()
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


class StoredArray:
    """A dataset of a file; its chunks are verified when they are read.

    Parameters
    ----------
    path
        Name of the array in messages and checksums, such as ``"fields/coefficients"``.
    dataset
        The dataset.
    checksums
        The file's table of checksums and the dataset's column in it; None if the file has none.
    """

    def __init__(self, path: str, dataset: h5py.Dataset, checksums: tuple[h5py.Dataset, int] | None) -> None:
        self.path = path
        self.dtype = dtype_name(dataset.dtype)
        self.row: tuple[int, ...] = dataset.shape[1:]
        self.chunk_rows = int(dataset.chunks[0])  # number of rows that are compressed together
        self._dataset = dataset
        self._checksums = checksums
        self._checked: set[int] = set()  # chunks

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def nbytes(self) -> int:
        """The bytes of all values in memory; of a text, those of a pointer to it."""
        return len(self) * math.prod(self.row) * int(self._dataset.dtype.itemsize)

    @property
    def stored_bytes(self) -> int:
        """The bytes of all chunks in the file."""
        return int(self._dataset.id.get_storage_size())

    def append(self, values: NDArray[Any]) -> None:
        """Append rows of the dataset's type, and update its checksums."""
        if len(values) == 0:
            return
        start = len(self)
        if values.dtype.kind == "f":
            extend_floats(self._dataset, values)
        else:
            self._dataset.resize(start + len(values), axis=0)
            self._dataset[start:] = values.astype(object) if values.dtype.kind == "U" else values
        if self._checksums is None:
            return
        table, column = self._checksums
        first = start // self.chunk_rows
        sums = [
            zlib.crc32(_bytes(part), self._sum_before(chunk, row))
            for chunk, row, part in self._cut(values, start)
        ]
        if first + len(sums) > len(table):
            table.resize(first + len(sums), axis=0)
        table[first : first + len(sums), column] = np.array(sums, np.uint32)

    def read(self, rows: "slice | NDArray[np.int64]") -> NDArray[Any]:
        """Read rows; each chunk that holds any of them is read once.

        Parameters
        ----------
        rows
            A slice without a step, or row numbers counted from the start.

        Raises
        ------
        HoloError
            If a chunk does not match its checksum; the message names the dataset, and the caller adds the file.
        """
        if isinstance(rows, slice):
            return self._read(rows.start, rows.stop)
        values = np.empty((len(rows), *self.row), object if self.dtype == TEXT else self._dataset.dtype)
        order = np.argsort(rows, kind="stable")
        chunks = rows[order] // self.chunk_rows
        for part in np.split(order, np.flatnonzero(np.diff(chunks)) + 1):
            if len(part):
                first, last = int(rows[part[0]]), int(rows[part[-1]])
                values[part] = self._read(first, last + 1)[rows[part] - first]
        return values

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        size = self.chunk_rows
        chunks = range(start // size, -(-stop // size)) if stop > start else range(0)
        if self._checksums is None or self._checked.issuperset(chunks):
            return self._decoded(start, stop)
        first = chunks.start * size
        values = self._decoded(first, min(chunks.stop * size, len(self)))
        table, column = self._checksums
        expected = table[chunks.start : chunks.stop, column]
        for (chunk, row, part), its in zip(self._cut(values, first), expected, strict=True):
            if zlib.crc32(_bytes(part), self._seed(chunk)) != its:
                raise HoloError(
                    f"rows {row} to {row + len(part) - 1} of {self.path} do not match their checksum; "
                    "the file is damaged or was changed"
                )
        self._checked.update(chunks)
        return values[start - first : stop - first]

    def _decoded(self, start: int, stop: int) -> NDArray[Any]:
        source = self._dataset.asstr() if self.dtype == TEXT else self._dataset
        values = np.asarray(source[start:stop])
        if (
            values.dtype == np.bool_ and values.view(np.uint8).max(initial=0) > 1
        ):  # numpy would compute nonsense
            raise HoloError(f"{self.path} holds truth values that are neither 0 nor 1")
        return values

    def _cut(self, values: NDArray[Any], start: int) -> Iterator[tuple[int, int, NDArray[Any]]]:
        """Cut rows at the edges of chunks; yield the chunk's number, the number of its first row here, and its rows."""
        size, stop = self.chunk_rows, start + len(values)
        for chunk in range(start // size, -(-stop // size)):
            row = max(start, chunk * size)
            yield chunk, row, values[row - start : (chunk + 1) * size - start]

    def _sum_before(self, chunk: int, row: int) -> int:
        """Return the checksum of a chunk's rows before the given one."""
        if row % self.chunk_rows == 0 or self._checksums is None:
            return self._seed(chunk)
        table, column = self._checksums
        return int(table[chunk, column])

    def _seed(self, chunk: int) -> int:
        """Return the initial checksum of a chunk, which makes one chunk in the place of another noticeable."""
        return zlib.crc32(f"{self.path} {chunk}".encode())
