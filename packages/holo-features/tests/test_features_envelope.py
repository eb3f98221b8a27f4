"""The envelope of a radial basis follows its definition, and makes holograms of real structures continuous."""

import importlib

import attrs
import numpy as np
import pytest
from scipy.stats import special_ortho_group

import holo_kernels
from holo_features import (
    datasets,
    inverse_zernike_transform,
    neighborhoods,
    read_structure,
    zernike_transform,
)
from holo_features.cli.program import main
from holo_types import Basis, PointClouds, Zernike, load

PROTEIN = ("C", "N", "O", "S")
SHARP = Basis(6, Zernike(20, 10.0), PROTEIN)
SMOOTH = Basis(6, Zernike(20, 10.0, envelope=1.5), PROTEIN)


@pytest.fixture(params=["compiled", "numpy"])
def form(request, monkeypatch):
    """Run a test with the compiled loops and without them."""
    if request.param == "numpy":
        module = importlib.import_module("holo_features.transforms.zernike")
        monkeypatch.setattr(module, "compiled_transform", lambda *_: None)
    elif holo_kernels.load("zernike") is None:
        pytest.skip("there is no compiled form for this machine")


def quintic(t):
    """Solve for the polynomial of degree 5 with values 0 and 1 and no first and second derivatives at 0 and 1."""
    powers = np.arange(6)
    conditions = np.zeros((6, 6))
    for row, (place, derivative) in enumerate([(x, d) for x in (0.0, 1.0) for d in range(3)]):
        factors = np.prod([powers - step for step in range(derivative)], axis=0) * np.ones(6)
        conditions[row] = factors * place ** np.maximum(powers - derivative, 0)
    coefficients = np.linalg.solve(conditions, [0, 0, 0, 1, 0, 0])
    return np.clip(t, 0, 1)[:, None] ** powers @ coefficients


def random_clouds(one_hot):
    generator = np.random.default_rng(3)
    count = 90
    directions = generator.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = np.concatenate([generator.uniform(7, 10.5, count - 4), [0.0, 8.5, 10.0, 10 - 1e-9]])
    weights = np.eye(4)[generator.integers(4, size=count)] if one_hot else generator.normal(size=(count, 4))
    return PointClouds(radii[:, None] * directions, weights, np.array([0, 40, 40, 41, count]), PROTEIN)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
@pytest.mark.parametrize("width", [0.3, 1.5, 10.0])
def test_weights_are_multiplied_by_it(one_hot, point_normalization, width):
    clouds = random_clouds(one_hot)
    sharp = attrs.evolve(SHARP, point_normalization=point_normalization)
    smooth = attrs.evolve(sharp, radial=Zernike(20, 10.0, envelope=width))
    factors = quintic((10.0 - np.linalg.norm(clouds.coordinates, axis=1)) / width)
    weighted = attrs.evolve(clouds, weights=clouds.weights * factors[:, None])
    expected = zernike_transform(weighted, sharp, np.float64).coefficients
    scale = np.abs(expected).max()
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        value = zernike_transform(clouds, smooth, dtype).coefficients
        assert np.abs(value - expected).max() < tolerance * scale


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("place", [8.5, 10.0])
def test_coefficients_are_twice_differentiable_where_the_shell_begins_and_ends(place):
    """Second differences on either side of the point converge as the step shrinks; third ones do not."""
    step = 1e-3
    radii = place + step * np.arange(-3, 4)
    direction = np.array([0.48, 0.6, 0.64])
    clouds = PointClouds(radii[:, None] * direction, np.ones((7, 1)), np.arange(8), ("C",))
    basis = Basis(4, Zernike(8, 10.0, envelope=1.5), ("C",))
    values = zernike_transform(clouds, basis, np.float64).coefficients
    assert np.abs(values[1:] - values[:-1]).max() < 20 * step
    second = np.diff(values, 2, axis=0) / step**2
    assert np.abs(second[-1] - second[0]).max() < 1000 * step
    sharp = zernike_transform(clouds, attrs.evolve(basis, radial=Zernike(8, 10.0)), np.float64).coefficients
    if place == 10.0:
        assert np.abs(np.diff(sharp, axis=0)).max() > 1


