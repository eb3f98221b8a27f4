"""Neighborhoods in the pose of their residue's backbone."""

import attrs
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from holo_features import Encoding, cut_neighborhoods, encode_structures, read_structure, single_residues
from holo_features.datasets import example_structures
from holo_features.surroundings.poses import Backbones
from holo_types import Basis, Zernike

STRUCTURE = read_structure(example_structures()[0])
BASIS = Basis(lmax=3, radial=Zernike(nmax=6, cutoff=10.0), channels=("C", "N", "O", "S"))


def turned(structure, seed):
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    atoms = structure.atoms.copy()
    atoms.coord = (atoms.coord.astype(np.float64) @ turn.T + [3.0, -20.0, 7.0]).astype(np.float32)
    return attrs.evolve(structure, atoms=atoms)


@pytest.mark.parametrize("cut", [cut_neighborhoods, single_residues])
@pytest.mark.parametrize("seed", range(3))
def test_how_the_structure_lies_does_not_matter(cut, seed):
    here = Backbones.of(STRUCTURE).pose(cut(STRUCTURE)).clouds
    other = turned(STRUCTURE, seed)
    there = Backbones.of(other).pose(cut(other)).clouds
    np.testing.assert_allclose(there.coordinates, here.coordinates, atol=1e-4)  # of float32 in a file
    assert there.index == here.index


@pytest.mark.parametrize("cut", [cut_neighborhoods, single_residues])
def test_it_is_a_rotation_and_no_reflection(cut):
    found = cut(STRUCTURE)
    posed = Backbones.of(STRUCTURE).pose(found)
    np.testing.assert_array_equal(posed.atoms, found.atoms)
    for row in range(0, len(found.clouds), 17):
        before, after = (each.clouds[row : row + 1].coordinates for each in (found, posed))
        # As an independent implementation superimposes them; both lie about the Cα.
        fitted, rmsd = Rotation.align_vectors(after, before)
        assert rmsd < 1e-5
        np.testing.assert_allclose(fitted.apply(before), after, atol=1e-5)


def test_the_backbone_lies_along_the_axes():
    clouds = Backbones.of(STRUCTURE).pose(single_residues(STRUCTURE)).clouds
    for row in range(0, len(clouds), 11):
        n, c = clouds[row : row + 1].coordinates[:2]  # a file has N, CA, C in this order
        np.testing.assert_allclose(n, [np.linalg.norm(n), 0, 0], atol=1e-9)
        assert abs(c[2]) < 1e-9
        assert c[1] > 1.0
        assert 95 < np.degrees(np.arccos(n @ c / np.linalg.norm(n) / np.linalg.norm(c))) < 125


def test_a_residue_without_axes_is_skipped_by_name(write_pdb, residue, atom):
    path = write_pdb(
        *residue(),
        *residue(number=2, shift=4.0, names=("N", "CA", "O")),
        *residue(number=3, shift=8.0, names=("CA", "C", "O")),
        atom("N", (10.5, 0.0, 0.0), number=4),
        atom("CA", (12.0, 0.0, 0.0), number=4),
        atom("C", (13.5, 0.0, 0.0), number=4),
        *residue(number=5, shift=16.0),
    )
    structure = read_structure(path)
    found = Backbones.of(structure).pose(cut_neighborhoods(structure))
    assert found.clouds.index["residue_number"].tolist() == [1, 5]
    assert structure.atoms.res_id[found.atoms].tolist() == [1, 5]
    assert [(each.residue.residue_number, each.reason) for each in found.skipped] == [
        (number, "its atoms N, CA and C define no axes") for number in (2, 3, 4)
    ]


def test_axes_are_of_the_residue_whatever_its_atom():
    atoms = np.arange(0, len(STRUCTURE.atoms), 7)
    axes = Backbones.of(STRUCTURE).axes(atoms)
    alphas = [
        np.flatnonzero((STRUCTURE.atoms.res_id == number) & (STRUCTURE.atoms.atom_name == "CA"))[0]
        for number in STRUCTURE.atoms.res_id[atoms]
    ]
    np.testing.assert_array_equal(axes, Backbones.of(STRUCTURE).axes(np.array(alphas)))
    np.testing.assert_allclose(
        axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), axes.shape), atol=1e-12
    )


def test_backbones_of_different_residues_lie_on_one_another():
    axes = Backbones.of(STRUCTURE).axes(np.flatnonzero(STRUCTURE.atoms.atom_name == "CA"))
    names = ("N", "CA", "C")
    first, second = (
        STRUCTURE.atoms[(STRUCTURE.atoms.res_id == number) & np.isin(STRUCTURE.atoms.atom_name, names)].coord
        for number in np.unique(STRUCTURE.atoms.res_id)[[4, 60]]
    )
    fitted, _ = Rotation.align_vectors(first - first.mean(axis=0), second - second.mean(axis=0))
    ours = Rotation.from_matrix(axes[4].T @ axes[60])
    # scipy fits three atoms of slightly different angles; ours puts N and the plane on one another.
    assert np.degrees((ours * fitted.inv()).magnitude()) < 3


@pytest.mark.parametrize("single", [False, True])
def test_files_are_encoded_in_the_pose(single):
    posed = Encoding(pose="backbone", single_residues=single)
    (encoded,) = encode_structures([example_structures()[0]], BASIS, encoding=posed)
    (found,) = encode_structures([example_structures()[0]], BASIS, encoding=Encoding(single_residues=single))
    irreps = BASIS.irreps
    assert encoded.holograms.index == found.holograms.index
    start = 0
    for channels, degree in irreps:
        part = slice(start, start + channels * (2 * degree + 1))
        start = part.stop
        powers = [
            np.square(each.coefficients[:, part].reshape(-1, channels, 2 * degree + 1)).sum(axis=2)
            for each in (encoded.holograms, found.holograms)
        ]
        np.testing.assert_allclose(*powers, rtol=1e-3, atol=1e-5)
        if degree:
            assert not np.allclose(
                encoded.holograms.coefficients[:, part], found.holograms.coefficients[:, part], atol=0.1
            )
