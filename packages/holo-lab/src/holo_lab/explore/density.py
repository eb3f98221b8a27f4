"""The true and reconstructed densities around a few residues, as small maps in the frames of the residues."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Int, UInt8

from holo_downstream.search.residues import site_rows
from holo_features import (
    ResidueId,
    alpha_carbons,
    inverse_zernike_transform,
    neighborhoods,
    read_structure,
    select_residues,
    zernike_transform,
)
from holo_types import Embeddings, HoloError, Holograms, concatenate
from holo_vae import Model

from .residues import path_of_structures

__all__ = ["MOST_DENSITIES", "Densities", "densities_of", "named_rows"]

MOST_DENSITIES = 200
_POINTS = 23  # along each axis
_RADIUS = 8.0  # Å; beyond, neither a hologram nor an eye tells atoms apart
_STEPS = 255
_LEAST_SHARE = 0.4  # of the densest channel, that is full scale in any


@attrs.frozen(eq=False)
class Densities:
    """Densities on grids of 23 points along each axis.

    Parameters
    ----------
    rows : Int[ndarray, "k"]
        The rows of the residues.
    values : UInt8[ndarray, "k 2 channels x y z"]
        The true and the reconstructed density in the frame of the residue, where 255 is the maximum of the true density
        of the channel, or 0.4 of the maximum of the densest channel if that is more.
    channels
        The names of the channels.
    radius
        Half the side of the grid, which reaches from -radius to radius, in Å.
    """

    rows: Int[np.ndarray, "k"]
    values: UInt8[np.ndarray, "k 2 channels x y z"]
    channels: tuple[str, ...]
    radius: float


def named_rows(embeddings: Embeddings, names: Sequence[str]) -> Int[np.ndarray, "k"]:
    """Return the rows of residues that are named as ``"1abc A:57,102"``.

    Raises
    ------
    HoloError
        If a residue does not exist, or there are more than 200.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> index = {"structure": ["1abc"] * 2, "chain": ["A", "A"], "residue_number": [57, 102],
    ...          "insertion_code": ["", ""], "residue_name": ["HIS", "ASP"]}
    >>> rows = Embeddings(np.ones((2, 2)), np.zeros((2, 3, 3)), ModelReference("demo", "1", "", ""), index)
    >>> named_rows(rows, ["1abc A:102", "A:57"]).tolist()
    [1, 0]
    """
    found: dict[int, None] = {}
    for text in names:
        structure, _, residues = text.rpartition(" ")
        for row in site_rows(embeddings.index, residues, structure=structure or None).tolist():
            found[row] = None
    if len(found) > MOST_DENSITIES:
        raise HoloError(
            f"densities of {len(found)} residues are asked for; they must be at most {MOST_DENSITIES}"
        )
    return np.array(list(found), dtype=np.int64)


def densities_of(
    embeddings: Embeddings, rows: Int[np.ndarray, "k"], paths: Sequence[Path], model: Model
) -> Densities:
    """Evaluate the density around residues and its reconstruction from their embeddings.

    Parameters
    ----------
    embeddings
        The embeddings made by the model.
    rows : Int[ndarray, "k"]
        The rows of the residues.
    paths
        The files of their structures.
    model
        The model that made the embeddings.

    Raises
    ------
    HoloError
        If the embeddings were made by another model, or the model takes images.
    """
    made_by, basis = embeddings.model, model.config.basis
    if model.digest != made_by.digest:
        raise HoloError(
            f"the embeddings were made by {made_by.name} {made_by.version} ({made_by.digest[:12]}); --model is "
            f"{model.name} {model.version} ({model.digest[:12]})"
        )
    if basis.radial is None:
        raise HoloError(
            f"model {model.name!r} takes images on a sphere; it must take surroundings of residues"
        )
    radius = min(_RADIUS, basis.radial.cutoff)
    side = np.linspace(-radius, radius, _POINTS)
    grid = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    shape = (len(rows), 2, len(basis.channels), _POINTS, _POINTS, _POINTS)
    values = np.zeros(shape, np.uint8)
    true = _holograms(embeddings, rows, path_files=path_of_structures(paths), model=model)
    again = model.decode(embeddings[rows], model.categories(true.index))
    for place, row in enumerate(rows.tolist()):
        # Grid points along the axes of the frame, in the coordinates of the file.
        points = grid @ embeddings.frames[row].astype(np.float64)
        one = np.array([place])
        pair = np.stack([inverse_zernike_transform(each[one], points)[0] for each in (true, again)])
        most = pair[0].max(axis=1, keepdims=True)
        # Otherwise the ripples of an element that is absent would look as large as the atoms of another element.
        most = np.maximum(most, max(_LEAST_SHARE * float(most.max()), 1e-12))
        values[place] = np.round(np.clip(pair / most, 0, 1) * _STEPS).astype(np.uint8).reshape(shape[1:])
    return Densities(rows, values, basis.channels, radius)


def _holograms(
    embeddings: Embeddings, rows: Int[np.ndarray, "k"], path_files: dict[str, Path], model: Model
) -> Holograms:
    """Encode the surroundings of rows, in the order of the rows."""
    basis = model.config.basis
    assert basis.radial is not None
    columns = [
        embeddings.index[name][rows] for name in ("structure", "chain", "residue_number", "insertion_code")
    ]
    structures, made = columns[0], []
    order: list[int] = []
    for name in dict.fromkeys(structures.tolist()):
        structure = attrs.evolve(read_structure(path_files[name]), name=name)
        for place in np.flatnonzero(structures == name).tolist():
            residue = ResidueId(*(column[place].item() for column in columns[1:]))
            chosen = alpha_carbons(structure, select_residues(structure, [residue]))
            clouds = neighborhoods(structure, basis.radial.cutoff, basis.channels, centers=chosen[:1])
            if not len(clouds):
                raise HoloError(
                    f"structure {name}: no atom is around {residue}, of which a density is asked for"
                )
            made.append(zernike_transform(clouds, basis))
            order.append(place)
    return concatenate(made)[np.argsort(order)]
