"""The spherical transform against scipy, direct quadrature, and symmetry."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import sph_harm_y
from scipy.stats import special_ortho_group

from holo_features import inverse_spherical_transform, sphere_grid, spherical_transform
from holo_features.transforms.quarter_turn import quarter_turn
from holo_types import Basis, HoloError, Holograms, SphereImages, Zernike

GRIDS = ("driscoll-healy", "gauss-legendre")


def independent_harmonics(directions, lmax):
    """Return Y_lm [points, (lmax+1)²] from scipy's complex ones: the textbook's (X, Y, Z) is e3nn's (z, x, y)."""
    x, y, z = np.moveaxis(directions, -1, 0)
    # As an arc tangent, the colatitude is accurate near the pole too.
    polar, azimuth = np.arctan2(np.hypot(x, z), y), np.arctan2(x, z)
    columns = []
    for degree in range(lmax + 1):
        for order in range(-degree, degree + 1):
            # (-1)^m removes the Condon-Shortley phase that scipy includes.
            value = (-1) ** order * sph_harm_y(degree, abs(order), polar, azimuth)
            scale = 1 if order == 0 else np.sqrt(2)
            columns.append(scale * (value.imag if order < 0 else value.real))
    return np.stack(columns, axis=-1)


def independent_images(coefficients, grid, bandwidth, rotation=None):
    """Evaluate [n, channels, lm] at a grid's nodes rotated back, which yields the rotated image."""
    directions = sphere_grid(grid, bandwidth).directions()
    turned = directions if rotation is None else directions @ rotation
    lmax = int(np.sqrt(coefficients.shape[-1])) - 1
    values = np.einsum("ncf,tpf->nctp", coefficients, independent_harmonics(turned, lmax))
    return SphereImages(values, grid, [f"channel {i}" for i in range(coefficients.shape[1])])


def flat(coefficients, basis):
    """Convert [n, channels, lm] to the layout of holograms."""
    blocks = [coefficients[:, :, l**2 : (l + 1) ** 2] for l in range(basis.lmax + 1)]  # noqa: E741
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def random_coefficients(n, channels, lmax, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels, (lmax + 1) ** 2))