def test_the_inverse_gives_weights_as_the_envelope_leaves_them():
    basis = Basis(4, Zernike(8, 10.0, envelope=2.0), ("C",), point_normalization="unit")
    points = np.array([[1.0, 2.0, 2.0], [0.0, 9.0, 0.0]])
    clouds = PointClouds(points, np.ones((2, 1)), np.arange(3), ("C",))
    density = inverse_zernike_transform(zernike_transform(clouds, basis, np.float64), points)
    np.testing.assert_allclose(density[[0, 1], 0, [0, 1]], [1.0, 0.5], rtol=1e-12)


def moved_between(basis, structure):
    """Move one atom of a residue's surroundings from 8 to 12 Å; return the holograms, and those of all residues."""
    clouds = neighborhoods(structure, 13.0, PROTEIN)
    whole = zernike_transform(clouds, basis, np.float64)
    cloud = clouds[len(clouds) // 2 : len(clouds) // 2 + 1]
    distances = np.linalg.norm(cloud.coordinates, axis=1)
    chosen = int(np.argmin(np.abs(distances - 8)))
    radii = np.linspace(8, 12, 401)
    coordinates = np.repeat(cloud.coordinates[None], len(radii), axis=0).astype(np.float64)
    coordinates[:, chosen] *= radii[:, None] / distances[chosen]
    offsets = np.arange(len(radii) + 1) * len(distances)
    weights = np.tile(cloud.weights, (len(radii), 1))
    carried = PointClouds(coordinates.reshape(-1, 3), weights, offsets, PROTEIN)
    return zernike_transform(carried, basis, np.float64).coefficients, whole.coefficients


@pytest.mark.parametrize("number", [0, 7, 20])
def test_a_hologram_moves_little_as_an_atom_leaves(number):
    """A change is at most a median distance of two residues per Å, in steps of 0.01 Å; without envelope it jumps."""
    structure = read_structure(datasets.example_structures()[number])
    steps = {}
    for basis in (SHARP, SMOOTH):
        carried, whole = moved_between(basis, structure)
        pairs = np.random.default_rng(0).integers(len(whole), size=(2, 2000))
        median = np.median(np.linalg.norm(whole[pairs[0]] - whole[pairs[1]], axis=1))
        steps[basis] = np.linalg.norm(np.diff(carried, axis=0), axis=1).max() / 0.01 / median
    assert steps[SMOOTH] < 1
    assert steps[SHARP] > 10


def test_files_that_are_turned_and_rounded_agree():
    """Holograms of structures written in another pose with PDB's three decimals, rotated back, beside their own."""
    rotation = special_ortho_group.rvs(3, random_state=2)
    worst = {SHARP: [], SMOOTH: []}
    for path in datasets.example_structures()[:4]:
        structure = read_structure(path)
        atoms = structure.atoms.copy()
        atoms.coord = np.round(atoms.coord.astype(np.float64) @ rotation.T, 3) @ rotation
        for basis, found in worst.items():
            still, moved = (
                zernike_transform(neighborhoods(each, 13.0, PROTEIN), basis, np.float64).coefficients
                for each in (structure, attrs.evolve(structure, atoms=atoms))
            )
            pairs = np.random.default_rng(0).integers(len(still), size=(2, 2000))
            median = np.median(np.linalg.norm(still[pairs[0]] - still[pairs[1]], axis=1))
            found.append(np.linalg.norm(moved - still, axis=1).max() / median)
    assert max(worst[SMOOTH]) < 0.002
    assert max(worst[SHARP]) > 0.1


def test_the_command_line_takes_it(tmp_path, capsys):
    out = tmp_path / "smooth.h5"
    source = str(datasets.example_structures()[0])
    options = ["--lmax", "1", "--nmax", "3", "--envelope", "1.5"]
    assert main(["structures", source, "--out", str(out), *options]) == 0
    assert load(out).basis.radial == Zernike(3, 10.0, envelope=1.5)
    assert main(["structures", source, "--out", str(tmp_path / "none.h5"), "--envelope", "11"]) != 0
    assert (
        "Zernike.envelope is 11.0; it must be > 0 and at most the cutoff, 10.0 Å" in capsys.readouterr().err
    )
