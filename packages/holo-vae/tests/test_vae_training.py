import attrs
import numpy as np
import pytest
import torch

from holo_types import HoloError, Holograms
from holo_vae import Recipe, TrainingConfig, data_scale, initial_model, split_rows, train
from holo_vae.network import Encoding
from holo_vae.training import kl_divergence


def _trained(holograms: Holograms, recipe: Recipe):
    split = split_rows(holograms, recipe.training)
    model = initial_model(recipe, data_scale(holograms[split.training]), "small")
    return model, list(train(model, holograms, recipe, split))


def _evolve(recipe: Recipe, variational: bool = False, **training: object) -> Recipe:
    return attrs.evolve(
        recipe,
        model=attrs.evolve(recipe.model, variational=variational),
        training=attrs.evolve(recipe.training, **training),
    )


@pytest.mark.parametrize("variational", [False, True])
def test_training_learns(holograms: Holograms, recipe: Recipe, variational: bool) -> None:
    chosen = _evolve(recipe, variational, epochs=40, learning_rate=1e-2, kl_weight=0.01, kl_warmup=5)
    _, history = _trained(holograms, chosen)
    assert min(epoch.validation_mse for epoch in history) < 0.5 * history[0].validation_mse
    assert (history[-1].kl > 0) == variational


def test_the_best_epoch_is_kept(holograms: Holograms, recipe: Recipe) -> None:
    chosen = _evolve(recipe, epochs=12, learning_rate=2e-2)
    split = split_rows(holograms, chosen.training)
    model = initial_model(chosen, data_scale(holograms[split.training]), "small")
    digests, history = [], []
    for epoch in train(model, holograms, chosen, split):
        digests.append(model.digest)
        history.append(epoch)
    best = int(np.argmin([epoch.validation_mse for epoch in history]))
    assert history[best].best
    assert model.digest == digests[best]


def test_the_same_seed_gives_the_same_weights(holograms: Holograms, recipe: Recipe) -> None:
    first, second = (_trained(holograms, _evolve(recipe, True))[0].digest for _ in range(2))
    other, _ = _trained(holograms, _evolve(recipe, True, seed=1))
    assert first == second != other.digest


def test_training_leaves_the_global_random_state_alone(holograms: Holograms, recipe: Recipe) -> None:
    before = torch.random.get_rng_state()
    _trained(holograms, _evolve(recipe, True))
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_structure_is_on_both_sides(holograms: Holograms, recipe: Recipe) -> None:
    split = split_rows(holograms, recipe.training)
    sides = [set(holograms.index["structure"][rows]) for rows in (split.training, split.validation)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 2  # a quarter of eight
    assert len(split.training) + len(split.validation) == len(holograms)


def test_splitting_names_what_is_missing(holograms: Holograms) -> None:
    with pytest.raises(HoloError, match="no column 'family'"):
        split_rows(holograms, TrainingConfig(group_column="family"))
    with pytest.raises(HoloError, match=r"1 structure value"):
        split_rows(holograms[np.arange(0, 80, 8)], TrainingConfig())


def test_the_scale_is_the_mean_norm(holograms: Holograms) -> None:
    norms = []
    for row in holograms.coefficients.astype(float):
        total, start = 0.0, 0
        for multiplicity, degree in holograms.basis.irreps:
            stop = start + multiplicity * (2 * degree + 1)
            total += (row[start:stop] ** 2).sum() / (2 * degree + 1)
            start = stop
        norms.append(total**0.5)
    assert data_scale(holograms) == pytest.approx(np.mean(norms), rel=1e-6)


def test_zero_holograms_are_refused(holograms: Holograms) -> None:
    zero = attrs.evolve(holograms, coefficients=np.zeros_like(holograms.coefficients))
    with pytest.raises(HoloError, match="is zero"):
        data_scale(zero)


def test_a_training_that_explodes_is_stopped(holograms: Holograms, recipe: Recipe) -> None:
    huge = attrs.evolve(holograms, coefficients=holograms.coefficients * np.float32(1e25))
    split = split_rows(huge, recipe.training)
    model = initial_model(recipe, 1.0, "small")
    with pytest.raises(HoloError, match="loss is"):
        list(train(model, huge, recipe, split))


def test_the_kl_is_that_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 4, generator=generator)
    ours = kl_divergence(Encoding(mean, log_variance, torch.zeros(5, 3, 3)))
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(ours, theirs.sum(1))
