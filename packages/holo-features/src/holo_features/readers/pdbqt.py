"""PDBQT files (AutoDock): small molecules, and proteins.

biotite reads such files too, but takes chlorine for carbon and bromine for boron, whose atom types end a column later.
"""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import UInt8

from holo_types import FormatError

from .columns import text as characters
from .elements import is_element
from .pdb import Model, PdbFile, filled, read_pdb, record_atoms, record_decimals
from .raw import Molecule, RawAtoms

__all__ = ["pdbqt_molecules", "read_pdbqt"]

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


def read_pdbqt(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    r"""Read the atoms of one model of a protein's PDBQT file, as `read_pdb` does, elements by AutoDock's types.

    Raises
    ------
    FormatError
        As `read_pdb` does, or if a type is none of AutoDock's.

    Examples
    --------
    >>> record = b"ATOM      1  OD1 ASP A   1       1.000   2.000   3.000  1.00  0.00    -0.647 OA"
    >>> read_pdbqt(record + b"\n").atoms.element.tolist()
    ['O']
    """
    raw = read_pdb(content, model, assembly)
    file = PdbFile.of(content)
    _take_types(raw.atoms, file.records(file.model(model)))
    raw.atoms.charge[:] = 0  # PDB has them where PDBQT has the type
    return raw


def _atoms(file: PdbFile, model: Model) -> AtomArray:
    records = file.records(model)
    records[:, _NUMBER] = filled(records[:, _NUMBER], b"   1")
    atoms = record_atoms(records)
    _take_types(atoms, records)
    charges = record_decimals(records, records[:, _CHARGE], "charge")
    atoms.set_annotation("partial_charge", charges.astype(np.float32))
    return atoms


def _take_types(atoms: AtomArray, records: UInt8[np.ndarray, "atoms 80"]) -> None:
    """Set the elements that AutoDock's types say."""
    kinds = characters(records[:, _TYPE]).tolist()
    atoms.element = np.array([_element(kind) for kind in kinds], dtype=np.str_)
    unknown = np.flatnonzero(~is_element(atoms.element))
    if len(unknown):
        row = int(unknown[0])
        raise FormatError(
            f"atom {atoms.atom_name[row]} has the type {kinds[row]!r}, which is none of AutoDock's"
        )


def _element(kind: str) -> str:
    """Give the element of an AutoDock type; NA is nitrogen, Na is sodium."""
    if kind in _TYPES:
        return _TYPES[kind]
    return kind.upper() if is_element(np.array([kind.upper()]))[0] else ""
