"""Neighbourhoods turned into one pose: that of the backbone of the residue in their middle."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int

from .centers import name_skipped, residue_numbers
from .neighbors import Neighborhoods
from .structures import Structure

__all__ = ["backbone_axes", "in_backbone_pose"]

_BACKBONE = (("N", "N"), ("CA", "C"), ("C", "C"))  # names, and elements: a calcium ion is a CA too
_LEAST_SINE = 0.05  # between Cα→N and Cα→C; of the shapes that a backbone takes, the least is 0.8


def backbone_axes(
    structure: Structure, atoms: Int[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "n 3 3"], Bool[np.ndarray, " n"]]:
    """Give the axes that the backbones of residues define.

    The first points from Cα to N, the second lies in the plane of N, Cα and C on C's side, the third is their
    cross product.

    Parameters
    ----------
    structure
        As `read_structure` gives it.
    atoms
        Numbers of atoms of the structure, each of which stands for its residue.

    Returns
    -------
    axes : Float[ndarray, "n 3 3"]
        Rows are the axes, right-handed and orthonormal; zero where there are none.
    found : Bool[ndarray, "n"]
        Whether the residue has N, Cα and C, and they lie on no line.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures import read_structure
    >>> axes, found = backbone_axes(read_structure(example_structures()[0]), np.array([0, 10]))
    >>> found, np.linalg.det(axes).round(9)
    (array([ True,  True]), array([1., 1.]))
    """
    residues = residue_numbers(structure.atoms)
    places = np.stack([_first(structure.atoms, residues, *named) for named in _BACKBONE])[:, residues[atoms]]
    found = (places >= 0).all(axis=0)
    n, alpha, c = structure.atoms.coord[places].astype(np.float64)
    axes = np.zeros((len(atoms), 3, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        first, towards_c = _unit(n - alpha), _unit(c - alpha)
        across = towards_c - (first * towards_c).sum(axis=1, keepdims=True) * first
        second = _unit(across)
    found &= np.linalg.norm(across, axis=1) >= _LEAST_SINE
    axes[found] = np.stack([first, second, np.cross(first, second)], axis=1)[found]
    return axes, found


def in_backbone_pose(neighborhoods: Neighborhoods, structure: Structure) -> Neighborhoods:
    """Turn neighbourhoods so that the backbone of each one's own residue lies along the coordinate axes.

    Two neighbourhoods that are alike are then alike in their coordinates too; see
    `holo_vae.TrainingConfig.frame_weight` for what that is good for.

    Parameters
    ----------
    neighborhoods
        Of atoms of the structure.
    structure
        As `read_structure` gives it.

    Returns
    -------
    Neighborhoods
        Residues whose backbone defines no axes, see `backbone_axes`, are skipped.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.neighbors import cut_neighborhoods
    >>> from holo_features.structures import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> clouds = in_backbone_pose(cut_neighborhoods(structure), structure).clouds
    >>> np.abs(clouds.coordinates[0]).round(2).tolist()  # N of the first residue
    [1.47, 0.0, 0.0]
    """
    clouds = neighborhoods.clouds
    axes, found = backbone_axes(structure, neighborhoods.atoms)
    turns = np.repeat(axes, np.diff(clouds.offsets), axis=0)
    turned = attrs.evolve(clouds, coordinates=np.einsum("pij,pj->pi", turns, clouds.coordinates))
    if found.all():
        return attrs.evolve(neighborhoods, clouds=turned)
    without = clouds.index.take(~found)
    reasons = ["its atoms N, CA and C define no axes"] * int((~found).sum())
    return Neighborhoods(
        turned[found], neighborhoods.atoms[found], neighborhoods.skipped + name_skipped(without, reasons)
    )


def _first(
    atoms: AtomArray, residues: Int[np.ndarray, "atoms"], name: str, element: str
) -> Int[np.ndarray, "residues"]:
    """Give the first atom of each residue that has a name, -1 where there is none."""
    first = np.full(residues.max(initial=-1) + 1, -1)
    named = np.flatnonzero((atoms.atom_name == name) & (atoms.element == element))[::-1]
    first[residues[named]] = named
    return first


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    unit: Float[np.ndarray, "n 3"] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
