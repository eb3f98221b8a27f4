"""Residues of a folder of chains, whole within a cutoff, each in the pose of its backbone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from holo_features import Selection, read_structure, single_residues
from holo_features.surroundings.poses import Backbones
from holo_types import HoloError, PointClouds, concatenate
from holo_types.console import progress
from holo_vae import StructureData
from holo_vae.data.structure_sets import TableRow, read_table

__all__ = ["balanced", "read_residues", "split_chains"]

_CLUSTER = "cluster30"


def split_chains(directory: Path, seed: int) -> dict[str, list[Path]]:
    """Return the files of each split, one chain of each cluster."""
    table = read_table(StructureData(kind="structures", columns=(_CLUSTER,)), directory)
    rng = np.random.default_rng(seed)
    chosen: dict[str, list[Path]] = {}
    for split, chains in table.items():
        of_cluster: dict[str, list[TableRow]] = {}
        for chain in chains:
            of_cluster.setdefault(chain.columns[_CLUSTER], []).append(chain)
        chosen[split] = [some[rng.integers(len(some))].path for some in of_cluster.values()]
    return chosen


def read_residues(
    paths: Sequence[Path], cutoff: float, channels: Sequence[str], types: Sequence[str]
) -> PointClouds:
    """Return the residues of some types as point clouds in the pose of their backbone.

    Kept are those with as many atoms as most of their type have: all but those that reach beyond the cutoff, and
    those at the end of a chain, which have an oxygen more.
    """
    found: list[PointClouds] = []
    with progress(len(paths), "reading chains") as advance:
        for path in paths:
            structure = read_structure(path, Selection())
            clouds = Backbones.of(structure).pose(single_residues(structure, cutoff, channels)).clouds
            found.append(clouds[np.isin(clouds.index["label"], types)])
            advance(1)
    clouds = concatenate([some for some in found if len(some)])
    counts, labels = np.diff(clouds.offsets), clouds.index["label"]
    kept = np.zeros(len(clouds), dtype=bool)
    for name in types:
        of_type = labels == name
        if not of_type.any():
            raise HoloError(f"the chains have no {name}; there must be residues of each type")
        kept |= of_type & (counts == np.bincount(counts[of_type]).argmax())
    return clouds[kept]


def balanced(clouds: PointClouds, types: Sequence[str], each: int, seed: int) -> PointClouds:
    """Draw as many residues of each type, or all that there are."""
    order = np.random.default_rng(seed).permutation(len(clouds))
    labels = clouds.index["label"][order]
    return clouds[np.concatenate([order[labels == name][:each] for name in types])]
