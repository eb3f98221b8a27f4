"""The pocket of a ligand that is in the file of its protein, residue by residue."""

import os

import attrs
import numpy as np
from jaxtyping import Float

from holo_features.readers.formats import structure_stem
from holo_features.structures.residue import ResidueId, residue_ids, residue_numbers
from holo_features.structures.structure import read_structure
from holo_types import HoloError

from .complex import Complex, pocket
from .ligands import Ligand, read_ligand

__all__ = ["LigandPocket", "ligand_pocket"]


@attrs.frozen(eq=False)
class LigandPocket:
    """The residues around a ligand, nearest first.

    Parameters
    ----------
    ligand
        The molecule.
    residues
        Those that have an atom near it, and a Cα.
    distances : Float[ndarray, "n"]
        Smallest distance between an atom of each residue and an atom of the ligand, in Å.
    """

    ligand: Ligand
    residues: tuple[ResidueId, ...]
    distances: Float[np.ndarray, "n"]


def ligand_pocket(path: str | os.PathLike[str], ligand: str, distance: float = 4.0) -> LigandPocket:
    """Return the residues around a ligand of a structure file.

    Parameters
    ----------
    path
        A PDB, mmCIF or BinaryCIF file with the ligand, optionally gzipped.
    ligand
        Its name, such as ``"GDP"``, or one of its residues, such as ``"A:201"``; if several have the name, the first is
        used. See `read_ligand`.
    distance
        Largest distance between an atom of a residue and one of the ligand, in Å. Atoms in contact are up to 4 Å apart.

    Raises
    ------
    HoloError
        If the file cannot be read or has no such ligand, the distance is not > 0, or no residue is near.

    Examples
    --------
    >>> import tempfile
    >>> from biotite.structure import AtomArray
    >>> from holo_features import datasets, write_structure
    >>> structure = read_structure(datasets.example_structures()[0])
    >>> ligand = structure.atoms[:2].copy()  # two atoms, in the place of two others 4 Å up
    >>> ligand.coord += 4
    >>> ligand.res_name[:], ligand.res_id[:], ligand.amino_acid[:] = "LIG", 201, False
    >>> path = os.path.join(tempfile.mkdtemp(), "1abc.pdb")
    >>> write_structure(attrs.evolve(structure, atoms=structure.atoms + ligand), path)
    >>> found = ligand_pocket(path, "LIG", 6.0)
    >>> [str(residue) for residue in found.residues[:2]], found.distances[:2].round(1).tolist()
    (['A:1', 'A:3'], [4.0, 4.0])
    """
    protein, molecule = read_structure(path), read_ligand(path, ligand)
    near = pocket(Complex(structure_stem(path), protein, molecule), distance)
    atoms = protein.atoms
    rows = np.flatnonzero(
        near & np.isin(residue_numbers(atoms), residue_numbers(atoms)[atoms.atom_name == "CA"])
    )
    if not len(rows):
        raise HoloError(
            f"{os.fspath(path)}: no residue has an atom within {distance:g} Å of the ligand {ligand}"
        )
    apart = np.linalg.norm(
        atoms.coord[rows, None].astype(np.float64) - molecule.atoms.coord.astype(np.float64), axis=2
    ).min(axis=1)
    nearest: dict[ResidueId, float] = {}
    for residue, each in zip(residue_ids(atoms, rows), apart.tolist(), strict=True):
        nearest[residue] = min(each, nearest.get(residue, each))
    ordered = sorted(nearest, key=lambda residue: nearest[residue])
    return LigandPocket(molecule, tuple(ordered), np.array([nearest[residue] for residue in ordered]))
