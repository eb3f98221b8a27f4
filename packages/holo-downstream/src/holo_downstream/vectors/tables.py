"""One vector per complex, and its origin: from embeddings, holograms, or any table of numbers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
from jaxtyping import Float, Shaped

import holo_types
from holo_types import Embeddings, FormatError, HoloError, Holograms, Index, ModelReference
from holo_types.extras import extra
from holo_types.files.parquet_files import column_names, read_parquet
from holo_types.reading import reads

from .csv_files import read_csv
from .inputs import check_vectors, text_labels
from .npy_files import read_npz
from .pooling import Pooling, pool_rows
from .spectra import power_spectrum, scalar_coefficients

__all__ = ["KINDS", "Invariants", "Source", "VectorTable", "pool", "read_vectors", "set_beside"]

Invariants = Literal["scalars", "power"]
Kind = Literal["z", "scalars", "power", "table"]

_EXACT = attrs.cmp_using(eq=np.array_equal)
# Columns that a table may have for each complex in addition to its vector.
_NO_VECTOR = ("label", "split", "cluster", "family", "measurement", "unit", "ligand_key")


@attrs.frozen
class Source:
    """The origin of vectors, by which a predictor refuses vectors of another kind.

    Parameters
    ----------
    kind
        ``"z"``: embeddings; ``"scalars"``: the l = 0 coefficients of holograms; ``"power"``: their power
        spectrum; ``"table"``: numbers of unknown meaning, identified by the names of their columns.
    model
        The model that made embeddings; None for other vectors.
    basis_digest
        `Basis.digest` of the holograms; empty for a table.
    columns
        The column names of a table; empty for other vectors.
    beside
        The origins of further vectors that are appended to these.
    """

    kind: Kind
    model: ModelReference | None
    basis_digest: str
    columns: tuple[str, ...] = ()
    beside: tuple["Source", ...] = ()

    def check(self, other: "Source") -> None:
        """Refuse vectors of another origin.

        Raises
        ------
        HoloError
            If their kind, model, basis or columns differ; the message names the difference.
        """
        if other.kind != self.kind:
            raise HoloError(
                f"the vectors are {KINDS[other.kind]}; the predictor learned from {KINDS[self.kind]}"
            )
        if other.basis_digest != self.basis_digest:
            raise HoloError(
                f"the vectors were made from the basis {other.basis_digest[:12]}; the predictor learned from "
                f"{self.basis_digest[:12]}"
            )
        if self.model is not None and (other.model is None or other.model.digest != self.model.digest):
            raise HoloError(
                f"the embeddings were made by {_model(other.model)}; the predictor learned from those of "
                f"{_model(self.model)}"
            )
        if other.columns != self.columns:
            missing = [name for name in self.columns if name not in other.columns]
            further = [name for name in other.columns if name not in self.columns]
            difference = (
                f"lacks {missing[0]!r}"
                if missing
                else f"has also {further[0]!r}"
                if further
                else "has them in another order"
            )
            raise HoloError(
                f"the table {difference}; it must have the columns that the predictor learned from"
            )
        if len(other.beside) != len(self.beside):
            raise HoloError(
                f"{len(other.beside)} tables are appended to the vectors; the predictor learned with {len(self.beside)}"
            )
        for mine, theirs in zip(self.beside, other.beside, strict=True):
            mine.check(theirs)


KINDS: dict[Kind, str] = {
    "z": "embeddings",
    "scalars": "l = 0 coefficients of holograms",
    "power": "power spectra of holograms",
    "table": "columns of a table",
}


def _model(model: ModelReference | None) -> str:
    return "nothing" if model is None else f"{model.name} {model.version} ({model.digest[:12]})"


@attrs.frozen(hash=False)
class VectorTable:
    """One vector per complex.

    Parameters
    ----------
    ids : Shaped[ndarray, "n"]
        The ids as text, each once.
    vectors : Float[ndarray, "n d"]
        The vectors as finite float64.
    source
        The origin of the vectors.
    repeated
        Ids that occur in several rows of a table, which were left out because nothing says which row is meant.

    Raises
    ------
    HoloError
        If an id is repeated, or a shape or value does not match.
    """

    ids: Shaped[np.ndarray, "n"] = attrs.field(eq=_EXACT)
    vectors: Float[np.ndarray, "n d"] = attrs.field(eq=_EXACT)
    source: Source = attrs.field()
    repeated: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        check_vectors("VectorTable.vectors", self.vectors)
        names = text_labels("VectorTable.ids", self.ids, len(self.vectors))
        unique, counts = np.unique(names, return_counts=True)
        if (counts > 1).any():
            raise HoloError(
                f"VectorTable.ids holds {str(unique[counts > 1][0])!r} twice; each id must come once"
            )

    def __len__(self) -> int:
        return len(self.ids)


def set_beside(first: VectorTable, others: Sequence[VectorTable]) -> VectorTable:
    """Return the complexes that are in all tables, with their vectors concatenated.

    Parameters
    ----------
    first
        The table that determines the order.
    others
        The tables whose vectors are appended.

    Examples
    --------
    >>> z = VectorTable(np.array(["1abc", "2abc"]), np.ones((2, 1)), Source("z", None, ""))
    >>> size = VectorTable(np.array(["2abc"]), np.full((1, 1), 7.0), Source("table", None, "", ("atoms",)))
    >>> both = set_beside(z, [size])
    >>> both.ids.tolist(), both.vectors.tolist(), both.source.beside[0].columns
    (['2abc'], [[1.0, 7.0]], ('atoms',))
    """
    rows = [{name: row for row, name in enumerate(table.ids.tolist())} for table in others]
    shared = [row for row, name in enumerate(first.ids.tolist()) if all(name in having for having in rows)]
    ids = first.ids[shared]
    parts = [
        table.vectors[[having[name] for name in ids.tolist()]]
        for table, having in zip(others, rows, strict=True)
    ]
    source = attrs.evolve(first.source, beside=tuple(table.source for table in others))
    repeated = dict.fromkeys(name for table in (first, *others) for name in table.repeated)
    return VectorTable(ids, np.hstack([first.vectors[shared], *parts]), source, tuple(repeated))


def pool(
    data: Embeddings | Holograms,
    by: str = "structure",
    how: Pooling = "sum",
    *,
    invariants: Invariants = "scalars",
) -> VectorTable:
    """Pool the vectors of residues to one vector per complex.

    Degenerate rows are rows like any other.

    Parameters
    ----------
    data
        Embeddings, whose invariants are pooled, or holograms.
    by
        The column of the index that names the complex of a row.
    how
        ``"sum"``, ``"mean"`` or ``"max"`` of each component; or ``"sum_count"``, the sum followed by the number of
        residues.
    invariants
        The invariants of holograms that are pooled: ``"scalars"``, the l = 0 coefficients, or ``"power"``, the power
        spectrum of all degrees.

    Raises
    ------
    HoloError
        If the index has no such column.

    Examples
    --------
    >>> model = ModelReference("demo", "1", "", "")
    >>> z, index = np.array([[1.0], [2.0], [4.0]]), {"structure": ["1abc", "1abc", "2abc"]}
    >>> table = pool(Embeddings(z, np.zeros((3, 3, 3)), model, index))
    >>> table.ids.tolist(), table.vectors.ravel().tolist()
    (['1abc', '2abc'], [3.0, 4.0])
    """
    names = data.index.column(by)
    if isinstance(data, Embeddings):
        vectors, source = data.invariants, Source("z", data.model, data.model.basis_digest)
    else:
        vectors = scalar_coefficients(data) if invariants == "scalars" else power_spectrum(data)
        source = Source(invariants, None, data.basis.digest)
    return VectorTable(*pool_rows(vectors, names, how), source)


def read_vectors(
    path: Path, by: str = "structure", how: Pooling = "sum", *, invariants: Invariants = "scalars"
) -> VectorTable:
    r"""Read vectors of complexes from a file.

    Parameters
    ----------
    path
        ``.h5``: embeddings or holograms, which are pooled; ``.csv`` or ``.parquet``: one row per complex, with the
        column ``id``; ``.npz``: the arrays ``id`` and ``vectors``. From a table with the columns ``z_0``, ``z_1``, ...
        these are read; from other tables, all columns except ``id``, label, split, cluster, family, measurement, unit
        and ligand_key.
    by, how, invariants
        As for `pool`.

    Raises
    ------
    FormatError
        If the file cannot be read or does not hold such data.
    HoloError
        If the index has no such column, or the package that reads Parquet is missing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "contacts.csv")
    >>> _ = path.write_text("id,label,C-C,C-N\n1abc,6.5,3,4\n2abc,5.1,0,1\n")
    >>> table = read_vectors(path)
    >>> table.source.columns, table.vectors.tolist()
    (('C-C', 'C-N'), [[3.0, 4.0], [0.0, 1.0]])
    """
    if path.suffix in (".csv", ".parquet"):
        return _from_columns(path, _read_columns(path))
    if path.suffix == ".npz":
        return _from_arrays(path)
    data = holo_types.load(path)
    if not isinstance(data, Embeddings | Holograms):
        raise FormatError(f"{path} holds {type(data).__name__}; it must hold Embeddings or Holograms")
    return pool(data, by, how, invariants=invariants)


def _read_columns(path: Path) -> dict[str, list[Any]]:
    """Read a table column by column, as text or numbers."""
    if path.suffix == ".csv":
        return dict(read_csv(path))
    with extra("holo-downstream[table]"):
        import pyarrow  # noqa: F401, PLC0415
    names = column_names(path)
    needed = {"id", *_vector_names(names)}
    read = read_parquet(path, [name for name in names if name in needed]).to_pydict()
    # Of the other columns, which may be of any type, only the names are of use.
    return {name: read.get(name, []) for name in names}


def _from_columns(path: Path, columns: dict[str, list[Any]]) -> VectorTable:
    if "id" not in columns:
        raise FormatError(f"{path}: has no column 'id'; it has {', '.join(columns) or 'no column'}")
    names = _vector_names(columns)
    if not names:
        raise FormatError(f"{path}: has no column of numbers beside 'id'")
    for row, value in enumerate(columns["id"]):
        if type(value) not in (str, int):  # a missing one is None, or makes numbers of all others
            raise FormatError(f"{path}: the id in row {row} is {value!r}; it must be text or an integer")
    vectors = np.empty((len(columns["id"]), len(names)))
    for column, name in enumerate(names):
        for row, value in enumerate(columns[name]):
            try:
                vectors[row, column] = value
            except (TypeError, ValueError):
                vectors[row, column] = np.nan
            if not np.isfinite(vectors[row, column]):
                raise FormatError(
                    f"{path}: {name} of {columns['id'][row]} is {value!r}; it must be a finite number"
                )
    return _once_each([str(name) for name in columns["id"]], vectors, tuple(names))


def _vector_names(columns: Iterable[str]) -> list[str]:
    """Return which columns are the vector: those of z, or else all but the id and what is known to be none."""
    names = list(columns)
    return [name for name in names if name.startswith("z_") and name[2:].isdigit()] or [
        name for name in names if name != "id" and name not in _NO_VECTOR
    ]


@reads(".npz without pickle")
def _from_arrays(path: Path) -> VectorTable:
    found = read_npz(path, ("id", "vectors"))
    if len(found) < 2:
        raise FormatError(
            f"{path}: must hold the arrays 'id' and 'vectors'; it holds {', '.join(found) or 'neither'}"
        )
    vectors = check_vectors(f"{path}: vectors", found["vectors"]).astype(np.float64)
    ids = text_labels(f"{path}: id", found["id"], len(vectors))
    return _once_each(ids.tolist(), vectors, tuple(f"v_{column}" for column in range(vectors.shape[1])))


def _once_each(
    ids: Sequence[str], vectors: Float[np.ndarray, "rows d"], columns: tuple[str, ...]
) -> VectorTable:
    names = Index({"id": list(ids)})["id"]
    unique, counts = np.unique(names, return_counts=True)
    repeated = unique[counts > 1]
    kept = ~np.isin(names, repeated)
    return VectorTable(
        names[kept], vectors[kept], Source("table", None, "", columns), tuple(repeated.tolist())
    )
