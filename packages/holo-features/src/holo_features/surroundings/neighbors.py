"""Neighborhoods: the atoms around Cα of residues, around atoms, or around points."""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

from holo_features.structures.residue import residue_numbers
from holo_features.structures.secondary_structure import secondary_structure as assign_secondary_structure
from holo_features.structures.structure import Structure
from holo_types import HoloError, PointClouds

from .centers import (
    Centers,
    SkippedResidue,
    alpha_carbons,
    amino_acids,
    name_skipped,
)
from .channels import channel_weights
from .pairs import Pairs, pairs_within

__all__ = [
    "BACKBONE",
    "PROTEIN_CHANNELS",
    "Neighborhoods",
    "checked_cutoff",
    "cut_in_blocks",
    "cut_neighborhoods",
    "neighborhoods",
]

PROTEIN_CHANNELS = ("C", "N", "O", "S")
BACKBONE = ("N", "CA", "C", "O")

# Proteins hold 0.06 heavy atoms per Å³, 0.1 with hydrogens; diamond 0.18. A few atoms do not determine a density.
_DENSEST = 0.25
_MANY_ATOMS = 200


@attrs.frozen(eq=False)
class Neighborhoods:
    """Neighborhoods, and the residues that have none.

    Parameters
    ----------
    clouds
        One point cloud for each center that has a neighborhood.
    atoms
        The atom of the structure at each cloud's center; -1 if it is a point.
    skipped
        Residues without a neighborhood: first those without a center, then those without a neighbor.
    """

    clouds: PointClouds
    atoms: Int[np.ndarray, "n"]
    skipped: tuple[SkippedResidue, ...] = ()


def neighborhoods(
    structure: Structure,
    cutoff: float = 10.0,
    channels: Sequence[str] = PROTEIN_CHANNELS,
    secondary_structure: bool = False,
    *,
    centers: Centers | None = None,
    central_residue: bool = True,
    own_atoms: bool = False,
) -> PointClouds:
    """Return the atoms around each residue's Cα, or around other centers.

    A neighborhood contains the atoms of the structure at r <= cutoff from its center, except the atom at the center
    itself. Each has weight 1 in the channel of its element, or another weight, see
    `holo_features.surroundings.channels.channel_weights`; an atom whose weights are all 0, such as one whose element
    has no channel, is left out. A residue without a Cα, or with no such atom around it, has no neighborhood;
    `cut_neighborhoods` also lists these.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    cutoff
        Radius in Å.
    channels
        Chemical elements, in any case; ``"other"``, the elements without a channel; either optionally of one side, such
        as ``"ligand:C"``, see `holo_features.surroundings.channels.sides_of`; ``"sasa"``, the solvent-accessible
        surface area in Å²; ``"charge"``, the partial charge.
    secondary_structure
        Add the column ``secondary_structure`` to the index: ``"helix"``, ``"sheet"`` or ``"coil"`` (P-SEA); empty for
        residues other than amino acids.
    centers
        By default the structure's `alpha_carbons`; otherwise those of some residues, `atom_centers`, or
        `point_centers`.
    central_residue
        Whether a neighborhood contains the atoms of the center's own residue.
    own_atoms
        Add the column ``own`` to the points: 0 for atoms of other residues; for the center's own residue 1 for N, CA, C
        and O, and 2 for the side chain. See `holo_features.surroundings.views`.

    Returns
    -------
    PointClouds
        One cloud for each center, in their order; coordinates are float64 in Å relative to the center, and atoms are in
        the order of the file. The index has ``structure, model, chain, residue_number, insertion_code, residue_name``,
        and ``atom_name`` if atoms are the centers. A point keeps its row even if nothing is around it.
        around it.

    Raises
    ------
    HoloError
        If the cutoff is not a finite length > 0, a channel is unknown or named twice, or there are no channels; if
        secondary structure or leaving out the central residue is requested for points; or if more atoms lie around a
        center than matter can hold, as if several models were written as one.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> clouds = neighborhoods(read_structure(example_structures()[0]))
    >>> clouds.channels, bool(np.linalg.norm(clouds.coordinates, axis=1).max() <= 10)
    (('C', 'N', 'O', 'S'), True)
    """
    return cut_neighborhoods(
        structure,
        cutoff,
        channels,
        secondary_structure,
        centers=centers,
        central_residue=central_residue,
        own_atoms=own_atoms,
    ).clouds


