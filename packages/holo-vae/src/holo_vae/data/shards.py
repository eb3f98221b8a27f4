"""Several HDF5 files of holograms as one: the rows of the first file, then those of the second, and so on."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

import holo_types
from holo_types import Basis, FormatError, HoloError

__all__ = ["Reading", "Shards", "check_finite"]

_PIECE_BYTES = 1 << 24  # read by a worker at a time


@attrs.frozen
class _Shard:
    path: Path
    rows: int
    chunk_rows: int
    columns: tuple[str, ...]
    state: tuple[int, int]  # size of the file, and time of its last change


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@attrs.frozen(eq=False)
class Reading:
    """Rows that are being read.

    Parameters
    ----------
    values : Float[ndarray, "n dim"]
        The coefficients, complete once `result` has returned.
    pieces
        The tasks of the workers.
    """

    values: NDArray[Any]
    pieces: tuple["Future[None]", ...]

    def result(self) -> NDArray[Any]:
        """Wait for the rows, and return them.

        Raises
        ------
        HoloError
            If a coefficient is not finite.
        FormatError
            If a file is damaged, or has changed.
        """
        for piece in self.pieces:
            piece.result()
        return self.values


@attrs.frozen(eq=False)
class Shards:
    """The rows of several files of holograms, one file after the other; only their headers are kept in memory.

    Parameters
    ----------
    basis
        The basis of all files.
    shards
        The files that hold rows.
    """

    basis: Basis
    shards: tuple[_Shard, ...]
    starts: Int[np.ndarray, " shards_and_end"] = attrs.field(init=False)

    @starts.default
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *(shard.rows for shard in self.shards)])

    @classmethod
    def open(cls, paths: Sequence[Path]) -> "Shards":
        """Check files and combine them. Files without rows are left out.

        Raises
        ------
        HoloError
            If a file does not hold holograms, has another basis or other index columns than the first, or no
            file has rows.
        FormatError
            If a file is missing or damaged.
        """
        basis: Basis | None = None
        shards: list[_Shard] = []
        for path in paths:
            with holo_types.open(path) as reader:
                if reader.kind != "Holograms":
                    raise HoloError(f"{path}: holds {reader.kind}; Holograms are needed")
                if basis is not None and reader.basis != basis:
                    raise HoloError(
                        f"{path}: its basis is {reader.basis}; that of {paths[0]} is {basis}, and all must agree"
                    )
                basis = reader.basis
                if not len(reader):
                    continue
                shard = _Shard(path, len(reader), reader.chunk_rows, reader.columns, _state(path))
            if shards and shard.columns != shards[0].columns:
                raise HoloError(
                    f"{path}: its index has the columns {list(shard.columns)}; that of {shards[0].path} has "
                    f"{list(shards[0].columns)}, and all must agree"
                )
            shards.append(shard)
        if basis is None or not shards:
            raise HoloError(f"{', '.join(map(str, paths)) or 'no file'}: holds no holograms")
        return cls(basis, tuple(shards))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def row_name(self, row: int) -> str:
        """Return the name of a row for messages."""
        shard = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.shards[shard].path}: row {row - self.starts[shard]}"

    def chunks(self, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Return a number for the HDF5 chunk of each row: rows with the same number are read together."""
        shard = np.searchsorted(self.starts, rows, side="right") - 1
        chunk_rows = np.array([each.chunk_rows for each in self.shards])
        before = np.cumsum([0, *(-(-each.rows // each.chunk_rows) for each in self.shards)])
        numbers: NDArray[np.int64] = before[shard] + (rows - self.starts[shard]) // chunk_rows[shard]
        return numbers

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the index columns, which all files share."""
        return self.shards[0].columns

    def column(self, name: str) -> Iterator[NDArray[Any]]:
        """Read one column of the index, file by file.

        Raises
        ------
        HoloError
            If there is no such column, or it holds text in one file and integers in another.
        """
        kind = None
        for number, shard in enumerate(self.shards):
            with self._open(number) as reader:
                values = reader.column(name)
            if kind not in (None, values.dtype.kind):
                raise HoloError(
                    f"{shard.path}: its column {name!r} is of {values.dtype}; it must be as in {self.shards[0].path}"
                )
            kind = values.dtype.kind
            yield values

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Read all coefficients in order, in the dtype of the files, a few MiB at a time."""
        step = self._piece_rows
        for number, shard in enumerate(self.shards):
            with self._open(number) as reader:
                for start in range(0, shard.rows, step):
                    yield reader.field("coefficients", slice(start, start + step))

    def read(self, rows: Int[np.ndarray, " n"], dtype: np.dtype[Any], workers: Executor) -> Reading:
        """Begin to read rows, in any order; each HDF5 chunk that holds some of them is read once.

        Parameters
        ----------
        rows
            The row numbers, counted over all files.
        dtype
            The dtype of the result.
        workers
            The threads that read and decompress.
        """
        values = np.empty((len(rows), self.basis.dim), dtype)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        edges = np.searchsorted(ordered, self.starts)
        pieces = []
        for number in range(len(self.shards)):
            for start in range(edges[number], edges[number + 1], self._piece_rows):
                piece = slice(start, min(start + self._piece_rows, edges[number + 1]))
                pieces.append(workers.submit(self._read, number, ordered[piece], order[piece], values))
        return Reading(values, tuple(pieces))

    def _read(
        self, number: int, rows: NDArray[np.int64], places: NDArray[np.int64], values: NDArray[Any]
    ) -> None:
        with self._open(number) as reader:
            read = reader.field("coefficients", rows - self.starts[number])
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is then detected
            read = read.astype(values.dtype, copy=False)
        check_finite(read, rows, self)
        values[places] = read

    @property
    def _piece_rows(self) -> int:
        return max(1, _PIECE_BYTES // (8 * self.basis.dim))

    def _open(self, number: int) -> holo_types.Reader:
        shard = self.shards[number]
        reader = holo_types.open(shard.path)
        if _state(shard.path) != shard.state:
            reader.close()
            raise FormatError(f"{shard.path}: was changed after training began; start the training again")
        return reader


def check_finite(values: NDArray[Any], rows: NDArray[np.int64], source: Any) -> None:
    """Refuse rows that hold NaN or infinity.

    Raises
    ------
    HoloError
        If a value is not finite; the message names the file and the row.
    """
    if not values.size or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return
    row, coefficient = np.argwhere(~np.isfinite(values))[0]
    raise HoloError(
        f"{source.row_name(int(rows[row]))} holds {values[row, coefficient]} in coefficient {coefficient}; "
        f"every coefficient must be a finite {values.dtype}"
    )
