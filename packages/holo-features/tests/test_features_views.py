"""Views of surroundings (noise, own atoms left out), and corresponding residues of related chains."""

import numpy as np
import pytest

from holo_features import (
    align,
    common_numbers,
    datasets,
    displaced,
    neighborhoods,
    point_centers,
    read_structure,
    without_own_atoms,
)
from holo_types import HoloError

STRUCTURE = read_structure(datasets.example_structures()[0])
CLOUDS = neighborhoods(STRUCTURE, 9.0, own_atoms=True)


def test_own_atoms_are_those_of_the_central_residue():
    atoms = STRUCTURE.atoms
    for row in (0, 40, 152):
        cloud = CLOUDS[row : row + 1]
        places = cloud.coordinates + cloud.centers
        residue = (atoms.chain_id == cloud.index["chain"][0]) & (
            atoms.res_id == cloud.index["residue_number"][0]
        )
        for part, names in ((1, ["N", "C", "O"]), (2, None)):
            chosen = residue & (np.isin(atoms.atom_name, names or ["N", "CA", "C", "O"]) == (part == 1))
            expected = np.sort(atoms.coord[chosen].astype(np.float64), axis=0)
            found = np.sort(places[cloud.point_columns["own"] == part], axis=0)
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_own_atoms_equals_the_neighborhoods_that_were_cut_so():
    bare = without_own_atoms(CLOUDS)
    expected = neighborhoods(STRUCTURE, 9.0, central_residue=False)
    np.testing.assert_array_equal(bare.coordinates, expected.coordinates)
    np.testing.assert_array_equal(bare.offsets, expected.offsets)
    backbone = without_own_atoms(CLOUDS, "side chain")
    assert set(np.diff(backbone.offsets) - np.diff(bare.offsets)) == {3}  # N, C and O: the Cα is the origin


def test_noise_moves_the_origin_too():
    moved = displaced(CLOUDS, 0.1, np.random.default_rng(1)).coordinates - CLOUDS.coordinates
    assert moved.std() == pytest.approx(0.1 * np.sqrt(2), rel=0.02)
    of_clouds = np.add.reduceat(moved, CLOUDS.offsets[:-1], axis=0) / np.diff(CLOUDS.offsets)[:, None]
    assert of_clouds.std() == pytest.approx(0.1, rel=0.1)  # what all points of a cloud share
    np.testing.assert_array_equal(
        displaced(CLOUDS, 0.0, np.random.default_rng(1)).coordinates, CLOUDS.coordinates
    )


def test_views_that_cannot_be():
    with pytest.raises(HoloError, match=r"noise is -1\.0; it must be a finite length"):
        displaced(CLOUDS, -1.0, np.random.default_rng(0))
    with pytest.raises(HoloError, match="have no point column 'own'"):
        without_own_atoms(neighborhoods(STRUCTURE, 9.0))
    with pytest.raises(HoloError, match="own_atoms needs centers in residues"):
        neighborhoods(STRUCTURE, 9.0, centers=point_centers(STRUCTURE, np.zeros((1, 3))), own_atoms=True)


def test_an_alignment_with_an_insertion():
    whole = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
    shorter = whole[4:16] + whole[19:]
    found = align(whole, shorter)
    assert found.identity == 1.0
    expected = [*range(4, 16), *range(19, len(whole))]
    assert found.pairs[:, 0].tolist() == expected
    numbers = common_numbers([shorter, whole, "GSHMGSHMGSHMPPPPPPWWWWW"], 0.9)
    assert numbers[0].tolist() == expected
    assert numbers[1].tolist() == list(range(len(whole)))
    assert not set(numbers[2].tolist()) & set(numbers[1].tolist())
    with pytest.raises(HoloError, match="a sequence is empty"):
        align("", "MK")
