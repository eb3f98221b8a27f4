from . import datasets as datasets
from ._version import (
    __version__ as __version__,
)
from .complexes.complex import (
    Complex as Complex,
    SkippedComplex as SkippedComplex,
    complex_neighborhoods as complex_neighborhoods,
    pocket as pocket,
)
from .complexes.contacts import (
    ContactCounts as ContactCounts,
    contact_counts as contact_counts,
    write_contact_table as write_contact_table,
)
from .complexes.ligand_tables import (
    LigandSize as LigandSize,
    ligand_key as ligand_key,
    ligand_size as ligand_size,
    write_ligand_table as write_ligand_table,
)
from .complexes.ligands import (
    Ligand as Ligand,
    read_ligand as read_ligand,
    read_ligands as read_ligands,
)
from .complexes.sets import (
    FoundComplexes as FoundComplexes,
    find_complexes as find_complexes,
    read_complex as read_complex,
    read_complexes as read_complexes,
)
from .complexes.tables import (
    ComplexColumns as ComplexColumns,
    ComplexFiles as ComplexFiles,
)
from .encoding.structures import (
    EncodedStructure as EncodedStructure,
    Encoding as Encoding,
    PocketEncoding as PocketEncoding,
    encode_complexes as encode_complexes,
    encode_structures as encode_structures,
)
from .spheres.idx import (
    LabelledImages as LabelledImages,
    Mnist as Mnist,
    read_idx as read_idx,
    read_mnist as read_mnist,
)
from .spheres.images import (
    encode_images as encode_images,
    image_rotations as image_rotations,
    project_images as project_images,
)
from .spheres.meshes import (
    Mesh as Mesh,
    read_mesh as read_mesh,
)
from .spheres.shapes import (
    EncodedMesh as EncodedMesh,
    MeshFile as MeshFile,
    encode_mesh as encode_mesh,
    mesh_files as mesh_files,
    read_shape_labels as read_shape_labels,
    shape_images as shape_images,
)
from .structures.residue import (
    ResidueId as ResidueId,
)
from .structures.selection import (
    Selection as Selection,
)
from .structures.structure import (
    LeftOutAtom as LeftOutAtom,
    RepeatedResidue as RepeatedResidue,
    Structure as Structure,
    read_structure as read_structure,
)
from .surroundings.centers import (
    Centers as Centers,
    SkippedResidue as SkippedResidue,
    alpha_carbons as alpha_carbons,
    atom_centers as atom_centers,
    point_centers as point_centers,
    select_residues as select_residues,
)
from .surroundings.exposure import (
    relative_surface_areas as relative_surface_areas,
)
from .surroundings.neighbors import (
    Neighborhoods as Neighborhoods,
    cut_neighborhoods as cut_neighborhoods,
    neighborhoods as neighborhoods,
    skipped_residues as skipped_residues,
)
from .surroundings.poses import (
    Backbones as Backbones,
)
from .surroundings.residues import (
    single_residues as single_residues,
)
from .transforms.density import (
    DensityMap as DensityMap,
    density_map as density_map,
    write_density_map as write_density_map,
)
from .transforms.grids import (
    SphereGrid as SphereGrid,
    sphere_grid as sphere_grid,
)
from .transforms.spherical import (
    inverse_spherical_transform as inverse_spherical_transform,
    spherical_transform as spherical_transform,
)
from .transforms.zernike import (
    inverse_zernike_transform as inverse_zernike_transform,
    zernike_transform as zernike_transform,
)
