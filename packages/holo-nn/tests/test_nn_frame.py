"""Frames: orthonormal where the vectors define them, zero where they do not, equivariant everywhere."""

import pytest
import torch

from holo_nn import orthonormal_frame
from holo_nn.kernels.dispatch import pure_form
from holo_nn.testing import random_rotations

GENERATOR = torch.Generator().manual_seed(0)
VECTORS = torch.randn(2, 4000, 3, generator=GENERATOR, dtype=torch.float64)


def turn(rotations, vectors):
    return torch.einsum("...ij,...j->...i", rotations, vectors)


def degenerate_pairs(dtype):
    """Return pairs (x, p) with the axes that they define."""
    x = torch.tensor([0.3, -0.8, 0.5], dtype=dtype)
    zero = torch.zeros(3, dtype=dtype)
    tiny = 0.1 * torch.finfo(dtype).eps ** 0.5
    other = torch.tensor([1.0, 0.2, -0.4], dtype=dtype)
    return [
        (zero, zero, [False, False, False]),
        (x, zero, [True, False, False]),
        (zero, x, [True, False, False]),
        (x, 3 * x, [True, False, False]),
        (x, -0.5 * x, [True, False, False]),
        (x, x + tiny * other, [True, False, False]),
        (x, tiny * other, [True, False, False]),
        (tiny * x, other, [True, False, False]),
        (x, other, [True, True, True]),
        (1e-6 * x, 1e-6 * other, [True, True, True]),
    ]


def test_equals_gram_schmidt_written_out():
    x, p = VECTORS
    y = p - ((p * x).sum(-1) / (x * x).sum(-1))[:, None] * x
    z = torch.linalg.cross(x, y)
    expected = torch.stack([v / v.norm(dim=-1, keepdim=True) for v in (x, y, z)], dim=1)
    frame = orthonormal_frame(x, p)
    torch.testing.assert_close(frame.axes, expected, rtol=0, atol=1e-11)
    assert frame.defined.all()
    assert not frame.degenerate.any()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_orthonormal_and_right_handed(dtype, tolerance):
    x, p = VECTORS.to(dtype)
    for second in (p, x + 1e-2 * p):
        frame = orthonormal_frame(x, second)
        assert frame.degenerate.sum() < 20
        axes = frame.axes[~frame.degenerate]
        identity = torch.eye(3, dtype=dtype).expand_as(axes)
        torch.testing.assert_close(axes @ axes.mT, identity, rtol=0, atol=tolerance)
        assert (torch.linalg.det(axes) > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equivariance_follows_the_conditioning(dtype):
    x, p = VECTORS
    rotations = random_rotations(len(x), seed=1)
    before = orthonormal_frame(x.to(dtype), p.to(dtype)).axes.double()
    after = orthonormal_frame(turn(rotations, x).to(dtype), turn(rotations, p).to(dtype)).axes.double()
    error = (after - before @ rotations.mT).abs().amax((1, 2))
    sine = torch.linalg.cross(x, p).norm(dim=1) / (x.norm(dim=1) * p.norm(dim=1))
    eps = torch.finfo(dtype).eps
    # The worst measured: 1.6 eps / sine in float32, and 3.9 in float64, where the turned inputs have errors too.
    assert (error <= 6 * eps / sine).all()
    assert error.quantile(0.99) <= {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_axes_that_are_not_defined_are_zero_and_turn(dtype):
    rotations = random_rotations(50, seed=2)
    tolerance = 20 * torch.finfo(dtype).eps
    for x, p, defined in degenerate_pairs(dtype):
        frame = orthonormal_frame(x, p)
        assert frame.defined.tolist() == defined
        assert frame.degenerate.item() == (not all(defined))
        assert (frame.axes.norm(dim=-1) - torch.tensor(defined).to(dtype)).abs().max() < tolerance
        turned = orthonormal_frame(
            turn(rotations, x.double()).to(dtype), turn(rotations, p.double()).to(dtype)
        ).axes
        expected = (frame.axes.double() @ rotations.mT).to(dtype)
        torch.testing.assert_close(turned, expected, rtol=0, atol=tolerance)


def test_without_x_the_first_axis_is_along_p():
    p = torch.tensor([0.0, 0.0, 5.0])
    assert orthonormal_frame(torch.zeros(3), p).axes.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_scale_says_what_rounding_error_is():
    x, p = torch.tensor([1e-7, 0.0, 0.0]), torch.tensor([0.0, 1e-7, 0.0])
    assert orthonormal_frame(x, p).defined.all()
    assert not orthonormal_frame(x, p, scale=torch.tensor(1.0)).defined.any()
    rows = orthonormal_frame(x.expand(2, 3), p.expand(2, 3), scale=torch.tensor([1.0, 1e-7]))
    assert rows.degenerate.tolist() == [True, False]


def test_gradients_are_right_on_regular_rows_and_finite_on_all():
    x, p = (vectors[:5].clone().requires_grad_() for vectors in VECTORS)
    assert torch.autograd.gradcheck(lambda x, p: orthonormal_frame(x, p).axes, (x, p))

    pairs = degenerate_pairs(torch.float64)
    x = torch.stack([pair[0] for pair in pairs]).requires_grad_()
    p = torch.stack([pair[1] for pair in pairs]).requires_grad_()
    orthonormal_frame(x, p).axes.pow(3).sum().backward()
    assert x.grad.isfinite().all()
    assert p.grad.isfinite().all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-13)])
