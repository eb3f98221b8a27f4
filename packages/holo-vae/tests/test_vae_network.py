"""Equivariance of the whole network, on usual and on degenerate inputs."""

import numpy as np
import pytest
import torch
from torch import Tensor

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, Zernike
from holo_vae import HolographicAutoencoder, ModelConfig

PROTEIN = Basis(lmax=4, radial=Zernike(nmax=8, cutoff=10.0), channels=("C", "N", "O"))
SPHERE = Basis(lmax=4, radial=None, channels=("image",))
CONFIGS = {
    "protein": ModelConfig(
        basis=PROTEIN, latent_dim=8, lmax=(4, 2, 1), channels=(8, 10, 12), initial_projection=8
    ),
    "sphere, full, variational": ModelConfig(
        basis=SPHERE, latent_dim=6, lmax=(4, 2, 1), channels=(8, 8, 8), connectivity="full", variational=True
    ),
}


def _network(config: ModelConfig, dtype: torch.dtype) -> HolographicAutoencoder:
    torch.manual_seed(0)
    network = HolographicAutoencoder(config).to(dtype)
    network.train()
    with torch.no_grad():  # so that the running statistics are not the trivial ones
        for _ in range(5):
            network(3 * torch.randn(64, config.basis.dim, dtype=dtype))
    return network.eval()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_z_is_invariant_and_the_rest_turns(config: ModelConfig, dtype: torch.dtype, tolerance: float) -> None:
    network = _network(config, dtype)
    irreps = str(config.basis.irreps)
    rotations = random_rotations(4000, seed=3)
    x = torch.randn(4000, config.basis.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        z, _, frame = network.encode(x.to(dtype))
        decoded = network.decode(z, frame)
        turned_z, _, turned_frame = network.encode(rotate(x, irreps, rotations).to(dtype))
        turned = network.decode(turned_z, turned_frame)
    assert (turned_z - z).abs().max() < tolerance * z.abs().max()
    frame_error = (turned_frame.double() - frame.double() @ rotations.mT).abs().amax((1, 2))
    error = (turned.double() - rotate(decoded.double(), irreps, rotations)).abs().amax(1)
    # Both depend on how far from parallel the frame's two vectors are.
    assert frame_error.quantile(0.99) < tolerance
    assert error.quantile(0.99) < tolerance * decoded.abs().max()


def _harmonics(direction: Tensor) -> Tensor:
    from e3nn.o3 import spherical_harmonics

    return spherical_harmonics(list(range(5)), direction, normalize=True, normalization="integral")


def _point(direction: Tensor, config: ModelConfig) -> Tensor:
    """Give a hologram of one point: every channel and radial order of a degree along one direction."""
    y = _harmonics(direction)
    blocks, start = [], 0
    for multiplicity, degree in config.basis.irreps:
        m = y[start : start + 2 * degree + 1]
        weights = torch.linspace(-1, 1, multiplicity, dtype=torch.float64) + 0.3
        blocks.append((weights[:, None] * m).flatten())
        start += 2 * degree + 1
    return torch.cat(blocks)


def _degenerate(config: ModelConfig) -> dict[str, tuple[Tensor, int]]:
    """Give inputs and how many axes they define."""
    direction = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    cube = torch.tensor([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=torch.float64)
    scalar = torch.zeros(config.basis.dim, dtype=torch.float64)
    scalar[: config.basis.irreps.blocks[0][0]] = 1.5
    (turn,) = random_rotations(1, seed=8)
    return {
        "empty": (torch.zeros(config.basis.dim, dtype=torch.float64), 0),
        "only a scalar": (scalar, 0),
        "a cube": (sum(_point(corner @ turn.mT, config) for corner in cube), 0),
        "one point": (_point(direction, config), 1),
        "two points on a line": (_point(direction, config) + 0.4 * _point(-direction, config), 1),
    }


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("name", _degenerate(CONFIGS["sphere, full, variational"]))
def test_degenerate_inputs_stay_equivariant(
    config: ModelConfig, dtype: torch.dtype, tolerance: float, name: str
) -> None:
    network = _network(config, dtype)
    irreps = str(config.basis.irreps)
    x, axes = _degenerate(config)[name]
    rotations = random_rotations(50, seed=4)
    with torch.inference_mode():
        z, _, frame = network.encode(x[None].to(dtype))
        decoded = network.decode(z, frame)
        turned_z, _, turned_frame = network.encode(rotate(x.expand(50, -1), irreps, rotations).to(dtype))
        turned = network.decode(turned_z, turned_frame)
    assert frame[0].any(dim=1).tolist() == [i < axes for i in range(3)]
    assert turned_frame.any(dim=2).tolist() == [[i < axes for i in range(3)]] * 50
    assert (turned_z - z).abs().max() < tolerance * z.abs().max()
    assert (turned_frame.double() - frame.double() @ rotations.mT).abs().max() < tolerance
    expected = rotate(decoded.double().expand(50, -1), irreps, rotations)
    assert (turned.double() - expected).abs().max() < tolerance * decoded.abs().max()


@pytest.mark.parametrize("name", _degenerate(CONFIGS["protein"]))
def test_degenerate_rows_have_finite_gradients(name: str) -> None:
    config = CONFIGS["protein"]
    network = _network(config, torch.float32).train()
    usual = torch.randn(6, config.basis.dim, generator=torch.Generator().manual_seed(2))
    x = torch.cat([usual, _degenerate(config)[name][0][None].float()]).requires_grad_()
    decoded, _ = network(x)
    (decoded - x).square().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_noise_moves_z_only_where_it_is_variational() -> None:
    for config in CONFIGS.values():
        network = _network(config, torch.float64)
        x = torch.randn(3, config.basis.dim, dtype=torch.float64)
        noise = torch.ones(3, config.latent_dim, dtype=torch.float64)
        quiet, noisy = network(x)[0], network(x, noise)[0]
        assert torch.equal(quiet, noisy) != config.variational


def test_the_paper_sizes() -> None:
    """Spherical MNIST, z = 16: 227k parameters in the paper, of which a fifth act on zeros and are not ours."""
    basis = Basis(lmax=10, radial=None, channels=("image",))
    config = ModelConfig(
        basis=basis, latent_dim=16, lmax=(10, 10, 8, 4, 2, 1), channels=(16,) * 6, variational=True
    )
    parameters = sum(p.numel() for p in HolographicAutoencoder(config).parameters())
    assert 170_000 < parameters < 190_000


def test_what_is_decoded_has_the_symmetry_of_the_input() -> None:
    """One point: turning about its own direction changes nothing in the reconstruction."""
    config = CONFIGS["protein"]
    network = _network(config, torch.float64)
    direction = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    angle = 0.7
    cross = torch.linalg.cross(direction.expand(3, 3), torch.eye(3, dtype=torch.float64)).mT
    about = torch.eye(3, dtype=torch.float64) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    with torch.inference_mode():
        decoded, _ = network(_point(direction, config)[None])
    assert torch.allclose(rotate(decoded, str(config.basis.irreps), about), decoded, atol=1e-12)
