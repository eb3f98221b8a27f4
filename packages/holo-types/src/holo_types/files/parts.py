"""Embeddings as a folder of Parquet files that can be read as one table. This needs the extra ``table``."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from jaxtyping import Float

from holo_types.errors import FormatError, HoloError
from holo_types.extras import extra
from holo_types.objects.embeddings import Embeddings
from holo_types.objects.joining import concatenate

from .atomic import replacing
from .locks import PathLock
from .parquet_files import read_parquet, write_parquet
from .reader import load
from .schema import Layout
from .tables import to_table
from .writer import Writer

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartsWriter"]

_ROWS = 1 << 17  # rows of a part: 70 MB of z with 128 components
_SETTINGS = b"holo_settings"
_LARGEST_HALF = float(np.finfo(np.float16).max)


class PartsWriter:
    """Write embeddings to a folder of Parquet files with one schema, which other programs read as one table.

    Appended rows gather in memory. Each time there are 131,072 of them, a part is written, which holds whole appends
    and appears whole or not at all. Until then the rows are also saved every few seconds in a hidden HDF5 file of the
    folder. If the process is killed at any time, the folder holds whole parts and that file, and can be continued with
    ``resume=True``; after an exception it holds all that was appended. A writer to which nothing was appended leaves
    nothing. From the start, no other run can write into the folder (`holo_types.files.locks`).

    Parameters
    ----------
    folder
        The folder; its parts are ``part-000000.parquet`` and so on, with the columns of `to_table`.
    resume
        Continue the parts that exist; if there are none, begin new ones.
    settings
        How the rows are made, by name; stored in each part, so that the folder is continued with the same settings
        only.
    half
        Round z to half precision (11 significant bits). Its columns stay float32, which every reader accepts; they
        are stored as numbers of at most 16 bits that point to a column's distinct values.
    rows
        Number of rows at which a part is written.

    Raises
    ------
    HoloError
        If the folder is not empty and `resume` is false, if its parts were made with other settings, if another run is
        writing into it, or if pandas or pyarrow is missing.
    FormatError
        If an existing part that is to be continued cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import pandas
    >>> from holo_types import ModelReference
    >>> folder = Path(tempfile.mkdtemp(), "proteome")
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> with PartsWriter(folder, rows=2) as writer:
    ...     for name in ("1abc", "2xyz", "3foo"):
    ...         writer.append(Embeddings(np.zeros((1, 1)), np.eye(3)[None], model, {"structure": [name]}))
    >>> sorted(part.name for part in folder.iterdir())
    ['part-000000.parquet', 'part-000001.parquet']
    >>> pandas.read_parquet(folder)["structure"].tolist()
    ['1abc', '2xyz', '3foo']
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        resume: bool = False,
        settings: Mapping[str, str] | None = None,
        half: bool = False,
        rows: int = _ROWS,
    ) -> None:
        with extra("holo-types[table]"):
            import pyarrow  # noqa: F401, PLC0415
        self.folder = Path(folder)
        self._settings = {**(settings or {}), "half": str(half)}
        self._half = half
        self._part_rows = rows
        self._layout: Layout | None = None  # of the appended rows
        self._schema: pa.Schema | None = None  # of the parts
        self._parts = self._rows = self._pending_rows = 0
        self._pending: list[Embeddings] = []
        self._rest: Writer | None = None  # holds the pending rows, in case the process is killed
        if self.folder.exists() and not self.folder.is_dir():
            raise HoloError(f"{self.folder}: is not a folder; parts cannot be written into it")
        if not self.folder.parent.is_dir():
            raise HoloError(f"{self.folder}: cannot be written: there is no folder {self.folder.parent}")
        self._lock = PathLock(self.folder, folder=True)
        try:
            if resume:
                self._reopen()
            elif self._lock.others():
                raise HoloError(
                    f"{self.folder}: is not empty, and is not replaced; continue it with resume=True (--resume on the "
                    "command line), or choose another folder"
                )
        except BaseException:
            self._rest = None
            self._lock.release()
            raise

    def __enter__(self) -> "PartsWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if kind is None:
                self.commit()
                return
            with contextlib.suppress(HoloError):  # the error that led here is the one to report
                self.commit()

    def __len__(self) -> int:
        return self._rows + self._pending_rows

    def written(self, column: str) -> frozenset[str]:
        """Return the distinct values of a text column in the parts that existed at the start.

        Raises
        ------
        HoloError
            If there is no such column, or a part is damaged.
        """
        from pyarrow import compute  # noqa: PLC0415

        values: set[str] = set()
        for number in range(self._parts):
            table = read_parquet(self._path(number), [column])
            if not table.num_columns:
                raise HoloError(f"{self._path(number)}: has no column {column!r}")
            values.update(compute.unique(table.column(0)).to_pylist())
        if self._rest is not None:
            values.update(self._rest.index.column(column).tolist())
        return frozenset(values)

    def append(self, embeddings: Embeddings) -> None:
        """Append rows; a part holds either all rows of an append or none.

        Raises
        ------
        HoloError
            If they do not fit the earlier rows (model, columns, dtype), or z is too large for half precision; the rows
            are then not taken. Also if a part that is due cannot be written, or would differ from the existing ones.
        """
        layout = Layout.of(embeddings)
        if self._layout is None:
            self._layout = layout
        elif difference := self._layout.difference(layout):
            raise HoloError(f"{self.folder}: what is appended does not fit what is there: {difference}")
        if self._half:
            embeddings = attrs.evolve(embeddings, invariants=_rounded(embeddings.invariants))
        self._pending.append(embeddings)
        self._pending_rows += len(embeddings)
        if self._pending_rows >= self._part_rows:
            self.commit()
            return
        if self._rest is None:
            self._lock.check()
            self._rest = Writer(self._rest_path(self._parts), settings=self._settings)
        self._rest.append(embeddings)

    def commit(self) -> None:
        """Write the appended rows as a part now.

        Raises
        ------
        HoloError
            As in `append`; also if the folder was removed.
        """
        if not self._pending_rows:
            return
        table = self._table(concatenate(self._pending))
        path = self._path(self._parts)
        if self._schema is not None and not table.schema.equals(self._schema, check_metadata=True):
            raise HoloError(f"{path}: would differ from the earlier parts in columns, types or model")
        self._lock.check()
        if path.exists():
            raise HoloError(f"{path}: was written in the meantime; two runs must not write into one folder")
        self._write(table, path)
        self._schema = table.schema
        self._parts += 1
        self._rows += self._pending_rows
        self._pending, self._pending_rows = [], 0
        if self._rest is not None:
            self._rest.discard()
            self._rest = None

    def _table(self, embeddings: Embeddings) -> "pa.Table":
        import pyarrow  # noqa: PLC0415

        table = pyarrow.Table.from_pandas(to_table(embeddings), preserve_index=False)
        settings = json.dumps(self._settings).encode()
        return table.replace_schema_metadata({**table.schema.metadata, _SETTINGS: settings})

    def _write(self, table: "pa.Table", path: Path) -> None:
        from pyarrow import types  # noqa: PLC0415

        # A dictionary shortens numbers only if they repeat; numbers rounded to 16 bits do.
        repeating = [
            field.name
            for field in table.schema
            if not types.is_floating(field.type) or (self._half and field.name.startswith("z_"))
        ]
        with replacing(path) as new:
            write_parquet(table, new, row_group_size=len(table), use_dictionary=repeating, compression="zstd")

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06}.parquet"

    def _rest_path(self, number: int) -> Path:
        """Return where the rows of a part are kept until it is written; afterwards they are not needed."""
        return self.folder / f".part-{number:06}.h5"

    def _reopen(self) -> None:
        """Find the existing parts, and the rows of the next one."""
        import pyarrow  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        while (path := self._path(self._parts)).exists():
            try:
                meta = parquet.read_metadata(path)
                self._schema = meta.schema.to_arrow_schema()
            except (OSError, pyarrow.ArrowException) as error:
                raise FormatError(
                    f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}"
                ) from None
            self._check_settings(path, self._schema.metadata or {})
            self._rows += meta.num_rows
            self._parts += 1
        rest = self._rest_path(self._parts)
        for old in self.folder.glob(".part-*.h5"):
            if old != rest:
                old.unlink()
        if rest.exists():
            self._rest = Writer(rest, resume=True, settings=self._settings)
            self._pending = [load(rest, kind=Embeddings)]
            self._pending_rows = len(self._rest)
            self._layout = Layout.of(self._pending[0])

    def _check_settings(self, path: Path, metadata: Mapping[bytes, bytes]) -> None:
        there: dict[str, Any] = json.loads(metadata.get(_SETTINGS, b"{}"))
        for name in dict.fromkeys((*self._settings, *there)):
            was, now = there.get(name), self._settings.get(name)
            if was != now:
                raise HoloError(
                    f"{path}: was made with other options: {name} was {was}, and is now {now}; continue it with the "
                    "same, or choose another folder"
                )


def _rounded(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    largest = float(np.abs(z).max(initial=0.0))
    if largest > _LARGEST_HALF:
        raise HoloError(
            f"z has a component of size {largest:.3g}; with half precision it must be at most 65504"
        )
    return z.astype(np.float16).astype(z.dtype)
