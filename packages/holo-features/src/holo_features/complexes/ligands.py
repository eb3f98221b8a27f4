"""Ligands: small molecules from their own files or from structures."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
from biotite.structure import AtomArray

from holo_features.molecules.bonded import structure_molecules
from holo_features.molecules.mol2 import mol2_molecules
from holo_features.molecules.sdf import sdf_molecules
from holo_features.readers.elements import is_element
from holo_features.readers.formats import (
    damage_named,
    file_content,
    is_structure_path,
    raw_atoms,
    split_suffix,
)
from holo_features.readers.pdbqt import pdbqt_molecules, without_pseudo_atoms
from holo_features.readers.raw import Molecule, Remark, listed
from holo_features.readers.symbols import HYDROGENS
from holo_features.structures.places import close_pairs
from holo_types import FormatError

__all__ = ["Ligand", "is_ligand_path", "read_ligand", "read_ligands"]

_SDF, _MOL2, _PDBQT = (".sdf", ".mol", ".sd"), (".mol2",), (".pdbqt",)
_SUFFIXES = (*_SDF, *_MOL2, *_PDBQT)
_MOST_RESIDUES = 6  # in a message
SAME_PLACE = 0.3  # Å


@attrs.frozen(eq=False)
class Ligand:
    """A small molecule.

    Parameters
    ----------
    name
        Its title in the file, or the residue's name; empty if it has none.
    atoms
        Positions in Å, elements in upper case, and ``charge``, the formal charge (0 if the file has none). If the file
        has them, also ``partial_charge`` (MOL2, PDBQT) and bonds (SDF, MOL2).
    remarks
        What was done with the file that its user should know.
    """

    name: str
    atoms: AtomArray
    remarks: tuple[Remark, ...] = ()


def is_ligand_path(path: str | os.PathLike[str]) -> bool:
    """Return whether a name has the suffix of a file of small molecules.

    Examples
    --------
    >>> is_ligand_path("ligand.SDF"), is_ligand_path("ligand.mol2.gz"), is_ligand_path("1abc.pdb")
    (True, True, False)
    """
    return split_suffix(path)[0] in _SUFFIXES


def read_ligand(
    path: str | os.PathLike[str], molecule: int | str | None = None, *, hydrogens: bool = False
) -> Ligand:
    """Read one molecule from a file.

    Parameters
    ----------
    path
        A file with the suffix .sdf, .sd, .mol, .mol2 or .pdbqt, or a structure file as in `read_structure`, optionally
        with .gz. The molecules of a structure file are those of its first model that are neither water nor proteins;
        see `holo_features.molecules.bonded.structure_molecules`. One that has several residues is named after all of
        them, such as ``NAG-NAG-BMA``. Flexible side chains of a PDBQT file belong to the protein.
    molecule
        Its number in the file, counted from 1, its name, or one of its residues, such as ``"A:501"``; if several have
        the name, the first is used. None stands for the only molecule, or for the first of several records of a file,
        such as the poses of a docking; if molecules lie beside each other, one must be chosen.
    hydrogens
        Whether to keep hydrogen and deuterium.

    Returns
    -------
    Ligand
        The molecule; its remarks tell which one was used if the file has several.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind; if it has no such molecule, or has several and none
        is chosen; or if the molecule has no heavy atoms, an atom that is not a chemical element, or two atoms at one
        position. The message names the file.
    """
    place = Path(path)
    molecules = _molecules(place)
    number = _chosen(place, molecules, molecule)
    ligand = _ligand(place, number, molecules[number - 1], hydrogens)
    if len(molecules) == 1:
        return ligand
    taken = f"of {len(molecules)} molecules the one taken is {number}, {_called(molecules[number - 1])}"
    return attrs.evolve(ligand, remarks=(*ligand.remarks, Remark("read so", taken)))


def read_ligands(path: str | os.PathLike[str], *, hydrogens: bool = False) -> Iterator[Ligand]:
    """Read all molecules of a file, one after the other, as `read_ligand` does.

    Raises
    ------
    FormatError
        As in `read_ligand`; a bad molecule ends the iteration.
    """
    for number, molecule in enumerate(_molecules(Path(path)), start=1):
        yield _ligand(Path(path), number, molecule, hydrogens)


def _chosen(place: Path, molecules: Sequence[Molecule], molecule: int | str | None) -> int:
    """Return the number of the chosen molecule."""
    if molecule is None:
        _check_poses(place, molecules)
        molecule = 1
    if isinstance(molecule, int):
        if not 1 <= molecule <= len(molecules):
            raise FormatError(f"{place}: it has no molecule {molecule}; it has {len(molecules)}")
        return molecule
    for names in (
        [(found.name,) for found in molecules],
        [found.residues for found in molecules],
        [tuple(found.name.split("-")) if found.residues else () for found in molecules],
    ):
        if (
            number := next((i for i, name in enumerate(names, start=1) if molecule in name), None)
        ) is not None:
            return number
    raise FormatError(
        f"{place}: it has no molecule {molecule!r}; it has {listed(map(_called, molecules)) or 'none'}"
    )


def _check_poses(place: Path, molecules: Sequence[Molecule]) -> None:
    """Refuse to choose among molecules that lie beside each other."""
    beside = [one for one in molecules if one.pose is not None and one.pose == molecules[0].pose]
    if len(beside) > 1:
        names = listed(f"{i}, {_called(one)}" for i, one in enumerate(beside, start=1))
        raise FormatError(
            f"{place}: it has {len(beside)} molecules; one must be chosen, in the column molecule of a table, by its "
            f"name or a residue: {names}"
        )


def _called(molecule: Molecule) -> str:
    """Return the name of a molecule with its residues."""
    residues = ", ".join(molecule.residues[:_MOST_RESIDUES]) + ", ..." * (
        len(molecule.residues) > _MOST_RESIDUES
    )
    return f"{molecule.name} ({residues})" if residues else molecule.name or "without a name"


def _molecules(place: Path) -> list[Molecule]:
    suffix, zipped = split_suffix(place)
    if is_structure_path(place):
        raw = raw_atoms(place)
        with damage_named(place, suffix):
            return list(structure_molecules(raw))
    if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise FormatError(f"{place} is a folder; it must be a file of small molecules")
    if suffix not in _SUFFIXES:
        raise FormatError(
            f"{place}: its name ends in {suffix!r}; it must end in one of {', '.join(_SUFFIXES)}, with or without "
            ".gz, or as a structure file does"
        )
    content = file_content(place, zipped)
    with damage_named(place, suffix):
        if b"\0" in content:
            raise FormatError("it holds binary data; it must be text")
        if suffix in _PDBQT:
            return list(pdbqt_molecules(content))
        text = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("latin-1")
        # The content decides, whatever the name.
        if "@<TRIPOS>MOLECULE" in text:
            return list(mol2_molecules(text))
        if suffix in _SDF or re.search("^M  END", text, re.MULTILINE):
            return list(sdf_molecules(text))
        return list(mol2_molecules(text))


def _ligand(place: Path, number: int, molecule: Molecule, hydrogens: bool) -> Ligand:
    name = f"molecule {number}" + (f" ({molecule.name})" if molecule.name else "")
    with damage_named(f"{place}: {name}", split_suffix(place)[0]):
        atoms, _, remarks = without_pseudo_atoms(molecule.read())
        unknown = np.flatnonzero(~is_element(atoms.element))
        if len(unknown):
            row = int(unknown[0])
            raise FormatError(
                f"its atom {row + 1} is {str(atoms.element[row])!r}; it must be a chemical element"
            )
        if not np.isfinite(atoms.coord).all():
            row = int(np.argmin(np.isfinite(atoms.coord).all(axis=1)))
            raise FormatError(
                f"its atom {row + 1} is at {atoms.coord[row].tolist()}; it must be at finite numbers"
            )
        heavy = ~np.isin(atoms.element, HYDROGENS)
        if not heavy.any():
            raise FormatError("it has no heavy atom")
        _check_places(atoms[heavy])
    charge = atoms.charge if "charge" in atoms.get_annotation_categories() else np.zeros(len(atoms))
    atoms.set_annotation("charge", charge.astype(np.int8))
    return Ligand(molecule.name, atoms if hydrogens else atoms[heavy], molecule.remarks + remarks)


def _check_places(atoms: AtomArray) -> None:
    """Refuse a molecule with two heavy atoms at one position, as written by programs that had no positions."""
    pairs = close_pairs(atoms.coord, SAME_PLACE)
    if len(pairs):
        one, other = pairs[0].tolist()
        raise FormatError(
            f"its atoms {one + 1} and {other + 1} lie at one point, within {SAME_PLACE} Å; no two atoms can"
        )
