"""The residues of other sequence clusters with the nearest z, and the labels that they share."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_types import Embeddings, Index

__all__ = ["Agreement", "agreements", "draw_queries", "nearest"]

_QUERIES_AT_ONCE = 256


@attrs.frozen
class Agreement:
    """How often nearest neighbors share a label with their residue.

    Parameters
    ----------
    label
        The name of the label.
    shared
        The share of neighbors with the label of the residue, over all residues with a label.
    chance
        The same share for residues of other clusters drawn at random.
    """

    label: str
    shared: float
    chance: float


def nearest(
    embeddings: Embeddings, queries: Int[np.ndarray, "q"], count: int
) -> tuple[Int[np.ndarray, "q count"], Float[np.ndarray, "q count"]]:
    """Find the rows of other clusters with the nearest z by Euclidean distance, in order of distance.

    Returns
    -------
    Int[ndarray, "q count"]
        Row numbers.
    Float[ndarray, "q count"]
        Distances.
    """
    z = embeddings.invariants.astype(np.float64)
    squares = (z**2).sum(axis=1)
    _, cluster = np.unique(embeddings.index["cluster"], return_inverse=True)
    rows, distances = [], []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        asked = queries[start : start + _QUERIES_AT_ONCE]
        between = squares[asked, None] + squares - 2 * z[asked] @ z.T
        between[cluster[asked, None] == cluster] = np.inf
        some = np.argpartition(between, count, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(between, some, axis=1), axis=1)
        found = np.take_along_axis(some, order, axis=1)
        rows.append(found)
        distances.append(np.sqrt(np.maximum(np.take_along_axis(between, found, axis=1), 0)))
    return np.concatenate(rows), np.concatenate(distances)


def agreements(
    index: Index, rows: Int[np.ndarray, "n count"], columns: Sequence[str]
) -> tuple[Agreement, ...]:
    """Return how often the neighbors of rows share labels with them, and how often random rows do."""
    return tuple(_agreement(index, rows, column) for column in columns)


def _agreement(index: Index, rows: Int[np.ndarray, "n count"], column: str) -> Agreement:
    labels: NDArray[np.str_] = index[column]
    known = labels != ""
    shared = (labels[rows] == labels[:, None])[known].mean()
    _, cluster = np.unique(index["cluster"], return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((cluster.max() + 1, label.max() + 1))
    np.add.at(counts, (cluster, label), 1)
    others = counts.sum(axis=0) - counts  # of each label, outside each cluster
    chance = (others[cluster, label] / others.sum(axis=1)[cluster])[known].mean()
    return Agreement(column, float(shared), float(chance))


def draw_queries(index: Index, seed: int) -> Int[np.ndarray, "q"]:
    """Draw one residue of each type, from different chains if there are enough."""
    generator = np.random.default_rng(seed)
    types, structures = index["residue_type"], index["structure"]
    drawn: list[int] = []
    for name in sorted(set(types.tolist()) - {""}):
        rows = np.flatnonzero(types == name)
        fresh = rows[~np.isin(structures[rows], structures[drawn])]
        drawn.append(int(generator.choice(fresh if len(fresh) else rows)))
    return np.array(drawn)
