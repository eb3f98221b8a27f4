"""A loss of one's own: a class from outside the package, which `train` takes."""

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holo_types import Basis, HoloError, Holograms, Zernike
from holo_vae import ModelConfig, Objective, Recipe, TrainingConfig, initial_model, open_rows, train
from holo_vae.training.objectives import Draws, objective_of

SCALE = 4.0


class JitteredAbsoluteError(Objective):
    """The mean absolute error of what is made of a jittered input; the mean squared error is watched."""

    names = ("mae", "mse")

    def weights(self, epoch: int) -> tuple[float, ...]:
        return (2.0, 0.0)

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        return {"jitter": 1 + 0.01 * torch.randn(count, 1, generator=generator)}

    def values(self, network: nn.Module, holograms: Tensor, labels: Tensor | None, draws: Draws) -> Tensor:
        decoded, _ = network(holograms * draws.get("jitter", 1))
        difference = decoded - holograms / SCALE
        return torch.stack([difference.abs().mean(dim=1), difference.square().mean(dim=1)], dim=1)


class AbsoluteError(JitteredAbsoluteError):
    """The same without jitter."""

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        return {}


def _history(holograms: Holograms, recipe: Recipe, objective: Objective, **options):
    training, validation = (open_rows(part, shuffle_rows=100) for part in (holograms[:60], holograms[60:]))
    model = initial_model(recipe, SCALE, "small")
    return model, list(train(model.network, training, validation, recipe, objective=objective, **options))


def test_a_class_from_outside_is_trained_for(holograms: Holograms, recipe: Recipe) -> None:
    recipe = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=12, learning_rate=1e-2))
    model, history = _history(holograms, recipe, JitteredAbsoluteError())
    assert set(history[0].parts) == set(history[0].validation) == {"mae", "mse"}
    assert history[-1].loss == pytest.approx(2 * history[-1].parts["mae"])
    assert history[-1].loss < 0.7 * history[0].loss
    held_out = holograms[60:]
    error = (model.decode(model.encode(held_out)).coefficients - held_out.coefficients) / SCALE
    best = min(history, key=lambda epoch: epoch.validation_loss)
    assert best.validation_loss == pytest.approx(2 * np.abs(error).mean(), rel=1e-5)
    assert best.validation["mse"] == pytest.approx(np.square(error).mean(), rel=1e-5)


def test_what_it_draws_reaches_the_network_and_is_drawn_again(holograms: Holograms, recipe: Recipe) -> None:
    jittered, again, plain = (
        _history(holograms, recipe, objective)[1][-1].loss
        for objective in (JitteredAbsoluteError(), JitteredAbsoluteError(), AbsoluteError())
    )
    assert jittered == again
    assert jittered != plain


def test_a_run_goes_on_with_its_own_objective_only(holograms: Holograms, recipe: Recipe, tmp_path) -> None:
    _, history = _history(holograms, recipe, AbsoluteError(), state=tmp_path)
    assert _history(holograms, recipe, AbsoluteError(), state=tmp_path)[1] == history
    with pytest.raises(HoloError, match="another recipe"):
        _history(holograms, recipe, JitteredAbsoluteError(), state=tmp_path)


def test_channels_weigh_what_the_recipe_says() -> None:
    basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=5.0), channels=("C", "S", "other"))
    config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(4, 4), initial_projection=4)
    weights = (1.0, 5.0, 0.25)
    recipe = Recipe(model=config, training=TrainingConfig(channel_weights=weights))
    model = initial_model(recipe, SCALE, "small")
    generator = np.random.default_rng(0)
    rows = Holograms(generator.normal(size=(6, basis.dim)).astype(np.float32), basis)
    with torch.no_grad():
        found = objective_of(recipe).values(model.network, torch.tensor(rows.coefficients), None, {})
    reconstructed = model.decode(model.encode(rows))
    total = np.zeros(6)
    for degree in range(3):
        error = (reconstructed.degree(degree) - rows.degree(degree)) / SCALE
        total += np.einsum("c,ncom->n", weights, np.square(error).reshape(6, 3, -1, 2 * degree + 1))
    np.testing.assert_allclose(found[:, 0], total / basis.dim, rtol=1e-4)
