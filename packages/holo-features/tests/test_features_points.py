"""Points from holograms: they are where they were, in every normalization; residues of a structure come back."""

import attrs
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from holo_features import datasets, find_points, read_structure, single_residues, zernike_transform
from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike

BASIS = Basis(lmax=6, radial=Zernike(nmax=12, cutoff=5.0), channels=("C", "N"))
PLACES = np.array([[1.0, 0.5, 0.0], [-1.0, 1.0, 1.0], [0.0, -3.0, 0.5], [0.5, 0.0, -2.5]])
WEIGHTS = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.7]])
CLOUDS = PointClouds(PLACES, WEIGHTS, np.array([0, 4, 4]), ("C", "N"), {"name": np.array(["some", "none"])})


@pytest.mark.parametrize(
    "basis",
    [
        BASIS,
        attrs.evolve(BASIS, point_normalization="unit"),
        attrs.evolve(BASIS, angular_normalization="component", radial=Zernike(12, 5.0, "floor")),
        attrs.evolve(BASIS, radial=Zernike(12, 5.0, envelope=1.5)),
    ],
    ids=("orthonormal", "unit", "authors", "envelope"),
)
def test_points_are_found_where_they_are_and_with_their_weights(basis: Basis) -> None:
    found = find_points(zernike_transform(CLOUDS, basis))
    assert found.offsets.tolist() == [0, 4, 4]  # an empty hologram holds no points
    assert found.index == CLOUDS.index
    # Points of a step of 0.01 Å each, and weights that follow from it.
    nearest = cdist(found.coordinates, PLACES).argmin(axis=1)
    np.testing.assert_allclose(found.coordinates, PLACES[nearest], atol=0.05)
    np.testing.assert_allclose(found.weights, WEIGHTS[nearest], atol=0.1)
    assert sorted(nearest.tolist()) == [0, 1, 2, 3]


def test_residues_come_back_as_their_atoms() -> None:
    """All atoms of eight residues of a structure, within 0.1 Å."""
    basis = Basis(lmax=8, radial=Zernike(nmax=16, cutoff=5.0), channels=("C", "N", "O", "S"))
    structure = read_structure(datasets.example_structures()[0])
    clouds = single_residues(structure, 5.0).clouds
    whole = np.isin(clouds.index["label"], ("ALA", "ASP", "ILE", "LEU", "PRO", "SER", "THR", "VAL"))
    clouds = clouds[whole][:8]
    found = find_points(zernike_transform(clouds, basis))
    np.testing.assert_array_equal(found.offsets, clouds.offsets)
    for first, last in zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True):
        distances = cdist(clouds.coordinates[first:last], found.coordinates[first:last])
        same = clouds.weights[first:last] @ found.weights[first:last].T > 0.5
        assert np.where(same, distances, np.inf).min(axis=1).max() < 0.1


def test_points_that_the_basis_cannot_tell_apart_are_not_found_apart() -> None:
    """Two atoms 0.2 Å apart, a tenth of the shortest wave, are one of twice the weight."""
    close = PointClouds(
        np.array([[2.0, 0.0, 0.0], [2.2, 0.0, 0.0]]), np.eye(2)[[0, 0]], np.array([0, 2]), ("C", "N")
    )
    found = find_points(zernike_transform(close, attrs.evolve(BASIS, lmax=3, radial=Zernike(5, 5.0))))
    assert len(found.coordinates) == 1
    np.testing.assert_allclose(found.coordinates[0], [2.1, 0.0, 0.0], atol=0.1)
    assert found.weights[0, 0] == pytest.approx(2, abs=0.1)


def test_what_has_no_points_to_find_is_refused() -> None:
    sphere = Basis(lmax=2, radial=None, channels=("image",))
    with pytest.raises(HoloError, match=r"find_points: the basis is of a sphere"):
        find_points(Holograms(np.zeros((1, 9)), sphere))
    with pytest.raises(HoloError, match=r"find_points: least is 0\.0; it must be above 0"):
        find_points(zernike_transform(CLOUDS, BASIS), least=0.0)
