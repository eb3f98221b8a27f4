"""Kinds of atoms that proteins and ligands share: by element, hybridization, hydrogens and neighbors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holo_features import Ligand
from holo_features.complexes.rdkit_descriptors import rdkit_molecule

KINDS = (
    "aliphatic C",
    "aliphatic C beside N, O or S",
    "aromatic C",
    "other C",
    "aromatic N",
    "aromatic N with H",
    "guanidine N",
    "amide N with H",
    "amide N",
    "amine N",
    "carboxylate O",
    "carbonyl O",
    "hydroxyl O",
    "S",
)
OTHER = "other"

_BACKBONE = {
    "N": "amide N with H",
    "CA": "aliphatic C beside N, O or S",
    "C": "other C",
    "O": "carbonyl O",
}
_SIDE_CHAINS = {
    "aliphatic C": "ALA CB; VAL CB CG1 CG2; LEU CB CG CD1 CD2; ILE CB CG1 CG2 CD1; MET CB; PRO CB CG; LYS CB CG CD; "
    "ARG CB CG; GLU CB CG; GLN CB CG; ASP CB; ASN CB; THR CG2; PHE CB; TYR CB; TRP CB; HIS CB",
    "aliphatic C beside N, O or S": "SER CB; THR CB; LYS CE; ARG CD; MET CG CE; CYS CB; PRO CD",
    "aromatic C": "PHE CG CD1 CD2 CE1 CE2 CZ; TYR CG CD1 CD2 CE1 CE2 CZ; TRP CG CD1 CD2 CE2 CE3 CZ2 CZ3 CH2; "
    "HIS CG CD2 CE1",
    "other C": "ASP CG; ASN CG; GLU CD; GLN CD; ARG CZ",
    "aromatic N": "HIS ND1 NE2",
    "aromatic N with H": "TRP NE1",
    "guanidine N": "ARG NE NH1 NH2",
    "amide N with H": "ASN ND2; GLN NE2",
    "amide N": "PRO N",
    "amine N": "LYS NZ",
    "carboxylate O": "ASP OD1 OD2; GLU OE1 OE2",
    "carbonyl O": "ASN OD1; GLN OE1",
    "hydroxyl O": "SER OG; THR OG1; TYR OH",
    "S": "MET SD; CYS SG",
}
_KIND_OF = {
    (residue, atom): kind
    for kind, listed in _SIDE_CHAINS.items()
    for residue, *atoms in (each.split() for each in listed.split("; "))
    for atom in atoms
}


def protein_kind(residue: str, atom: str) -> str:
    """Return the kind of an amino acid's heavy atom."""
    return _KIND_OF.get((residue, atom)) or _BACKBONE.get(atom, OTHER)


def ligand_kinds(ligand: Ligand) -> NDArray[np.str_]:
    """Return the kind of each atom of a ligand: acidic O of phosphates as carboxylates', O of ethers as carbonyls'."""
    return np.array([_ligand_kind(atom) for atom in rdkit_molecule(ligand).GetAtoms()])


def _ligand_kind(atom: Any) -> str:
    element = atom.GetSymbol()
    hydrogens = atom.GetTotalNumHs(includeNeighbors=True)
    if element == "C":
        return _carbon(atom)
    if element == "N":
        return _nitrogen(atom, hydrogens)
    if element == "O":
        acidic = any(
            _terminal_oxygens(other) >= 2 and other.GetSymbol() in "CP" for other in atom.GetNeighbors()
        )
        if acidic and atom.GetDegree() == 1:
            return "carboxylate O"
        return "hydroxyl O" if hydrogens else "carbonyl O"
    return "S" if element == "S" else OTHER


def _carbon(atom: Any) -> str:
    if atom.GetIsAromatic():
        return "aromatic C"
    if str(atom.GetHybridization()) != "SP3":
        return "other C"
    polar = any(other.GetAtomicNum() not in (1, 6) for other in atom.GetNeighbors())
    return "aliphatic C beside N, O or S" if polar else "aliphatic C"


def _nitrogen(atom: Any, hydrogens: int) -> str:
    if atom.GetIsAromatic():
        return "aromatic N with H" if hydrogens else "aromatic N"
    if any(_is_amidine(other) for other in atom.GetNeighbors()):
        return "guanidine N"
    if any(bond.GetBondTypeAsDouble() >= 2 for bond in atom.GetBonds()):
        return "aromatic N"
    if any(_is_conjugated(other, atom.GetIdx()) for other in atom.GetNeighbors()):
        return "amide N with H" if hydrogens else "amide N"
    return "amine N"


def _is_amidine(atom: Any) -> bool:
    around = [other.GetSymbol() for other in atom.GetNeighbors()]
    return (
        atom.GetSymbol() == "C"
        and not atom.GetIsAromatic()
        and around.count("N") >= 2
        and not {"O", "S"} & set(around)
    )


def _is_conjugated(atom: Any, but: int) -> bool:
    return atom.GetIsAromatic() or any(
        bond.GetBondTypeAsDouble() == 2 and bond.GetOtherAtomIdx(atom.GetIdx()) != but
        for bond in atom.GetBonds()
    )


def _terminal_oxygens(atom: Any) -> int:
    return sum(other.GetSymbol() == "O" and other.GetDegree() == 1 for other in atom.GetNeighbors())
