"""Neighbourhoods: the atoms around each residue's Cα."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from biotite.structure import AtomArray, get_residue_starts
from jaxtyping import Int, Shaped
from numpy.typing import NDArray
from scipy.spatial import KDTree

from holo_types import HoloError, Index, PointClouds

from .secondary_structure import secondary_structure as assign_secondary_structure
from .structures import Structure

__all__ = ["SkippedResidue", "neighborhoods", "skipped_residues"]

PROTEIN_CHANNELS = ("C", "N", "O", "S")


@attrs.frozen
class SkippedResidue:
    """A residue that has no neighbourhood, and why.

    Parameters
    ----------
    structure, model, chain, residue_number, insertion_code, residue_name
        Which residue, as in the index.
    reason
        Why, in words.
    """

    structure: str
    model: int
    chain: str
    residue_number: int
    insertion_code: str
    residue_name: str
    reason: str


def neighborhoods(
    structure: Structure,
    cutoff: float = 10.0,
    channels: Sequence[str] = PROTEIN_CHANNELS,
    secondary_structure: bool = False,
) -> PointClouds:
    """Cut out the atoms around each residue's Cα.

    A neighbourhood holds the heavy atoms of all residues at r <= cutoff from the Cα, itself left out. Each has
    weight 1 in the channel of its element; elements that are no channel do not contribute. A residue without
    a Cα, or with no atom of a channel around it, has no neighbourhood: `skipped_residues` names those.

    Parameters
    ----------
    structure
        As `read_structure` gives it.
    cutoff
        Radius in Å.
    channels
        Chemical elements.
    secondary_structure
        Add the column ``secondary_structure`` to the index: ``"helix"``, ``"sheet"`` or ``"coil"`` (P-SEA).

    Returns
    -------
    PointClouds
        One cloud a residue, in the order of the file, coordinates float64 in Å relative to the Cα; the index
        has ``structure, model, chain, residue_number, insertion_code, residue_name``.

    Raises
    ------
    HoloError
        If the cutoff is not a finite length > 0, or a channel is named twice or not at all.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures import read_structure
    >>> clouds = neighborhoods(read_structure(example_structures()[0]))
    >>> clouds.channels, bool(np.linalg.norm(clouds.coordinates, axis=1).max() <= 10)
    (('C', 'N', 'O', 'S'), True)
    """
    residues = _Residues.of(structure.atoms)
    clouds = _clouds(structure.atoms, residues.alpha, _checked(cutoff), tuple(channels))
    index = residues.index(structure)
    if secondary_structure:
        has_alpha = residues.alpha >= 0
        names = np.full(len(has_alpha), "coil", dtype="U5")
        names[has_alpha] = assign_secondary_structure(
            structure.atoms.coord[residues.alpha[has_alpha]], residues.column("chain_id")[has_alpha]
        )
        index = index.assign(secondary_structure=names)
    kept = np.flatnonzero(np.diff(clouds.offsets) > 0)
    return attrs.evolve(clouds, index=index)[kept]


def skipped_residues(
    structure: Structure, cutoff: float = 10.0, channels: Sequence[str] = PROTEIN_CHANNELS
) -> tuple[SkippedResidue, ...]:
    """Name the residues that `neighborhoods` skips.

    Parameters
    ----------
    structure, cutoff, channels
        As for `neighborhoods`.

    Returns
    -------
    tuple of SkippedResidue
        In the order of the file.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures import read_structure
    >>> skipped_residues(read_structure(example_structures()[0]))
    ()
    """
    residues = _Residues.of(structure.atoms)
    clouds = _clouds(structure.atoms, residues.alpha, _checked(cutoff), tuple(channels))
    index = residues.index(structure)
    without = f"no atom of {', '.join(channels)} is within {cutoff:g} Å of its CA"
    return tuple(
        SkippedResidue(
            structure.name,
            structure.model,
            index["chain"][i].item(),
            index["residue_number"][i].item(),
            index["insertion_code"][i].item(),
            index["residue_name"][i].item(),
            "it has no atom CA" if residues.alpha[i] < 0 else without,
        )
        for i in np.flatnonzero(np.diff(clouds.offsets) == 0)
    )


@attrs.frozen(eq=False)
class _Residues:
    """Each residue's first atom and its Cα, -1 if it has none."""

    atoms: AtomArray
    first: Int[np.ndarray, "residues"]
    alpha: Int[np.ndarray, "residues"]

    @classmethod
    def of(cls, atoms: AtomArray) -> "_Residues":
        first = get_residue_starts(atoms)
        alpha = np.full(len(first), -1)
        # Backwards, so that the first of several stays.
        candidates = np.flatnonzero((atoms.atom_name == "CA") & (atoms.element == "C"))[::-1]
        alpha[np.searchsorted(first, candidates, side="right") - 1] = candidates
        return cls(atoms, first, alpha)

    def column(self, name: str) -> Shaped[np.ndarray, "residues"]:
        values: NDArray[Any] = self.atoms.get_annotation(name)[self.first]
        return values

    def index(self, structure: Structure) -> Index:
        count = len(self.first)
        return Index(
            {
                "structure": np.full(count, structure.name),
                "model": np.full(count, structure.model),
                "chain": self.column("chain_id"),
                "residue_number": self.column("res_id"),
                "insertion_code": self.column("ins_code"),
                "residue_name": self.column("res_name"),
            }
        )


def _checked(cutoff: float) -> float:
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise HoloError(f"neighborhoods: cutoff is {cutoff}; it must be a finite length > 0 Å")
    return float(cutoff)


def _clouds(
    atoms: AtomArray, alpha: NDArray[np.int64], cutoff: float, channels: tuple[str, ...]
) -> PointClouds:
    """Give every residue's cloud; it is empty where the residue has no Cα."""
    one_hot = (atoms.element[:, None] == np.array(channels)).astype(np.float32)
    positions = atoms.coord.astype(np.float64)
    candidates = np.flatnonzero(one_hot.any(axis=1))
    owners: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    members = owners
    centred = np.flatnonzero(alpha >= 0)
    if len(candidates) and len(centred):
        # The tree's radius is a little too large, so that the exact test below alone decides.
        found = KDTree(positions[candidates]).query_ball_point(
            positions[alpha[centred]], cutoff * (1 + 1e-9), return_sorted=True
        )
        owners = np.repeat(centred, [len(near) for near in found])
        members = candidates[np.concatenate([np.asarray(near, dtype=np.int64) for near in found])]
    offsets_from_alpha = positions[members] - positions[alpha[owners]]
    # The very expression by which `zernike_transform` decides what is within the cutoff.
    scaled = offsets_from_alpha / cutoff
    inside = np.einsum("px,px->p", scaled, scaled) <= 1
    inside &= members != alpha[owners]
    counts = np.bincount(owners[inside], minlength=len(alpha))
    return PointClouds(
        offsets_from_alpha[inside],
        one_hot[members[inside]],
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        channels,
    )
