"""The Zernike transform against scipy, quadrature, the recorded reference, and symmetry."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import binom, eval_jacobi, sph_harm_y
from scipy.stats import special_ortho_group

import holo_kernels
from holo_features import inverse_zernike_transform, zernike_transform
from holo_features.transforms.radial import squared_lengths
from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike

GOLDEN = Path(__file__).parent / "golden"
PROTEIN = ("C", "N", "O", "S")
NORMALIZATIONS = [
    (radial, angular) for radial in ("orthonormal", "floor") for angular in ("orthonormal", "component")
]


@pytest.fixture(params=["compiled", "numpy"])
def form(request, monkeypatch):
    """Run a test with the compiled loops and without them."""
    if request.param == "numpy":
        module = importlib.import_module("holo_features.transforms.zernike")
        monkeypatch.setattr(module, "compiled_transform", lambda *_: None)
    elif holo_kernels.load("zernike") is None:
        pytest.skip("there is no compiled form for this machine")


def independent_harmonics(directions, lmax):
    """Return Y_lm [points, (lmax+1)²] from scipy's complex ones: the textbook's (X, Y, Z) is e3nn's (z, x, y)."""
    x, y, z = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    polar, azimuth = np.arccos(np.clip(y, -1, 1)), np.arctan2(x, z)
    columns = []
    for degree in range(lmax + 1):
        for order in range(-degree, degree + 1):
            # (-1)^m removes the Condon-Shortley phase that scipy includes.
            value = (-1) ** order * sph_harm_y(degree, abs(order), polar, azimuth)
            scale = 1 if order == 0 else np.sqrt(2)
            columns.append(scale * (value.imag if order < 0 else value.real))
    return np.stack(columns, axis=1)


def independent_radial(degree, order, rho, normalization):
    k = (order - degree) // 2
    value = np.sqrt(2 * order + 3) * rho**degree * eval_jacobi(k, 0, degree + 0.5, 2 * rho**2 - 1)
    if normalization == "floor":
        value *= binom((order + degree + 3) // 2 - 1, k) / binom((order + degree + 1) / 2, k)
    return value


def independent_vectors(points, basis):
    """Return all R_nl Y_lm at points, one block [points, orders, m] for each degree."""
    rho = np.linalg.norm(points, axis=1) / basis.radial.cutoff
    safe = np.where(rho[:, None] == 0, [0.0, 0.0, 1.0], points)
    harmonics = independent_harmonics(safe, basis.lmax)
    if basis.angular_normalization == "component":
        harmonics = harmonics * np.sqrt(4 * np.pi)
    blocks = []
    for degree in range(basis.lmax + 1):
        radial = [
            independent_radial(degree, n, rho, basis.radial.normalization)
            for n in range(degree, basis.radial.nmax + 1, 2)
        ]
        angular = harmonics[:, degree**2 : (degree + 1) ** 2]
        blocks.append(np.stack(radial, axis=1)[:, :, None] * angular[:, None] * (rho <= 1)[:, None, None])
    return blocks


def independent_transform(clouds, basis):
    blocks = independent_vectors(clouds.coordinates.astype(np.float64), basis)
    weights = clouds.weights.astype(np.float64)
    points = np.ones(len(weights))
    if basis.point_normalization == "unit":
        squared = sum(np.square(block).sum(axis=(1, 2)) for block in blocks)
        points = np.divide(1, squared, out=np.zeros_like(squared), where=squared > 0)
    rows = []
    for start, stop in zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True):
        chosen = slice(start, stop)
        rows.append(
            np.concatenate(
                [
                    np.einsum("pc,p,pnm->cnm", weights[chosen], points[chosen], block[chosen]).ravel()
                    for block in blocks
                ]
            )
        )
    return np.array(rows).reshape(len(clouds), basis.dim)


def random_clouds(sizes, channels=PROTEIN, seed=0, radius=11.0, one_hot=True):
    generator = np.random.default_rng(seed)
    count = sum(sizes)
    directions = generator.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    coordinates = directions * radius * generator.random((count, 1)) ** (1 / 3)
    weights = (
        np.eye(len(channels))[generator.integers(len(channels), size=count)]
        if one_hot
        else generator.normal(size=(count, len(channels)))
    )
    return PointClouds(coordinates, weights, np.cumsum([0, *sizes]), channels)


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


