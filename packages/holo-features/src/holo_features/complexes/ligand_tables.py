"""The identity and size of ligands, without their proteins: a table beside that of contacts."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable

import attrs
import numpy as np
from biotite.structure import AtomArray
from biotite.structure.info import mass
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from holo_features.molecules.bonded import RADII
from holo_features.readers.symbols import HYDROGENS
from holo_types import HoloError
from holo_types.files.csv_files import write_csv

from .complex import Complex
from .ligands import Ligand

__all__ = ["LigandSize", "ligand_key", "ligand_size", "write_ligand_table"]

_OTHER_RADIUS = 1.4  # for metals
_TOLERANCE = 0.4  # Å; how much longer than the sum of its radii a bond may be

_MOST_ATOMS = 2000  # heavy ones; every two are compared, and the largest ligands have some hundreds
_ROUNDS = 3
_APART = -1  # the distance of atoms that are not connected by bonds
_DIGITS = 12


@attrs.frozen
class LigandSize:
    """The size of the ligand of a complex.

    Parameters
    ----------
    name, label, split
        The name, label and split of the complex.
    heavy_atoms
        Number of atoms that are not hydrogen.
    heavy_atom_weight
        Their mass in g/mol: the molecular weight without hydrogens, which files of ligands often lack.
    key
        See `ligand_key`.
    """

    name: str
    label: float | None
    split: str | None
    heavy_atoms: int
    heavy_atom_weight: float
    key: str


def ligand_size(complex_: Complex) -> LigandSize:
    """Return the size of the ligand of a complex.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.structures.structure import Structure
    >>> glycine = residue("GLY")
    >>> ligand_size(Complex("1abc", Structure("1abc", glycine), Ligand("GLY", glycine)))
    LigandSize(name='1abc', label=None, split=None, heavy_atoms=5, heavy_atom_weight=70.027, key='C2NO2-43daf5d7ca5e')
    """
    atoms = _heavy(complex_.ligand)
    weight = round(sum(float(mass(element)) for element in atoms.element.tolist()), 3)
    key = ligand_key(complex_.ligand)
    return LigandSize(complex_.name, complex_.label, complex_.split, len(atoms), weight, key)


def ligand_key(ligand: Ligand) -> str:
    """Return a text that is the same for the same ligand, whatever file it comes from.

    It consists of the formula without hydrogens and a digest of the graph of heavy atoms and bonds. Bond orders,
    charges, hydrogens and stereochemistry do not count, so tautomers, protonation states and stereoisomers have one
    key.

    Parameters
    ----------
    ligand
        A ligand with the bonds of its file; if the file has none, atoms that are close enough count as bonded.

    Raises
    ------
    HoloError
        If it has more than 2,000 heavy atoms.

    Notes
    -----
    Atoms are colored by their element and then, three times over, by the colors and graph distances of all others: the
    refinement of Weisfeiler and Leman with distances, which distinguishes rings that are equal bond by bond (decalin
    and bicyclopentyl).

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> alpha, beta, fructose = (ligand_key(Ligand(name, residue(name))) for name in ("GLC", "BGC", "FRU"))
    >>> alpha == beta, alpha == fructose, alpha
    (True, False, 'C6O6-e783c9143e06')
    """
    atoms = _heavy(ligand)
    if len(atoms) > _MOST_ATOMS:
        raise HoloError(f"ligand {ligand.name!r} has {len(atoms)} heavy atoms; it may have {_MOST_ATOMS}")
    distances = _graph_distances(atoms)
    colors = atoms.element.tolist()
    for _ in range(_ROUNDS):
        colors = [
            _digest([color, *sorted(f"{d} {other}" for d, other in zip(row, colors, strict=True))])
            for color, row in zip(colors, distances.tolist(), strict=True)
        ]
    return f"{_formula(atoms)}-{_digest(sorted(colors))[:_DIGITS]}"


def write_ligand_table(sizes: Iterable[LigandSize], path: str | os.PathLike[str]) -> int:
    """Write a CSV file with one row for each complex; it appears whole or not at all.

    Parameters
    ----------
    sizes
        The sizes, which are taken one by one.
    path
        A UTF-8 file with the columns ``id``, ``split``, ``label``, ``ligand_key``, ``heavy_atoms`` and
        ``heavy_atom_weight``. Missing values are empty.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "ligands.csv")
    >>> write_ligand_table([LigandSize("1abc", 6.5, None, 2, 28.01, "CO-0a1b")], path)
    1
    >>> path.read_text().split()
    ['id,split,label,ligand_key,heavy_atoms,heavy_atom_weight', '1abc,,6.5,CO-0a1b,2,28.01']
    """
    header = ("id", "split", "label", "ligand_key", "heavy_atoms", "heavy_atom_weight")
    rows = (
        (size.name, size.split, size.label, size.key, size.heavy_atoms, size.heavy_atom_weight)
        for size in sizes
    )
    return write_csv(path, header, rows)


def _heavy(ligand: Ligand) -> AtomArray:
    return ligand.atoms[~np.isin(ligand.atoms.element, HYDROGENS)]


def _graph_distances(atoms: AtomArray) -> Int[np.ndarray, "atoms atoms"]:
    """Return the number of bonds between every two atoms."""
    bonded = np.zeros((len(atoms), len(atoms)), dtype=bool)
    if atoms.bonds is None:
        bonded = _near(atoms)
    else:
        first, second = atoms.bonds.as_array()[:, :2].T
        bonded[first, second] = bonded[second, first] = True
    steps = shortest_path(bonded, directed=False, unweighted=True)
    return np.where(np.isfinite(steps), steps, _APART).astype(np.int64)


def _near(atoms: AtomArray) -> Bool[np.ndarray, "atoms atoms"]:
    """Return which atoms are as close as bonded ones.

    biotite's usual lengths fail for one molecule in six of crystal structures, whose bonds deviate from these.
    """
    radii = np.array([RADII.get(element, _OTHER_RADIUS) for element in atoms.element.tolist()])
    lengths = np.linalg.norm(atoms.coord[:, None] - atoms.coord[None], axis=2)
    near: NDArray[np.bool_] = lengths <= radii[:, None] + radii[None] + _TOLERANCE
    np.fill_diagonal(near, val=False)
    return near


def _formula(atoms: AtomArray) -> str:
    """Return the formula in Hill's order: carbon first, then alphabetically."""
    count = Counter(element.title() for element in atoms.element.tolist())
    order = sorted(count, key=lambda element: (element != "C", element))
    return "".join(element + (str(count[element]) if count[element] > 1 else "") for element in order)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
