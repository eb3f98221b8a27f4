"""Equivariance of the whole network, on usual and on degenerate inputs."""

import copy
from functools import cache

import attrs
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st
from torch import Tensor

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, HoloError, Zernike
from holo_vae import HolographicAutoencoder, ModelConfig
from holo_vae.networks.classifier import Classifier
from holo_vae.networks.description import describe
from holo_vae.networks.network import HologramNetwork
from holo_vae.recipes.model import ClassifierConfig, Condition

PROTEIN = Basis(lmax=4, radial=Zernike(nmax=8, cutoff=10.0), channels=("C", "N", "O"))
SMALL = Basis(lmax=4, radial=Zernike(nmax=5, cutoff=10.0), channels=("C", "N"))
SPHERE = Basis(lmax=4, radial=None, channels=("image",))
CONFIGS = {
    "protein": ModelConfig(
        basis=PROTEIN, latent_dim=8, lmax=(4, 2, 1), channels=(8, 10, 12), initial_projection=8
    ),
    "sphere, full, variational": ModelConfig(
        basis=SPHERE, latent_dim=6, lmax=(4, 2, 1), channels=(8, 8, 8), connectivity="full", variational=True
    ),
    "protein, instance norm, a rule per block, hidden layers": ModelConfig(
        basis=SMALL,
        latent_dim=8,
        lmax=(4, 2, 1),
        channels=(6, 8, 10),
        channel_rule=("full", "elementwise", "elementwise"),
        connectivity=("efficient", "full", "full"),
        norm="instance",
        bottleneck=(9, 7),
    ),
    "sphere, layer norm, no batch norm": ModelConfig(
        basis=SPHERE, latent_dim=6, lmax=(4, 2, 1), channels=(8, 8, 8), norm="layer", batch_norm=False
    ),
    "sphere, no norm, no skip": ModelConfig(
        basis=SPHERE, latent_dim=6, lmax=(4, 2, 1), channels=(8, 8, 8), norm=None, skip=False
    ),
}


@cache
def _network(config: ModelConfig, dtype: torch.dtype) -> HolographicAutoencoder:
    torch.manual_seed(0)
    network = HolographicAutoencoder(config).to(dtype)
    network.train()
    with torch.no_grad():  # so that the running statistics are not the trivial ones
        for _ in range(5):
            network(3 * torch.randn(64, config.basis.dim, dtype=dtype))
    return network.eval()


