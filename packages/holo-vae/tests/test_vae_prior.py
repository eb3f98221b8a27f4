"""The learned prior: its bound beside torch's distributions, and that it comes near to z of each category."""

import attrs
import numpy as np
import pytest
import torch

from holo_types import Holograms
from holo_vae import Condition, Recipe, initial_model, open_rows, train
from holo_vae.networks.network import Latent
from holo_vae.networks.prior import RATE, MixturePrior
from holo_vae.training.objectives import kl_divergence


def test_the_bound_of_a_mixture_is_above_its_divergence_and_meets_it_where_one_component_counts() -> None:
    """Against the mean of log q - log p over draws of torch's own distributions; of one component to rounding."""
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 3, 4)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    numbers = torch.tensor([1, 0, 1])
    for components in (1, 3):
        prior = MixturePrior(2, components, 4)
        torch.nn.init.normal_(prior.slow_logits, std=1 / RATE)
        torch.nn.init.normal_(prior.slow_log_variances, std=1 / RATE)
        mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=prior.logits[numbers]),
            torch.distributions.Independent(
                torch.distributions.Normal(prior.means[numbers], (prior.log_variances[numbers] / 2).exp()), 1
            ),
        )
        draws = posterior.sample(torch.Size([20_000]))
        drawn = (posterior.log_prob(draws).sum(-1) - mixture.log_prob(draws)).mean(0)
        bound = prior.divergence(mean, log_variance, numbers)
        assert (bound > drawn - 0.1).all()
        if components == 1:
            torch.testing.assert_close(bound, drawn, atol=0.3, rtol=0.03)


def test_a_learned_prior_is_nearer_to_z_than_the_standard_normal(
    holograms: Holograms, recipe: Recipe
) -> None:
    """Of the trained posteriors; and what training recorded is the divergence from the mixture of each category."""
    condition = Condition(column="label", categories=(0, 1))
    labelled = attrs.evolve(holograms, index={"label": np.arange(len(holograms)) % 2})
    recipe = attrs.evolve(
        recipe,
        model=attrs.evolve(recipe.model, variational=True, condition=condition, prior_components=4),
        training=attrs.evolve(
            recipe.training, epochs=40, batch_size=20, learning_rate=2e-2, kl_weight=1.0, kl_warmup=0
        ),
    )
    rows = open_rows(labelled, shuffle_rows=100, condition=condition)
    model = initial_model(recipe, 4.0, "learned")
    history = list(train(model.network, rows, rows, recipe))
    best = min(history, key=lambda epoch: epoch.validation_loss)

    encoded, prior = model.encode(labelled), model.network.prior
    assert prior is not None
    assert encoded.log_variances is not None
    mean, log_variance = torch.from_numpy(encoded.invariants), torch.from_numpy(encoded.log_variances)
    with torch.inference_mode():
        learned = prior.divergence(mean, log_variance, torch.from_numpy(labelled.index["label"])).mean()
    normal = kl_divergence(Latent(mean, log_variance, torch.from_numpy(encoded.frames))).mean()
    assert learned < 0.8 * normal
    assert float(learned) == pytest.approx(best.validation["kl"], rel=1e-4)
