"""Alternate locations: one conformer of each residue."""

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

__all__ = ["select_conformers"]


def select_conformers(
    atoms: AtomArray, labels: Shaped[np.ndarray, "atoms"], occupancies: Float[np.ndarray, "atoms"]
) -> Bool[np.ndarray, "atoms"]:
    """Choose the atoms of one conformer of each residue.

    The conformer is the label with the highest mean occupancy in the residue, in a tie the first of the
    labels in alphabetical order, so that all its atoms are of one conformer. An atom that this conformer
    lacks comes from the next. Where the conformers are different residues (microheterogeneity), only the
    chosen one's atoms are kept. Of atoms that have one name and no labels, the first is kept.

    Parameters
    ----------
    atoms
        Every atom of one model.
    labels
        Labels of the alternate locations, empty where there is one only.
    occupancies
        Occupancy of each atom.

    Returns
    -------
    Bool[ndarray, "atoms"]
        True for the chosen atoms.

    Examples
    --------
    >>> atoms = AtomArray(3)
    >>> atoms.atom_name[:] = ["CA", "CB", "CB"]
    >>> select_conformers(atoms, np.array(["", "A", "B"]), np.array([1.0, 0.3, 0.7])).tolist()
    [True, False, True]
    """
    if len(labels) == 0:
        return np.zeros(0, dtype=bool)
    residue = _residues(atoms, labels)
    names, label = np.unique(labels, return_inverse=True)
    conformers, conformer = np.unique(residue * len(names) + label, return_inverse=True)
    mean = np.bincount(conformer, weights=occupancies) / np.bincount(conformer)
    # Conformers are numbered by residue, then label; their rank puts what has no label first, then occupancy.
    falling = np.where(names[conformers % len(names)] == "", -np.inf, -np.round(mean, 6))
    order = np.lexsort((conformers, falling, conformers // len(names)))
    rank = np.argsort(order)[conformer]
    best = np.lexsort((rank, atoms.atom_name, residue))
    first = np.ones(len(best), dtype=bool)
    first[1:] = (residue[best][1:] != residue[best][:-1]) | (
        atoms.atom_name[best][1:] != atoms.atom_name[best][:-1]
    )
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[best[first]] = True
    # The residue name of the conformer that ranks first holds for the whole residue.
    leader = np.lexsort((rank, residue))
    leaders = leader[np.flatnonzero(np.diff(residue[leader], prepend=-1))]
    same_name: NDArray[np.bool_] = atoms.res_name == atoms.res_name[leaders][residue]
    return chosen & same_name


def _residues(atoms: AtomArray, labels: Shaped[np.ndarray, "atoms"]) -> NDArray[np.int64]:
    """Give each atom its residue's number; neighbours that differ in name only are one if both have labels."""
    starts = np.zeros(len(labels), dtype=bool)
    for values in (atoms.chain_id, atoms.res_id, atoms.ins_code):
        starts[1:] |= values[1:] != values[:-1]
    labelled = labels != ""
    renamed = atoms.res_name[1:] != atoms.res_name[:-1]
    starts[1:] |= renamed & ~(labelled[1:] & labelled[:-1])
    return np.cumsum(starts)
