"""Triangle meshes: reading, checking and centering."""

import io
import logging
import math
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from holo_types import FormatError, HoloError
from holo_types.contents import check_lines, read_content
from holo_types.extras import extra

from .obj import plain_obj
from .off import read_off
from .ply_strips import check_header, declared_faces, has_strips, read_strips

__all__ = ["CenteredMesh", "Mesh", "center", "is_mesh_path", "read_mesh"]

_SUFFIXES = (".off", ".obj", ".stl", ".ply")
_TEXTS = (".off", ".obj")  # the others may be binary

# What trimesh and numpy raise if the content is damaged.
_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    AssertionError,
    NameError,
    OSError,
    struct.error,
    DeprecationWarning,  # numpy 1 on text that is not a number; numpy 2.4 raises a ValueError
    ImportError,  # trimesh guesses encodings other than UTF-8 with a package that it does not require
)

# In units of the distance from the centroid to the farthest vertex: a thinner mesh counts as a plane.
_FLAT = 1e-9


@attrs.frozen(eq=False)
class Mesh:
    """Triangles as stored in a file.

    Parameters
    ----------
    vertices : Float[ndarray, "vertices 3"]
        Positions, in any unit.
    faces : Int[ndarray, "faces 3"]
        Three vertices for each face, in any winding.
    name
        Name of the mesh in errors.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    name: str = "mesh"


@attrs.frozen(eq=False)
class CenteredMesh:
    """A mesh about its centroid, with its farthest vertex at distance 1; see `center`.

    Parameters
    ----------
    vertices : Float[ndarray, "vertices 3"]
        Each position occurs once and in at least one face.
    faces : Int[ndarray, "faces 3"]
        Three vertices for each face, which do not lie on a line.
    remarks
        Unusual properties of the mesh.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    remarks: tuple[str, ...]


