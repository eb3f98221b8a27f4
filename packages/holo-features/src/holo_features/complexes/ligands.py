"""Ligands: small molecules from files of their own, or from structures."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import numpy as np
from biotite.structure import AtomArray

from holo_features.readers.elements import is_element
from holo_features.readers.formats import (
    damage_named,
    file_content,
    is_structure_path,
    raw_atoms,
    split_suffix,
)
from holo_features.readers.mol2 import mol2_molecules
from holo_features.readers.pdbqt import pdbqt_molecules
from holo_features.readers.raw import Molecule, RawAtoms, listed
from holo_features.readers.sdf import sdf_molecules
from holo_features.readers.symbols import HYDROGENS
from holo_features.structures.structure import classify
from holo_types import FormatError

__all__ = ["Ligand", "is_ligand_path", "read_ligand", "read_ligands"]

_SDF, _MOL2, _PDBQT = (".sdf", ".mol", ".sd"), (".mol2",), (".pdbqt",)
_SUFFIXES = (*_SDF, *_MOL2, *_PDBQT)


@attrs.frozen(eq=False)
class Ligand:
    """A small molecule.

    Parameters
    ----------
    name
        As the file has it: its title, or the residue's name; empty if it has none.
    atoms
        Positions in Å, elements in upper case, ``charge`` the formal charge (0 where the file has none).
        ``partial_charge`` is there where the file has it (MOL2, PDBQT), bonds where it has those (SDF, MOL2).
    """

    name: str
    atoms: AtomArray


def is_ligand_path(path: str | os.PathLike[str]) -> bool:
    """Say whether a name ends as a file of small molecules does.

    Examples
    --------
    >>> is_ligand_path("ligand.SDF"), is_ligand_path("ligand.mol2.gz"), is_ligand_path("1abc.pdb")
    (True, True, False)
    """
    return split_suffix(path)[0] in _SUFFIXES


def read_ligand(path: str | os.PathLike[str], molecule: int | str = 1, *, hydrogens: bool = False) -> Ligand:
    """Read one molecule of a file.

    Parameters
    ----------
    path
        A file .sdf, .sd, .mol, .mol2 or .pdbqt, or a structure file as for `read_structure`, also with .gz.
        The molecules of a structure file are the residues of its first model that are neither water nor amino
        acids of a chain, each by itself, ions too.
    molecule
        Its number in the file, counted from 1, or its name; of several that have it, the first is taken.
    hydrogens
        Take hydrogen and deuterium too.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind, or it has no such molecule, or the molecule
        has no heavy atom or one that is no chemical element; the message names the file.
    """
    molecules = _molecules(Path(path))
    names = [found.name for found in molecules]
    if isinstance(molecule, int):
        if not 1 <= molecule <= len(molecules):
            raise FormatError(f"{Path(path)}: it has no molecule {molecule}; it has {len(molecules)}")
        number = molecule
    elif molecule in names:
        number = names.index(molecule) + 1
    else:
        raise FormatError(f"{Path(path)}: it has no molecule {molecule!r}; it has {listed(names) or 'none'}")
    return _ligand(Path(path), number, molecules[number - 1], hydrogens)


def read_ligands(path: str | os.PathLike[str], *, hydrogens: bool = False) -> Iterator[Ligand]:
    """Read all molecules of a file, one after the other, as `read_ligand` does.

    Raises
    ------
    FormatError
        As for `read_ligand`; a bad molecule ends it.
    """
    for number, molecule in enumerate(_molecules(Path(path)), start=1):
        yield _ligand(Path(path), number, molecule, hydrogens)


def _molecules(place: Path) -> list[Molecule]:
    suffix, zipped = split_suffix(place)
    if is_structure_path(place):
        return list(_residues(raw_atoms(place)))
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
        return list(sdf_molecules(text) if suffix in _SDF else mol2_molecules(text))


def _residues(raw: RawAtoms) -> Iterator[Molecule]:
    """Give the residues of a structure that are neither water nor amino acids of a chain."""
    conformers, _ = classify(raw)
    rows = np.flatnonzero(conformers.chosen & ~raw.atoms.amino_acid & ~raw.atoms.water)
    for residue in np.unique(conformers.residues[rows]).tolist():
        atoms = raw.atoms[rows[conformers.residues[rows] == residue]]
        yield Molecule(str(atoms.res_name[0]), partial(AtomArray.copy, atoms))


def _ligand(place: Path, number: int, molecule: Molecule, hydrogens: bool) -> Ligand:
    name = f"molecule {number}" + (f" ({molecule.name})" if molecule.name else "")
    with damage_named(f"{place}: {name}", split_suffix(place)[0]):
        atoms = molecule.read()
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
    charge = atoms.charge if "charge" in atoms.get_annotation_categories() else np.zeros(len(atoms))
    atoms.set_annotation("charge", charge.astype(np.int8))
    return Ligand(molecule.name, atoms if hydrogens else atoms[heavy])
