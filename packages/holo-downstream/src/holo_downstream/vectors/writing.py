"""Writing vectors to files that `read_vectors` and other programs can read."""

from pathlib import Path

import numpy as np

from holo_types import HoloError
from holo_types.extras import extra
from holo_types.files.atomic import replacing
from holo_types.files.csv_files import write_csv
from holo_types.files.parquet_files import write_parquet

from .tables import VectorTable

__all__ = ["check_vectors_path", "write_vectors"]

_SUFFIXES = (".csv", ".parquet", ".npz")


def check_vectors_path(path: Path) -> None:
    """Refuse a file name whose ending is not a format of `write_vectors`.

    Raises
    ------
    HoloError
        If it has another ending.
    """
    if path.suffix not in _SUFFIXES:
        raise HoloError(f"{path}: must end in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}")


def write_vectors(table: VectorTable, path: Path) -> None:
    """Write one vector per row, in a format from which `read_vectors` restores identical bits.

    Parameters
    ----------
    table
        The vectors to write.
    path
        ``.csv`` or ``.parquet``: the columns ``id``, and ``z_0``, ``z_1``, ... or those of the table's source;
        ``.npz``: the arrays ``id`` and ``vectors``. The file appears completely or not at all. The origin of the
        vectors is not written.

    Raises
    ------
    HoloError
        If the path has another ending, the file cannot be written, or the package that writes Parquet is missing.

    Examples
    --------
    >>> import tempfile
    >>> from holo_downstream.vectors.tables import Source, read_vectors
    >>> path = Path(tempfile.mkdtemp(), "proteins.csv")
    >>> write_vectors(VectorTable(np.array(["1abc"]), np.array([[0.1, 2.0]]), Source("z", None, "")), path)
    >>> path.read_text().split()
    ['id,z_0,z_1', '1abc,0.1,2.0']
    >>> read_vectors(path).vectors.tolist()
    [[0.1, 2.0]]
    """
    check_vectors_path(path)
    names = table.source.columns or tuple(f"z_{column}" for column in range(table.vectors.shape[1]))
    if path.suffix == ".csv":
        write_csv(
            path,
            ("id", *names),
            ([name, *row] for name, row in zip(table.ids.tolist(), table.vectors.tolist(), strict=True)),
        )
    elif path.suffix == ".npz":
        with replacing(path) as new, new.open("wb") as file:
            np.savez(file, id=table.ids, vectors=table.vectors)
    else:
        with extra("holo-downstream[table]"):
            import pyarrow as pa  # noqa: PLC0415 - an extra
        columns = dict(zip(names, table.vectors.T, strict=True))
        with replacing(path) as new:
            write_parquet(pa.table({"id": table.ids.tolist(), **columns}), new)