def ball_quadrature(lmax, nmax, cutoff):
    """Return points and weights, in units of the cutoff³, that integrate products of two basis functions exactly."""
    x, w = np.polynomial.legendre.leggauss(nmax + 3)
    rho, radial = (x + 1) / 2, w / 2 * ((x + 1) / 2) ** 2
    cosine, polar = np.polynomial.legendre.leggauss(lmax + 1)
    azimuth = 2 * np.pi * np.arange(2 * lmax + 1) / (2 * lmax + 1)
    r, c, a = (grid.ravel() for grid in np.meshgrid(rho, cosine, azimuth, indexing="ij"))
    sine = np.sqrt(1 - c**2)
    points = cutoff * r[:, None] * np.stack([sine * np.cos(a), sine * np.sin(a), c], axis=1)
    weights = np.einsum("i,j,k->ijk", radial, polar, np.full(len(azimuth), 2 * np.pi / len(azimuth)))
    return points, weights.ravel()


# --- values ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("case", ["lmax6_nmax20", "lmax3_nmax7"])
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
def test_equals_the_recorded_reference(case, point_normalization):
    lmax, nmax = map(int, re.findall(r"\d+", case))
    with np.load(GOLDEN / "point_clouds.npz", allow_pickle=False) as recorded:
        elements = recorded["elements"].astype(str)
        clouds = PointClouds(
            recorded["coords"],
            (elements[:, None] == np.array(PROTEIN)).astype(np.float32),
            recorded["offsets"],
            PROTEIN,
        )
        cutoff = float(recorded["cutoff"])
    basis = Basis(lmax, Zernike(nmax, cutoff, "floor"), PROTEIN, "component", point_normalization)
    with np.load(GOLDEN / "coefficients_floor_component.npz", allow_pickle=False) as recorded:
        expected = recorded[f"{case}_{point_normalization}"]
    assert relative(zernike_transform(clouds, basis).coefficients, expected) < 2e-6


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("radial", "angular"), NORMALIZATIONS)
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
@pytest.mark.parametrize(("lmax", "nmax"), [(0, 0), (1, 2), (6, 20), (5, 5), (14, 40)])
def test_equals_an_independent_evaluation(radial, angular, point_normalization, lmax, nmax):
    basis = Basis(lmax, Zernike(nmax, 10.0, radial), PROTEIN, angular, point_normalization)
    clouds = random_clouds([40, 0, 1, 60])
    expected = independent_transform(clouds, basis)
    assert relative(zernike_transform(clouds, basis, np.float64).coefficients, expected) < 1e-12
    single = zernike_transform(clouds, basis)
    assert single.coefficients.dtype == np.float32
    assert relative(single.coefficients, expected) < 1e-6


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
@pytest.mark.parametrize("channels", [("charge", "mass"), PROTEIN, ("C", "other", "SASA", "H", "charge")])
def test_weights_need_not_be_one_hot(channels, point_normalization):
    basis = Basis(4, Zernike(8, 10.0), channels, point_normalization=point_normalization)
    clouds = random_clouds([30, 7, 200], channels=channels, one_hot=False)
    # Some points have one channel, some none, and the last channel has a few of all.
    weights = clouds.weights * (np.random.default_rng(9).random(clouds.weights.shape) < 0.4)
    weights[:, -1] *= np.arange(len(weights)) % 7 == 0
    clouds = PointClouds(clouds.coordinates, weights, clouds.offsets, channels)
    expected = independent_transform(clouds, basis)
    assert relative(zernike_transform(clouds, basis, np.float64).coefficients, expected) < 1e-13
    assert relative(zernike_transform(clouds, basis).coefficients, expected) < 1e-6


@pytest.mark.parametrize("lmax", range(15))
@pytest.mark.parametrize("nmax", [0, 1, 2, 7, 13, 14, 20, 27, 33, 40])
def test_every_lmax_and_nmax(lmax, nmax):
    """Tiles of every shape agree with the functions evaluated one by one."""
    if nmax < lmax:
        return
    generator = np.random.default_rng(lmax * 41 + nmax)
    point = "unit" if generator.random() < 0.5 else "none"
    basis = Basis(lmax, Zernike(nmax, 10.0), ("C", "N", "O"), point_normalization=point)
    sizes = generator.integers(0, 40, size=3).tolist()
    clouds = random_clouds([*sizes, 1, 2], channels=basis.channels, seed=lmax * 41 + nmax, radius=10.0)
    expected = independent_transform(clouds, basis)
    assert relative(zernike_transform(clouds, basis, np.float64).coefficients, expected) < 1e-12
    assert relative(zernike_transform(clouds, basis).coefficients, expected) < 1e-6


