"""A mesh file as several holograms: the shape as it is, and copies that are turned, stretched and bent."""

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
    """What is encoded of each mesh beside itself.

    Parameters
    ----------
    count
        How many copies.
    turn
        Whether each row, the mesh itself too, is turned at random.
    stretch, noise
        How copies differ from the mesh, see `holo_features.spheres.deformation.deformed`. They are simplified too.
    seed
        Of chance; it depends on the mesh's name too, and not on which other meshes there are.
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
        How many, and how they differ.
    name, label
        For the index columns ``structure`` and ``label``.
    lmax, bandwidth
        As `encode_mesh` has them.

    Returns
    -------
    EncodedMesh
        A row for the mesh and for each copy, which the index column ``copy`` counts from 0, the mesh itself. The
        remarks are about the mesh itself.

    Raises
    ------
    FormatError, HoloError
        As `encode_mesh`, or if a strength is no number from 0 on.
    """
    mesh = read_mesh(path)
    plain = simplified(mesh) if copies.count else mesh  # which takes a fifth of the time to encode
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
