"""The kind of an atom of a protein as a neighbor: backbone, aliphatic, aromatic, polar or charged."""

from types import MappingProxyType

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool

from holo_features.surroundings.neighbors import BACKBONE

__all__ = ["ATOM_KINDS", "atom_kinds"]

ATOM_KINDS = (
    "backbone N",
    "backbone C",
    "backbone O",
    "aliphatic C",
    "aromatic",
    "polar",
    "positive",
    "negative",
    "S",
)

_NAMES = MappingProxyType(
    {
        "aromatic": {
            "PHE": "CG CD1 CD2 CE1 CE2 CZ",
            "TYR": "CG CD1 CD2 CE1 CE2 CZ",
            "TRP": "CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
            "HIS": "CG ND1 CD2 CE1 NE2",
        },
        "positive": {"LYS": "NZ", "ARG": "NE NH1 NH2"},
        "negative": {"ASP": "OD1 OD2", "GLU": "OE1 OE2"},
    }
)
_OF_NAMES = MappingProxyType(
    {
        (residue, atom): kind
        for kind, residues in _NAMES.items()
        for residue, atoms in residues.items()
        for atom in atoms.split()
    }
)


def atom_kinds(atoms: AtomArray) -> Bool[np.ndarray, "atoms kinds"]:
    """Return which of `ATOM_KINDS` each atom is; hydrogen, metals and others are none.

    Arginine's and lysine's nitrogens are positive, the oxygens of aspartate and glutamate negative; other N and O of
    side chains are polar, and their other carbons aliphatic. In residues other than the twenty, such as ligands,
    elements decide.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> lysine = residue("LYS")
    >>> kinds = atom_kinds(lysine)
    >>> [ATOM_KINDS[kind] for kind in kinds[lysine.atom_name == "NZ"].nonzero()[1]], int(kinds.sum())
    (['positive'], 10)
    """
    special = [
        _OF_NAMES.get(key, "") for key in zip(atoms.res_name.tolist(), atoms.atom_name.tolist(), strict=True)
    ]
    backbone = np.isin(atoms.atom_name, (*BACKBONE, "OXT"))
    kind = np.array([_BY_ELEMENT.get(element, "") for element in atoms.element.tolist()], dtype="U16")
    inside = np.isin(atoms.element, ("N", "C", "O")) & backbone
    kind[inside] = [f"backbone {element}" for element in atoms.element[inside].tolist()]
    kind = np.where(np.array(special, dtype="U16") != "", special, kind)
    return np.stack([kind == each for each in ATOM_KINDS], axis=1)


_BY_ELEMENT = MappingProxyType({"C": "aliphatic C", "N": "polar", "O": "polar", "S": "S", "SE": "S"})
