"""The Wigner D matrices agree with harmonics computed elsewhere."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from holo_nn import rotate, wigner_D
from holo_nn.so3 import wigner
from holo_nn.testing import random_rotations

DEGREES = range(15)


def scipy_harmonics(degree, points):
    """Return e3nn's real harmonics [points, m] (pole y, no Condon-Shortley phase) from scipy's complex ones."""
    x, y, z = points.T  # ours (z, x, y) are (x, y, z) of scipy, whose pole is z
    theta, phi = np.arctan2(np.hypot(x, z), y), np.arctan2(x, z)
    columns = []
    for m in range(-degree, degree + 1):
        value = sph_harm_y(degree, abs(m), theta, phi) * (-1.0) ** m
        columns.append(value.real if m == 0 else 2**0.5 * (value.imag if m < 0 else value.real))
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def points():
    points = np.random.default_rng(1).normal(size=(40, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("degree", DEGREES)
def test_turns_harmonics_of_scipy(degree, points):
    rotations = Rotation.random(20, random_state=2).as_matrix()
    matrices = wigner_D(degree, torch.from_numpy(rotations)).numpy()
    for rotation, matrix in zip(rotations, matrices, strict=True):
        expected = scipy_harmonics(degree, points @ rotation.T)
        np.testing.assert_allclose(scipy_harmonics(degree, points) @ matrix.T, expected, rtol=0, atol=2e-13)


@pytest.mark.parametrize("degree", range(12))
def test_turns_harmonics_of_e3nn(degree, points):
    x = torch.from_numpy(points)
    rotation = random_rotations(1, seed=3)[0]
    before = o3.spherical_harmonics(degree, x, normalize=False, normalization="norm")
    after = o3.spherical_harmonics(degree, x @ rotation.T, normalize=False, normalization="norm")
    torch.testing.assert_close(before @ wigner_D(degree, rotation).T, after, rtol=0, atol=1e-12)


@pytest.mark.parametrize("degree", DEGREES)
def test_is_a_representation(degree):
    first, second = random_rotations(50, seed=4), random_rotations(50, seed=5)
    product = wigner_D(degree, first) @ wigner_D(degree, second)
    torch.testing.assert_close(wigner_D(degree, first @ second), product, rtol=0, atol=1e-12)
    identity = torch.eye(2 * degree + 1, dtype=torch.float64).expand_as(product)
    torch.testing.assert_close(
        wigner_D(degree, first) @ wigner_D(degree, first).mT, identity, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(wigner_D(degree, torch.eye(3).double()), identity[0], rtol=0, atol=1e-13)


def test_degree_one_is_the_rotation_itself():
    rotations = random_rotations(4).reshape(2, 2, 3, 3)
    assert torch.equal(wigner_D(1, rotations), rotations)


def test_float32_stays_float32():
    rotations = random_rotations(20)
    matrices = wigner_D(8, rotations.float())
    assert matrices.dtype == torch.float32
    torch.testing.assert_close(matrices.double(), wigner_D(8, rotations), rtol=0, atol=1e-5)


def test_gradient():
    def of_rotation_vector(vector):
        zero = torch.zeros_like(vector[0])
        x, y, z = vector
        generator = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
        return wigner_D(4, torch.linalg.matrix_exp(generator))

    vector = torch.tensor([0.3, -1.1, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of_rotation_vector, vector)


def test_what_was_first_asked_for_in_inference_can_be_trained_through():
    wigner._recursion.cache_clear()
    turn = random_rotations(1, seed=3)[0]
    with torch.inference_mode():
        wigner_D(3, turn)
    turn = turn.requires_grad_()
    wigner_D(3, turn).sum().backward()
    assert turn.grad is not None


def test_rotate_turns_each_channel():
    rotations = random_rotations(5, seed=6)
    irreps = o3.Irreps("2x0e+3x2e")
    features = torch.randn(5, irreps.dim, dtype=torch.float64)
    turned = rotate(features, irreps, rotations)
    assert torch.equal(turned[:, :2], features[:, :2])
    for row in range(5):
        channels = features[row, 2:].reshape(3, 5) @ wigner_D(2, rotations[row]).T
        torch.testing.assert_close(turned[row, 2:], channels.flatten(), rtol=0, atol=1e-14)
        torch.testing.assert_close(
            rotate(features, irreps, rotations[row])[row], turned[row], rtol=0, atol=1e-14
        )


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (2 * torch.eye(3), "R Rᵀ differs from the identity by 3.0e\\+00"),
        (torch.diag(torch.tensor([1.0, 1.0, -1.0])), "a determinant is -1"),
        (torch.full((3, 3), float("nan")), "differs from the identity by nan"),
    ],
)
def test_what_is_no_rotation_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        wigner_D(2, matrix)
    with pytest.raises(ValueError, match=message):
        rotate(torch.zeros(1, 3), "1x1e", matrix)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"rotations has shape \[2, 3, 3\]; it must be \[3, 3\] or \[5, 3, 3\]"
    ):
        rotate(torch.zeros(5, 3), "1x1e", random_rotations(2))
    with pytest.raises(ValueError, match=r"features has shape \[5, 4\]; it must be \[..., 3\]"):
        rotate(torch.zeros(5, 4), "1x1e", random_rotations(5))
    with pytest.raises(ValueError, match="the degree is -1"):
        wigner_D(-1, torch.eye(3))
