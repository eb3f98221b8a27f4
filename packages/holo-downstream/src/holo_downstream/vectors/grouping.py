"""Pooling of the vectors of residues to one vector per structure, per chain, or per value of any other column."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Shaped

from holo_types import Embeddings, HoloError, Index

from .pooling import Pooling, pool_rows
from .tables import Source, VectorTable

__all__ = ["pool_groups"]

_STRUCTURE, _CHAIN = "structure", "chain"


def pool_groups(embeddings: Embeddings, by: Sequence[str], how: Pooling = "mean") -> VectorTable:
    """Pool embeddings of residues to one vector per structure, chain, domain, or any other values of columns.

    Parameters
    ----------
    embeddings
        The embeddings, whose invariants are pooled.
    by
        Columns of the index. Residues with the same values in all of them share one vector, whose id is these values
        joined by ``_``. ``"chain"`` alone means a chain of its structure.
    how
        ``"mean"``, ``"sum"``, ``"max"`` or ``"sum_count"``, as for `pool`.

    Returns
    -------
    VectorTable
        One vector per group, in the order in which the ids first occur. Residues with an empty value in one of the
        columns are left out.

    Raises
    ------
    HoloError
        If a column does not exist or holds floats, all residues are left out, or two groups have the same id.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> z, index = np.array([[1.0], [2.0], [4.0]]), {"structure": ["1abc"] * 3, "chain": ["A", "A", "B"]}
    >>> model = ModelReference("demo", "1", "", "")
    >>> table = pool_groups(Embeddings(z, np.zeros((3, 3, 3)), model, index), ["chain"])
    >>> table.ids.tolist(), table.vectors.ravel().tolist()
    (['1abc_A', '1abc_B'], [1.5, 4.0])
    """
    if not by:
        raise HoloError("no column is named; it must be structure, chain, or another of the index")
    names = [_STRUCTURE, _CHAIN] if list(by) == [_CHAIN] else list(by)
    columns = [_column(embeddings.index, name) for name in names]
    kept: Bool[np.ndarray, n] = np.all([column != "" for column in columns], axis=0)
    if not kept.any():
        raise HoloError(f"no residue has a value of {' and '.join(names)}; at least one must")
    columns = [column[kept] for column in columns]
    ids = np.array(
        ["_".join(values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    )
    _check_apart(columns, ids)
    source = Source("z", embeddings.model, embeddings.model.basis_digest)
    return VectorTable(*pool_rows(embeddings.invariants[kept], ids, how), source)


def _column(index: Index, name: str) -> Shaped[np.ndarray, "n"]:
    values = index.column(name)
    if values.dtype.kind == "f":
        raise HoloError(
            f"column {name!r} holds numbers with fractions; residues are pooled by text or integers"
        )
    texts: Shaped[np.ndarray, n] = values.astype(np.str_)
    return texts


def _check_apart(columns: Sequence[Shaped[np.ndarray, "n"]], ids: Shaped[np.ndarray, "n"]) -> None:
    groups = set(zip(*(column.tolist() for column in columns), strict=True))
    if len(groups) > len(np.unique(ids)):
        seen: dict[str, tuple[str, ...]] = {}
        for group in sorted(groups):
            one = seen.setdefault("_".join(group), group)
            if one != group:
                raise HoloError(
                    f"{' and '.join(map(str, (one, group)))} have the same id, {'_'.join(group)!r}; rename one"
                )
