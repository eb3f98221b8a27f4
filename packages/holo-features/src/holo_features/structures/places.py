"""Atoms whose positions cannot all be real: placeholders at one point, and superimposed structures."""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

from holo_types import FormatError

__all__ = ["check_repeated", "close_pairs", "misplaced"]

_AT_ONE_POINT = 3  # atoms; two may be a contact that a program has not relaxed
_NEAREST = 0.3  # Å; between two atoms of a residue, including hydrogens
_MOST = 0.1  # of the atoms; a file with more of them is not a structure
_CLASH = 1.25  # Å; shorter than any bond between residues
_LARGEST = 64  # atoms; in larger residues, such as lipids or polymers, not all pairs are compared
_BLOCK = 1024  # residues whose pairs are in memory at the same time
_FEW, _MANY = 0.1, 3  # a fraction of the residues, and their least number
_MOST_PAIRS = 50  # for each atom; within 4 Å, heavy atoms of a real structure have ten
_FEW_PAIRS = 1 << 16  # are listed whatever their density


def close_pairs(coordinates: Float[np.ndarray, "atoms 3"], distance: float) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs of atoms within a distance of some Å, after counting them.

    Raises
    ------
    FormatError
        If there are more than 50 for each atom, which would take far more memory than the file.

    Examples
    --------
    >>> close_pairs(np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]), 1.5).tolist()
    [[0, 1]]
    """
    from scipy.spatial import KDTree  # noqa: PLC0415 - slow to import, and few files need it

    tree = KDTree(coordinates)
    atoms = len(coordinates)
    if atoms * (atoms - 1) // 2 > _FEW_PAIRS:
        count = (int(tree.count_neighbors(tree, distance)) - atoms) // 2
        if count > max(_FEW_PAIRS, _MOST_PAIRS * atoms):
            raise FormatError(
                f"{atoms} of its atoms form {count} pairs within {distance:.2f} Å, as where many structures lie in "
                f"one place; they may form {_MOST_PAIRS} for each atom"
            )
    pairs: NDArray[np.int64] = tree.query_pairs(distance, output_type="ndarray")
    return pairs


def misplaced(
    coordinates: Float[np.ndarray, "atoms 3"],
    residues: Int[np.ndarray, "atoms"],
    labels: Shaped[np.ndarray, "atoms"],
) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms cannot be at their positions: three or more at one point, or two of a residue within 0.3 Å.

    Alternate locations, by their labels, may share a position.

    Parameters
    ----------
    coordinates
        In Å.
    residues
        Each atom's residue, in ascending order.
    labels
        The labels of the alternate locations, empty if there is only one.

    Raises
    ------
    FormatError
        If these are more than a tenth of the atoms.

    Examples
    --------
    >>> places = np.tile(np.arange(40, dtype=np.float32)[:, None], 3)
    >>> places[[3, 5, 8]] = 0.5
    >>> np.flatnonzero(misplaced(places, np.arange(40), np.full(40, ""))).tolist()
    [3, 5, 8]
    """
    found: NDArray[np.bool_] = _at_one_point(coordinates, labels)
    if int(found.sum()) <= _MOST * len(found):  # otherwise there may be far too many pairs
        found |= _within_residues(coordinates, residues, labels)
    count = int(found.sum())
    if count > _MOST * len(found):
        raise FormatError(
            f"{count} of its {len(found)} atoms lie at one point with others, or within {_NEAREST} Å of one of their "
            "residue, as where a program had no positions for them"
        )
    return found


def _at_one_point(
    coordinates: Float[np.ndarray, "atoms 3"], labels: Shaped[np.ndarray, "atoms"]
) -> Bool[np.ndarray, "atoms"]:
    found = np.zeros(len(coordinates), dtype=bool)
    bits = (
        np.ascontiguousarray(coordinates + np.float32(0), dtype=np.float32).view(np.uint32).astype(np.uint64)
    )
    keys = np.sort(bits @ _MIXING)
    if len(keys) < _AT_ONE_POINT or not (keys[2:] == keys[:-2]).any():
        return found
    _, point, counts = np.unique(coordinates, axis=0, return_inverse=True, return_counts=True)
    for number in np.flatnonzero(counts >= _AT_ONE_POINT).tolist():
        rows = np.flatnonzero(point.reshape(-1) == number)
        together = np.sum(labels[rows] == "") + _most_common(labels[rows])
        found[rows] = together >= _AT_ONE_POINT
    return found


