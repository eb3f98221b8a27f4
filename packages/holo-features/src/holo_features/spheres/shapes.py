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
        Unusual properties of the mesh; empty for a closed surface of one body about its origin that every ray hits.
    """

    holograms: Holograms
    remarks: tuple[str, ...]


def shape_images(mesh: Mesh, bandwidth: int = 90) -> tuple[SphereImages, tuple[str, ...]]:
    """Return six images of a mesh on a sphere.

    The mesh is centered at its centroid, see `center`, with its farthest vertex at distance 1. From each node of a
    Driscoll-Healy grid on the unit sphere, a ray goes through the centroid. Where it first hits the surface, before or
    beyond the centroid, the images have the distance from its start (0..2) and the sine and cosine of its angle, at
    most 90°, with the normal there. For a ray that hits nothing, the distance is 1, as of the centroid, and sine and
    cosine are 0. The next three images are the same for the mesh's convex hull, about the same point.

    Parameters
    ----------
    mesh
        The mesh, closed or open, with one body or several, in any winding.
    bandwidth
        The bandwidth of the grid.

    Returns
    -------
    images : SphereImages
        A single image set with the channels `SHAPE_CHANNELS`, in float64.
    remarks : tuple of str
        Unusual properties of the mesh.

    Raises
    ------
    HoloError
        If the mesh has no area or no thickness, or a position is not finite; the message names it.

    Notes
    -----
    The channels are those of Cohen, Geiger, Koehler and Welling, *Spherical CNNs*, ICLR 2018, and of Esteves et al.,
    ECCV 2018. The first surface of a closed mesh that a ray hits from outside faces the ray, so the bound on the angle
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
        A file with the suffix .off, .obj, .stl or .ply.
    lmax
        Highest degree, less than the bandwidth.
    bandwidth
        The bandwidth of the Driscoll-Healy grid of rays.
    name
        Name in the index column ``structure``; by default the file's name without suffix.
    label
        Label in the index column ``label``, which exists only if this is given.
    dtype
        float32 or float64, see `spherical_transform`.

    Raises
    ------
    FormatError
        If the file is missing, damaged or of another kind, or has no faces.
    HoloError
        If the mesh has no area or no thickness, a position is not finite, lmax and bandwidth do not fit together, or
        trimesh is not installed.
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
        As in `encode_mesh`.

    Returns
    -------
    EncodedMesh
        Its row has no index.

    Raises
    ------
    HoloError
        If the mesh has no area or no thickness, a position is not finite, or lmax and bandwidth do not fit together.
    """
    images, remarks = shape_images(mesh, bandwidth)
    return EncodedMesh(spherical_transform(images, lmax, dtype), remarks)
