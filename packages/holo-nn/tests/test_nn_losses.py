"""The cosine losses."""

import numpy as np
import pytest
import torch

from holo_nn import cosine_loss, cosine_loss_per_degree, rotate
from holo_nn.testing import random_rotations

IRREPS = "3x0e+2x1e+1x4e"
X, Y = torch.randn(2, 6, 18, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("s", [1, -1, 0, 0.5])
def test_equals_the_formula_in_numpy(s):
    weights = np.repeat([1.0, 3**0.5, 9**0.5], [3, 6, 9]) ** s

    def inner(a, b):
        return (a.numpy() * weights * b.numpy()).sum(1)

    expected = 1 - inner(X, Y) / np.sqrt(inner(X, X) * inner(Y, Y))
    np.testing.assert_allclose(cosine_loss(X, Y, IRREPS, s=s).numpy(), expected, rtol=1e-13)


def test_weighs_high_degrees_more_unless_told():
    assert torch.equal(cosine_loss(X, Y, IRREPS), cosine_loss(X, Y, IRREPS, s=1))
    assert not torch.allclose(cosine_loss(X, Y, IRREPS), cosine_loss(X, Y, IRREPS, s=-1))


def test_per_degree_is_the_loss_of_each_degree_alone():
    losses = cosine_loss_per_degree(X, Y, IRREPS)
    for column, (piece, irreps) in enumerate(
        [(slice(0, 3), "3x0e"), (slice(3, 9), "2x1e"), (slice(9, 18), "1x4e")]
    ):
        torch.testing.assert_close(losses[:, column], cosine_loss(X[:, piece], Y[:, piece], irreps))


@pytest.mark.parametrize("loss", [cosine_loss, cosine_loss_per_degree])
def test_neither_size_nor_rotation_matters(loss):
    rotations = random_rotations(6)
    turned = loss(5 * rotate(X, IRREPS, rotations), 1e-12 * rotate(Y, IRREPS, rotations), IRREPS)
    torch.testing.assert_close(turned, loss(X, Y, IRREPS), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss(X, -X, IRREPS), 2 - loss(X, X, IRREPS), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", [cosine_loss, cosine_loss_per_degree])
def test_zero_gives_one_and_a_finite_gradient(loss):
    x = X.clone()
    x[2] = 0
    x.requires_grad_()
    losses = loss(x, Y, IRREPS)
    assert (losses[2] == 1).all()
    losses.sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad[2] == 0).all()


@pytest.mark.parametrize("loss", [cosine_loss, cosine_loss_per_degree])
def test_gradient(loss):
    x, y = X[:2].clone().requires_grad_(), Y[:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: loss(x, y, IRREPS), (x, y))


@pytest.mark.parametrize("loss", [cosine_loss, cosine_loss_per_degree])
def test_other_shapes_are_refused(loss):
    with pytest.raises(ValueError, match=r"x has shape \[6, 17\]; it must be \[..., 18\]"):
        loss(X[:, :17], Y[:, :17], IRREPS)