@pytest.mark.parametrize("scaled", [False, True])
def test_compiled_loops_give_the_numbers_and_gradients_of_the_pure_form(dtype, tolerance, scaled):
    pairs = degenerate_pairs(dtype)
    vectors = [
        torch.cat([VECTORS[i, :200].to(dtype), torch.stack([pair[i] for pair in pairs])]) for i in (0, 1)
    ]
    scale = vectors[0].norm(dim=-1) + vectors[1].norm(dim=-1) if scaled else None
    weights = torch.randn(len(vectors[0]), 3, 3, generator=torch.Generator().manual_seed(3)).to(dtype)
    found = []
    for form in (torch.enable_grad, pure_form):
        x, p = (vector.clone().requires_grad_() for vector in vectors)
        with form():
            frame = orthonormal_frame(x, p, scale)
        assert ("_Axes" in type(frame.axes.grad_fn).__name__) == (form is torch.enable_grad)
        (frame.axes * weights).sum().backward()
        # The gradient is as large as the vectors are short, and loses what their sine is small.
        sine = torch.linalg.cross(x, p).norm(dim=-1) / (x.norm(dim=-1) * p.norm(dim=-1))
        regular = frame.defined.all(-1) & (sine > 0.05)
        found.append(
            (frame.axes, frame.defined, *(each.grad * each.norm(dim=-1, keepdim=True) for each in (x, p)))
        )
    for mine, expected in zip(*found, strict=True):
        if mine.dtype == torch.bool:
            assert torch.equal(mine, expected)
        else:
            torch.testing.assert_close(mine[regular], expected[regular], rtol=0, atol=tolerance)
            torch.testing.assert_close(mine[-10:-2], expected[-10:-2], rtol=0, atol=1e3 * tolerance)


def test_second_derivatives_and_any_shape():
    x, p = (vectors[:4].clone().requires_grad_() for vectors in VECTORS)
    assert torch.autograd.gradgradcheck(lambda x, p: orthonormal_frame(x, p).axes, (x, p))
    frame = orthonormal_frame(x.view(2, 2, 3), p.view(2, 2, 3), scale=torch.ones(2, 2, dtype=torch.float64))
    assert frame.axes.shape == (2, 2, 3, 3)
    torch.testing.assert_close(frame.axes.flatten(0, 1), orthonormal_frame(x, p).axes)
    assert orthonormal_frame(x[:0], p[:0]).axes.shape == (0, 3, 3)