def is_mesh_path(path: str | os.PathLike[str]) -> bool:
    """Return whether a name has the suffix of a mesh file.

    Examples
    --------
    >>> is_mesh_path("chair_0001.OFF"), is_mesh_path("train.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in _SUFFIXES


def read_mesh(path: str | os.PathLike[str]) -> Mesh:
    """Read a triangle mesh; polygons and strips are cut into triangles, and several objects form one mesh.

    Parameters
    ----------
    path
        A file with the suffix .off, .obj, .stl or .ply. Materials and textures are not read.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, damaged or of another kind, or has no faces.
    HoloError
        If it is not an .off file, and trimesh (the extra ``meshes``) is not installed.
    """
    place = Path(path)
    suffix = place.suffix.lower()
    if suffix not in _SUFFIXES:
        raise FormatError(
            f"{place}: its name ends in {place.suffix!r}; it must end in one of {', '.join(_SUFFIXES)}"
        )
    content = _content(place)
    if suffix in _TEXTS:
        check_lines(content, place)
    strips = suffix == ".ply" and has_strips(content)
    read = read_off if suffix == ".off" else read_strips if strips else _trimesh_reader(suffix)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings(
                "error", "string or file could not be read to its end", DeprecationWarning
            )
            if suffix == ".ply":
                check_header(content)
            vertices, faces = read(plain_obj(content) if suffix == ".obj" else content)
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{place}: damaged, or no {suffix} file ({reason})") from error
    declared = declared_faces(content) if suffix == ".ply" and not strips else None
    if declared is not None and declared > len(faces):
        raise FormatError(f"{place}: damaged or truncated, it has {len(faces)} of {declared} faces")
    if len(faces) == 0:
        raise FormatError(f"{place}: it has no face; it must have triangles or polygons")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise FormatError(f"{place}: a face has a vertex that is not among its {len(vertices)}")
    return Mesh(vertices, faces, str(place))


def _trimesh_reader(suffix: str) -> Callable[[bytes], tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Return the function that reads a format by trimesh, after checking that trimesh is installed."""
    with extra("holo-features[meshes]"):
        import trimesh  # noqa: PLC0415 - an extra, and slow to import
    # trimesh's messages go to the program's log; if there is none, they do not go to the screen.
    logger = logging.getLogger("trimesh")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())

    def read(content: bytes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        loaded = trimesh.load_mesh(
            io.BytesIO(content), file_type=suffix[1:], process=False, skip_materials=True
        )
        vertices = np.array(loaded.vertices, dtype=np.float64).reshape(-1, 3)
        return vertices, np.array(loaded.faces, dtype=np.int64).reshape(-1, 3)

    return read


def _content(place: Path) -> bytes:
    if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise FormatError(f"{place} is a folder; it must be a mesh file")
    try:
        content = read_content(place)
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    if not content.strip():
        raise FormatError(f"{place} is empty")
    return content


def center(mesh: Mesh) -> CenteredMesh:
    """Center a mesh at its centroid, scale its farthest vertex to distance 1, and list what is unusual.

    The centroid is that of the surface: the mean of the triangles' centers, weighted by their areas. It depends neither
    on the order of faces nor on their winding.

    Parameters
    ----------
    mesh
        The mesh, closed or open, with one body or several.

    Returns
    -------
    CenteredMesh
        Vertices at equal positions are merged; faces without area are left out.

    Raises
    ------
    HoloError
        If a vertex of a face is not finite, no face has an area, or all vertices lie in one plane.

    Examples
    --------
    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> tetrahedron = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2]]))
    >>> center(tetrahedron).remarks
    ('not watertight: 3 edges have one face, 0 more than two',)
    """
    used, faces = np.unique(mesh.faces, return_inverse=True)
    vertices = mesh.vertices[used]
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise HoloError(
            f"{mesh.name}: vertex {used[bad]} is at {vertices[bad].tolist()}; positions must be finite numbers"
        )
    # Divided first, so that no square overflows or underflows.
    extent = np.abs(vertices).max()
    vertices, merged = np.unique(vertices / extent if extent > 0 else vertices, axis=0, return_inverse=True)
    faces = merged.reshape(-1)[faces.reshape(-1, 3)]
    middle = (vertices.max(axis=0) + vertices.min(axis=0)) / 2
    vertices = vertices - middle
    size = np.abs(vertices).max()
    if size == 0:
        raise HoloError(f"{mesh.name}: all its vertices are at one point; a mesh must have an area")
    vertices /= size
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    remarks = []
    solid = areas > np.finfo(np.float64).eps
    if not solid.any():
        raise HoloError(f"{mesh.name}: no face has an area; a mesh must have one")
    if not solid.all():
        remarks.append(f"{np.sum(~solid)} of {len(solid)} faces have no area and are left out")
        areas, corners = areas[solid], corners[solid]
        used, faces = np.unique(faces[solid], return_inverse=True)
        vertices, faces = vertices[used], faces.reshape(-1, 3)
    # An exact sum, so that the order of the faces does not matter.
    moments = areas[:, None] * corners.mean(axis=1)
    centroid = np.array([math.fsum(column) for column in moments.T]) / math.fsum(areas)
    vertices = vertices - centroid
    radius = np.linalg.norm(vertices, axis=1).max()
    vertices /= radius
    if np.linalg.svd(vertices, compute_uv=False)[2] < _FLAT * math.sqrt(len(vertices)):
        raise HoloError(f"{mesh.name}: all its vertices lie in one plane; a mesh must have a thickness")
    offset = float(np.linalg.norm(centroid * size + middle) / (radius * size))
    if offset > 1:
        remarks.append(f"off center: its centroid is {offset:.3g} times its radius from the origin")
    return CenteredMesh(vertices, faces, (*remarks, *_topology(len(vertices), faces)))


def _topology(vertices: int, faces: NDArray[np.int64]) -> list[str]:
    """Return remarks if the surface is open or has several parts."""
    remarks = []
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges[:, 0] * vertices + edges[:, 1], return_counts=True)
    lone, many = int(np.sum(counts == 1)), int(np.sum(counts > 2))
    if lone or many:
        remarks.append(f"not watertight: {lone} edges have one face, {many} more than two")
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(vertices, vertices))
    bodies, _ = connected_components(links, directed=False)
    if bodies > 1:
        remarks.append(f"several bodies: {bodies}")
    return remarks