# Random odd numbers: sums of their multiples are practically distinct for distinct points.
_MIXING = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def _most_common(labels: Shaped[np.ndarray, "atoms"]) -> int:
    return max((int(np.sum(labels == label)) for label in np.unique(labels).tolist() if label), default=0)


def _within_residues(
    coordinates: Float[np.ndarray, "atoms 3"],
    residues: Int[np.ndarray, "atoms"],
    labels: Shaped[np.ndarray, "atoms"],
) -> Bool[np.ndarray, "atoms"]:
    """Compare each atom with those that follow it in its residue."""
    found = np.zeros(len(coordinates), dtype=bool)
    bounds = np.concatenate([[0], np.flatnonzero(residues[1:] != residues[:-1]) + 1, [len(residues)]])
    x = np.ascontiguousarray(coordinates[:, 0])
    for i in range(0, len(bounds) - 1, _BLOCK):
        first, second = _pairs(bounds[i : i + _BLOCK + 1])
        near = np.flatnonzero(np.abs(x[first] - x[second]) < _NEAREST)  # few are, along one axis
        _mark(found, first[near], second[near], coordinates, labels)
    for i in np.flatnonzero(np.diff(bounds) > _LARGEST).tolist():
        pairs = close_pairs(coordinates[bounds[i] : bounds[i + 1]], _NEAREST)
        _mark(found, bounds[i] + pairs[:, 0], bounds[i] + pairs[:, 1], coordinates, labels)
    return found


def _pairs(bounds: Int[np.ndarray, "bounds"]) -> tuple[Int[np.ndarray, "pairs"], Int[np.ndarray, "pairs"]]:
    """Return the first and second atom of each pair within residues between bounds, except within large residues."""
    sizes = np.diff(bounds)
    rows = np.arange(bounds[0], bounds[-1])
    following = np.repeat(bounds[1:] - 1, sizes) - rows
    if sizes.max() > _LARGEST:
        following[np.repeat(sizes > _LARGEST, sizes)] = 0
    first = np.repeat(rows, following)
    nth = np.arange(len(first)) - np.repeat(np.cumsum(following) - following, following)
    return first, first + 1 + nth


def _mark(
    found: Bool[np.ndarray, "atoms"],
    first: Int[np.ndarray, "pairs"],
    second: Int[np.ndarray, "pairs"],
    coordinates: Float[np.ndarray, "atoms 3"],
    labels: Shaped[np.ndarray, "atoms"],
) -> None:
    """Mark pairs of atoms that are close to each other, unless they are alternate locations."""
    apart = coordinates[first] - coordinates[second]
    near = np.flatnonzero(np.einsum("ij,ij->i", apart, apart) < _NEAREST**2)
    if len(near):
        first, second = first[near], second[near]
        together = (labels[first] == labels[second]) | (labels[first] == "") | (labels[second] == "")
        found[first[together]] = found[second[together]] = True


def check_repeated(
    coordinates: Float[np.ndarray, "atoms 3"],
    residues: Int[np.ndarray, "atoms"],
    repeated: Bool[np.ndarray, "atoms"],
    name: str,
) -> None:
    """Refuse residues that have the name of an earlier one and lie where other residues are, which is impossible.

    Parameters
    ----------
    coordinates
        In Å.
    residues
        Each atom's residue.
    repeated
        Atoms of residues that have the name of an earlier one.
    name
        The name of one of them, for the message.

    Raises
    ------
    FormatError
        If three or more of them, and over a tenth, have an atom that is closer to another residue's atom than a bond;
        or if the atoms lie too densely, see `close_pairs`.
    """
    pairs = close_pairs(coordinates, _CLASH)
    one, other = pairs[:, 0], pairs[:, 1]
    apart = residues[one] != residues[other]
    clashing: NDArray[np.int64] = np.concatenate([one[apart], other[apart]])
    clashing = clashing[repeated[clashing]]
    count, bad = len(np.unique(residues[repeated])), len(np.unique(residues[clashing]))
    if bad >= _MANY and bad > _FEW * count:
        raise FormatError(
            f"{count} residues repeat the chain and number of an earlier one, such as {name}, and {bad} of them lie "
            "where others do: frames of a trajectory, or several structures in one place; they must stand between "
            "MODEL and ENDMDL, or in files of their own"
        )
