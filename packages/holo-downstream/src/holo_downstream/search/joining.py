"""Sets of residues whose relative positions match those of a site."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

__all__ = ["joined_rows"]

_MOST = 2_000_000  # pairs that are processed at once


def joined_rows(
    candidates: Sequence[Int[np.ndarray, "_"]],
    structures: Int[np.ndarray, "n"],
    centers: Float[np.ndarray, "n 3"],
    site: Float[np.ndarray, "k 3"],
    tolerance: float,
) -> Int[np.ndarray, "sets k"]:
    """Choose one candidate for each residue of a site, such that all pairwise distances match those of the site.

    Parameters
    ----------
    candidates
        For each residue of the site, the rows that may correspond to it.
    structures : Int[ndarray, "n"]
        The number of each row's structure; all rows of a set are from one structure.
    centers : Float[ndarray, "n 3"]
        The position of each row, in Å.
    site : Float[ndarray, "k 3"]
        The positions of the residues of the site, in Å.
    tolerance
        The largest difference between two distances, in Å.

    Examples
    --------
    >>> centers = np.array([[0.0, 0, 0], [5, 0, 0], [9, 0, 0], [0, 0, 0], [5, 0, 0]])
    >>> structures, everywhere = np.array([0, 0, 0, 1, 1]), np.arange(5)
    >>> joined_rows([everywhere, everywhere], structures, centers, np.array([[0.0, 0, 0], [0, 5, 0]]), 0.5).tolist()
    [[0, 1], [1, 0], [3, 4], [4, 3]]
    """
    wanted = np.linalg.norm(site[:, None] - site, axis=2)
    order = sorted(range(len(candidates)), key=lambda place: len(candidates[place]))
    by_structure = [
        rows[np.argsort(structures[rows], kind="stable")] for rows in (candidates[place] for place in order)
    ]
    parts = [np.empty((0, len(order)), np.int64)]
    for start in _blocks(by_structure, structures):
        sets: NDArray[np.int64] = start[:, None]
        for number in range(1, len(order)):
            apart = wanted[order[number], order[:number]]
            sets = _extended(
                sets, by_structure[number], structures, centers, apart=apart, tolerance=tolerance
            )
        parts.append(sets)
    found = np.concatenate(parts)
    found = found[:, np.argsort(order)]
    return found[np.lexsort(found.T[::-1])]


def _blocks(
    by_structure: Sequence[NDArray[np.int64]], structures: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Divide the candidates of the first residue, to limit the pairs with the second that are made at once."""
    first, second = by_structure[0], by_structure[1]
    codes = structures[second]
    partners = np.searchsorted(codes, structures[first], "right") - np.searchsorted(codes, structures[first])
    block = np.cumsum(partners) // _MOST
    yield from np.split(first, np.flatnonzero(np.diff(block)) + 1)


def _extended(
    sets: NDArray[np.int64],
    candidates: NDArray[np.int64],
    structures: NDArray[np.int64],
    centers: NDArray[np.floating],
    *,
    apart: NDArray[np.floating],
    tolerance: float,
) -> NDArray[np.int64]:
    """Extend each set by every candidate of its structure that has the required distance from each member."""
    codes = structures[candidates]
    low = np.searchsorted(codes, structures[sets[:, 0]])
    counts = np.searchsorted(codes, structures[sets[:, 0]], "right") - low
    member = np.repeat(np.arange(len(sets)), counts)
    added = candidates[np.arange(counts.sum()) + np.repeat(low - np.cumsum(counts) + counts, counts)]
    for place, distance in enumerate(apart.tolist()):
        others = sets[member, place]
        off = centers[added] - centers[others]
        fits = (np.abs(np.sqrt((off**2).sum(axis=1)) - distance) <= tolerance) & (added != others)
        member, added = member[fits], added[fits]
    return np.column_stack([sets[member], added])
