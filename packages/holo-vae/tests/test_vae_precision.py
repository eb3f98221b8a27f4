"""Training in mixed precision: what is rounded, what is not, and what the network is worth afterwards."""

import copy

import pytest
import torch

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, Zernike
from holo_vae import HolographicAutoencoder, ModelConfig
from holo_vae.data.precision import forward_precision, weights_dtype

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
CONFIG = ModelConfig(
    basis=BASIS, latent_dim=6, lmax=(2, 1), channels=(8, 10), initial_projection=8, variational=True
)
CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return HolographicAutoencoder(CONFIG)


@pytest.fixture
def holograms():
    return torch.randn(64, BASIS.dim, generator=torch.Generator().manual_seed(1))


def outcome(network, holograms, precision):
    noise = torch.randn(len(holograms), CONFIG.latent_dim, generator=torch.Generator().manual_seed(2))
    with forward_precision(precision, CPU):
        decoded, encoding = network(holograms, noise.to(holograms))
        loss = (decoded - holograms).square().mean() + 1e-2 * encoding.mean.square().mean()
    return loss, encoding


def test_linear_maps_round_and_nothing_else(network, holograms):
    seen = {}

    def note(module, inputs, output):
        seen[module] = getattr(output, "dtype", None)

    for module in network.modules():
        module.register_forward_hook(note)
    loss, encoding = outcome(network, holograms, "mixed")
    for block in (*network.encoder, *network.decoder):
        assert seen[block.linear] == torch.bfloat16
        assert seen[block.batch_norm] == seen[block.tensor_square] == torch.float32
    assert {each.dtype for each in (*encoding, loss)} == {torch.float32}
    # A frame of bfloat16 would be orthonormal to two digits.
    frame = encoding.frame.double()
    assert (frame @ frame.mT - torch.eye(3)).abs().max() < 1e-6


def test_the_loss_needs_no_scaling(network, holograms):
    loss, _ = outcome(network, holograms, "mixed")
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    # 2^-60 is far below what half precision's other format, float16, can hold.
    small = torch.autograd.grad(loss * 2.0**-60, parameters)
    for gradient, other in zip(gradients, small, strict=True):
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient, other * 2.0**60)
        assert gradient.abs().max() > 0


def test_gradients_are_those_of_float64_within_bfloat16s_rounding(network, holograms):
    loss, _ = outcome(network, holograms, "mixed")
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    exact = copy.deepcopy(network).to(weights_dtype("float64"))
    loss, _ = outcome(exact, holograms.double(), "float64")
    expected = torch.autograd.grad(loss, list(exact.parameters()))
    found, expected = (torch.cat([each.double().flatten() for each in g]) for g in (gradients, expected))
    assert 1e-4 < (found - expected).norm() / expected.norm() < 0.05


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_a_network_trained_so_is_equivariant_in_float32(network, holograms, precision):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(10):
        loss, _ = outcome(network, holograms, precision)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    rotations, irreps = random_rotations(1000), str(BASIS.irreps)
    x = torch.randn(1000, BASIS.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        decoded, encoding = network(x.float())
        turned, turned_encoding = network(rotate(x, irreps, rotations).float())
    z_error = (turned_encoding.mean - encoding.mean).abs().max() / encoding.mean.abs().max()
    error = (turned.double() - rotate(decoded.double(), irreps, rotations)).abs().amax(1)
    assert z_error < 1e-5
    assert error.quantile(0.99) < 1e-5 * decoded.abs().max()
