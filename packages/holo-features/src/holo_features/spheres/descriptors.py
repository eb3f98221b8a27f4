"""Descriptors of meshes that need no training, as a baseline for learned ones."""

import numpy as np
from jaxtyping import Float

from holo_features.transforms.harmonics import solid_harmonics
from holo_types import HoloError

from .meshes import Mesh, center

__all__ = ["distance_distribution", "shell_harmonics", "surface_points"]

_POINTS = 20_000
_PAIRS = 100_000


def surface_points(mesh: Mesh, count: int, seed: int = 0) -> Float[np.ndarray, "count 3"]:
    """Draw points uniformly from a mesh's surface, about its centroid and at most 1 from it.

    Parameters
    ----------
    mesh
        The mesh, which is first centered; see `holo_features.spheres.meshes.center`.
    count
        Number of points.
    seed
        Seed of the random numbers.

    Raises
    ------
    HoloError
        If count is not positive, or as in `center`.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    >>> bool(np.linalg.norm(surface_points(tetrahedron, 100), axis=1).max() <= 1)
    True
    """
    if count < 1:
        raise HoloError(f"count is {count}; it must be at least 1")
    centered = center(mesh)
    corners = centered.vertices[centered.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    generator = np.random.default_rng(seed)
    faces = generator.choice(len(areas), size=count, p=areas / areas.sum())
    # Uniform in the triangle: Osada et al., equation 1.
    root, share = np.sqrt(generator.random(count)), generator.random(count)
    weights = np.stack([1 - root, root * (1 - share), root * share], axis=1)
    points: Float[np.ndarray, "count 3"] = np.einsum("pc,pcx->px", weights, corners[faces])
    return points


def distance_distribution(mesh: Mesh, bins: int = 64, seed: int = 0) -> Float[np.ndarray, "bins"]:
    """Return the D2 shape distribution: the frequencies of distances between two points of the surface.

    Parameters
    ----------
    mesh
        The mesh; it is scaled so that its farthest vertex is at distance 1 from its centroid.
    bins
        Number of bins of equal width, from 0 to 2.
    seed
        Seed of the 100,000 random pairs of points.

    Returns
    -------
    Float[ndarray, "bins"]
        The fractions of pairs, which sum to 1.

    Raises
    ------
    HoloError
        As in `surface_points`.

    Notes
    -----
    Osada, Funkhouser, Chazelle, Dobkin, *Shape distributions*, ACM Transactions on Graphics 21 (2002).

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    >>> distance_distribution(tetrahedron, 4).round(1).tolist()
    [0.3, 0.6, 0.2, 0.0]
    """
    points = surface_points(mesh, 2 * _PAIRS, seed)
    distances = np.linalg.norm(points[:_PAIRS] - points[_PAIRS:], axis=1)
    counts, _ = np.histogram(distances, bins, range=(0, 2))
    shares: Float[np.ndarray, bins] = counts / counts.sum()
    return shares


def shell_harmonics(
    mesh: Mesh, shells: int = 32, lmax: int = 16, seed: int = 0
) -> Float[np.ndarray, "shells degrees"]:
    """Return the spherical harmonics descriptor: for each shell about the centroid, the norm of each degree.

    Parameters
    ----------
    mesh
        The mesh; it is scaled so that its farthest vertex is at distance 1 from its centroid.
    shells
        Number of shells of equal width.
    lmax
        Highest degree l.
    seed
        Seed of the 20,000 random points that sample the surface.

    Returns
    -------
    Float[ndarray, "shells degrees"]
        The norms; the total weight of the surface is 1.

    Raises
    ------
    HoloError
        As in `surface_points`.

    Notes
    -----
    Kazhdan, Funkhouser, Rusinkiewicz, *Rotation invariant spherical harmonic representation of 3D shape descriptors*,
    Symposium on Geometry Processing (2003). There the surface is a raster of 64³ cells; here it is a sample of points.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    >>> shell_harmonics(tetrahedron, 4, 2).shape
    (4, 3)
    """
    points = surface_points(mesh, _POINTS, seed)
    radii = np.linalg.norm(points, axis=1)
    harmonics = solid_harmonics(points / np.where(radii > 0, radii, 1)[:, None], lmax)
    shell = np.minimum((radii * shells).astype(np.int64), shells - 1)
    sums = np.stack([np.bincount(shell, row, shells) for row in harmonics], axis=1) / _POINTS
    edges = np.arange(lmax + 1) ** 2
    norms: Float[np.ndarray, "shells degrees"] = np.sqrt(np.add.reduceat(sums**2, edges, axis=1))
    return norms
