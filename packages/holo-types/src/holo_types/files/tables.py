"""Embeddings as tables: pandas, Parquet and CSV. They need the extra ``table`` (pandas, pyarrow)."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_types.errors import FormatError, HoloError
from holo_types.extras import extra
from holo_types.objects.columns import Index
from holo_types.objects.embeddings import Embeddings, ModelReference
from holo_types.reading import reads

from .atomic import replacing
from .csv_files import csv_cell
from .parquet_files import read_parquet, seal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["read_table", "to_table", "write_table"]

_EXTRA = "holo-types[table]"
_FRAME = [f"frame_{axis}{component}" for axis in "xyz" for component in "xyz"]
_CENTER = [f"center_{axis}" for axis in "xyz"]
_OPTIONAL = ("degenerate", "reconstruction_cosine_loss")


def _columns(embeddings: Embeddings) -> dict[str, NDArray[Any]]:
    optional = {name: getattr(embeddings, name) for name in _OPTIONAL}
    columns: dict[str, NDArray[Any]] = {}
    if embeddings.centers is not None:
        columns |= {
            f"center_{axis}": values for axis, values in zip("xyz", embeddings.centers.T, strict=True)
        }
    columns |= {f"z_{i}": values for i, values in enumerate(embeddings.invariants.T)}
    for i, axis in enumerate("xyz"):
        for j, component in enumerate("xyz"):
            columns[f"frame_{axis}{component}"] = embeddings.frames[:, i, j]
    if embeddings.log_variances is not None:
        columns |= {f"log_variance_{i}": values for i, values in enumerate(embeddings.log_variances.T)}
    return columns | {name: values for name, values in optional.items() if values is not None}


def to_table(embeddings: Embeddings) -> "pd.DataFrame":
    """Return embeddings as a table with one row for each.

    Parameters
    ----------
    embeddings
        The embeddings.

    Returns
    -------
    pandas.DataFrame
        The columns of the index; ``center_x``, ``center_y`` and ``center_z`` (in Å) if the embeddings have them;
        ``z_0``, ``z_1``, ... (the invariants); ``frame_xx``, ``frame_xy``, ..., ``frame_zz`` (the first letter is the
        frame's axis, the second its component); and ``log_variance_0``, ..., ``degenerate`` and
        ``reconstruction_cosine_loss`` (0 is perfect) if the embeddings have them. Values keep their dtype.
        ``DataFrame.attrs["model"]`` identifies the model.

    Raises
    ------
    HoloError
        If pandas is missing, or a column of the index has the name of another column of the table.

    Examples
    --------
    >>> import numpy as np
    >>> from holo_types import ModelReference
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> table = to_table(Embeddings(np.zeros((1, 2)), np.eye(3)[None], model, {"chain": ["A"]}))
    >>> list(table)[:5], table.attrs["model"]["name"]
    (['chain', 'z_0', 'z_1', 'frame_xx', 'frame_xy'], 'demo')
    """
    with extra(_EXTRA):
        import pandas  # noqa: PLC0415 - an extra, and slow to import
    columns = _columns(embeddings)
    if clash := [name for name in embeddings.index if name in columns]:
        raise HoloError(f"index has the column {clash[0]!r}, which is a column of the table; rename it")
    texts = {name: v.astype(object) if v.dtype.kind == "U" else v for name, v in embeddings.index.items()}
    table: pd.DataFrame = pandas.DataFrame({**texts, **columns})
    table.attrs["model"] = attrs.asdict(embeddings.model)
    return table


def write_table(embeddings: Embeddings, path: str | os.PathLike[str]) -> None:
    """Write embeddings as a table, with the columns of `to_table`; the file appears whole or not at all.

    Parameters
    ----------
    embeddings
        The embeddings.
    path
        A file whose name ends in ``.parquet`` or ``.csv``. Parquet keeps every bit, and the model; each page has a
        checksum, which readers verify on request (pyarrow with ``page_checksum_verification=True``), and the file has a
        digest, which `holo_types.files.parquet_files.read_parquet` verifies. CSV is UTF-8, with enough digits to read
        back the same values; its text passes through `holo_types.files.csv_files.csv_cell`, and it lacks the model.

    Raises
    ------
    HoloError
        If the name ends otherwise, pandas or pyarrow is missing, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from holo_types import ModelReference
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> path = Path(tempfile.mkdtemp(), "embeddings.csv")
    >>> write_table(Embeddings(np.zeros((1, 1)), np.eye(3)[None], model, {"chain": ["A"]}), path)
    >>> path.read_text().splitlines()[1]
    'A,0.0,1.0,0.0,0.0,0.0,1.0,0.0,0.0,0.0,1.0'
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise HoloError(f"{path}: has the ending {path.suffix!r}; a table's must be '.parquet' or '.csv'")
    if path.suffix == ".parquet":
        with extra(_EXTRA):
            import pyarrow  # noqa: F401, PLC0415 - pandas imports it
    table = to_table(embeddings)
    with replacing(path) as new:
        if path.suffix == ".parquet":
            table.to_parquet(new, engine="pyarrow", index=False, write_page_checksum=True)
            seal(new)
        else:
            for name in (name for name, values in embeddings.index.items() if values.dtype.kind == "U"):
                table[name] = table[name].map(csv_cell)
            table = table.rename(columns=csv_cell)
            table.to_csv(new, index=False, encoding="utf-8", lineterminator="\n")


@reads("a Parquet table of embeddings")
def read_table(path: Path) -> Embeddings:
    """Read embeddings from a Parquet file that `write_table` or a `PartsWriter` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Embeddings
        The embeddings as they were written, to the bit.

    Raises
    ------
    FormatError
        If it cannot be read, is damaged, or lacks the columns ``z_0``, ``z_1``, ... or the model that computed them.
    HoloError
        If pyarrow is missing.

    Examples
    --------
    >>> import tempfile
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> embeddings = Embeddings(np.ones((1, 2)), np.eye(3)[None], model, {"chain": ["A"]})
    >>> path = Path(tempfile.mkdtemp(), "embeddings.parquet")
    >>> write_table(embeddings, path)
    >>> read_table(path) == embeddings
    True
    """
    table = read_parquet(path)
    try:
        return _embeddings(table)
    except HoloError as error:
        raise FormatError(f"{path}: {error}") from None


def _embeddings(table: "pa.Table") -> Embeddings:
    said = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}")).get("attributes", {})
    if "model" not in said:
        raise FormatError("does not say which model made it; it must be a table that Holo wrote")
    names = table.column_names
    widths = {kind: _numbered(names, kind) for kind in ("z", "log_variance")}
    if not widths["z"] or any(name not in names for name in _FRAME):
        raise FormatError("lacks the columns z_0, z_1, ... or frame_xx, ... of embeddings")
    known = {*_FRAME, *_CENTER, *widths["z"], *widths["log_variance"], *_OPTIONAL}
    rows = table.num_rows
    return Embeddings(
        invariants=_matrix(table, widths["z"]),
        frames=_matrix(table, _FRAME).reshape(rows, 3, 3),
        model=ModelReference(**said["model"]),
        index=Index({name: _values(table, name) for name in names if name not in known}),
        log_variances=_matrix(table, widths["log_variance"]) if widths["log_variance"] else None,
        centers=_matrix(table, _CENTER) if _CENTER[0] in names else None,
        **{name: _values(table, name) for name in _OPTIONAL if name in names},
    )


def _numbered(names: list[str], kind: str) -> list[str]:
    count = sum(re.fullmatch(rf"{kind}_[0-9]+", name) is not None for name in names)
    return [f"{kind}_{number}" for number in range(count)]


def _values(table: "pa.Table", name: str) -> Any:
    from pyarrow import types  # noqa: PLC0415

    column = table.column(name)
    if column.null_count and not types.is_floating(column.type):  # pandas would round integers to floats
        raise FormatError(
            f"its column {name!r} lacks {column.null_count} values; it must have one in each row"
        )
    values = column.to_pandas().to_numpy()
    return (values.tolist() or np.array([], np.str_)) if values.dtype.kind in "OT" else values


def _matrix(table: "pa.Table", names: list[str]) -> NDArray[Any]:
    return np.column_stack([_values(table, name) for name in names])
