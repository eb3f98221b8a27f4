"""Neighborhoods turned into one pose: that of the backbone of the residue in their middle."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Float, Int

from holo_features.structures.residue import residue_numbers
from holo_features.structures.structure import Structure

from .centers import name_skipped
from .neighbors import Neighborhoods

__all__ = ["Backbones"]

_BACKBONE = (("N", "N"), ("CA", "C"), ("C", "C"))  # names, and elements: a calcium ion is a CA too
_LEAST_SINE = 0.05  # between Cα→N and Cα→C; of the shapes that a backbone takes, the least is 0.8


@attrs.frozen(eq=False)
class Backbones:
    """The backbones of a structure's residues, computed once for all its neighborhoods by `Backbones.of`.

    The first axis of a residue points from Cα to N, the second lies in the plane of N, Cα and C on C's side, the
    third is their cross product.

    Parameters
    ----------
    residues
        The place of each atom's residue in the structure, from 0.
    positions
        Of N, Cα and C of each residue, in Å; NaN for one that is not there.

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
        """Find the backbones of a structure, as `read_structure` gives it."""
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
            Numbers of atoms of the structure, each of which stands for its residue.

        Returns
        -------
        Float[ndarray, "n 3 3"]
            Rows are the axes, right-handed and orthonormal; NaN where N, Cα or C is not there or all lie on a line.
        """
        n, alpha, c = self.positions[:, self.residues[atoms]]
        with np.errstate(divide="ignore", invalid="ignore"):
            first, towards_c = _unit(n - alpha), _unit(c - alpha)
            across = towards_c - (first * towards_c).sum(axis=1, keepdims=True) * first
            axes = np.stack([first, _unit(across), np.cross(first, _unit(across))], axis=1)
        axes[~(np.linalg.norm(across, axis=1) >= _LEAST_SINE)] = np.nan
        return axes

    def pose(self, neighborhoods: Neighborhoods) -> Neighborhoods:
        """Turn neighborhoods so that the backbone of each one's own residue lies along the coordinate axes.

        Two neighborhoods that are alike are then alike in their coordinates too; see
        `holo_vae.TrainingConfig.frame_weight` for what that is good for.

        Parameters
        ----------
        neighborhoods
            The neighborhoods of atoms of the structure.

        Returns
        -------
        Neighborhoods
            Residues whose backbone defines no axes are skipped.
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
    """Return the first atom of each residue that has a name, -1 where there is none."""
    first = np.full(residues.max(initial=-1) + 1, -1)
    named = np.flatnonzero((atoms.atom_name == name) & (atoms.element == element))[::-1]
    first[residues[named]] = named
    return first


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    unit: Float[np.ndarray, "n 3"] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
