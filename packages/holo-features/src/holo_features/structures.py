"""Protein structures as Holo uses them: heavy atoms of residues, one conformer each."""

import os
import warnings
from pathlib import Path

import attrs
import numpy as np
from biotite.structure import (
    AtomArray,
    filter_amino_acids,
    get_residue_starts,
    infer_elements,
    spread_residue_wise,
)
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray

from holo_types import FormatError

from .conformers import select_conformers
from .formats import raw_atoms, structure_stem

__all__ = ["LeftOutAtom", "Structure", "read_structure"]

_HYDROGEN = ("H", "D", "T")
# D and T are hydrogen, but the files name them as elements.
_ELEMENTS = frozenset(
    """H D T He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg
    Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og""".upper().split()
)


@attrs.frozen
class LeftOutAtom:
    """An atom that was left out because its element is unknown.

    Parameters
    ----------
    chain, residue_number, insertion_code, residue_name, atom_name
        Which atom.
    element
        What the file says its element is.
    """

    chain: str
    residue_number: int
    insertion_code: str
    residue_name: str
    atom_name: str
    element: str


@attrs.frozen(eq=False)
class Structure:
    """The protein residues of one structure.

    Parameters
    ----------
    name
        What the index calls it: the file's name without the suffixes of its format.
    atoms
        Heavy atoms of the amino acid residues, one conformer each; positions in Å.
    model
        Number of the model in the file.
    left_out_atoms
        Atoms of these residues that were left out because their element is unknown.
    """

    name: str
    atoms: AtomArray
    model: int = 1
    left_out_atoms: tuple[LeftOutAtom, ...] = ()


def read_structure(path: str | os.PathLike[str]) -> Structure:
    """Read the protein residues of a PDB, mmCIF or BinaryCIF file.

    Of the first model the heavy atoms of amino acid residues are kept, modified residues such as MSE
    included; water, ions, ligands, nucleic acids, hydrogen and deuterium are left out. A residue counts as an
    amino acid if the Chemical Component Dictionary says so or if it has the atoms N, CA and C, and if it
    belongs to a chain's polymer: it is no HETATM after the chain's TER record (PDB), or has a ``label_seq_id``
    (mmCIF, BinaryCIF). Of alternate locations the conformer with the highest mean occupancy is taken, in a
    tie the first label. An element that the file leaves blank is inferred from the atom's name; an atom whose
    element is no chemical element is left out and named in `Structure.left_out_atoms`.

    Parameters
    ----------
    path
        A file .pdb, .ent, .cif, .mmcif or .bcif, also with .gz.

    Returns
    -------
    Structure
        Chains, residue numbers and insertion codes are those of the authors of the entry.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind, a coordinate is not a finite number, or no
        residue is an amino acid; the message names the file.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> structure = read_structure(example_structures()[0])
    >>> len(structure.atoms) > 100
    True
    """
    raw = raw_atoms(path)
    atoms = raw.atoms
    atoms.element = _elements(atoms)
    keep = select_conformers(atoms, raw.labels, raw.occupancies) & raw.polymer
    atoms = atoms[keep]
    atoms = atoms[_amino_acids(atoms)] if len(atoms) else atoms
    atoms = atoms[~np.isin(atoms.element, _HYDROGEN)]
    known = np.isin(atoms.element, list(_ELEMENTS))
    left_out = tuple(
        LeftOutAtom(
            str(atom.chain_id),
            int(atom.res_id),
            str(atom.ins_code),
            str(atom.res_name),
            str(atom.atom_name),
            str(atom.element),
        )
        for atom in atoms[~known]
    )
    atoms = atoms[known]
    if len(atoms) == 0:
        raise FormatError(f"{Path(path)}: it has no amino acid residue")
    return Structure(structure_stem(path), atoms, raw.model, left_out)


def _elements(atoms: AtomArray) -> Shaped[np.ndarray, "atoms"]:
    elements = np.char.upper(np.char.strip(atoms.element))
    blank = np.isin(elements, ["", "?", "."])
    if blank.any():
        with warnings.catch_warnings():
            # What it cannot infer stays blank, and `read_structure` leaves such atoms out by name.
            warnings.filterwarnings("ignore", message=r"Could not infer element", category=UserWarning)
            elements[blank] = infer_elements(atoms.atom_name[blank])
    return elements


def _amino_acids(atoms: AtomArray) -> Bool[np.ndarray, "atoms"]:
    """Say which atoms are of amino acid residues."""
    starts = get_residue_starts(atoms)
    backbone = np.ones(len(starts), dtype=bool)
    for name in ("N", "CA", "C"):
        # The element tells a Cα from a calcium ion, whose atom is also called CA.
        found = (atoms.atom_name == name) & (atoms.element == name[0])
        backbone &= np.logical_or.reduceat(found, starts)
    kept: NDArray[np.bool_] = filter_amino_acids(atoms) | spread_residue_wise(atoms, backbone)
    return kept