@pytest.mark.parametrize("point_normalization", ["none", "unit"])
def test_float32_holds_for_a_lone_point_near_the_cutoff(point_normalization):
    """The slope of T_j is j² there: rounding ρ to float32 alone would cause errors of 1e-4."""
    basis = Basis(14, Zernike(40, 10.0), ("C",), point_normalization=point_normalization)
    directions = np.random.default_rng(8).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = np.concatenate([10 - np.logspace(-9, 0, 15), [1e-6, 1e-3, 0.1, 3.0, 10 - 1e-13]])
    points = directions * radii[:, None]
    clouds = PointClouds(points, np.ones((20, 1)), np.arange(21), ("C",))
    expected = independent_transform(clouds, basis)
    single = zernike_transform(clouds, basis).coefficients
    difference = np.abs(single - expected).max(axis=1) / np.abs(expected).max(axis=1)
    assert difference.max() < 1e-6


def test_float32_holds_for_many_points():
    """Equal terms are rounded in the same direction each time that they are added."""
    basis = Basis(2, Zernike(6, 10.0), ("C",))
    points = np.tile(random_clouds([1]).coordinates * 0.5, (100_000, 1))
    clouds = PointClouds(points, np.ones((len(points), 1), np.float32), np.array([0, len(points)]), ("C",))
    lone = PointClouds(points[:1], np.ones((1, 1)), np.array([0, 1]), ("C",))
    expected = len(points) * independent_transform(lone, basis)
    assert relative(zernike_transform(clouds, basis).coefficients, expected) < 1e-6


@pytest.mark.parametrize("count", [31, 64, 256, 2000])
@pytest.mark.parametrize(("lmax", "nmax"), [(6, 20), (14, 40)])
def test_float32_holds_for_equal_points_anywhere(lmax, nmax, count):
    basis = Basis(lmax, Zernike(nmax, 10.0), ("C",))
    for point in random_clouds([20], radius=9.9, channels=("C",)).coordinates:
        offsets = np.array([0, count])
        weights = np.full((count, 1), 0.7 + abs(point[0]))
        clouds = PointClouds(np.tile(point, (count, 1)), weights, offsets, ("C",))
        expected = zernike_transform(clouds, basis, np.float64).coefficients
        assert relative(zernike_transform(clouds, basis).coefficients, expected) < 1e-6


def test_the_very_cutoff_is_inside_in_both_forms(monkeypatch):
    """Points with |r| = cutoff to the last bit, or just beside: both forms decide alike, by `squared_lengths`."""
    generator = np.random.default_rng(12)
    directions = generator.normal(size=(3000, 3))
    points = 9.7 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    points[:3] = [[9.7, 0, 0], [0, -9.7, 0], [0, 0, 9.7]]
    clouds = PointClouds(points, np.ones((3000, 1)), np.arange(3001), ("C",))
    basis = Basis(0, Zernike(0, 9.7), ("C",))
    inside = squared_lengths(points / 9.7) <= 1
    assert 500 < inside.sum() < 2500
    assert inside[:3].all()
    for dtype in (np.float32, np.float64):
        coefficients = zernike_transform(clouds, basis, dtype).coefficients
        np.testing.assert_array_equal(coefficients[:, 0] != 0, inside)
    monkeypatch.setattr(
        importlib.import_module("holo_features.transforms.zernike"), "compiled_transform", lambda *_: None
    )
    np.testing.assert_array_equal(zernike_transform(clouds, basis).coefficients[:, 0] != 0, inside)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [[], [5], [3, 0, 900, 0, 2, 41], [0, 0, 0]])
def test_threads_change_nothing(dtype, sizes):
    basis = Basis(4, Zernike(9, 10.0), PROTEIN)
    clouds = random_clouds(sizes)
    alone = zernike_transform(clouds, basis, dtype).coefficients
    for workers in (2, 5, -1):
        shared = zernike_transform(clouds, basis, dtype, workers=workers).coefficients
        np.testing.assert_array_equal(shared, alone)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_coefficient_beyond_float32_is_refused(workers):
    clouds = random_clouds([4, 4, 300, 4, 4])
    weights = clouds.weights.astype(np.float32)
    weights[100:140] *= 3e38
    huge = PointClouds(clouds.coordinates, weights, clouds.offsets, PROTEIN)
    basis = Basis(4, Zernike(9, 10.0), PROTEIN, "component")
    with np.errstate(over="ignore"), pytest.raises(HoloError, match="not finite in row 2"):
        zernike_transform(huge, basis, workers=workers)