def _slack(config: ModelConfig) -> int:
    """Return how much an instance norm amplifies rounding errors, since it scales up weak channels."""
    return 10 if config.norm == "instance" else 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_z_is_invariant_and_the_rest_turns(config: ModelConfig, dtype: torch.dtype, tolerance: float) -> None:
    network = _network(config, dtype)
    irreps = str(config.basis.irreps)
    rotations = random_rotations(500, seed=3)
    x = torch.randn(500, config.basis.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
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
    assert error.quantile(0.99) < _slack(config) * tolerance * decoded.abs().max()


def _harmonics(direction: Tensor) -> Tensor:
    from e3nn.o3 import spherical_harmonics

    return spherical_harmonics(list(range(5)), direction, normalize=True, normalization="integral")


def _point(direction: Tensor, config: ModelConfig) -> Tensor:
    """Return a hologram of one point: every channel and radial order of a degree along one direction."""
    y = _harmonics(direction)
    blocks, start = [], 0
    for multiplicity, degree in config.basis.irreps:
        m = y[start : start + 2 * degree + 1]
        weights = torch.linspace(-1, 1, multiplicity, dtype=torch.float64) + 0.3
        blocks.append((weights[:, None] * m).flatten())
        start += 2 * degree + 1
    return torch.cat(blocks)


def _degenerate(config: ModelConfig) -> dict[str, tuple[Tensor, int]]:
    """Return inputs, and the number of axes that they define."""
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
    assert (turned.double() - expected).abs().max() < _slack(config) * tolerance * decoded.abs().max()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("name", _degenerate(CONFIGS["protein"]))
def test_degenerate_rows_have_finite_gradients(config: ModelConfig, name: str) -> None:
    network = copy.deepcopy(_network(config, torch.float32)).train()
    usual = torch.randn(6, config.basis.dim, generator=torch.Generator().manual_seed(2))
    x = torch.cat([usual, _degenerate(config)[name][0][None].float()]).requires_grad_()
    decoded, _ = network(x)
    (decoded - x).square().mean().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_errors_of_a_symmetric_input_give_no_axis(config: ModelConfig, dtype: torch.dtype) -> None:
    """A cube whose coefficients were computed in this precision: what vanishes by symmetry does not quite."""
    network = _network(config, dtype)
    x, axes = _degenerate(config)["a cube"]
    generator = torch.Generator().manual_seed(7)
    errors = torch.randn(50, len(x), dtype=torch.float64, generator=generator) * x.abs().max()
    with torch.inference_mode():
        _, _, frame = network.encode((x + torch.finfo(dtype).eps * errors).to(dtype))
    assert axes == 0
    assert not frame.any()


@pytest.mark.parametrize("channels", ["elementwise", "full"])
def test_the_decoder_mirrors_the_rules_of_the_encoder(channels: str) -> None:
    config = ModelConfig(
        basis=PROTEIN,
        latent_dim=3,
        lmax=(4, 2, 1),
        channels=(3, 3, 3),
        initial_projection=3,
        connectivity=("full", "efficient", "efficient"),
        channel_rule=(channels, "elementwise", "elementwise"),
    )
    network = HolographicAutoencoder(config)
    encoder = [(len(block.tensor_square.paths), block.tensor_square.channels) for block in network.encoder]
    decoder = [block.tensor_square.channels for block in network.decoder]
    assert [rule for _, rule in encoder] == [channels, "elementwise", "elementwise"] == decoder[::-1]
    one_rule = HolographicAutoencoder(attrs.evolve(config, connectivity="efficient"))
    fewer = [len(block.tensor_square.paths) for block in one_rule.encoder]
    assert encoder[0][0] > fewer[0]
    assert [paths for paths, _ in encoder[1:]] == fewer[1:]
    last, others = network.decoder[-1].tensor_square, one_rule.decoder[-1].tensor_square
    assert len(last.paths) > len(others.paths)


def test_hidden_layers_are_what_they_say() -> None:
    config = CONFIGS["protein, instance norm, a rule per block, hidden layers"]
    network = _network(config, torch.float64)
    x = torch.randn(4, config.basis.dim, dtype=torch.float64)
    with torch.inference_mode():
        scalars = network.last_features(x)[:, :10]
        state = network.state_dict()
        for number in (0, 2):
            scalars = scalars @ state[f"hidden.{number}.weight"].T + state[f"hidden.{number}.bias"]
            scalars = scalars.clamp(min=0)
        mean = scalars @ state["mean.weight"].T + state["mean.bias"]
        assert torch.allclose(network.encode(x).mean, mean, atol=1e-12)
        widths = [state[f"bottleneck.{number}.weight"].shape for number in (0, 1, 3)]
        decoded = network.bottleneck(mean)
    assert widths == [(7, 8), (9, 7), (10, 9)]
    assert decoded.shape == (4, 10)
    assert (decoded >= 0).all()


def test_what_is_masked_is_encoded_in_the_place_of_the_whole() -> None:
    config = CONFIGS["sphere, full, variational"]
    network = _network(config, torch.float64)
    x = torch.randn(3, config.basis.dim, dtype=torch.float64)
    masked = x * (torch.arange(config.basis.dim) < 4)
    assert torch.equal(network(x, masked=masked)[0], network(masked)[0])
    assert not torch.allclose(network(x, masked=masked)[0], network(x)[0])


def test_settings_at_their_defaults_have_no_state_of_their_own() -> None:
    config = CONFIGS["sphere, full, variational"]
    modules = {name.split(".")[0] for name in HolographicAutoencoder(config).state_dict()}
    assert modules == {
        *("scale", "encoder", "mean", "log_variance", "frame_vectors"),
        *("bottleneck", "frame_projection", "decoder"),
    }
    names = HolographicAutoencoder(config).encoder[0].state_dict()
    assert {name.split(".")[0] for name in names} == {"batch_norm", "signal_norm", "linear"}
    assert "bottleneck.weight" in HolographicAutoencoder(config).state_dict()


def _draw_config(data: st.DataObject) -> ModelConfig | ClassifierConfig:
    # Not a strategy: beartype draws random numbers when it checks the configuration, and strategies must not.
    draw = data.draw
    # As short a way down as there is, with a block or none more that keeps the degree, and down to 0 or not.
    lmax = draw(st.integers(1, 4))
    path = {1: [1], 2: [1], 3: [2, 1], 4: [2, 1]}[lmax] + draw(st.sampled_from([[], [], [0], [0, 0]]))
    path = draw(st.sampled_from([[], [lmax]])) + path
    blocks = len(path)
    size, rule = st.integers(1, 4), st.sampled_from(["efficient", "full"])
    radial = draw(st.sampled_from([None, Zernike(nmax=lmax + 1, cutoff=5.0)]))
    first = draw(st.sampled_from(["elementwise", "full"]))
    projected = (radial is not None and first == "elementwise") or draw(st.booleans())
    rest = draw(st.lists(st.sampled_from(["elementwise", "full"]), min_size=blocks - 1, max_size=blocks - 1))
    common = {
        "basis": Basis(lmax=lmax, radial=radial, channels=("a",)),
        "lmax": tuple(path),
        "channels": tuple(draw(st.lists(size, min_size=blocks, max_size=blocks))),
        "initial_projection": draw(size) if projected else None,
        "connectivity": draw(rule | st.lists(rule, min_size=blocks, max_size=blocks).map(tuple)),
        "channel_rule": (first, *rest),
        "batch_norm": draw(st.booleans()),
        "norm": draw(st.sampled_from(["signal", "layer", "instance", None])),
        "skip": draw(st.booleans()),
    }
    labels = Condition(column="label", categories=("x", "y"))
    widths = tuple(draw(st.lists(size, max_size=2)))
    if path[-1] == 1 and draw(st.integers(0, 3)):
        return ModelConfig(
            **common,
            latent_dim=draw(size),
            variational=draw(st.booleans()),
            bottleneck=widths,
            condition=draw(st.sampled_from([None, labels])),
        )
    try:
        return ClassifierConfig(**common, classes=labels, hidden=widths)
    except HoloError as error:
        assume("layer norm" not in str(error))
        raise


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_configuration_builds_and_is_equivariant(data: st.DataObject) -> None:
    config = _draw_config(data)
    torch.manual_seed(data.draw(st.integers(0, 99)))
    x = torch.randn(6, config.basis.dim, dtype=torch.float64)
    rotations = random_rotations(6, seed=1)
    turned = rotate(x, str(config.basis.irreps), rotations)
    if isinstance(config, ClassifierConfig):
        classifier = Classifier(config).double()
        classifier(3 * torch.randn(32, config.basis.dim, dtype=torch.float64))
        with torch.inference_mode():
            logits, again = classifier.eval()(x), classifier(turned)
        assert (again - logits).abs().max() < 1e-12 * logits.abs().max()
        network: HologramNetwork = classifier
    else:
        network = _check_autoencoder(config, x, turned, rotations)
    described, parameters = describe(config), sum(p.numel() for p in network.parameters())
    assert described.parameters == parameters <= described.nominal_parameters


def _check_autoencoder(
    config: ModelConfig, x: Tensor, turned: Tensor, rotations: Tensor
) -> HolographicAutoencoder:
    network = HolographicAutoencoder(config).double()
    condition = None if config.condition is None else torch.eye(2, dtype=torch.float64)[[0, 1] * 3]
    network(3 * torch.randn(6, config.basis.dim, dtype=torch.float64), condition=condition)
    network.eval()
    with torch.inference_mode():
        z, _, frame = network.encode(x)
        decoded = network.decode(z, frame, condition)
        turned_z, _, turned_frame = network.encode(turned)
        turned_decoded = network.decode(turned_z, turned_frame, condition)
        features = network.last_features(x)
        first, second = (
            network.frame_vectors(features[:, config.channels[-1] :]).unflatten(1, (2, 3)).unbind(1)
        )
    assert (turned_z - z).abs().max() < 1e-12 * z.abs().max()
    # How far rounding errors reach: the vectors may be short beside the features, and almost parallel.
    sizes = first.norm(dim=1), second.norm(dim=1)
    sine = torch.linalg.cross(first, second).norm(dim=1) / (sizes[0] * sizes[1])
    reach = features.norm(dim=1) / torch.minimum(*sizes)
    reach = torch.where(frame[:, 1].any(1), reach / sine, reach)
    error = (turned_frame - frame @ rotations.mT).abs().amax((1, 2))
    assert (error[frame.any((1, 2))] < (1e-13 * reach)[frame.any((1, 2))]).all()
    assert not turned_frame[~frame.any((1, 2))].any()
    error = (turned_decoded - rotate(decoded, str(config.basis.irreps), rotations)).abs().amax(1)
    assert (error < 1e-12 * (1 + reach.nan_to_num(1.0)) * decoded.abs().max()).all()
    return network


def test_noise_moves_z_only_where_it_is_variational() -> None:
    for config in CONFIGS.values():
        network = _network(config, torch.float64)
        x = torch.randn(3, config.basis.dim, dtype=torch.float64)
        noise = torch.ones(3, config.latent_dim, dtype=torch.float64)
        quiet, noisy = network(x)[0], network(x, noise)[0]
        assert torch.equal(quiet, noisy) != config.variational


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
