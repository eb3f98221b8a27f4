"""The correspondence between the residues of two structures."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from holo_features import align, one_letter_sequence
from holo_types import Index

__all__ = ["NO_PARTNER", "find_partners"]

NO_PARTNER = -1
_SHARED_NUMBERS = 0.5  # of the residues of the shorter chain
_SAME_NAMES = 0.9  # of the residues that share a number
_LEAST_IDENTITY = 0.25
_KEY = ("residue_number", "insertion_code")


def find_partners(first: Index, second: Index) -> Int[np.ndarray, "n"]:
    """Match the residues of two structures.

    Residues of chains with the same name are matched by their numbers if at least half of the numbers of the shorter
    chain occur in both and nine tenths of these have the same residue name. Other chains are matched by sequence
    alignment, each with the chain that has the most identical residues, of at least 25 %.

    Parameters
    ----------
    first, second
        The index of the residues of each structure, with the columns chain, residue_number, insertion_code and
        residue_name.

    Returns
    -------
    Int[ndarray, "n"]
        For each residue of the first structure, the row of its partner in the second, or -1 if it has none.

    Examples
    --------
    >>> def index(chain, numbers, names):
    ...     columns = {"chain": [chain] * len(names), "residue_number": numbers, "insertion_code": [""] * len(names)}
    ...     return Index(columns | {"residue_name": names})
    >>> first, second = index("A", [1, 2, 3], ["MET", "GLY", "SER"]), index("A", [2, 3, 4], ["GLY", "SER", "ALA"])
    >>> find_partners(first, second).tolist()
    [-1, 0, 1]
    """
    partners = np.full(first.rows or 0, NO_PARTNER)
    free = dict.fromkeys(second["chain"].tolist())
    left: list[str] = []
    for chain in dict.fromkeys(first["chain"].tolist()):
        rows = np.flatnonzero(first["chain"] == chain)
        found = _by_numbers(first, rows, second, np.flatnonzero(second["chain"] == chain))
        if found is None:
            left.append(chain)
        else:
            partners[rows] = found
            del free[chain]
    for chain in left:
        rows = np.flatnonzero(first["chain"] == chain)
        best: tuple[int, str, NDArray[np.int64]] | None = None
        for other in free:
            there = np.flatnonzero(second["chain"] == other)
            alike = _aligned(first["residue_name"][rows].tolist(), second["residue_name"][there].tolist())
            if alike is not None and (best is None or alike[0] > best[0]):
                best = alike[0], other, np.where(alike[1] < 0, NO_PARTNER, there[alike[1]])
        if best is not None:
            partners[rows] = best[2]
            del free[best[1]]
    return partners


def _by_numbers(
    first: Index, rows: Int[np.ndarray, "n"], second: Index, there: Int[np.ndarray, "m"]
) -> NDArray[np.int64] | None:
    """Return the partners of a chain's residues by number, or None if the numbers do not identify the same residues."""
    places = dict(zip(_keys(second, there), there.tolist(), strict=True))
    found = np.array([places.get(key, NO_PARTNER) for key in _keys(first, rows)], dtype=np.int64)
    shared: Bool[np.ndarray, n] = found != NO_PARTNER
    if not shared.any() or shared.sum() < _SHARED_NUMBERS * min(len(rows), len(there)):
        return None
    same = first["residue_name"][rows[shared]] == second["residue_name"][found[shared]]
    return found if same.mean() >= _SAME_NAMES else None


def _keys(index: Index, rows: Int[np.ndarray, "n"]) -> list[tuple[int, str]]:
    numbers, codes = (index[name][rows].tolist() for name in _KEY)
    return list(zip(numbers, codes, strict=True))


def _aligned(first: Sequence[str], second: Sequence[str]) -> tuple[int, NDArray[np.int64]] | None:
    """Return how many residues of two chains are identical, and the partner of each in the second chain, or -1."""
    alignment = align(one_letter_sequence(first), one_letter_sequence(second))
    if alignment.identity < _LEAST_IDENTITY:
        return None
    places = np.full(len(first), -1)
    places[alignment.pairs[:, 0]] = alignment.pairs[:, 1]
    return round(alignment.identity * len(alignment.pairs)), places
