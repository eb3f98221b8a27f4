"""Protein structures and point clouds to Zernike holograms."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets
    from .density import DensityMap, density_map, write_density_map
    from .encoding import EncodedStructure, encode_structures
    from .grids import SphereGrid, sphere_grid
    from .idx import LabelledImages, Mnist, read_idx, read_mnist
    from .images import encode_images, image_rotations, project_images
    from .meshes import Mesh, read_mesh
    from .neighbors import SkippedResidue, neighborhoods, skipped_residues
    from .shapes import EncodedMesh, MeshFile, encode_mesh, mesh_files, read_labels, shape_images
    from .spherical import inverse_spherical_transform, spherical_transform
    from .structures import LeftOutAtom, Structure, read_structure
    from .zernike import inverse_zernike_transform, zernike_transform

__all__ = [
    "DensityMap",
    "EncodedMesh",
    "EncodedStructure",
    "LabelledImages",
    "LeftOutAtom",
    "Mesh",
    "MeshFile",
    "Mnist",
    "SkippedResidue",
    "SphereGrid",
    "Structure",
    "__version__",
    "datasets",
    "density_map",
    "encode_images",
    "encode_mesh",
    "encode_structures",
    "image_rotations",
    "inverse_spherical_transform",
    "inverse_zernike_transform",
    "mesh_files",
    "neighborhoods",
    "project_images",
    "read_idx",
    "read_labels",
    "read_mesh",
    "read_mnist",
    "read_structure",
    "shape_images",
    "skipped_residues",
    "sphere_grid",
    "spherical_transform",
    "write_density_map",
    "zernike_transform",
]

# biotite takes half a second to import, so each name brings its module when it is first used.
_HOMES = {
    "DensityMap": "density",
    "EncodedMesh": "shapes",
    "EncodedStructure": "encoding",
    "LabelledImages": "idx",
    "LeftOutAtom": "structures",
    "Mesh": "meshes",
    "MeshFile": "shapes",
    "Mnist": "idx",
    "SkippedResidue": "neighbors",
    "SphereGrid": "grids",
    "Structure": "structures",
    "encode_images": "images",
    "encode_mesh": "shapes",
    "density_map": "density",
    "encode_structures": "encoding",
    "image_rotations": "images",
    "inverse_spherical_transform": "spherical",
    "inverse_zernike_transform": "zernike",
    "mesh_files": "shapes",
    "neighborhoods": "neighbors",
    "project_images": "images",
    "read_idx": "idx",
    "read_labels": "shapes",
    "read_mesh": "meshes",
    "read_mnist": "idx",
    "read_structure": "structures",
    "shape_images": "shapes",
    "skipped_residues": "neighbors",
    "sphere_grid": "grids",
    "spherical_transform": "spherical",
    "write_density_map": "density",
    "zernike_transform": "zernike",
}


def __getattr__(name: str) -> object:
    if name == "datasets":
        return import_module(".datasets", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