def wigner(rotation, lmax):
    """Return D of each degree, solved from harmonics at random directions: Y(R x) = D Y(x)."""
    points = np.random.default_rng(7).normal(size=(8 * (lmax + 1) ** 2, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    before, after = independent_harmonics(points, lmax), independent_harmonics(points @ rotation.T, lmax)
    rows = [slice(degree**2, (degree + 1) ** 2) for degree in range(lmax + 1)]
    return [np.linalg.lstsq(before[:, row], after[:, row], rcond=None)[0].T for row in rows]


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


# --- grids -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("bandwidth", [1, 2, 7, 15])
def test_weights_integrate_products_of_harmonics_exactly(grid, bandwidth):
    nodes = sphere_grid(grid, bandwidth)
    harmonics = independent_harmonics(nodes.directions(), bandwidth - 1)
    gram = np.einsum("tpf,tpg,t->fg", harmonics, harmonics, nodes.weights, optimize=True)
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_driscoll_healy_nodes():
    nodes = sphere_grid("driscoll-healy", 2)
    np.testing.assert_allclose(nodes.colatitudes, np.pi * np.array([1, 3, 5, 7]) / 8)
    np.testing.assert_allclose(nodes.azimuths, np.pi * np.array([0, 1, 2, 3]) / 2)
    np.testing.assert_allclose(
        nodes.directions()[0, 1], [0, np.sin(np.pi / 8), np.cos(np.pi / 8)], atol=1e-15
    )


def test_gauss_legendre_nodes_go_from_north_to_south():
    nodes = sphere_grid("gauss-legendre", 2)
    np.testing.assert_allclose(np.cos(nodes.colatitudes), [np.sqrt(1 / 3), -np.sqrt(1 / 3)])
    np.testing.assert_allclose(nodes.azimuths, 2 * np.pi * np.arange(3) / 3)


# --- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(
    ("lmax", "bandwidth", "channels"), [(0, 1, 1), (0, 3, 2), (1, 2, 1), (4, 5, 3), (10, 30, 1), (14, 15, 6)]
)
def test_a_band_limited_image_gives_its_coefficients(grid, lmax, bandwidth, channels):
    coefficients = random_coefficients(3, channels, lmax)
    images = independent_images(coefficients, grid, bandwidth)
    holograms = spherical_transform(images, lmax, np.float64)
    expected = flat(coefficients, holograms.basis)
    assert relative(holograms.coefficients, expected) < 1e-12
    single = spherical_transform(images, lmax)
    assert single.coefficients.dtype == np.float32
    assert relative(single.coefficients, expected) < 1e-6
    decoded = inverse_spherical_transform(Holograms(expected, holograms.basis), grid, bandwidth)
    assert relative(decoded.values, images.values) < 1e-12


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("bandwidth", [64, 90, 128])
def test_high_bandwidths(grid, bandwidth):
    # Below and above the degree from which on a fast Fourier transform is used.
    basis = Basis(bandwidth - 1, None, ("image",))
    source = Holograms(random_coefficients(2, 1, bandwidth - 1)[:, 0], basis)
    images = inverse_spherical_transform(source, grid)
    assert images.bandwidth == bandwidth
    back = spherical_transform(images, bandwidth - 1, np.float64)
    assert np.abs(back.coefficients - source.coefficients).max() < 1e-10
    # A few samples, evaluated by scipy.
    rows = np.array([0, 1, bandwidth // 2, images.values.shape[2] - 1])
    directions = sphere_grid(grid, bandwidth).directions()[rows, 3 * rows // 4]
    expected = source.coefficients @ independent_harmonics(directions, bandwidth - 1).T
    assert relative(images.values[:, 0, rows, 3 * rows // 4], expected) < 1e-11


def test_an_image_that_is_not_band_limited_is_integrated_by_the_weights():
    values = np.random.default_rng(3).normal(size=(2, 2, 12, 12))
    nodes = sphere_grid("driscoll-healy", 6)
    harmonics = independent_harmonics(nodes.directions(), 3)
    expected = np.einsum("nctp,tpf,t->ncf", values, harmonics, nodes.weights)
    holograms = spherical_transform(SphereImages(values, "driscoll-healy", ("a", "b")), 3, np.float64)
    assert relative(holograms.coefficients, flat(expected, holograms.basis)) < 1e-13


def test_component_coefficients_are_decoded_too():
    orthonormal, component = (Basis(3, None, ("a",), kind) for kind in ("orthonormal", "component"))
    coefficients = random_coefficients(2, 1, 3)[:, 0]
    expected = inverse_spherical_transform(Holograms(coefficients, orthonormal)).values
    scaled = Holograms(coefficients * np.sqrt(4 * np.pi), component)
    assert relative(inverse_spherical_transform(scaled).values, expected) < 1e-14


def test_many_images_equal_each_alone():
    # More samples than are worked on at once.
    values = np.random.default_rng(4).normal(size=(700, 2, 40, 40))
    images = SphereImages(values, "driscoll-healy", ("a", "b"), {"image": np.arange(700)})
    whole = spherical_transform(images, 5, np.float64)
    rows = np.array([0, 326, 327, 328, 654, 655, 699])
    alone = spherical_transform(images[rows], 5, np.float64)
    assert relative(whole.coefficients[rows], alone.coefficients) < 1e-14
    assert alone.index["image"].tolist() == rows.tolist()
    decoded = inverse_spherical_transform(whole, "driscoll-healy", 20)
    assert (
        relative(decoded.values[rows], inverse_spherical_transform(alone, "driscoll-healy", 20).values)
        < 1e-14
    )
    assert decoded.index["image"].tolist() == list(range(700))
    assert len(spherical_transform(images[:0], 5)) == 0


def test_the_inverse_keeps_the_dtype():
    basis = Basis(1, None, ("a",))
    assert (
        inverse_spherical_transform(Holograms(np.ones((1, 4), np.float32), basis)).values.dtype == np.float32
    )


# --- symmetry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_rotation(grid, seed):
    lmax, bandwidth = 10, 14
    rotation = special_ortho_group.rvs(3, random_state=seed)
    coefficients = random_coefficients(2, 2, lmax, seed)
    plain, turned = (independent_images(coefficients, grid, bandwidth, r) for r in (None, rotation))
    matrices = wigner(rotation, lmax)
    np.testing.assert_allclose(matrices[1], rotation, atol=1e-13)  # D of l = 1 is R itself
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-6)):
        before, after = (spherical_transform(images, lmax, dtype) for images in (plain, turned))
        blocks = [before.degree(degree) @ matrix.T for degree, matrix in enumerate(matrices)]
        expected = np.concatenate([block.reshape(2, -1) for block in blocks], axis=1)
        assert relative(after.coefficients, expected) < tolerance


@given(st.permutations(range(4)), st.integers(0, 6), st.integers(0, 3), st.sampled_from(GRIDS))
@settings(max_examples=30, deadline=None)
def test_linear_and_channel_by_channel(order, lmax, extra, grid):
    bandwidth = lmax + 1 + extra
    shape = (3, 4, 2 * bandwidth, 2 * bandwidth) if grid == GRIDS[0] else (3, 4, bandwidth, 2 * bandwidth - 1)
    first, second = np.random.default_rng(lmax).normal(size=(2, *shape))

    def encode(values):
        holograms = spherical_transform(SphereImages(values, grid, tuple("abcd")), lmax, np.float64)
        return np.concatenate([holograms.degree(degree) for degree in range(lmax + 1)], axis=2)

    expected = encode(first) - 2.5 * encode(second)
    np.testing.assert_allclose(encode(first - 2.5 * second), expected, atol=1e-12)
    np.testing.assert_allclose(encode(first[:, order]), encode(first)[:, order], atol=1e-13)


# --- the parts ---------------------------------------------------------------------------------------------


def test_quarter_turns_are_orthogonal_at_high_degrees():
    for cosines, sines in quarter_turn(300)[::60]:
        for matrix in (cosines, sines):
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-11)


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lmax", [-1, 4, True])
def test_refuses_a_degree_that_the_grid_does_not_sample(lmax):
    images = SphereImages(np.zeros((1, 1, 8, 8)), "driscoll-healy", ("a",))
    with pytest.raises(
        HoloError, match=r"lmax is .*; it must be an integer >= 0 and less than .* bandwidth, 4"
    ):
        spherical_transform(images, lmax)


def test_refuses_another_dtype():
    images = SphereImages(np.zeros((1, 1, 8, 8)), "driscoll-healy", ("a",))
    with pytest.raises(HoloError, match="dtype is int32; it must be float32 or float64"):
        spherical_transform(images, 1, np.int32)


def test_the_inverse_refuses_what_it_cannot_decode():
    on_sphere = Holograms(np.zeros((1, 4)), Basis(1, None, ("a",)))
    with pytest.raises(HoloError, match="bandwidth is 1; it must be an integer above the basis's lmax, 1"):
        inverse_spherical_transform(on_sphere, bandwidth=1)
    in_ball = Basis(1, Zernike(1, 10.0), ("a",))
    with pytest.raises(HoloError, match="it must be on the sphere"):
        inverse_spherical_transform(Holograms(np.zeros((1, in_ball.dim)), in_ball))


@pytest.mark.parametrize("bandwidth", [0, -3])
def test_grids_refuse_a_bandwidth(bandwidth):
    with pytest.raises(HoloError, match="bandwidth is"):
        sphere_grid("driscoll-healy", bandwidth)
