"""Sites of mutations and the effect of an exchange, against counts in plain numpy and biotite's dihedrals."""

import attrs
import numpy as np
import pytest
from biotite.structure import dihedral_backbone
from numpy.typing import NDArray

from holo_features import (
    Structure,
    alpha_carbons,
    blosum62,
    datasets,
    letter_of,
    placed_numbers,
    read_structure,
    residue_name_of,
    residue_numbers,
    site_numbers,
)
from holo_features.mutations.amino_acids import PROPERTIES, properties
from holo_features.mutations.atom_kinds import ATOM_KINDS, atom_kinds
from holo_features.readers.names import STANDARD_AMINO_ACIDS
from holo_types import HoloError

EXAMPLE = datasets.example_structures()[0]


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(EXAMPLE)


def with_atoms(structure: Structure, kept: NDArray[np.bool_]) -> Structure:
    return attrs.evolve(structure, atoms=structure.atoms[kept])


def test_heavy_atoms_are_those_of_other_residues_within_a_radius(structure: Structure) -> None:
    numbers, about = site_numbers(structure), alpha_carbons(structure)
    residues = residue_numbers(structure.atoms)
    for row in (0, 40, 152):
        other = residues != residues[about.atoms[row]]
        lengths = np.linalg.norm(structure.atoms.coord[other] - about.positions[row], axis=1)
        for radius in (6, 8, 10, 12, 14):
            assert numbers.column(f"heavy atoms within {radius} Å of Cα")[row] == (lengths <= radius).sum()


def test_the_virtual_side_chain_lies_where_cb_is(structure: Structure) -> None:
    """Counts about a point 2.4 Å from Cα towards the real Cβ differ little from those about the virtual one."""
    atoms, about = structure.atoms, alpha_carbons(structure)
    residues = residue_numbers(atoms)
    found = site_numbers(structure).column("heavy atoms within 10 Å of the side chain")
    differences = []
    for row, alpha in enumerate(about.atoms):
        beta = np.flatnonzero((residues == residues[alpha]) & (atoms.atom_name == "CB"))
        if len(beta):
            towards = atoms.coord[beta[0]] - atoms.coord[alpha]
            point = atoms.coord[alpha] + 2.4 * towards / np.linalg.norm(towards)
            lengths = np.linalg.norm(atoms.coord[residues != residues[alpha]] - point, axis=1)
            differences.append(found[row] - (lengths <= 10).sum())
    assert len(differences) > 100
    assert np.abs(differences).mean() < 2  # of about 100 atoms


def test_half_spheres_share_out_the_alpha_carbons_within_13_angstrom(structure: Structure) -> None:
    numbers, positions = site_numbers(structure), alpha_carbons(structure).positions
    lengths = np.linalg.norm(positions[:, None] - positions, axis=2)
    up, down = (numbers.column(name) for name in ("half sphere of the side chain", "other half sphere"))
    np.testing.assert_array_equal(up + down, (lengths <= 13).sum(axis=1) - 1)


def test_phi_and_psi_are_those_of_biotite(structure: Structure) -> None:
    phi, psi, _ = dihedral_backbone(structure.atoms)
    numbers = site_numbers(structure)
    for name, angle in (("φ", phi), ("ψ", psi)):
        for function, of in ((np.sin, "sine"), (np.cos, "cosine")):
            expected = np.nan_to_num(function(angle))
            np.testing.assert_allclose(numbers.column(f"{of} of {name}"), expected, atol=1e-5)


def test_nothing_depends_on_where_the_structure_lies(structure: Structure) -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    moved = structure.atoms.copy()
    moved.coord = (structure.atoms.coord @ turn.T + [3, -5, 7]).astype(np.float32)
    before, after = site_numbers(structure), site_numbers(attrs.evolve(structure, atoms=moved))
    for one, other in zip(
        attrs.astuple(before, recurse=False), attrs.astuple(after, recurse=False), strict=True
    ):
        # An atom or a bond at the edge of a radius may fall to the other side by rounding.
        assert np.isclose(one.values, other.values, atol=1e-3).mean() > 0.999


def test_a_site_does_not_know_its_own_side_chain(structure: Structure) -> None:
    row = 40
    residues = residue_numbers(structure.atoms)
    own = residues == residues[alpha_carbons(structure).atoms[row]]
    bare = with_atoms(structure, ~own | np.isin(structure.atoms.atom_name, ("N", "CA", "C")))
    assert len(bare.atoms) < len(structure.atoms)
    before, after = site_numbers(structure), site_numbers(bare)
    for one, other in zip(
        attrs.astuple(before, recurse=False), attrs.astuple(after, recurse=False), strict=True
    ):
        np.testing.assert_array_equal(one.values[row], other.values[row])


