"""Counts of a protein and a ligand that need no training: contacts in shells, and the burial of the ligand."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from holo_features.readers.symbols import HYDROGENS
from holo_features.surroundings.channels import element_memberships
from holo_features.surroundings.neighbors import PROTEIN_CHANNELS
from holo_features.surroundings.numbers import Numbers
from holo_features.surroundings.pairs import pairs_within
from holo_types import HoloError

from .complex import Complex
from .contacts import LIGAND_ELEMENTS
from .ligands import Ligand

__all__ = ["SHELLS", "element_counts", "ligand_burial", "shell_contacts"]

SHELLS = (0.0, 3.5, 4.5, 6.0, 8.0, 12.0)  # Å
_METALS = "metal:other"
_BURIAL_DISTANCES = (4.0, 5.0, 6.0, 8.0, 10.0)  # Å


def shell_contacts(complex_: Complex, edges: Sequence[float] = SHELLS) -> Numbers:
    """Count the pairs of a protein atom and a ligand atom by their elements and by the shell of their distance.

    Parameters
    ----------
    complex_
        A protein and its ligand. Metals and cofactors of the protein count if they were read
        (``Selection(hetero=True)``).
    edges
        Increasing lengths in Å that bound the shells. A distance equal to an edge belongs to the shell below it, or to
        the first shell if it is the first edge.

    Returns
    -------
    Numbers
        One number for each shell and pair, such as ``"C-N 3.5-4.5 Å"``, protein first: C, N, O, S and metals of the
        protein with C, N, O, F, P, S, Cl, Br and I of the ligand.

    Raises
    ------
    HoloError
        If the edges do not increase, or there are fewer than two.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.complexes.ligands import Ligand
    >>> from holo_features.structures.structure import Structure
    >>> glycine = residue("GLY")
    >>> counted = shell_contacts(Complex("1abc", Structure("1abc", glycine), Ligand("GLY", glycine)))
    >>> dict(zip(counted.names, counted.values.tolist()))["C-O 0-3.5 Å"]
    4.0
    """
    lengths = np.asarray(edges, dtype=np.float64)
    if (
        len(lengths) < 2
        or not (np.diff(lengths) > 0).all()
        or lengths[0] < 0
        or not np.isfinite(lengths).all()
    ):
        raise HoloError(
            f"shell_contacts: edges are {tuple(edges)}; they must be rising lengths in Å, at least two"
        )
    rows, columns = (*PROTEIN_CHANNELS, _METALS), LIGAND_ELEMENTS
    protein = element_memberships(complex_.protein.atoms, rows).astype(np.int64)
    ligand = element_memberships(complex_.ligand.atoms, columns).astype(np.int64)
    points, centers, distances = _pairs(complex_, float(lengths[-1]))
    shells = np.searchsorted(lengths, distances, side="left") - 1
    shells[distances == lengths[0]] = 0
    counts = []
    for shell in range(len(lengths) - 1):
        there = shells == shell
        counts.append(protein[points[there]].T @ ligand[centers[there]])
    names = [
        f"{'metal' if row == _METALS else row}-{column} {inner:g}-{outer:g} Å"
        for inner, outer in itertools.pairwise(lengths.tolist())
        for row in rows
        for column in columns
    ]
    return Numbers(tuple(names), np.concatenate([each.ravel() for each in counts]).astype(np.float64))


def ligand_burial(complex_: Complex, distances: Sequence[float] = _BURIAL_DISTANCES) -> Numbers:
    """Return how deeply the ligand is buried: the numbers of heavy protein atoms around each of its heavy atoms.

    Parameters
    ----------
    complex_
        A protein and its ligand.
    distances
        The distances, in Å, within which atoms are counted.

    Returns
    -------
    Numbers
        For each distance the mean, minimum, maximum and standard deviation over the ligand's atoms.

    Raises
    ------
    HoloError
        If there are no distances, or one is not a finite length > 0.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.complexes.ligands import Ligand
    >>> from holo_features.structures.structure import Structure
    >>> glycine = residue("GLY")
    >>> buried = ligand_burial(Complex("1abc", Structure("1abc", glycine), Ligand("GLY", glycine)), [10.0])
    >>> dict(zip(buried.names, buried.values.tolist()))
    {'burial 10 Å mean': 5.0, 'burial 10 Å min': 5.0, 'burial 10 Å max': 5.0, 'burial 10 Å std': 0.0}
    """
    if not distances or not all(np.isfinite(each) and each > 0 for each in distances):
        raise HoloError(f"ligand_burial: distances are {tuple(distances)}; they must be finite lengths > 0 Å")
    heavy_protein, heavy_ligand = (
        ~np.isin(atoms.element, HYDROGENS) for atoms in (complex_.protein.atoms, complex_.ligand.atoms)
    )
    points, centers, lengths = _pairs(complex_, max(distances))
    kept = heavy_protein[points]
    around = [
        np.bincount(centers[kept & (lengths <= each)], minlength=len(heavy_ligand))[heavy_ligand]
        for each in distances
    ]
    names = [f"burial {each:g} Å {what}" for each in distances for what in ("mean", "min", "max", "std")]
    values = [[counts.mean(), counts.min(), counts.max(), counts.std()] for counts in around]
    return Numbers(tuple(names), np.concatenate(values).astype(np.float64))


def element_counts(ligand: Ligand) -> Numbers:
    """Count the heavy atoms of a ligand, and those of each element.

    Returns
    -------
    Numbers
        ``"heavy atoms"``, and one number for each of C, N, O, F, P, S, Cl, Br, I and ``"other"``, such as
        ``"ligand Cl"``.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> counted = element_counts(Ligand("GLY", residue("GLY")))
    >>> dict(zip(counted.names, counted.values.tolist()))["ligand O"]
    2.0
    """
    heavy = ligand.atoms[~np.isin(ligand.atoms.element, HYDROGENS)]
    elements = (*LIGAND_ELEMENTS, "other")
    counts = element_memberships(heavy, elements).sum(axis=0)
    names = ("heavy atoms", *(f"ligand {element}" for element in elements))
    return Numbers(names, np.concatenate([[len(heavy)], counts]).astype(np.float64))


def _pairs(
    complex_: Complex, cutoff: float
) -> tuple[Int[np.ndarray, "pairs"], Int[np.ndarray, "pairs"], Float[np.ndarray, "pairs"]]:
    """Return the close pairs of a protein atom and a ligand atom, and their distances."""
    protein, ligand = (
        atoms.coord.astype(np.float64) for atoms in (complex_.protein.atoms, complex_.ligand.atoms)
    )
    near = pairs_within(protein, ligand, cutoff)
    centers = np.repeat(np.arange(len(ligand)), near.counts)
    return near.points, centers, np.linalg.norm(protein[near.points] - ligand[centers], axis=1)