@pytest.mark.parametrize("workers", [0, -2, True])
def test_refuses_other_numbers_of_threads(workers):
    with pytest.raises(HoloError, match="workers is"):
        zernike_transform(random_clouds([2]), Basis(1, Zernike(1, 10.0), PROTEIN), workers=workers)


def test_arrays_of_any_layout_and_dtype():
    clouds = random_clouds([30, 20])
    basis = Basis(3, Zernike(6, 10.0), PROTEIN)
    expected = zernike_transform(clouds, basis, np.float64).coefficients
    strided = PointClouds(
        np.asfortranarray(clouds.coordinates),
        np.repeat(clouds.weights, 2, axis=1)[:, ::2].astype(np.float32),
        np.repeat(clouds.offsets, 2)[::2].astype(np.int32),
        PROTEIN,
    )
    np.testing.assert_array_equal(zernike_transform(strided, basis, np.float64).coefficients, expected)


@pytest.mark.usefixtures("form")
def test_large_batches_equal_small_ones():
    # More points than are evaluated at once, and clouds that lie across the border between two pieces.
    basis = Basis(2, Zernike(4, 10.0), PROTEIN)
    clouds = random_clouds([3000, 3000, 9000, 5])
    whole = zernike_transform(clouds, basis, np.float64).coefficients
    assert relative(whole, independent_transform(clouds, basis)) < 1e-12
    alone = [zernike_transform(clouds[i : i + 1], basis, np.float64).coefficients[0] for i in range(4)]
    assert relative(whole, np.array(alone)) < 1e-13


def test_many_clouds_equal_each_alone():
    # More moments than are held at once.
    basis = Basis(14, Zernike(40, 10.0), PROTEIN)
    clouds = random_clouds([3] * 1000)
    assert 8 * 1000 * 4 * 21 * 225 > 2 * (1 << 26)
    rows = [0, 441, 442, 443, 444, 999]
    whole = zernike_transform(clouds, basis, np.float64).coefficients[rows]
    assert relative(whole, zernike_transform(clouds[np.array(rows)], basis, np.float64).coefficients) < 1e-14


@pytest.mark.usefixtures("form")
def test_points_beyond_the_cutoff_do_not_contribute():
    basis = Basis(3, Zernike(6, 10.0), ("C",))
    inside, beyond = [1.0, 2.0, 3.0], [10.0001, 0.0, 0.0]
    both = PointClouds(np.array([inside, beyond]), np.ones((2, 1)), np.array([0, 2]), ("C",))
    alone = PointClouds(np.array([inside]), np.ones((1, 1)), np.array([0, 1]), ("C",))
    np.testing.assert_array_equal(
        zernike_transform(both, basis).coefficients, zernike_transform(alone, basis).coefficients
    )


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
def test_a_point_at_the_origin_has_scalars_only(point_normalization):
    basis = Basis(3, Zernike(6, 10.0), ("C",), point_normalization=point_normalization)
    clouds = PointClouds(np.zeros((1, 3)), np.ones((1, 1)), np.array([0, 1]), ("C",))
    holograms = zernike_transform(clouds, basis, np.float64)
    assert np.abs(holograms.degree(0)).min() > 1e-3
    for degree in (1, 2, 3):
        assert not holograms.degree(degree).any()


@pytest.mark.usefixtures("form")
def test_keeps_the_index():
    clouds = random_clouds([2, 3])
    named = PointClouds(
        clouds.coordinates, clouds.weights, clouds.offsets, PROTEIN, {"residue_number": [7, 9]}
    )
    holograms = zernike_transform(named, Basis(1, Zernike(1, 10.0), PROTEIN))
    assert holograms.index["residue_number"].tolist() == [7, 9]


# --- the basis ---------------------------------------------------------------------------------------------


def basis_functions(basis, points):
    """Return each orthonormal basis function of a one-channel basis at points, [dim, points]."""
    return inverse_zernike_transform(Holograms(np.eye(basis.dim), basis), points)[:, 0]


def test_orthonormal_by_quadrature():
    basis = Basis(6, Zernike(20, 10.0), ("density",))
    points, weights = ball_quadrature(6, 20, 10.0)
    functions = basis_functions(basis, points)
    gram = (functions * weights) @ functions.T
    assert np.abs(gram - np.eye(basis.dim)).max() < 1e-10


