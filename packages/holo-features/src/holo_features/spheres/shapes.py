"""Meshes as images on a sphere, by rays toward their centroid, and as holograms."""

import os
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import DTypeLike
from scipy.spatial import ConvexHull, QhullError

from holo_features.transforms.grids import sphere_grid
from holo_features.transforms.spherical import spherical_transform
from holo_types import HoloError, Holograms, SphereImages

from .meshes import Mesh, center, read_mesh
from .raycast import first_hits

__all__ = [
    "SHAPE_CHANNELS",
    "EncodedMesh",
    "encode_mesh",
    "encode_shape",
    "shape_images",
]

SHAPE_CHANNELS = ("distance", "sine", "cosine", "hull_distance", "hull_sine", "hull_cosine")


@attrs.frozen(eq=False)
class EncodedMesh:
    """The result of encoding one mesh.

    Parameters
    ----------
    holograms
        One row.
    remarks
        What is unusual about the mesh; empty for a closed surface of one body about its origin that every ray meets.
    """

    holograms: Holograms
    remarks: tuple[str, ...]


def shape_images(mesh: Mesh, bandwidth: int = 90) -> tuple[SphereImages, tuple[str, ...]]:
    """Draw a mesh as six images on a sphere.

    The mesh is brought about its centroid, see `center`, its farthest vertex at distance 1. From each node of a
    Driscoll-Healy grid on the unit sphere a ray goes through the centroid; where it first meets the surface, before
    or beyond the centroid, it gives the distance from its start (0..2) and the sine and the cosine of its angle, at
    most 90°, with the normal there. A ray that meets nothing has the distance 1, where the centroid is, and sine and
    cosine 0. The next three images are the same of the mesh's convex hull, about the same point.

    Parameters
    ----------
    mesh
        Closed or not, of one body or several, in any winding.
    bandwidth
        The bandwidth of the grid.

    Returns
    -------
    images : SphereImages
        One, of `SHAPE_CHANNELS`, float64.
    remarks : tuple of str
        What is unusual about the mesh.

    Raises
    ------
    HoloError
        If the mesh has no area or no thickness, or a position is not finite; the message names it.

    Notes
    -----
    The channels are those of Cohen, Geiger, Koehler and Welling, *Spherical CNNs*, ICLR 2018, and of Esteves et al.,
    ECCV 2018. The first surface that a ray meets from outside of a closed mesh faces it, so that the angle's bound
    changes nothing there; for other meshes it makes the images independent of the winding.

    Examples
    --------
    >>> corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    >>> images, remarks = shape_images(Mesh(corners, np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])), 4)
    >>> images.values.shape, remarks, bool(np.allclose(images.values[:, :3], images.values[:, 3:]))
    ((1, 6, 8, 8), (), True)
    """
    grid = sphere_grid("driscoll-healy", bandwidth)
    centered = center(mesh)
    try:
        hull = ConvexHull(centered.vertices).simplices.astype(np.int64)
    except QhullError:
        raise HoloError(f"{mesh.name}: it has no convex hull; a mesh must have a thickness") from None
    surface = first_hits(centered.vertices, centered.faces, grid)
    outline = first_hits(centered.vertices, hull, grid)
    channels = [image for hits in (surface, outline) for image in (hits.distances, hits.sines, hits.cosines)]
    remarks = list(centered.remarks)
    for rays, what in (
        (surface.missed, "miss the surface"),
        (surface.beyond, "meet it beyond the centroid only"),
    ):
        if rays.any():
            remarks.append(f"{rays.sum()} of {rays.size} rays {what}")
    return SphereImages(np.stack(channels)[None], "driscoll-healy", SHAPE_CHANNELS), tuple(remarks)


def encode_mesh(
    path: str | os.PathLike[str],
    *,
    lmax: int = 14,
    bandwidth: int = 90,
    name: str | None = None,
    label: str | None = None,
    dtype: DTypeLike = np.float32,
) -> EncodedMesh:
    """Encode a mesh file as a hologram of its images on a sphere, see `shape_images`.

    Parameters
    ----------
    path
        A file .off, .obj, .stl or .ply.
    lmax
        Highest degree, less than the bandwidth.
    bandwidth
        The bandwidth of the Driscoll-Healy grid of rays.
    name
        For the index column ``structure``; by default the file's name without suffix.
    label
        For the index column ``label``, which is there only if this is given.
    dtype
        float32 or float64, see `spherical_transform`.

    Raises
    ------
    FormatError
        If the file is missing, damaged, of another kind, or holds no face.
    HoloError
        If the mesh has no area or no thickness, a position is not finite, lmax and bandwidth do not fit, or trimesh
        is not installed.
    """
    encoded = encode_shape(read_mesh(path), lmax=lmax, bandwidth=bandwidth, dtype=dtype)
    index = {"structure": [Path(path).stem if name is None else name]}
    if label is not None:
        index["label"] = [label]
    return attrs.evolve(encoded, holograms=attrs.evolve(encoded.holograms, index=index))


def encode_shape(
    mesh: Mesh, *, lmax: int = 14, bandwidth: int = 90, dtype: DTypeLike = np.float32
) -> EncodedMesh:
    """Encode a mesh as a hologram of its images on a sphere, see `shape_images`.

    Parameters
    ----------
    mesh, lmax, bandwidth, dtype
        As `encode_mesh` has them.

    Returns
    -------
    EncodedMesh
        Its row has no index.

    Raises
    ------
    HoloError
        If the mesh has no area or no thickness, a position is not finite, or lmax and bandwidth do not fit.
    """
    images, remarks = shape_images(mesh, bandwidth)
    return EncodedMesh(spherical_transform(images, lmax, dtype), remarks)