def cut_neighborhoods(
    structure: Structure,
    cutoff: float = 10.0,
    channels: Sequence[str] = PROTEIN_CHANNELS,
    secondary_structure: bool = False,
    *,
    centers: Centers | None = None,
    central_residue: bool = True,
    own_atoms: bool = False,
    weights: Float[np.ndarray, "atoms channels"] | None = None,
) -> Neighborhoods:
    """Return `neighborhoods`, and list the residues that have none.

    Parameters
    ----------
    structure, cutoff, channels, secondary_structure, centers, central_residue, own_atoms
        As in `neighborhoods`.
    weights : Float[ndarray, "atoms channels"], optional
        Weights in place of those of `holo_features.surroundings.channels.channel_weights`; a center then keeps its row
        even if nothing is around it.

    Returns
    -------
    Neighborhoods

    Raises
    ------
    HoloError
        As in `neighborhoods`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> found = cut_neighborhoods(read_structure(example_structures()[0]), channels=("S",), cutoff=6.0)
    >>> len(found.clouds), len(found.skipped), found.skipped[0].reason
    (9, 144, 'no atom of S is within 6 Å of its CA')
    """
    (found,) = cut_in_blocks(
        structure,
        cutoff,
        channels,
        secondary_structure,
        centers=centers,
        central_residue=central_residue,
        own_atoms=own_atoms,
        weights=weights,
    )
    return found


def cut_in_blocks(
    structure: Structure,
    cutoff: float = 10.0,
    channels: Sequence[str] = PROTEIN_CHANNELS,
    secondary_structure: bool = False,
    *,
    centers: Centers | None = None,
    central_residue: bool = True,
    own_atoms: bool = False,
    weights: Float[np.ndarray, "atoms channels"] | None = None,
    block: int | None = None,
) -> Iterator[Neighborhoods]:
    """Yield `cut_neighborhoods` for one block of centers at a time; those of a virus would fill gigabytes.

    Properties of the whole structure, such as surface areas, are computed once.

    Parameters
    ----------
    structure, cutoff, channels, secondary_structure, centers, central_residue, own_atoms, weights
        As in `cut_neighborhoods`.
    block
        Number of centers at a time; None for all.

    Yields
    ------
    Neighborhoods
        At least one; the first one also lists the residues without a center.

    Raises
    ------
    HoloError
        As in `neighborhoods`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> blocks = cut_in_blocks(read_structure(example_structures()[0]), block=100)
    >>> [len(found.clouds) for found in blocks]
    [100, 53]
    """
    radius = checked_cutoff(cutoff)
    about = alpha_carbons(structure) if centers is None else centers
    if (about.atoms < 0).any() and (secondary_structure or own_atoms or not central_residue):
        asked = "central_residue=False" if not central_residue else "secondary_structure"
        asked = "own_atoms" if own_atoms else asked
        raise HoloError(f"neighborhoods: {asked} needs centers in residues; these are points")
    if secondary_structure:
        named = about.index.assign(secondary_structure=_secondary_structure(structure, about.atoms))
        about = attrs.evolve(about, index=named)
    keep_all = weights is not None
    if weights is None:
        weights = channel_weights(structure.atoms, channels)
    weighted = np.flatnonzero(weights.any(axis=1))
    around = _Surroundings(
        radius,
        tuple(channels),
        weighted,
        structure.atoms.coord[weighted].astype(np.float64),
        weights[weighted],
        keep_all,
        None if central_residue else residue_numbers(structure.atoms),
        _parts(structure) if own_atoms else None,
    )
    size = len(about) if block is None else block
    for start in range(0, max(1, len(about)), max(1, size)):
        part = about[start : start + size]
        yield around.of(part if start == 0 else attrs.evolve(part, skipped=()))


