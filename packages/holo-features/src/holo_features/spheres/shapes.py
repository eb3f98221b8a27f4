"""Meshes as images on a sphere, by rays toward their centroid, and as holograms."""

import csv
import os
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import DTypeLike
from scipy.spatial import ConvexHull, QhullError

from holo_features.transforms.grids import sphere_grid
from holo_features.transforms.spherical import spherical_transform
from holo_types import FormatError, HoloError, Holograms, SphereImages
from holo_types.files.csv_files import csv_text

from .meshes import Mesh, center, is_mesh_path, read_mesh
from .raycast import first_hits

__all__ = [
    "SHAPE_CHANNELS",
    "EncodedMesh",
    "MeshFile",
    "encode_mesh",
    "mesh_files",
    "read_shape_labels",
    "shape_images",
]

SHAPE_CHANNELS = ("distance", "sine", "cosine", "hull_distance", "hull_sine", "hull_cosine")

# Folders that say what a file is for, not what it shows.
_SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
_NAME_COLUMNS = ("id", "name", "file", "object_id")
_LABEL_COLUMNS = ("label", "class", "synsetId")


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


@attrs.frozen
class MeshFile:
    """A mesh file of a folder.

    Parameters
    ----------
    path
        The file.
    name
        Its path in the folder, without the suffix.
    label
        The name of the folder of its class; None for a file that lies in none.
    """

    path: Path
    name: str
    label: str | None


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
    images, remarks = shape_images(read_mesh(path), bandwidth)
    index = {"structure": [Path(path).stem if name is None else name]}
    if label is not None:
        index["label"] = [label]
    return EncodedMesh(spherical_transform(attrs.evolve(images, index=index), lmax, dtype), remarks)


def mesh_files(folder: str | os.PathLike[str]) -> tuple[MeshFile, ...]:
    """List the mesh files of a folder and its subfolders, sorted, each with its class.

    The class is the innermost folder that is not named train, test, val or the like: ``chair`` in
    ``chair/train/chair_0001.off`` (ModelNet) and in ``train/chair/1.obj``. Where the labels are in a table
    (SHREC17), read them with `read_shape_labels`.

    Raises
    ------
    FormatError
        If there is no such folder, or no mesh file in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise FormatError(f"{place} is no folder; it must be one with mesh files")
    found = []
    for path in sorted(path for path in place.rglob("*") if is_mesh_path(path) and path.is_file()):
        inner = path.relative_to(place)
        classes = [part for part in inner.parts[:-1] if part.lower() not in _SPLITS]
        found.append(MeshFile(path, inner.with_suffix("").as_posix(), classes[-1] if classes else None))
    if not found:
        raise FormatError(f"{place}: there is no mesh file in the folder")
    return tuple(found)


def read_shape_labels(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a table of labels: of each mesh's name, which is its file's without folder and suffix.

    Parameters
    ----------
    path
        A csv file whose header has a column id, name, file or object_id, and one of label, class or synsetId
        (SHREC17: ``id,synsetId,subSynsetId,modelId,split``).

    Raises
    ------
    FormatError
        If the file is missing or no such table, or gives a name two labels.
    """
    place = Path(path)
    try:
        table = csv.DictReader(csv_text(place), strict=True)
        header = table.fieldnames or []
        name_column = next((name for name in _NAME_COLUMNS if name in header), None)
        label_column = next((name for name in _LABEL_COLUMNS if name in header), None)
        if name_column is None or label_column is None:
            raise FormatError(
                f"{place}: its columns are {list(header)}; there must be one of {list(_NAME_COLUMNS)} "
                f"and one of {list(_LABEL_COLUMNS)}"
            )
        rows = [(row[name_column], row[label_column], table.line_num) for row in table]
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{place}: it is no csv table ({error})") from None
    labels: dict[str, str] = {}
    for name, label, line in rows:
        if not name or not label:
            raise FormatError(f"{place}: line {line} lacks a name or a label")
        stem = Path(name).stem if is_mesh_path(name) else name
        if labels.setdefault(stem, label) != label:
            raise FormatError(f"{place}: line {line} calls {name} {label!r}; before it was {labels[stem]!r}")
    return labels
