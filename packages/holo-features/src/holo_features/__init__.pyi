from . import datasets as datasets
from ._version import (
    __version__ as __version__,
)

# Complexes of a protein and a ligand, and what is counted of them.
from .complexes.complex import (
    Complex as Complex,
    SkippedComplex as SkippedComplex,
    complex_neighborhoods as complex_neighborhoods,
    joined_structure as joined_structure,
    pocket as pocket,
    without_ligand_copies as without_ligand_copies,
)
from .complexes.contacts import (
    contact_counts as contact_counts,
)
from .complexes.interactions import (
    element_counts as element_counts,
    ligand_burial as ligand_burial,
    shell_contacts as shell_contacts,
)
from .complexes.ligand_tables import (
    ligand_key as ligand_key,
    ligand_size as ligand_size,
)
from .complexes.ligands import (
    Ligand as Ligand,
    read_ligand as read_ligand,
    read_ligands as read_ligands,
)
from .complexes.pockets import (
    LigandPocket as LigandPocket,
    ligand_pocket as ligand_pocket,
)
from .complexes.rdkit_descriptors import (
    ligand_descriptors as ligand_descriptors,
    murcko_scaffold as murcko_scaffold,
)
from .complexes.sets import (
    ComplexSource as ComplexSource,
    find_complexes as find_complexes,
    read_complex as read_complex,
    read_complexes as read_complexes,
)
from .complexes.tables import (
    ComplexColumns as ComplexColumns,
    ComplexFiles as ComplexFiles,
)
from .complexes.vina_terms import (
    rf_score_features as rf_score_features,
    vina_terms as vina_terms,
)

# Many files to holograms, over processes.
from .encoding.structures import (
    EncodedStructure as EncodedStructure,
    Encoding as Encoding,
    PocketEncoding as PocketEncoding,
    encode_complexes as encode_complexes,
    encode_structures as encode_structures,
    structure_names as structure_names,
)

# Exchanges of single amino acids.
from .mutations.amino_acids import (
    blosum62 as blosum62,
    letter_of as letter_of,
    residue_name_of as residue_name_of,
)
from .mutations.mutation import (
    FoundSites as FoundSites,
    Mutation as Mutation,
    all_mutations as all_mutations,
    find_sites as find_sites,
)
from .mutations.sites import (
    SiteNumbers as SiteNumbers,
    site_numbers as site_numbers,
)
from .mutations.substitutions import (
    placed_numbers as placed_numbers,
)
from .readers.formats import (
    is_structure_path as is_structure_path,
    split_suffix as split_suffix,
    structure_stem as structure_stem,
)
from .readers.names import (
    STANDARD_AMINO_ACIDS as STANDARD_AMINO_ACIDS,
)

# What the names of structure files say.
# Images on a sphere: planar ones, and shapes.
from .spheres.copies import (
    Copies as Copies,
    encode_copies as encode_copies,
)
from .spheres.deformation import (
    deformed as deformed,
    turned as turned,
)
from .spheres.descriptors import (
    distance_distribution as distance_distribution,
    shell_harmonics as shell_harmonics,
)
from .spheres.idx import (
    read_mnist as read_mnist,
)
from .spheres.images import (
    encode_images as encode_images,
    project_images as project_images,
)
from .spheres.mesh_sets import (
    MeshFile as MeshFile,
    mesh_files as mesh_files,
    mesh_set as mesh_set,
    read_shape_labels as read_shape_labels,
)
from .spheres.meshes import (
    Mesh as Mesh,
    read_mesh as read_mesh,
)
from .spheres.shapes import (
    SHAPE_CHANNELS as SHAPE_CHANNELS,
    encode_mesh as encode_mesh,
    encode_shape as encode_shape,
    shape_images as shape_images,
)

# Structures.
from .structures.alignment import (
    align as align,
    common_numbers as common_numbers,
    one_letter_sequence as one_letter_sequence,
)
from .structures.confidence import (
    Confidence as Confidence,
)
from .structures.residue import (
    ResidueId as ResidueId,
    residue_numbers as residue_numbers,
)
from .structures.secondary_structure import (
    secondary_structure as secondary_structure,
)
from .structures.selection import (
    Selection as Selection,
)
from .structures.structure import (
    Structure as Structure,
    read_structure as read_structure,
)
from .structures.writing import (
    values_of_atoms as values_of_atoms,
    write_structure as write_structure,
)

# What lies around a residue, an atom or a point.
from .surroundings.centers import (
    Centers as Centers,
    alpha_carbons as alpha_carbons,
    atom_centers as atom_centers,
    point_centers as point_centers,
    select_residues as select_residues,
)
from .surroundings.exposure import (
    burial as burial,
    relative_surface_areas as relative_surface_areas,
)
from .surroundings.neighbors import (
    Neighborhoods as Neighborhoods,
    cut_in_blocks as cut_in_blocks,
    cut_neighborhoods as cut_neighborhoods,
    neighborhoods as neighborhoods,
)
from .surroundings.numbers import (
    Numbers as Numbers,
)
from .surroundings.poses import (
    Backbones as Backbones,
)
from .surroundings.residues import (
    single_residues as single_residues,
)
from .surroundings.views import (
    displaced as displaced,
    without_own_atoms as without_own_atoms,
    without_points as without_points,
)

# Points and images to holograms, and back.
from .transforms.density import (
    density_map as density_map,
    write_density_map as write_density_map,
)
from .transforms.grids import (
    sphere_grid as sphere_grid,
)
from .transforms.harmonics import (
    solid_harmonics as solid_harmonics,
)
from .transforms.points import find_points as find_points
from .transforms.spherical import (
    inverse_spherical_transform as inverse_spherical_transform,
    spherical_transform as spherical_transform,
)
from .transforms.zernike import (
    inverse_zernike_transform as inverse_zernike_transform,
    zernike_transform as zernike_transform,
)