@attrs.frozen(eq=False)
class _Surroundings:
    """The atoms that count, and their properties in a neighborhood.

    ``atoms`` are their numbers in the structure; with ``keep_all``, centers with nothing around them also have a cloud;
    ``residues``, for all atoms of the structure, is set if the central residue is to be left out, and ``parts`` if its
    atoms are to be marked.
    """

    radius: float
    channels: tuple[str, ...]
    atoms: Int[np.ndarray, "atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    weights: Float[np.ndarray, "atoms channels"]
    keep_all: bool
    residues: Int[np.ndarray, "all"] | None
    parts: tuple[Int[np.ndarray, "all"], Int[np.ndarray, "all"]] | None = None

    def of(self, about: Centers) -> Neighborhoods:
        """Return the neighborhoods of centers."""
        residues = self.residues
        found = pairs_within(
            self.positions,
            about.positions,
            self.radius,
            origins=_places(self.atoms, about.atoms),
            point_groups=None if residues is None else residues[self.atoms],
            center_groups=None if residues is None else residues[about.atoms],
        )
        self._check_density(about, found.counts)
        coordinates = self.positions.take(found.points, axis=0)
        coordinates -= np.repeat(about.positions, found.counts, axis=0)
        # A point keeps its row even if nothing is around it.
        kept = (found.counts > 0) | (about.atoms < 0) | self.keep_all
        clouds = PointClouds(
            coordinates,
            self.weights.take(found.points, axis=0),
            np.concatenate([[0], np.cumsum(found.counts[kept])]),
            self.channels,
            about.index if kept.all() else about.index.take(kept),
            centers=about.positions[kept],
            point_columns={} if self.parts is None else {"own": self._own(about, found)},
        )
        return Neighborhoods(clouds, about.atoms[kept], about.skipped + self._lonely(about[~kept]))

    def _own(self, about: Centers, found: Pairs) -> Int[np.ndarray, "pairs"]:
        """Return for each neighbor whether it belongs to the center's own residue, and to which part."""
        assert self.parts is not None
        residues, parts = self.parts
        atoms = self.atoms[found.points]
        own = residues[atoms] == np.repeat(residues[about.atoms], found.counts)
        return np.where(own, parts[atoms], 0)

    def _check_density(self, about: Centers, counts: Int[np.ndarray, "centers"]) -> None:
        """Refuse superimposed atoms: one such file among a thousand spoils a training."""
        most = max(_DENSEST * 4 / 3 * np.pi * self.radius**3, _MANY_ATOMS)
        if len(counts) and counts.max() > most:
            where = about.index.take(np.array([counts.argmax()]))
            named = " ".join(str(column[0]) for column in where.values() if str(column[0]))
            raise HoloError(
                f"{counts.max()} atoms lie within {self.radius:g} Å of {named}; matter holds {most:.0f} at most: do "
                "several models lie on one another?"
            )

    def _lonely(self, about: Centers) -> tuple[SkippedResidue, ...]:
        """List the residues of centers around which there is nothing."""
        if len(about) == 0:
            return ()
        what = f"no atom of {', '.join(self.channels)} " + (
            "" if self.residues is None else "of another residue "
        )
        names = about.index["atom_name"].tolist() if "atom_name" in about.index else ["CA"] * len(about)
        return name_skipped(
            about.index, [f"{what}is within {self.radius:g} Å of its {name}" for name in names]
        )


def checked_cutoff(cutoff: float, what: str = "neighborhoods: cutoff") -> float:
    """Refuse a length that is not finite or not > 0."""
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise HoloError(f"{what} is {cutoff}; it must be a finite length > 0 Å")
    return float(cutoff)


def _parts(structure: Structure) -> tuple[Int[np.ndarray, "all"], Int[np.ndarray, "all"]]:
    """Return the residue of each atom, and 1 for atoms of the backbone, 2 for others."""
    backbone = np.isin(structure.atoms.atom_name, BACKBONE)
    return residue_numbers(structure.atoms), np.where(backbone, 1, 2)


def _places(
    numbers: Int[np.ndarray, "points"], wanted: Int[np.ndarray, "centers"]
) -> Int[np.ndarray, "centers"]:
    """Return the position of each wanted number among ascending numbers, -1 if it does not occur."""
    places = np.searchsorted(numbers, wanted)
    there = places < len(numbers)
    there[there] = numbers[places[there]] == wanted[there]
    return np.where(there, places, -1)


def _secondary_structure(structure: Structure, atoms: Int[np.ndarray, "n"]) -> Shaped[np.ndarray, "n"]:
    """Return the secondary structure of the residues of atoms, which is computed for whole chains."""
    alpha = alpha_carbons(structure)
    residues = residue_numbers(structure.atoms)
    names: NDArray[Any] = np.full(residues.max(initial=-1) + 1, "", dtype="U5")
    names[residues[amino_acids(structure.atoms)]] = "coil"
    names[residues[alpha.atoms]] = assign_secondary_structure(alpha.positions, alpha.index["chain"])
    found: NDArray[Any] = names[residues[atoms]]
    return found