def test_some_sites_have_the_numbers_that_they_have_among_all(structure: Structure) -> None:
    rows = np.array([5, 3, 100])
    some = site_numbers(structure, alpha_carbons(structure)[rows])
    np.testing.assert_array_equal(some.around.values, site_numbers(structure).around.values[rows])
    np.testing.assert_array_equal(some.chain.values, site_numbers(structure).take(rows).chain.values)


def test_a_site_without_a_backbone_is_refused_by_name(structure: Structure) -> None:
    atoms = structure.atoms
    lacking = with_atoms(structure, ~((atoms.res_id == atoms.res_id[0]) & (atoms.atom_name == "N")))
    with pytest.raises(HoloError, match="residue A 1: its atoms N, CA and C define no axes"):
        site_numbers(lacking)


def test_sites_of_another_structure_are_refused(structure: Structure) -> None:
    other = read_structure(datasets.example_structures()[1])
    with pytest.raises(HoloError, match="are not of its alpha_carbons"):
        site_numbers(structure, alpha_carbons(other))


def test_every_heavy_atom_of_a_protein_is_of_one_kind(structure: Structure) -> None:
    kinds = atom_kinds(structure.atoms)
    assert (kinds.sum(axis=1) == 1).all()
    sulfur = kinds[:, ATOM_KINDS.index("S")]
    np.testing.assert_array_equal(sulfur, structure.atoms.element == "S")


def test_blosum62_is_that_of_the_paper() -> None:
    """Entries of figure 2 of Henikoff and Henikoff; the matrix is symmetric."""
    names = list(STANDARD_AMINO_ACIDS)
    matrix = np.array([blosum62([name] * 20, names) for name in names])
    np.testing.assert_array_equal(matrix, matrix.T)
    pairs = {("TRP", "TRP"): 11, ("CYS", "CYS"): 9, ("ILE", "VAL"): 3, ("GLY", "ILE"): -4, ("TYR", "PHE"): 3}
    for (one, other), score in pairs.items():
        assert blosum62([one], [other]).tolist() == [score]


def test_properties_agree_with_what_everybody_knows() -> None:
    table = dict(zip(PROPERTIES, properties(STANDARD_AMINO_ACIDS).T, strict=True))
    of = dict(zip(STANDARD_AMINO_ACIDS, range(20), strict=True))
    charged = {name for name in STANDARD_AMINO_ACIDS if table["charge"][of[name]]}
    assert charged == {"ARG", "LYS", "ASP", "GLU"}
    assert table["volume"].argmax() == of["TRP"]
    assert table["volume"].argmin() == of["GLY"]
    assert {name for name in of if table["branched at Cβ"][of[name]]} == {"ILE", "THR", "VAL"}
    assert {name for name in of if table["aromatic"][of[name]]} == {"HIS", "PHE", "TRP", "TYR"}


def test_letters_and_names_are_inverse() -> None:
    assert [residue_name_of(letter_of(name)) for name in STANDARD_AMINO_ACIDS] == list(STANDARD_AMINO_ACIDS)
    for unknown in ("X", "", "a"):
        with pytest.raises(HoloError, match="it must be one of ACDEFGHIKLMNPQRSTVWY"):
            residue_name_of(unknown)
    with pytest.raises(HoloError, match="amino acid 'MSE'"):
        letter_of("MSE")


def test_what_an_exchange_changes_is_a_difference_at_the_site(structure: Structure) -> None:
    sites = site_numbers(structure).take(np.array([7]))
    (alanine,), (lysine,) = (placed_numbers(sites, [name]).values for name in ("ALA", "LYS"))
    change = dict(zip(placed_numbers(sites, ["ALA"]).names, alanine - lysine, strict=True))
    burial = sites.column("heavy atoms within 10 Å of the side chain")[0] / 100
    assert change["volume"] == pytest.approx(88.6 - 168.6)
    assert change["hydrophobicity times burial"] == pytest.approx((0.31 + 0.99) * burial)
    assert change["charge times charges"] == pytest.approx(-sites.column("charges over distance")[0])
    with pytest.raises(HoloError, match="2 amino acids for 1 sites"):
        placed_numbers(sites, ["ALA", "ALA"])
