"""Several holograms from one mesh file: the shape itself, and rotated, stretched and bent copies."""

import os
import zlib

import attrs
import numpy as np
from numpy.typing import ArrayLike

from holo_types import concatenate

from .deformation import deformed, simplified, turned
from .meshes import read_mesh
from .shapes import EncodedMesh, encode_shape

__all__ = ["Copies", "encode_copies"]


@attrs.frozen(kw_only=True)
class Copies:
    """The copies of each mesh that are encoded in addition to the mesh itself.

    Parameters
    ----------
    count
        Number of copies.
    turn
        Whether each row, including the mesh itself, is rotated at random.
    stretch, noise
        The strengths of the deformation; see `holo_features.spheres.deformation.deformed`. Copies are also simplified.
    seed
        Seed of the random numbers, which also depend on the mesh's name, but not on the other meshes.
    """

    count: int = 0
    turn: bool = False
    stretch: float = 0.2
    noise: float = 0.1
    seed: int = 0


def encode_copies(
    path: str | os.PathLike[str],
    copies: Copies,
    *,
    name: str,
    label: str,
    lmax: int = 14,
    bandwidth: int = 90,
) -> EncodedMesh:
    """Encode a mesh file and copies of it as holograms.

    Parameters
    ----------
    path
        A file .off, .obj, .stl or .ply.
    copies
        The number of copies, and how they differ.
    name, label
        For the index columns ``structure`` and ``label``.
    lmax, bandwidth
        As in `encode_mesh`.

    Returns
    -------
    EncodedMesh
        One row for the mesh and one for each copy, numbered in the index column ``copy``, where 0 is the mesh itself.
        The remarks are about the mesh itself.

    Raises
    ------
    FormatError, HoloError
        As in `encode_mesh`, or if a strength is negative.
    """
    mesh = read_mesh(path)
    plain = simplified(mesh) if copies.count else mesh  # takes a fifth of the time to encode
    rows = []
    for number in range(copies.count + 1):
        generator = np.random.default_rng((copies.seed, zlib.crc32(name.encode()), number))
        shape = deformed(plain, generator, stretch=copies.stretch, noise=copies.noise) if number else mesh
        rows.append(
            encode_shape(turned(shape, generator) if copies.turn else shape, lmax=lmax, bandwidth=bandwidth)
        )
    holograms = concatenate([row.holograms for row in rows])
    index: dict[str, ArrayLike] = {
        "structure": [name] * len(rows),
        "label": [label] * len(rows),
        "copy": np.arange(len(rows)),
    }
    return EncodedMesh(attrs.evolve(holograms, index=index), rows[0].remarks)
