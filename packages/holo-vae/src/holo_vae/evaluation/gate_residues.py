"""Residues to measure models of any basis on, from a folder with structures.csv or from a file of point clouds."""

from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

import holo_types
from holo_nn.testing import random_rotations
from holo_types import Basis, HoloError, Index, PointClouds

from .measured import BEYOND, turned_and_rounded
from .measured_residues import Read, draw_residues
from .structure_table import StructureRow, StructureTable, read_structure_table

__all__ = ["SPLIT", "GateResidues", "read_gate_residues", "residue_names"]

SPLIT = "valid"  # the split that is measured; `test` is for the single measurement after all choices
_RESIDUES = 2000  # minimum number of residues from a folder
_RESIDUE = ("structure", "model", "chain", "residue_number", "insertion_code")  # identify a residue


@attrs.frozen(eq=False)
class GateResidues:
    """The residues that models are measured on.

    Parameters
    ----------
    path
        The folder or file that they were read from.
    training, clouds
        Surroundings of the residues that set the scale of distances, and of those that are measured.
    turned
        Returns the surroundings of `clouds` in other poses, with coordinates rounded to three decimals.
    table
        The table of a folder's structures; None for a file of clouds, which has neither crystals nor relatives.
    left_out
        What could not be used, with the reasons.
    """

    path: Path
    training: PointClouds
    clouds: PointClouds
    turned: Callable[[], PointClouds]
    table: StructureTable | None
    left_out: tuple[str, ...]


def read_gate_residues(path: Path, basis: Basis, seed: int = 0) -> GateResidues:
    """Read residues for models of a basis.

    Parameters
    ----------
    path
        A folder with ``structures.csv``, see `read_structure_table`: residues of ``valid`` are measured, those of
        ``train`` set the scale of distances. Or a file of `PointClouds`, cut 2.5 Å wider than the cutoff of the basis:
        every other cluster is measured, by the index column ``cluster`` or else ``structure``.
    basis
        Determines the cutoff and the channels of the surroundings.
    seed
        The seed of the draw.

    Raises
    ------
    HoloError
        If nothing at the path can be used, or the basis is one of images.
    """
    if basis.radial is None:
        raise HoloError(f"{path}: holds residues' surroundings; the model is one of sphere images")
    if path.is_dir():
        return _of_folder(path, basis.radial.cutoff + BEYOND, basis.channels, seed)
    clouds = holo_types.load(path, kind=PointClouds)
    if clouds.channels != basis.channels:
        raise HoloError(
            f"{path}: has the channels {', '.join(clouds.channels)}; the model takes {', '.join(basis.channels)}"
        )
    return _of_clouds(path, clouds, seed)


def _of_folder(folder: Path, cutoff: float, channels: tuple[str, ...], seed: int) -> GateResidues:
    table = read_structure_table(folder)
    left_out = [f"{name}: structures.csv has no such column" for name in table.missing]

    def skip(row: StructureRow, error: HoloError) -> None:
        left_out.append(f"{row.path.relative_to(folder)}: {str(error).replace(f'{folder}/', '')}")

    def drawn(split: str) -> tuple[list[Read], PointClouds]:
        rows = [row for row in table.of(split) if row.ligand is None]
        return draw_residues(rows, _RESIDUES, cutoff, channels, seed=seed, on_error=skip)

    training = drawn("train")[1]
    reads, clouds = drawn(SPLIT)
    return GateResidues(
        folder,
        training,
        clouds,
        lambda: turned_and_rounded(reads, cutoff, channels, seed),
        table,
        tuple(left_out),
    )


def _of_clouds(path: Path, clouds: PointClouds, seed: int) -> GateResidues:
    column = next((name for name in ("cluster", "structure") if name in clouds.index), None)
    if column is None:
        raise HoloError(
            f"{path}: its index has neither cluster nor structure; one is needed to group residues"
        )
    groups = clouds.index[column].astype(np.str_)
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise HoloError(
            f"{path}: has one {column}; half of two or more are measured, the others scale distances"
        )
    index = {**clouds.index, "cluster": groups}
    if "residue_type" not in index and "residue_name" in index:
        index["residue_type"] = index["residue_name"]
    labeled = attrs.evolve(clouds, index=Index(index))
    scales: NDArray[np.bool_] = members % 2 == 0
    training, measured = labeled[scales], labeled[~scales]
    return GateResidues(path, training, measured, lambda: _turned(measured, seed), None, ())


def _turned(clouds: PointClouds, seed: int) -> PointClouds:
    """Rotate every cloud, and round coordinates to three decimals: those in the file where `centers` are known."""
    sizes = np.diff(clouds.offsets)
    rotations = random_rotations(len(clouds), seed=seed).numpy()
    centers = np.zeros((len(clouds), 3)) if clouds.centers is None else clouds.centers.astype(np.float64)
    origins = np.einsum("nij,nj->ni", rotations, centers)
    points = np.einsum(
        "pij,pj->pi", np.repeat(rotations, sizes, axis=0), clouds.coordinates.astype(np.float64)
    )
    places = np.round(points + np.repeat(origins, sizes, axis=0), 3)
    moved = places - np.repeat(np.round(origins, 3), sizes, axis=0)
    return attrs.evolve(clouds, coordinates=moved, centers=None)


def residue_names(clouds: PointClouds) -> Shaped[np.ndarray, "n"]:
    """Return a key for each residue to pair two bases by; the row number if the index has no such columns."""
    columns = [clouds.index[name].astype(np.str_) for name in _RESIDUE if name in clouds.index]
    if "residue_number" not in clouds.index:
        columns = [np.arange(len(clouds)).astype(np.str_)]
    names: NDArray[np.str_] = np.array(["\n".join(row) for row in zip(*columns, strict=True)])
    return names
