"""Residues of structures as point clouds, with their labels (extra ``structures``)."""

from collections.abc import Callable, Iterable, Sequence

import attrs
import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

import holo_features
from holo_features import STANDARD_AMINO_ACIDS, Centers, Structure
from holo_types import HoloError, Index, PointClouds, concatenate

from .structure_table import StructureRow

__all__ = ["Read", "draw_residues", "labeled_clouds", "read_row"]

_POCKET = 6.0  # Å between an atom of the ligand and one of the residue


@attrs.frozen(eq=False)
class Read:
    """A structure that has been read.

    Parameters
    ----------
    row
        The line of the table that names it.
    structure
        Its atoms, without ligands.
    centers
        The Cα of its residues.
    pocket : Bool[ndarray, "n"]
        Which residues are near the ligand; all if there is no ligand.
    """

    row: StructureRow
    structure: "Structure"
    centers: "Centers"
    pocket: Bool[np.ndarray, "n"]

    def clouds(self, cutoff: float, channels: tuple[str, ...], *, labeled: bool = False) -> PointClouds:
        """Cut out the surroundings of all residues; if labeled, also mark the residue's own atoms."""
        return holo_features.neighborhoods(
            self.structure,
            cutoff,
            channels,
            secondary_structure=labeled,
            centers=self.centers,
            own_atoms=labeled,
        )

    def moved(self, places: Float[np.ndarray, "atoms 3"]) -> "Read":
        """Return the structure with its atoms at other positions, in the precision of a structure."""
        atoms = self.structure.atoms.copy()
        atoms.coord = places.astype(np.float32)
        positions = atoms.coord[self.centers.atoms].astype(np.float64)
        return attrs.evolve(
            self,
            structure=attrs.evolve(self.structure, atoms=atoms),
            centers=attrs.evolve(self.centers, positions=positions),
        )


def read_row(row: StructureRow, channels: tuple[str, ...]) -> Read:
    """Read a structure that the table names; ligands are read only if a channel holds their elements.

    Raises
    ------
    HoloError
        If the structure or the ligand cannot be read, or no residue has surroundings.
    """
    selection = holo_features.Selection(chains=row.chains or None, hetero="other" in channels)
    structure = holo_features.read_structure(row.path, selection)
    # Keep the residues that have any atom of a channel around them, so that every later cut has the same rows.
    found = holo_features.cut_neighborhoods(structure, 6.0, channels)
    alpha = holo_features.alpha_carbons(structure)
    centers = alpha[np.isin(alpha.atoms, found.atoms)]
    if not len(centers):
        raise HoloError(f"{row.path}: has no residue with a CA and atoms around it")
    pocket: NDArray[np.bool_] = np.ones(len(centers), dtype=bool)
    if row.ligand is not None:
        ligand = holo_features.read_ligand(row.ligand)
        complex_ = holo_features.Complex(structure.name, structure, ligand)
        pocket = holo_features.pocket(complex_, _POCKET)[centers.atoms]
    return Read(row, structure, centers, pocket)


def labeled_clouds(read: Read, cutoff: float, channels: tuple[str, ...]) -> PointClouds:
    """Cut out all surroundings of a structure, with the labels of each residue.

    Besides the residue's name, the index holds ``cluster`` and any other clusterings; ``residue_type``, one of the
    twenty or empty; ``burial``, from the relative accessible area; and ``secondary_structure``.
    """
    clouds = read.clouds(cutoff, channels, labeled=True)
    names = clouds.index["residue_name"]
    alpha = holo_features.alpha_carbons(read.structure)
    burial = holo_features.burial(read.structure)[np.isin(alpha.atoms, read.centers.atoms)]
    index = {
        **clouds.index,
        **{name: np.full(len(clouds), value) for name, value in read.row.clusterings},
        "cluster": np.full(len(clouds), read.row.cluster),
        "residue_type": np.where(np.isin(names, STANDARD_AMINO_ACIDS), names, ""),
        "burial": burial,
    }
    return attrs.evolve(clouds, index=Index(index))


def draw_residues(
    rows: Sequence[StructureRow],
    count: int,
    cutoff: float,
    channels: tuple[str, ...],
    *,
    seed: int,
    on_error: Callable[[StructureRow, HoloError], None],
) -> tuple[list[Read], PointClouds]:
    """Draw structures, one from each cluster in turn, until there are enough residues.

    Parameters
    ----------
    rows
        The structures to draw from.
    count
        The minimum number of residues, if there are that many.
    cutoff, channels, seed
        The cutoff and the channels of the surroundings, and the seed of the draw.
    on_error
        Called for each structure that cannot be used.

    Returns
    -------
    tuple
        The structures, and the surroundings of all their residues.

    Raises
    ------
    HoloError
        If none can be used.
    """
    reads: list[Read] = []
    parts: list[PointClouds] = []
    total = 0
    for row in _in_turns(rows, seed):
        if total >= count:
            break
        try:
            read = read_row(row, channels)
            parts.append(labeled_clouds(read, cutoff, channels))
        except HoloError as error:
            on_error(row, error)
            continue
        reads.append(read)
        total += len(parts[-1])
    if not parts:
        raise HoloError(f"none of {len(rows)} structures can be used")
    return reads, concatenate(parts)


def _in_turns(rows: Sequence[StructureRow], seed: int) -> Iterable[StructureRow]:
    """Return one structure of each cluster, then a second one of each, and so on, all in random order."""
    generator = np.random.default_rng(seed)
    members: dict[str, list[StructureRow]] = {}
    for place in generator.permutation(len(rows)).tolist():
        members.setdefault(rows[place].cluster, []).append(rows[place])
    for turn in range(max(map(len, members.values()), default=0)):
        yield from (group[turn] for group in members.values() if turn < len(group))
