"""Residues of a structure that are joined by bonds into one molecule."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Int

from holo_features.readers.raw import Molecule, RawAtoms
from holo_features.structures.places import close_pairs
from holo_features.structures.residue import residue_ids
from holo_features.structures.structure import classify

__all__ = ["PEPTIDE", "RADII", "structure_molecules"]

# Covalent radii in Å (Cordero et al., Dalton Trans. 2832, 2008).
RADII = {
    **{"B": 0.84, "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57, "SI": 1.11, "P": 1.07, "S": 1.05},
    **{"CL": 1.02, "SE": 1.20, "BR": 1.20, "I": 1.39},
}
_TOLERANCE = 0.45  # Å; how much longer than the sum of its radii a bond may be
PEPTIDE = 24  # residues; the wwPDB regards a chain of this length as a protein


def structure_molecules(raw: RawAtoms) -> Iterator[Molecule]:
    """Yield the molecules of a structure that are neither water nor proteins, each with all residues bonded to it.

    Residues with atoms at the distance of a bond form one molecule, such as the sugars of a glycan. Bonds to metals do
    not count, because an ion is a molecule by itself. Amino acids of chains are not included, except in a file without
    any chain of 24 or more of them: there they belong to the molecule that they are bonded to, or are peptides if there
    is none.

    Parameters
    ----------
    raw
        All atoms of a model; its residues are classified.

    Raises
    ------
    FormatError
        If its atoms lie too densely; see `holo_features.structures.places.close_pairs`.
    """
    conformers, _ = classify(raw)
    atoms = raw.atoms
    chosen = conformers.chosen & ~atoms.water
    if _longest_chain(atoms, chosen) >= PEPTIDE:
        chosen &= ~atoms.amino_acid
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return
    starts = np.diff(conformers.residues[rows], prepend=-1) > 0
    residues = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    pairs = _bonded(raw, rows, residues)
    from scipy.sparse import coo_array  # noqa: PLC0415 - slow to import, and few commands need it
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(first), len(first)))
    _, molecules = connected_components(links, directed=False)
    if not atoms.amino_acid[rows].all():
        others = np.isin(molecules, molecules[~atoms.amino_acid[rows[first]]])
    else:
        others = np.ones(len(first), dtype=bool)
    names = atoms.res_name[rows[first]]
    identities = [str(residue) for residue in residue_ids(atoms, rows[first])]
    residues_of, atoms_of = _members(molecules), _members(molecules[residues])
    for molecule in dict.fromkeys(molecules[others].tolist()):
        members = residues_of[molecule]
        yield Molecule(
            "-".join(names[members].tolist()),
            partial(AtomArray.__getitem__, atoms, rows[atoms_of[molecule]]),
            pose=0,
            residues=tuple(identities[i] for i in members.tolist()),
        )


def _members(molecules: Int[np.ndarray, "n"]) -> list[Int[np.ndarray, "members"]]:
    """Return the places of each molecule, by its number."""
    return np.split(np.argsort(molecules, kind="stable"), np.cumsum(np.bincount(molecules))[:-1])


def _longest_chain(atoms: AtomArray, chosen: Bool[np.ndarray, "atoms"]) -> int:
    """Return the number of amino acids of the chain that has most."""
    alpha = chosen & atoms.amino_acid & (atoms.atom_name == "CA")
    return max(Counter(atoms.chain_id[alpha].tolist()).values(), default=0)


def _bonded(
    raw: RawAtoms, rows: Int[np.ndarray, "rows"], residues: Int[np.ndarray, "rows"]
) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs of residues that are joined by a bond."""
    radii = np.array([RADII.get(element, 0.0) for element in raw.atoms.element[rows].tolist()])
    places, labels = raw.atoms.coord[rows].astype(np.float64), raw.labels[rows]
    heavy = np.flatnonzero(radii > 0)
    if len(heavy) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    near = close_pairs(places[heavy], 2 * radii.max() + _TOLERANCE)
    one, other = heavy[near[:, 0]], heavy[near[:, 1]]
    bonded = np.linalg.norm(places[one] - places[other], axis=1) <= radii[one] + radii[other] + _TOLERANCE
    bonded &= residues[one] != residues[other]
    # Alternate locations are not bonded to each other.
    bonded &= (labels[one] == labels[other]) | (labels[one] == "") | (labels[other] == "")
    return np.stack([residues[one[bonded]], residues[other[bonded]]], axis=1)
