"""Partial charges of atoms."""

import warnings
from collections.abc import Sequence
from functools import lru_cache

import biotite.structure as biotite
import numpy as np
from biotite.structure import AtomArray, BondList, BondType
from biotite.structure.info import bonds_in_residue
from jaxtyping import Float, Shaped

from holo_features.readers.symbols import HYDROGENS

from .residue import residue_starts

__all__ = ["bonds_of", "partial_charges"]

# What side chains and an ended chain carry at pH 7, shared by atoms that are equal by resonance.
_CHARGED = {
    "ASP": (("OD1", "OD2"), -1.0),
    "GLU": (("OE1", "OE2"), -1.0),
    "LYS": (("NZ",), 1.0),
    "ARG": (("NH1", "NH2"), 1.0),
}
_CHAIN_END = (("O", "OXT"), -1.0)


def partial_charges(atoms: AtomArray) -> Float[np.ndarray, "atoms"]:
    """Return the partial charge of each atom, by partial equalization of orbital electronegativity (PEOE).

    Formal charges are those of the atoms, where they have the annotation ``charge``; aspartate, glutamate,
    lysine, arginine and a chain's end where it is seen (OXT) are charged as at pH 7, histidine is not.
    They spread along bonds, six times over. The sum over a molecule stays that of its formal charges.

    Parameters
    ----------
    atoms
        With or without bonds, see `bonds_of`. Where hydrogens were not read their charge counts with the
        atom that carries them, as in a united-atom model.

    Returns
    -------
    Float[ndarray, "atoms"]
        In units of the elementary charge, float32. An atom whose element PEOE has no parameters for (metals,
        phosphorus, selenium, ...) keeps its formal charge.

    Notes
    -----
    Gasteiger and Marsili, *Tetrahedron* 36, 3219 (1980), as biotite implements it.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> [f"{charge:.3f}" for charge in partial_charges(residue("CF0"))]
    ['0.079', '-0.253', '0.058', '0.058', '0.058']
    """
    if len(atoms) == 0:
        return np.zeros(0, dtype=np.float32)
    formal, resonant = _formal_charges(atoms)
    # The parameters are listed under symbols in title case; deuterium is hydrogen.
    titled = atoms.copy()
    titled.element = np.where(np.isin(atoms.element, HYDROGENS), "H", np.char.title(atoms.element))
    titled.bonds = _known_types(bonds_of(atoms), titled.element)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Parameters ", category=UserWarning)
        charges = biotite.partial_charges(titled, charges=formal.copy())
    charges = np.where(np.isnan(charges), formal, charges)
    for first, second in resonant:
        charges[[first, second]] = (charges[first] + charges[second]) / 2
    return charges.astype(np.float32)


def _known_types(bonds: BondList, elements: Shaped[np.ndarray, "atoms"]) -> BondList:
    """Return bonds of the types that PEOE has parameters for.

    An aromatic bond of which a file does not say whether it is single or double is double for carbon and
    nitrogen, which are sp2, and single for oxygen and sulfur; a double bond of sulfur counts as single.
    """
    table = bonds.as_array()
    first, second, kind = table.T.copy()  # the table changes
    to_sulfur = (elements[first] == "S") | (elements[second] == "S")
    to_oxygen = (elements[first] == "O") | (elements[second] == "O")
    aromatic = kind == BondType.AROMATIC
    table[aromatic, 2] = BondType.AROMATIC_DOUBLE
    table[(aromatic & to_oxygen) | (to_sulfur & (kind >= BondType.AROMATIC_SINGLE)), 2] = (
        BondType.AROMATIC_SINGLE
    )
    table[to_sulfur & (kind == BondType.DOUBLE), 2] = BondType.SINGLE
    return BondList(len(elements), table)


def _formal_charges(
    atoms: AtomArray,
) -> tuple[Float[np.ndarray, "atoms"], list[tuple[int, int]]]:
    """Return formal charges, and pairs of atoms that are equal by resonance."""
    known = "charge" in atoms.get_annotation_categories()
    formal = atoms.charge.astype(np.float32) if known else np.zeros(len(atoms), dtype=np.float32)
    resonant = []
    starts = np.append(residue_starts(atoms), len(atoms))
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        places = {name: start + i for i, name in enumerate(atoms.atom_name[start:stop].tolist())}
        groups = [_CHARGED[atoms.res_name[start]]] if atoms.res_name[start] in _CHARGED else []
        if "OXT" in places and "CA" in places:
            groups.append(_CHAIN_END)
        for names, charge in groups:
            there = [places[name] for name in names if name in places]
            if len(there) == len(names):
                formal[there] = charge / len(names)
                resonant += [(there[0], there[1])] if len(there) == 2 else []
    return formal, resonant


def bonds_of(atoms: AtomArray) -> BondList:
    """Return the bonds between atoms: those they have, or those that their names and distances say.

    Residues that the Chemical Component Dictionary knows have its bonds, by the names of their atoms, and
    consecutive ones are joined; in the others, atoms are bonded whose distance is usual for a bond, all by
    single bonds, for a distance does not say more.

    Parameters
    ----------
    atoms
        Bonds are taken as they are if there are any.

    Returns
    -------
    BondList

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> glycine = residue("GLY")
    >>> glycine.bonds = None
    >>> bonds_of(glycine).get_bond_count()
    9
    """
    if atoms.bonds is not None:
        return atoms.bonds
    bonds = biotite.connect_via_residue_names(atoms)
    starts = np.append(residue_starts(atoms), len(atoms))
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if not _is_known(atoms.res_name[start], atoms.atom_name[start:stop].tolist()):
            part = biotite.connect_via_distances(
                atoms[start:stop], inter_residue=False, default_bond_type=BondType.SINGLE
            )
            found = part.as_array().astype(np.int64)
            found[:, :2] += start
            bonds = bonds.merge(BondList(len(atoms), found))
    return bonds


def _is_known(residue_name: str, atom_names: Sequence[str]) -> bool:
    """Say whether the Chemical Component Dictionary has a residue with these atoms."""
    return len(atom_names) == 1 or _bonded_atoms(residue_name).issuperset(atom_names)


@lru_cache(maxsize=1024)
def _bonded_atoms(residue_name: str) -> frozenset[str]:
    return frozenset(name for pair in bonds_in_residue(residue_name) for name in pair)
