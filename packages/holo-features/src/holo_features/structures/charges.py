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

# Charges of side chains and of a chain's end at pH 7, shared by atoms that are equivalent by resonance.
_CHARGED = {
    "ASP": (("OD1", "OD2"), -1.0),
    "GLU": (("OE1", "OE2"), -1.0),
    "LYS": (("NZ",), 1.0),
    "ARG": (("NH1", "NH2"), 1.0),
}
_CHAIN_END = (("O", "OXT"), -1.0)


def partial_charges(atoms: AtomArray) -> Float[np.ndarray, "atoms"]:
    """Return the partial charge of each atom, by partial equalization of orbital electronegativity (PEOE).

    Formal charges are those of the atoms, if they have the annotation ``charge``. Aspartate, glutamate, lysine,
    arginine and a chain's end, if it is present (OXT), are charged as at pH 7; histidine is not. The charges spread
    along bonds in six iterations. The total charge of a molecule remains that of its formal charges.

    Parameters
    ----------
    atoms
        Atoms with or without bonds; see `bonds_of`. If hydrogens were not read, their charge is included in the atom
        that carries them, as in a united-atom model.

    Returns
    -------
    Float[ndarray, "atoms"]
        Charges in units of the elementary charge, float32. An atom of an element without PEOE parameters (metals,
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
    """Return bonds of the types for which PEOE has parameters.

    An aromatic bond that a file does not declare as single or double is double for carbon and nitrogen, which are sp2,
    and single for oxygen and sulfur; a double bond of sulfur counts as single.
    """
    table = bonds.as_array()
    first, second, kind = table.T.copy()  # the table changes below
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
    """Return formal charges, and pairs of atoms that are equivalent by resonance."""
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
    """Return the bonds between atoms: their own, or those that follow from names and distances.

    Residues in the Chemical Component Dictionary have its bonds, by the names of their atoms, and consecutive ones are
    joined. In other residues, atoms at the usual distance of a bond are joined by single bonds, because a distance does
    not determine more.

    Parameters
    ----------
    atoms
        Atoms; if they have bonds, these are returned.

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
    """Return whether the Chemical Component Dictionary has a residue with these atoms."""
    return len(atom_names) == 1 or _bonded_atoms(residue_name).issuperset(atom_names)


@lru_cache(maxsize=1024)
def _bonded_atoms(residue_name: str) -> frozenset[str]:
    return frozenset(name for pair in bonds_in_residue(residue_name) for name in pair)
