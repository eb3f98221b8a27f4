"""Pooling of the vectors of residues to one vector per complex."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from .inputs import check_vectors, text_labels

__all__ = ["Pooling", "pool_rows", "pool_vectors", "pooled_width"]

Pooling = Literal["sum", "mean", "max", "sum_count"]


def pool_vectors(vectors: Float[np.ndarray, "n d"], how: Pooling) -> Float[np.ndarray, "width"]:
    """Pool the vectors of one complex.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The vectors of its residues, with n >= 1.
    how
        ``"sum"``, ``"mean"`` or ``"max"`` of each component; or ``"sum_count"``, the sum followed by the number of
        residues.

    Returns
    -------
    Float[ndarray, "width"]
        The pooled vector in float64; its width is d, or d + 1 for ``"sum_count"``.

    Examples
    --------
    >>> pool_vectors(np.array([[1.0, 2.0], [3.0, 5.0]]), "sum_count")
    array([4., 7., 2.])
    """
    wide = vectors.astype(np.float64)
    if how == "mean":
        return np.asarray(wide.mean(axis=0))
    if how == "max":
        return np.asarray(wide.max(axis=0))
    if how == "sum":
        return np.asarray(wide.sum(axis=0))
    return np.append(wide.sum(axis=0), len(wide))


def pooled_width(width: int, how: Pooling) -> int:
    """Return the number of components after vectors of a given width are pooled.

    Examples
    --------
    >>> pooled_width(128, "sum"), pooled_width(128, "sum_count")
    (128, 129)
    """
    return width + (how == "sum_count")


def pool_rows(
    vectors: Float[np.ndarray, "rows d"], ids: Shaped[np.ndarray, "rows"], how: Pooling
) -> tuple[Shaped[np.ndarray, "n"], Float[np.ndarray, "n width"]]:
    """Pool the rows that have the same id; they need not be adjacent.

    Parameters
    ----------
    vectors : Float[ndarray, "rows d"]
        The vectors of residues.
    ids : Shaped[ndarray, "rows"]
        The complex of each residue, text or integers.
    how
        See `pool_vectors`.

    Returns
    -------
    tuple of Shaped[ndarray, "n"] and Float[ndarray, "n width"]
        The ids as text, each once, in the order in which they first occur; and the pooled vectors.

    Raises
    ------
    HoloError
        If lengths differ, or a vector is not finite.

    Examples
    --------
    >>> ids, pooled = pool_rows(np.array([[1.0], [2.0], [4.0]]), np.array(["b", "a", "b"]), "sum")
    >>> ids.tolist(), pooled.tolist()
    (['b', 'a'], [[5.0], [2.0]])
    """
    names = text_labels("ids", ids, len(check_vectors("vectors", vectors)))
    unique, first, group_of_row = np.unique(names, return_index=True, return_inverse=True)
    rows_of_group = np.split(
        np.argsort(group_of_row, kind="stable"), np.cumsum(np.bincount(group_of_row))[:-1]
    )
    order = np.argsort(first)
    pooled = [pool_vectors(vectors[rows_of_group[group]], how) for group in order]
    return unique[order], np.array(pooled).reshape(len(order), pooled_width(vectors.shape[1], how))
