"""Random rotation, stretching and bending of meshes, to train on other shapes of the same kind."""

import attrs
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from holo_types import HoloError

from .meshes import Mesh, center

__all__ = ["deformed", "simplified", "turned"]

_WAVES = 64  # whose sum is the random field
_LENGTH = 0.5  # the length scale of the field, in units of the mesh's radius
_CELLS = (
    0.05,
    0.035,
    0.025,
    0.0175,
    0.0125,
)  # sides of the cells in which vertices are merged, in the same units
_FACES = 2500  # that a simplified mesh keeps, if it has more


def turned(mesh: Mesh, generator: np.random.Generator) -> Mesh:
    """Return a mesh in a random pose, with all rotations equally likely.

    Parameters
    ----------
    mesh
        The mesh; it is rotated about the origin of its coordinates.
    generator
        The source of randomness.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2]]))
    >>> np.linalg.norm(turned(tetrahedron, np.random.default_rng(0)).vertices, axis=1).round(6).tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    # A normalized vector of four normal numbers is a uniformly distributed rotation as a quaternion.
    rotation = Rotation.from_quat(generator.standard_normal(4)).as_matrix()
    return attrs.evolve(mesh, vertices=mesh.vertices @ rotation.T)


def deformed(mesh: Mesh, generator: np.random.Generator, *, stretch: float = 0.2, noise: float = 0.1) -> Mesh:
    """Return a mesh that is stretched along three random axes, and whose vertices are displaced by a random field.

    Parameters
    ----------
    mesh
        The mesh, which is first centered; see `holo_features.spheres.meshes.center`.
    generator
        The source of randomness.
    stretch
        Standard deviation of the logarithms of the three factors.
    noise
        Standard deviation of the displacements along each axis, in units of the mesh's radius. Neighboring vertices are
        displaced similarly: the field changes over half a radius, so that limbs bend and the surface stays smooth.
        Vertices at one position stay together, so that the surface is not torn.

    Returns
    -------
    Mesh
        The mesh with the same faces, except those without area.

    Raises
    ------
    HoloError
        If a strength is negative or not finite, or as in `center`.

    Notes
    -----
    The field is Gaussian with the covariance exp(-d²/2ℓ²), ℓ = 0.5, approximated by 64 random waves: Rahimi, Recht,
    *Random features for large-scale kernel machines*, NeurIPS (2007).

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    >>> other = deformed(tetrahedron, np.random.default_rng(0))
    >>> other.faces.shape, bool(np.allclose(other.vertices, deformed(other, np.random.default_rng(0)).vertices))
    ((4, 3), False)
    """
    for name, value in (("stretch", stretch), ("noise", noise)):
        if not (np.isfinite(value) and value >= 0):
            raise HoloError(f"{name} is {value}; it must be a finite number, at least 0")
    centered = center(mesh)
    axes = Rotation.from_quat(generator.standard_normal(4)).as_matrix()
    factors = np.exp(stretch * generator.standard_normal(3))
    vertices = centered.vertices @ (axes.T * factors) @ axes
    moved = vertices + noise * _field(centered.vertices, generator)
    return Mesh(moved, centered.faces, mesh.name)


def simplified(mesh: Mesh) -> Mesh:
    """Return a mesh with fewer faces, where the vertices in each cell of a grid are merged at their mean.

    The cells are the largest ones, with sides from 1/20 to 1/80 of the mesh's radius, that leave 2,500 faces: harmonics
    of degree 14 hardly differ between the two meshes, and rays are cast in a third of the time.

    Parameters
    ----------
    mesh
        The mesh, which is first centered; see `holo_features.spheres.meshes.center`. A mesh that has no more faces than
        that is only centered.

    Raises
    ------
    HoloError
        As in `center`.

    Notes
    -----
    Rossignac, Borrel, *Multi-resolution 3D approximations for rendering complex scenes* (1993).

    Examples
    --------
    >>> from scipy.spatial import Delaunay
    >>> side = np.linspace(-1, 1, 60)
    >>> x, y = (part.ravel() for part in np.meshgrid(side, side))
    >>> bowl = Mesh(np.stack([x, y, x**2 + y**2], axis=1), Delaunay(np.stack([x, y], axis=1)).simplices.astype(int))
    >>> len(bowl.faces), 2500 <= len(simplified(bowl).faces) < 5000
    (6962, True)
    """
    centered = center(mesh)
    whole = Mesh(centered.vertices, centered.faces, mesh.name)
    if len(whole.faces) <= _FACES:
        return whole
    merged = (_merged(whole, side) for side in _CELLS)
    return next((each for each in merged if len(each.faces) >= _FACES), whole)


def _merged(mesh: Mesh, side: float) -> Mesh:
    """Merge the vertices of each cell; faces that lose their area, or are repeated, are left out."""
    places = np.floor(mesh.vertices / side).astype(np.int64)
    _, cells, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    cells = cells.reshape(-1)
    means = np.stack([np.bincount(cells, column) for column in mesh.vertices.T], axis=1) / counts[:, None]
    faces = cells[mesh.faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return attrs.evolve(mesh, vertices=means, faces=faces[np.sort(first)])


def _field(points: Float[np.ndarray, "n 3"], generator: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    """Return a smooth random field of variance 1 at the given points."""
    waves = generator.standard_normal((3, _WAVES)) / _LENGTH
    phases = generator.uniform(0, 2 * np.pi, _WAVES)
    amplitudes = generator.standard_normal((_WAVES, 3)) * np.sqrt(2 / _WAVES)
    field: Float[np.ndarray, "n 3"] = np.cos(points @ waves + phases) @ amplitudes
    return field
