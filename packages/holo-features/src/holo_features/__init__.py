"""Protein structures and point clouds to Zernike holograms."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets
    from .centers import Centers, ResidueId, alpha_carbons, atom_centers, point_centers, select_residues
    from .complex_encoding import PocketEncoding, encode_complexes
    from .complex_sets import FoundComplexes, find_complexes, read_complex, read_complexes
    from .complex_tables import ComplexColumns, ComplexFiles
    from .complexes import Complex, SkippedComplex, complex_neighborhoods, pocket
    from .contacts import ContactCounts, contact_counts, write_contact_table
    from .density import DensityMap, density_map, write_density_map
    from .encoding import EncodedStructure, Encoding, encode_structures
    from .exposure import relative_surface_areas
    from .grids import SphereGrid, sphere_grid
    from .idx import LabelledImages, Mnist, read_idx, read_mnist
    from .images import encode_images, image_rotations, project_images
    from .ligand_tables import LigandSize, ligand_key, ligand_size, write_ligand_table
    from .ligands import Ligand, read_ligand, read_ligands
    from .meshes import Mesh, read_mesh
    from .neighbors import Neighborhoods, SkippedResidue, cut_neighborhoods, neighborhoods, skipped_residues
    from .poses import Backbones
    from .residues import single_residues
    from .selection import Selection
    from .shapes import EncodedMesh, MeshFile, encode_mesh, mesh_files, read_labels, shape_images
    from .spherical import inverse_spherical_transform, spherical_transform
    from .structures import LeftOutAtom, RepeatedResidue, Structure, read_structure
    from .zernike import inverse_zernike_transform, zernike_transform

__all__ = [
    "Backbones",
    "Centers",
    "Complex",
    "ComplexColumns",
    "ComplexFiles",
    "ContactCounts",
    "DensityMap",
    "EncodedMesh",
    "EncodedStructure",
    "Encoding",
    "FoundComplexes",
    "LabelledImages",
    "LeftOutAtom",
    "Ligand",
    "LigandSize",
    "Mesh",
    "MeshFile",
    "Mnist",
    "Neighborhoods",
    "PocketEncoding",
    "RepeatedResidue",
    "ResidueId",
    "Selection",
    "SkippedComplex",
    "SkippedResidue",
    "SphereGrid",
    "Structure",
    "__version__",
    "alpha_carbons",
    "atom_centers",
    "complex_neighborhoods",
    "contact_counts",
    "cut_neighborhoods",
    "datasets",
    "density_map",
    "encode_complexes",
    "encode_images",
    "encode_mesh",
    "encode_structures",
    "find_complexes",
    "image_rotations",
    "inverse_spherical_transform",
    "inverse_zernike_transform",
    "ligand_key",
    "ligand_size",
    "mesh_files",
    "neighborhoods",
    "pocket",
    "point_centers",
    "project_images",
    "read_complex",
    "read_complexes",
    "read_idx",
    "read_labels",
    "read_ligand",
    "read_ligands",
    "read_mesh",
    "read_mnist",
    "read_structure",
    "relative_surface_areas",
    "select_residues",
    "shape_images",
    "single_residues",
    "skipped_residues",
    "sphere_grid",
    "spherical_transform",
    "write_contact_table",
    "write_density_map",
    "write_ligand_table",
    "zernike_transform",
]

# biotite takes half a second to import, so each name brings its module when it is first used.
_HOMES = {
    "Backbones": "poses",
    "Centers": "centers",
    "Complex": "complexes",
    "ComplexColumns": "complex_tables",
    "ComplexFiles": "complex_tables",
    "ContactCounts": "contacts",
    "DensityMap": "density",
    "EncodedMesh": "shapes",
    "EncodedStructure": "encoding",
    "Encoding": "encoding",
    "FoundComplexes": "complex_sets",
    "LabelledImages": "idx",
    "LeftOutAtom": "structures",
    "Ligand": "ligands",
    "LigandSize": "ligand_tables",
    "Mesh": "meshes",
    "MeshFile": "shapes",
    "Mnist": "idx",
    "Neighborhoods": "neighbors",
    "PocketEncoding": "complex_encoding",
    "RepeatedResidue": "structures",
    "ResidueId": "centers",
    "Selection": "selection",
    "SkippedComplex": "complexes",
    "SkippedResidue": "neighbors",
    "SphereGrid": "grids",
    "Structure": "structures",
    "alpha_carbons": "centers",
    "atom_centers": "centers",
    "complex_neighborhoods": "complexes",
    "contact_counts": "contacts",
    "cut_neighborhoods": "neighbors",
    "density_map": "density",
    "encode_complexes": "complex_encoding",
    "encode_images": "images",
    "encode_mesh": "shapes",
    "encode_structures": "encoding",
    "find_complexes": "complex_sets",
    "image_rotations": "images",
    "inverse_spherical_transform": "spherical",
    "inverse_zernike_transform": "zernike",
    "ligand_key": "ligand_tables",
    "ligand_size": "ligand_tables",
    "mesh_files": "shapes",
    "neighborhoods": "neighbors",
    "pocket": "complexes",
    "point_centers": "centers",
    "project_images": "images",
    "read_complex": "complex_sets",
    "read_complexes": "complex_sets",
    "read_idx": "idx",
    "read_labels": "shapes",
    "read_ligand": "ligands",
    "read_ligands": "ligands",
    "read_mesh": "meshes",
    "read_mnist": "idx",
    "read_structure": "structures",
    "relative_surface_areas": "exposure",
    "select_residues": "centers",
    "shape_images": "shapes",
    "single_residues": "residues",
    "skipped_residues": "neighbors",
    "sphere_grid": "grids",
    "spherical_transform": "spherical",
    "write_contact_table": "contacts",
    "write_density_map": "density",
    "write_ligand_table": "ligand_tables",
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