def test_orthonormal_by_quadrature_up_to_the_highest_orders():
    # One m of each degree is enough here: along the y axis only m = 0 is not zero.
    basis = Basis(14, Zernike(40, 10.0), ("density",))
    x, w = np.polynomial.legendre.leggauss(45)
    rho, weights = (x + 1) / 2, w / 2 * ((x + 1) / 2) ** 2
    functions = basis_functions(basis, 10.0 * rho[:, None] * np.array([[0.0, 1.0, 0.0]]))
    for degree, place in enumerate(basis.irreps.slices):
        rows = functions[place].reshape(-1, 2 * degree + 1, len(rho))
        others = np.delete(rows, degree, axis=1)
        assert np.abs(others).max(initial=0) < 1e-12
        radial = rows[:, degree] / np.sqrt((2 * degree + 1) / (4 * np.pi))
        assert np.abs((radial * weights) @ radial.T - np.eye(len(radial))).max() < 1e-10


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("radial", "angular"), NORMALIZATIONS)
def test_a_band_limited_density_comes_back(radial, angular):
    lmax, nmax, channels = 5, 9, ("a", "b")
    points, weights = ball_quadrature(lmax, nmax, 8.0)
    generator = np.random.default_rng(1)
    orthonormal = Basis(lmax, Zernike(nmax, 8.0), channels)
    source = Holograms(generator.normal(size=(1, orthonormal.dim)), orthonormal)
    blocks = independent_vectors(points, orthonormal)
    density = sum(
        np.einsum("cnm,pnm->cp", source.degree(degree).reshape(2, -1, 2 * degree + 1), block)
        for degree, block in enumerate(blocks)
    )
    basis = Basis(lmax, Zernike(nmax, 8.0, radial), channels, angular)
    cloud = PointClouds(points, (density * weights).T.copy(), np.array([0, len(points)]), channels)
    holograms = zernike_transform(cloud, basis, np.float64)
    assert relative(inverse_zernike_transform(holograms, points)[0], density) < 1e-10
    if (radial, angular) == ("orthonormal", "orthonormal"):
        assert relative(holograms.coefficients, source.coefficients) < 1e-10
        # Only then is the norm of the coefficients that of the density.
        norm = np.sqrt((density**2 * weights).sum())
        assert np.linalg.norm(holograms.coefficients) == pytest.approx(norm, rel=1e-10)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("radial", "angular"), NORMALIZATIONS)
def test_a_lone_unit_point_has_its_weight_as_density(radial, angular):
    basis = Basis(6, Zernike(20, 10.0, radial), ("C", "N"), angular, "unit")
    point = np.array([[1.0, -4.0, 3.0]])
    cloud = PointClouds(point, np.array([[2.5, -1.0]]), np.array([0, 1]), ("C", "N"))
    density = inverse_zernike_transform(zernike_transform(cloud, basis, np.float64), point)
    np.testing.assert_allclose(density[0, :, 0], [2.5, -1.0], rtol=1e-13)


def test_the_density_beyond_the_cutoff_is_zero():
    basis = Basis(1, Zernike(3, 2.0), ("C",))
    holograms = Holograms(np.ones((1, basis.dim)), basis)
    density = inverse_zernike_transform(holograms, np.array([[0.0, 0.0, 1.9], [0.0, 0.0, 2.1]]))
    assert density[0, 0, 0] != 0
    assert density[0, 0, 1] == 0


def test_many_points_equal_each_alone():
    basis = Basis(2, Zernike(4, 10.0), ("C", "N"))
    holograms = Holograms(np.random.default_rng(2).normal(size=(3, basis.dim)), basis)
    points = random_clouds([9000]).coordinates
    whole = inverse_zernike_transform(holograms, points)
    rows = [0, 4095, 4096, 8999]
    np.testing.assert_allclose(
        whole[:, :, rows], inverse_zernike_transform(holograms, points[rows]), atol=1e-12
    )


# --- symmetry ----------------------------------------------------------------------------------------------


def wigner(rotation, lmax):
    """Return D with Y(R x) = D Y(x), solved from independent harmonics at many directions in float64."""
    directions = np.random.default_rng(3).normal(size=(400, 3))
    before = independent_harmonics(directions, lmax)
    after = independent_harmonics(directions @ rotation.T, lmax)
    matrices = []
    for degree in range(lmax + 1):
        rows = slice(degree**2, (degree + 1) ** 2)
        matrices.append(np.linalg.lstsq(before[:, rows], after[:, rows], rcond=None)[0].T)
    return matrices


