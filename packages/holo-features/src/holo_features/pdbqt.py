"""Molecules of PDBQT files (AutoDock).

biotite reads such files too, but takes chlorine for carbon and bromine for boron, whose atom types end a column later.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from biotite.structure import AtomArray

from holo_types import FormatError

from .columns import text as characters
from .elements import is_element
from .molecules import Molecule
from .pdb import Model, PdbFile, filled, record_atoms, record_decimals

__all__ = ["pdbqt_molecules"]

# Columns of an atom record, beside those of PDB.
_NUMBER, _CHARGE, _TYPE = slice(22, 26), slice(70, 76), slice(77, 79)
_TYPES = {
    "A": "C",  # aromatic
    "G": "C",
    "GA": "C",
    "HD": "H",
    "HS": "H",
    "NA": "N",
    "NS": "N",
    "OA": "O",
    "OS": "O",
    "SA": "S",
}


def pdbqt_molecules(content: bytes) -> Iterator[Molecule]:
    r"""Give the molecules of a PDBQT file, one each model: positions, elements, partial charges.

    Examples
    --------
    >>> record = b"ATOM      1  CL1 LIG A   1       1.000   2.000   3.000  1.00  0.00    -0.087 Cl"
    >>> molecule, = pdbqt_molecules(record + b"\n")
    >>> molecule.read().element.tolist()
    ['CL']
    """
    file = PdbFile.of(content)
    names = re.findall(rb"^REMARK +Name = *(.*)$", content, flags=re.MULTILINE)
    for i, model in enumerate(file.models):
        name = names[i].decode("latin-1").strip() if len(names) == len(file.models) else ""
        yield Molecule(name, partial(_atoms, file, model))


def _atoms(file: PdbFile, model: Model) -> AtomArray:
    records = file.records(model)
    records[:, _NUMBER] = filled(records[:, _NUMBER], b"   1")
    atoms = record_atoms(records)
    kinds = characters(records[:, _TYPE]).tolist()
    atoms.element = np.array([_element(kind) for kind in kinds], dtype=np.str_)
    unknown = np.flatnonzero(~is_element(atoms.element))
    if len(unknown):
        row = int(unknown[0])
        raise FormatError(
            f"atom {atoms.atom_name[row]} has the type {kinds[row]!r}, which is none of AutoDock's"
        )
    charges = record_decimals(records, records[:, _CHARGE], "charge")
    atoms.set_annotation("partial_charge", charges.astype(np.float32))
    return atoms


def _element(kind: str) -> str:
    """Give the element of an AutoDock type; NA is nitrogen, Na is sodium."""
    if kind in _TYPES:
        return _TYPES[kind]
    return kind.upper() if is_element(np.array([kind.upper()]))[0] else ""
