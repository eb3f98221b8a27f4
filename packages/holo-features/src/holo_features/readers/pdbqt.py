"""Read PDBQT files (AutoDock) of small molecules and proteins.

biotite reads such files too, but mistakes chlorine for carbon and bromine for boron, whose atom types end a column
later.
"""

import re
from collections.abc import Iterator
from functools import partial

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Int, UInt8

from holo_types import FormatError

from .columns import text as characters
from .pdb import Model, PdbFile, filled, read_pdb, record_atoms, record_decimals
from .raw import Molecule, RawAtoms, Remark

__all__ = ["pdbqt_molecules", "read_pdbqt", "without_pseudo_atoms"]

# Columns of an atom record, beside those of PDB.
_NUMBER, _CHARGE, _TYPE = slice(22, 26), slice(70, 76), slice(77, 80)
# AutoDock's and Vina's atom types are a fixed list; only some are in capitals.
_TYPES = {
    **{kind: kind[0] for kind in ("C", "N", "O", "H", "S", "P", "F", "I", "B", "K", "U")},
    **{kind.upper(): kind.upper() for kind in ("Cl", "Br", "Mg", "Ca", "Mn", "Fe", "Zn")},
    **{
        symbol: symbol.upper()
        for symbol in ("Cl", "Br", "Mg", "Ca", "Mn", "Fe", "Zn", "Si", "Na", "Cu", "Co")
    },
    **{symbol: symbol.upper() for symbol in ("Ni", "Cd", "Hg", "At", "Al", "Se")},
    **{"HD": "H", "HS": "H", "NA": "N", "NS": "N", "OA": "O", "OS": "O", "SA": "S"},
    "A": "C",  # aromatic
    **dict.fromkeys(
        ("G", "GA", "J", "Q", "Z", "CG", "CG0", "CG1", "CG2", "CG3"), "C"
    ),  # at a ring that was opened
}
# Positions that are not atoms: the other ends of opened rings, water of a hydrated docking, lone pairs at zinc.
_NO_ATOMS = frozenset(["G0", "G1", "G2", "G3", "W", "TZ"])


_PSEUDO = "-"


def pdbqt_molecules(content: bytes) -> Iterator[Molecule]:
    r"""Yield the molecules of a PDBQT file: positions, elements and partial charges.

    The models of a docking's output are poses; a model has one molecule for each of its ROOT records. Flexible side
    chains of the protein, between BEGIN_RES and END_RES, are not molecules.

    Raises
    ------
    FormatError
        If the file has no atoms, or only atoms of side chains.

    Examples
    --------
    >>> record = b"ATOM      1  CL1 LIG A   1       1.000   2.000   3.000  1.00  0.00    -0.087 Cl"
    >>> molecule, = pdbqt_molecules(record + b"\n")
    >>> molecule.read().element.tolist()
    ['CL']
    """
    file = PdbFile.of(content)
    found = [(i, *part) for i, model in enumerate(file.models) for part in _parts(file, model)]
    if not found:
        raise FormatError("it holds no molecule but flexible side chains of a protein (BEGIN_RES)")
    names = re.findall(rb"^REMARK +Name = *(.*)$", content, flags=re.MULTILINE)
    for n, (pose, rows, remarks) in enumerate(found):
        name = names[n].decode("latin-1").strip() if len(names) == len(found) else ""
        yield Molecule(name, partial(_atoms, file, file.models[pose], rows), pose, remarks)


def _parts(file: PdbFile, model: Model) -> Iterator[tuple[Int[np.ndarray, "atoms"], tuple[Remark, ...]]]:
    """Yield the atoms of each molecule of a model, by their position in it, with a remark on atoms of side chains."""
    lines = file.atom_lines[model.first : model.end]
    begins, ends, roots = (file.lines.starting(word) for word in (b"BEGIN_RE", b"END_RES", b"ROOT"))

    def flexible(places: Int[np.ndarray, "lines"]) -> Bool[np.ndarray, "lines"]:
        return np.searchsorted(begins, places) > np.searchsorted(ends, places)

    of_protein = flexible(lines)
    remarks: tuple[Remark, ...] = ()
    if of_protein.any():
        count = int(of_protein.sum())
        reason = (
            f"{count} atoms of flexible side chains (BEGIN_RES) are the protein's and no part of the ligand"
        )
        remarks = (Remark("atom left out", reason, count=count),)
    molecule = np.maximum(np.searchsorted(roots[~flexible(roots)], lines), 1)
    for number in np.unique(molecule[~of_protein]).tolist():
        yield np.flatnonzero((molecule == number) & ~of_protein), remarks


def read_pdbqt(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    r"""Read the atoms of one model of a protein's PDBQT file, like `read_pdb`, with elements by AutoDock's types.

    Raises
    ------
    FormatError
        As in `read_pdb`, or if a type is not one of AutoDock's.

    Examples
    --------
    >>> record = b"ATOM      1  OD1 ASP A   1       1.000   2.000   3.000  1.00  0.00    -0.647 OA"
    >>> read_pdbqt(record + b"\n").atoms.element.tolist()
    ['O']
    """
    raw = read_pdb(content, model, assembly, segments=False)  # partial charges are in these columns
    file = PdbFile.of(content)
    _take_types(raw.atoms, file.records(file.model(model)))
    raw.atoms.charge[:] = 0  # PDB has them in the columns of PDBQT's type
    _, kept, remarks = without_pseudo_atoms(raw.atoms)
    return attrs.evolve(raw[kept], remarks=raw.remarks + remarks) if remarks else raw


def without_pseudo_atoms(
    atoms: AtomArray,
) -> tuple[AtomArray, Bool[np.ndarray, "atoms"], tuple[Remark, ...]]:
    """Leave out AutoDock's atoms that are not real atoms; return which were kept, and a remark on the others."""
    kept = atoms.element != _PSEUDO
    if kept.all():
        return atoms, kept, ()
    count = int((~kept).sum())
    reason = (
        f"{count} places that AutoDock counts among atoms are none (types {', '.join(sorted(_NO_ATOMS))})"
    )
    return atoms[kept], kept, (Remark("atom left out", reason, count=count),)


def _atoms(file: PdbFile, model: Model, rows: Int[np.ndarray, "atoms"]) -> AtomArray:
    records = file.records(model)[rows]
    records[:, _NUMBER] = filled(records[:, _NUMBER], b"   1")
    atoms = record_atoms(records, file.ended(model)[rows], segments=False)
    _take_types(atoms, records)
    charges = record_decimals(records, records[:, _CHARGE], "charge")
    atoms.set_annotation("partial_charge", charges.astype(np.float32))
    return atoms


def _take_types(atoms: AtomArray, records: UInt8[np.ndarray, "atoms 80"]) -> None:
    """Set the elements by AutoDock's types."""
    kinds = characters(records[:, _TYPE]).tolist()
    elements = [_PSEUDO if kind in _NO_ATOMS else _TYPES.get(kind, "") for kind in kinds]
    if "" in elements:
        row = elements.index("")
        raise FormatError(
            f"atom {atoms.atom_name[row]} has the type {kinds[row]!r}, which is not one of AutoDock's"
        )
    atoms.element = np.array(elements, dtype=np.str_)
