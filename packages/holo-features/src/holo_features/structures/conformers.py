"""Alternate locations: the choice of one conformer for each residue."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

from .residue import residue_starts

__all__ = ["Conformers", "select_conformers"]


@attrs.frozen(eq=False)
class Conformers:
    """The atoms of the chosen conformers.

    Parameters
    ----------
    residues : Int[ndarray, "atoms"]
        Number of each atom's residue, from 0 in the order of the file.
    chosen : Bool[ndarray, "atoms"]
        True for the chosen atoms.
    repeated : Bool[ndarray, "atoms"]
        True for atoms with the name and the label of an earlier atom of their residue.
    """

    residues: Int[np.ndarray, "atoms"]
    chosen: Bool[np.ndarray, "atoms"]
    repeated: Bool[np.ndarray, "atoms"]


def select_conformers(
    atoms: AtomArray, labels: Shaped[np.ndarray, "atoms"], occupancies: Float[np.ndarray, "atoms"]
) -> Conformers:
    """Choose the atoms of one conformer of each residue.

    The conformer is the label with the highest mean occupancy in the residue, or in a tie the alphabetically first one,
    so that all its atoms belong to one conformer. An atom that this conformer lacks is taken from the next one. If the
    conformers are different residues (microheterogeneity), only atoms of the chosen residue are kept. Of atoms with the
    same name and no labels, the first is kept.

    Parameters
    ----------
    atoms
        Every atom of one model.
    labels
        Labels of the alternate locations, empty if there is only one.
    occupancies
        Occupancy of each atom.

    Examples
    --------
    >>> atoms = AtomArray(3)
    >>> atoms.atom_name[:] = ["CA", "CB", "CB"]
    >>> select_conformers(atoms, np.array(["", "A", "B"]), np.array([1.0, 0.3, 0.7])).chosen.tolist()
    [True, False, True]
    """
    if len(labels) == 0:
        none = np.zeros(0, dtype=bool)
        return Conformers(np.zeros(0, dtype=np.int64), none, none)
    residue = _residues(atoms, labels)
    name = _codes(atoms.atom_name)
    if (labels == "").all():
        repeated = _repeats(residue, name)
        return Conformers(residue, ~repeated, repeated)
    names, label = np.unique(labels, return_inverse=True)
    conformers, conformer = np.unique(residue * len(names) + label, return_inverse=True)
    mean = np.bincount(conformer, weights=occupancies) / np.bincount(conformer)
    # Conformers are numbered by residue, then label; their rank puts atoms without labels first, then by occupancy.
    falling = np.where(names[conformers % len(names)] == "", -np.inf, -np.round(mean, 6))
    order = np.lexsort((conformers, falling, conformers // len(names)))
    rank = np.argsort(order)[conformer]
    best = np.lexsort((rank, name, residue))
    first = np.ones(len(best), dtype=bool)
    first[1:] = (residue[best][1:] != residue[best][:-1]) | (name[best][1:] != name[best][:-1])
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[best[first]] = True
    # The residue name of the first-ranked conformer applies to the whole residue.
    leader = np.lexsort((rank, residue))
    leaders = leader[np.flatnonzero(np.diff(residue[leader], prepend=-1))]
    same_name: NDArray[np.bool_] = atoms.res_name == atoms.res_name[leaders][residue]
    return Conformers(residue, chosen & same_name, _repeats(conformer, name))


def _residues(atoms: AtomArray, labels: Shaped[np.ndarray, "atoms"]) -> NDArray[np.int64]:
    """Return the number of each atom's residue; neighbors that differ only in name are one if both have labels."""
    starts = np.zeros(len(labels), dtype=bool)
    starts[residue_starts(atoms)[1:]] = True
    labeled = labels != ""
    renamed = atoms.res_name[1:] != atoms.res_name[:-1]
    starts[1:] |= renamed & ~(labeled[1:] & labeled[:-1])
    return np.cumsum(starts)


def _codes(names: Shaped[np.ndarray, "atoms"]) -> NDArray[np.int64]:
    """Return a number for each name, the same for equal names."""
    characters = np.ascontiguousarray(names).view(np.uint32).reshape(len(names), -1)
    if characters.shape[1] > _PACKED or (characters >= _BYTE).any():
        codes: NDArray[np.int64] = np.unique(names, return_inverse=True)[1]
        return codes
    return characters @ (_BYTE ** np.arange(characters.shape[1]))


# Number of characters below this one that fit into an int64.
_PACKED, _BYTE = 7, 256
# A random odd number: sums with its multiples are practically distinct for distinct pairs.
_MIXING = 0x1E3779B97F4A7C15


def _repeats(groups: NDArray[np.int64], names: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which atoms have the name of an earlier one of their group."""
    repeated = np.zeros(len(groups), dtype=bool)
    keys = np.sort(names * _MIXING + groups)
    if (keys[1:] != keys[:-1]).all():  # as in nearly all structures
        return repeated
    order = np.lexsort((names, groups))
    again = (groups[order][1:] == groups[order][:-1]) & (names[order][1:] == names[order][:-1])
    repeated[order[1:][again]] = True
    return repeated
