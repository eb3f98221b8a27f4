"""Muon: its steps beside those of torch, its orthogonalization beside singular vectors."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from holo_vae.training.flat import FlatParameters
from holo_vae.training.muon import Muon, orthogonalized

SIZES = st.integers(1, 24)


@given(rows=SIZES, columns=SIZES, seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_singular_vectors_stay_and_singular_values_come_near_one(
    rows: int, columns: int, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.normal(size=(rows, min(rows, columns))))
    v, _ = np.linalg.qr(rng.normal(size=(columns, min(rows, columns))))
    # The matrix is divided by its norm, at most √24 times its largest singular value: none falls below .02.
    values = rng.uniform(0.1, 1.0, size=min(rows, columns)) * scale
    (found,) = orthogonalized([torch.from_numpy(u * values @ v.T)])
    among_singular_vectors = u.T @ found.numpy() @ v
    within = np.diagonal(among_singular_vectors)
    assert ((within > 0.65) & (within < 1.2)).all()
    # What is beside the diagonal is rounding, which five steps of the iteration enlarge.
    np.testing.assert_allclose(among_singular_vectors, np.diag(within), atol=1e-9)


def test_matrices_are_orthogonalized_together_as_alone() -> None:
    random = torch.Generator().manual_seed(0)
    shapes = [(3, 7), (7, 3), (5, 5), (3, 9), (1, 4), (5, 2)]
    matrices = [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]
    for alone, together in zip(
        [orthogonalized([each])[0] for each in matrices], orthogonalized(matrices), strict=True
    ):
        # The same sums; a product of several matrices at once may add in another order.
        torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


def test_a_matrix_of_zeros_stays() -> None:
    assert torch.equal(orthogonalized([torch.zeros(3, 4)])[0], torch.zeros(3, 4))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim has Muon from 2.9 on")
def test_steps_of_matrices_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(30, 12, bias=False), nn.Tanh(), nn.Linear(12, 20, bias=False))
    theirs = nn.Sequential(nn.Linear(30, 12, bias=False), nn.Tanh(), nn.Linear(12, 20, bias=False))
    theirs.load_state_dict(ours.state_dict())
    start = [parameter.detach().clone() for parameter in ours.parameters()]
    flat = FlatParameters(ours)
    mine = Muon(flat, learning_rate=1e-3)
    reference = torch.optim.Muon(  # type: ignore[attr-defined]
        theirs.parameters(), lr=1e-3, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(5):
        x = torch.randn(16, 30)
        flat.gradient.zero_()
        ours(x).square().mean().backward()
        theirs.zero_grad()
        theirs(x).square().mean().backward()
        mine.step()
        reference.step()
    for one, other, before in zip(ours.parameters(), theirs.parameters(), start, strict=True):
        moved, expected = one.detach() - before, other.detach() - before
        # torch orthogonalizes in bfloat16, which has three digits.
        assert (moved - expected).norm() < 0.03 * expected.norm()


def test_vectors_are_stepped_as_by_adam() -> None:
    ours, theirs = nn.LayerNorm(6), nn.LayerNorm(6)
    flat = FlatParameters(ours)
    mine = Muon(flat, learning_rate=1e-2)
    reference = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.95, 0.99))
    for seed in range(5):
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(seed))
        flat.gradient.zero_()
        ours(x).pow(3).sum().backward()
        theirs.zero_grad()
        theirs(x).pow(3).sum().backward()
        mine.step()
        reference.step()
    # Both are Adam in float32.
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-5, atol=1e-6)


def test_a_closure_is_refused() -> None:
    muon = Muon(FlatParameters(nn.Linear(2, 2)), learning_rate=1.0)
    with pytest.raises(TypeError, match="takes no closure"):
        muon.step(lambda: 0.0)
