"""The solvent-accessible fraction of residues."""

import attrs
import biotite.structure as biotite
import numpy as np
import pytest
from scipy.stats import spearmanr

from holo_features import alpha_carbons, read_structure, relative_surface_areas
from holo_features.datasets import example_structures
from holo_features.structures.surface import surface_areas

STRUCTURE = read_structure(example_structures()[0])


def test_shares_are_sums_over_residues_by_the_published_areas():
    areas = biotite.apply_residue_wise(STRUCTURE.atoms, surface_areas(STRUCTURE.atoms), np.sum)
    names = biotite.get_residues(STRUCTURE.atoms)[1]
    shares = relative_surface_areas(STRUCTURE)
    for name, most in (("ALA", 129.0), ("GLY", 104.0), ("TRP", 285.0), ("LYS", 236.0)):
        np.testing.assert_allclose(shares[names == name] * most, areas[names == name], rtol=1e-5)


def test_a_residue_alone_is_all_exposed_and_most_of_a_protein_is_not():
    shares = relative_surface_areas(STRUCTURE)
    numbers = alpha_carbons(STRUCTURE).index["residue_number"]
    for row in (20, 60, 100):
        alone = STRUCTURE.atoms[STRUCTURE.atoms.res_id == numbers[row]]
        (share,) = relative_surface_areas(attrs.evolve(STRUCTURE, atoms=alone))
        # The glycines at either side, which are missing here, cover up to half of a small residue.
        assert 1.0 < share < 2.0
    assert 0 <= shares.min() < 0.01
    assert np.median(shares) < 0.3


def test_who_has_few_neighbors_is_exposed():
    places = alpha_carbons(STRUCTURE).positions
    near = (np.linalg.norm(places[:, None] - places[None], axis=2) < 10).sum(axis=1)
    assert spearmanr(near, relative_surface_areas(STRUCTURE)).statistic < -0.6


def test_what_is_none_of_the_twenty_has_no_share():
    atoms = STRUCTURE.atoms.copy()
    row = 7
    number = alpha_carbons(STRUCTURE).index["residue_number"][row]
    atoms.res_name[atoms.res_id == number] = "MSE"
    shares = relative_surface_areas(attrs.evolve(STRUCTURE, atoms=atoms))
    assert np.flatnonzero(np.isnan(shares)).tolist() == [row]


@pytest.mark.parametrize("angle", [0.7, 2.0])
def test_shares_do_not_turn(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    atoms = STRUCTURE.atoms.copy()
    atoms.coord = (atoms.coord @ turn.T).astype(np.float32)
    turned = relative_surface_areas(attrs.evolve(STRUCTURE, atoms=atoms))
    # The points on an atom's sphere do not turn with it: some Å² of a residue's 100 to 300.
    np.testing.assert_allclose(turned, relative_surface_areas(STRUCTURE), atol=0.04)
