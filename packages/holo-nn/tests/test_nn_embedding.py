"""Spherical harmonics agree with e3nn's, and radial functions with their formulas and integrals."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.integrate import quad

from holo_nn import bessel_basis, polynomial_envelope, rotate, spherical_harmonics
from holo_nn.testing import random_rotations

HARMONICS = "+".join(f"1x{degree}{'eo'[degree % 2]}" for degree in range(9))


@pytest.mark.parametrize("normalization", ["component", "norm", "integral"])
@pytest.mark.parametrize("normalize", [True, False])
def test_harmonics_are_e3nns(normalize, normalization):
    x = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = o3.spherical_harmonics(o3.Irreps(HARMONICS), x, normalize, normalization)
    ours = spherical_harmonics(HARMONICS, x, normalize, normalization)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def test_harmonics_turn_and_are_inverted():
    x = torch.randn(20, 3, dtype=torch.float64)
    rotations, inversion = random_rotations(20), torch.arange(20) % 2 == 1
    turned = (rotations @ x[..., None])[..., 0] * torch.where(inversion, -1.0, 1.0)[:, None]
    expected = rotate(spherical_harmonics(HARMONICS, x), HARMONICS, rotations, inversion)
    torch.testing.assert_close(spherical_harmonics(HARMONICS, turned), expected, rtol=0, atol=1e-12)


def test_second_derivatives_of_harmonics():
    x = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: spherical_harmonics("2x0e+1x1o+1x3o", x, True), x)
    assert torch.autograd.gradgradcheck(lambda x: spherical_harmonics("2x0e+1x1o+1x3o", x, False), x)


def test_a_zero_vector_has_no_direction_and_a_finite_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    harmonics = spherical_harmonics("1x0e+1x1o+1x2e", x)
    assert torch.equal(harmonics, torch.tensor([[1.0] + 8 * [0.0]] * 2))
    harmonics.sum().backward()
    assert x.grad.isfinite().all()


def test_bessel_functions_are_orthonormal_on_the_ball():
    for n in range(1, 5):
        for m in range(1, n + 1):

            def product(r, n=n, m=m):
                values = bessel_basis(torch.tensor(r, dtype=torch.float64), 4.0, 4)
                return (r**2 * values[n - 1] * values[m - 1]).item()

            assert abs(quad(product, 0, 4.0)[0] - (n == m)) < 1e-9


def test_bessel_functions_are_their_formula():
    r = torch.linspace(0.1, 6, 50, dtype=torch.float64)
    n = np.arange(1, 9)
    expected = np.sqrt(2 / 5) * np.sin(n * np.pi * r.numpy()[:, None] / 5) / r.numpy()[:, None]
    np.testing.assert_allclose(bessel_basis(r, 5.0, 8).numpy(), expected, rtol=0, atol=1e-14)
    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: bessel_basis(r, 5.0, 8), zero)


@pytest.mark.parametrize("exponent", [2, 5, 6])
def test_the_envelope_ends_with_two_derivatives(exponent):
    r = torch.tensor([0.0, 2.0, 4.0 - 1e-9, 4.0, 4.5], dtype=torch.float64, requires_grad=True)
    value = polynomial_envelope(r, 4.0, exponent)
    (first,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), r)
    u, p = 0.5, exponent
    expected = 1 - (p + 1) * (p + 2) / 2 * u**p + p * (p + 2) * u ** (p + 1) - p * (p + 1) / 2 * u ** (p + 2)
    assert abs(value[1].item() - expected) < 1e-14
    assert value[0].item() == 1
    for each in (value, first, second):
        assert each[2:].abs().max() < 1e-7
        assert not each[3:].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: spherical_harmonics("1x0e+1x1o+1x1e", torch.zeros(3)),
            r"must have the parities .* or all be even",
        ),
        (
            lambda: spherical_harmonics("1x0e", torch.zeros(2, 4)),
            r"vectors has shape \[2, 4\]; it must be \[..., 3\]",
        ),
        (lambda: bessel_basis(torch.ones(1), 0.0, 4), "cutoff is 0.0 and count 4"),
        (lambda: bessel_basis(torch.ones(1), 5.0, 0), "cutoff is 5.0 and count 0"),
        (lambda: polynomial_envelope(torch.ones(1), 5.0, 1), "cutoff is 5.0 and exponent 1"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    # By the function, or by jaxtyping where it is on, as in the project's own tests.
    with pytest.raises((ValueError, TypeError), match=f"{message}|Type-check"):
        call()