def turned(holograms, matrices):
    blocks = [holograms.degree(degree) @ matrix.T for degree, matrix in enumerate(matrices)]
    return np.concatenate([block.reshape(len(holograms), -1) for block in blocks], axis=1)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("radial", ["orthonormal", "floor"])
@pytest.mark.parametrize("point_normalization", ["none", "unit"])
@pytest.mark.parametrize("seed", [0, 1])
def test_rotation(radial, point_normalization, seed):
    basis = Basis(8, Zernike(20, 10.0, radial), PROTEIN, point_normalization=point_normalization)
    rotation = special_ortho_group.rvs(3, random_state=seed)
    clouds = random_clouds([50, 1, 2, 300], radius=9.9)
    rotated = PointClouds(clouds.coordinates @ rotation.T, clouds.weights, clouds.offsets, PROTEIN)
    matrices = wigner(rotation, 8)
    np.testing.assert_allclose(matrices[1], rotation, atol=1e-13)  # D of l = 1 is R itself
    double = turned(zernike_transform(clouds, basis, np.float64), matrices)
    assert relative(zernike_transform(rotated, basis, np.float64).coefficients, double) < 1e-12
    single = turned(zernike_transform(clouds, basis), matrices)
    assert relative(zernike_transform(rotated, basis).coefficients, single) < 1e-6


@given(st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_points_does_not_matter(order):
    basis = Basis(3, Zernike(7, 10.0), PROTEIN)
    clouds = random_clouds([12])
    permuted = PointClouds(
        clouds.coordinates[list(order)], clouds.weights[list(order)], clouds.offsets, PROTEIN
    )
    value = zernike_transform(permuted, basis, np.float64).coefficients
    assert relative(value, zernike_transform(clouds, basis, np.float64).coefficients) < 1e-13


@given(
    st.lists(st.integers(0, 6), max_size=5),
    st.integers(0, 4),
    st.integers(0, 5),
    st.floats(0.5, 30.0),
    st.floats(-3.0, 3.0),
)
@settings(max_examples=40, deadline=None)
def test_linear_in_the_weights_and_scales_with_the_cutoff(sizes, lmax, extra, cutoff, factor):
    basis = Basis(lmax, Zernike(lmax + extra, cutoff), PROTEIN)
    clouds = random_clouds(sizes, radius=1.2 * cutoff)
    value = zernike_transform(clouds, basis, np.float64).coefficients
    assert value.shape == (len(sizes), basis.dim)
    heavier = PointClouds(clouds.coordinates, factor * clouds.weights, clouds.offsets, PROTEIN)
    np.testing.assert_allclose(
        zernike_transform(heavier, basis, np.float64).coefficients, factor * value, rtol=1e-10, atol=1e-11
    )
    unit = Basis(lmax, Zernike(lmax + extra, 1.0), PROTEIN)
    shrunk = PointClouds(clouds.coordinates / cutoff, clouds.weights, clouds.offsets, PROTEIN)
    np.testing.assert_allclose(
        zernike_transform(shrunk, unit, np.float64).coefficients, value, rtol=1e-9, atol=1e-10
    )


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [("N", "C", "O", "S"), ("C", "N", "O"), ("C", "N", "O", "P")])
def test_refuses_other_channels_and_names_both(channels):
    clouds = random_clouds([2], channels=channels)
    message = re.escape(str(channels)) + ".*" + re.escape(str(PROTEIN))
    with pytest.raises(HoloError, match=message):
        zernike_transform(clouds, Basis(1, Zernike(1, 10.0), PROTEIN))


def test_refuses_a_sphere():
    sphere = Basis(1, None, ("C",))
    with pytest.raises(HoloError, match="of a sphere"):
        zernike_transform(random_clouds([2], channels=("C",)), sphere)
    with pytest.raises(HoloError, match="of a sphere"):
        inverse_zernike_transform(Holograms(np.zeros((1, 4)), sphere), np.zeros((1, 3)))


def test_refuses_another_dtype():
    with pytest.raises(HoloError, match="dtype is int32; it must be float32 or float64"):
        zernike_transform(random_clouds([2]), Basis(1, Zernike(1, 10.0), PROTEIN), np.int32)


def test_refuses_points_that_are_not_finite():
    basis = Basis(0, Zernike(0, 1.0), ("C",))
    with pytest.raises(HoloError, match="not a finite number"):
        inverse_zernike_transform(Holograms(np.ones((1, 1)), basis), np.full((1, 3), np.nan))
