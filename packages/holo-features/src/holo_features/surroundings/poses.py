"""Rotation of neighborhoods into one pose, given by the backbone of the central residue."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Float, Int

from holo_features.structures.residue import residue_numbers
from holo_features.structures.structure import Structure

from .centers import name_skipped
from .neighbors import Neighborhoods

__all__ = ["Backbones"]

_BACKBONE = (("N", "N"), ("CA", "C"), ("C", "C"))  # names and elements: a calcium ion is called CA too
_LEAST_SINE = 0.05  # between Cα→N and Cα→C; the smallest value of real backbones is 0.8


@attrs.frozen(eq=False)
class Backbones:
    """The backbones of a structure's residues, computed once for all its neighborhoods by `Backbones.of`.

    The first axis of a residue points from Cα to N, the second lies in the plane of N, Cα and C on the side of C, and
    the third is their cross product.

    Parameters
    ----------
    residues
        The position of each atom's residue in the structure, from 0.
    positions
        Positions of N, Cα and C of each residue, in Å; NaN for missing atoms.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.surroundings.neighbors import cut_neighborhoods
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> clouds = Backbones.of(structure).pose(cut_neighborhoods(structure)).clouds
    >>> np.abs(clouds.coordinates[0]).round(2).tolist()  # N of the first residue
    [1.47, 0.0, 0.0]
    """

    residues: Int[np.ndarray, "atoms"]
    positions: Float[np.ndarray, "3 residues 3"]

    @classmethod
    def of(cls, structure: Structure) -> "Backbones":
        """Find the backbones of a structure from `read_structure`."""
        residues = residue_numbers(structure.atoms)
        places = np.stack([_first(structure.atoms, residues, *named) for named in _BACKBONE])
        positions = structure.atoms.coord[places].astype(np.float64)
        positions[places < 0] = np.nan
        return cls(residues, positions)

    def axes(self, atoms: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n 3 3"]:
        """Return the axes of the residues of atoms.

        Parameters
        ----------
        atoms
            Numbers of atoms of the structure, each of which represents its residue.

        Returns
        -------
        Float[ndarray, "n 3 3"]
            Axes as rows, right-handed and orthonormal; NaN if N, Cα or C is missing or all lie on a line.
        """
        n, alpha, c = self.positions[:, self.residues[atoms]]
        with np.errstate(divide="ignore", invalid="ignore"):
            first, towards_c = _unit(n - alpha), _unit(c - alpha)
            across = towards_c - (first * towards_c).sum(axis=1, keepdims=True) * first
            axes = np.stack([first, _unit(across), np.cross(first, _unit(across))], axis=1)
        axes[~(np.linalg.norm(across, axis=1) >= _LEAST_SINE)] = np.nan
        return axes

    def pose(self, neighborhoods: Neighborhoods) -> Neighborhoods:
        """Rotate neighborhoods so that the backbone of each one's own residue lies along the coordinate axes.

        Similar neighborhoods then also have similar coordinates; `holo_vae.TrainingConfig.frame_weight` explains the
        use.

        Parameters
        ----------
        neighborhoods
            The neighborhoods of atoms of the structure.

        Returns
        -------
        Neighborhoods
            The rotated neighborhoods; residues whose backbone does not define axes are skipped.
        """
        clouds, axes = neighborhoods.clouds, self.axes(neighborhoods.atoms)
        found = np.isfinite(axes).all(axis=(1, 2))
        reasons = ["its atoms N, CA and C define no axes"] * int((~found).sum())
        skipped = name_skipped(clouds.index.take(~found), reasons)
        kept = clouds if found.all() else clouds[found]
        turns = np.repeat(axes[found], np.diff(kept.offsets), axis=0)
        turned = attrs.evolve(kept, coordinates=np.einsum("pij,pj->pi", turns, kept.coordinates))
        return Neighborhoods(turned, neighborhoods.atoms[found], neighborhoods.skipped + skipped)


def _first(
    atoms: AtomArray, residues: Int[np.ndarray, "atoms"], name: str, element: str
) -> Int[np.ndarray, "residues"]:
    """Return the first atom with a name in each residue, -1 if there is none."""
    first = np.full(residues.max(initial=-1) + 1, -1)
    named = np.flatnonzero((atoms.atom_name == name) & (atoms.element == element))[::-1]
    first[residues[named]] = named
    return first


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    unit: Float[np.ndarray, "n 3"] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
