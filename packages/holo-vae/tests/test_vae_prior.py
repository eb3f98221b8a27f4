"""The learned prior: its bound beside torch's distributions, its fit beside scikit-learn's, and samples of it."""

from itertools import count

import attrs
import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from holo_types import Holograms
from holo_vae import Condition, Model, Recipe, initial_model, open_rows, train
from holo_vae.networks.network import HolographicAutoencoder, Latent
from holo_vae.networks.prior import MixturePrior
from holo_vae.training.fitted_prior import fitted_mixture
from holo_vae.training.objectives import kl_divergence


def covariances_of(prior: MixturePrior) -> torch.Tensor:
    return torch.linalg.inv(prior.whitening.mT @ prior.whitening)


@pytest.fixture
def random_covariances() -> torch.Tensor:
    torch.manual_seed(1)
    factors = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    return factors @ factors.mT + 0.1 * torch.eye(4, dtype=torch.float64)


def test_the_bound_of_a_mixture_is_above_its_divergence_and_meets_it_where_one_component_counts(
    random_covariances: torch.Tensor,
) -> None:
    """Against the mean of log q - log p over draws of torch's own distributions; of one component to rounding."""
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 3, 4).double()
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    numbers = torch.tensor([1, 0, 1])
    for components in (1, 3):
        prior = MixturePrior(2, components, 4).double()
        for number in range(2):
            shares = torch.rand(components).double() + 0.1
            covariances = random_covariances[number, :components]
            prior.set_mixture(number, shares / shares.sum(), torch.randn(components, 4).double(), covariances)
        mixture = torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=prior.logits[numbers]),
            torch.distributions.MultivariateNormal(prior.means[numbers], covariances_of(prior)[numbers]),
        )
        bound = prior.divergence(mean, log_variance, numbers)
        if components == 1:
            only = torch.distributions.MultivariateNormal(
                prior.means[numbers, 0], covariances_of(prior)[numbers, 0]
            )
            own = torch.distributions.MultivariateNormal(mean, torch.diag_embed(log_variance.exp()))
            torch.testing.assert_close(bound, torch.distributions.kl_divergence(own, only))
        draws = posterior.sample(torch.Size([20_000]))
        drawn = (posterior.log_prob(draws).sum(-1) - mixture.log_prob(draws)).mean(0)
        assert (bound > drawn - 0.03 * drawn.abs()).all()


def test_a_mixture_that_is_set_has_its_covariances_and_is_drawn_from(
    random_covariances: torch.Tensor,
) -> None:
    prior = MixturePrior(2, 3, 4).double()
    shares = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    means = 100 * torch.eye(3, 4, dtype=torch.float64)
    prior.set_mixture(1, shares, means, random_covariances[1])
    torch.testing.assert_close(covariances_of(prior)[1], random_covariances[1])
    torch.testing.assert_close(covariances_of(prior)[0], torch.eye(4).double().expand(3, 4, 4))
    torch.testing.assert_close(prior.logits[1].softmax(dim=0), shares)

    torch.manual_seed(0)
    ones = torch.ones(30_000, dtype=torch.int64)
    with torch.inference_mode():
        z = prior.draw(ones, torch.rand(30_000).double(), torch.randn(30_000, 4).double())
    nearest = torch.cdist(z, means).argmin(dim=1)
    for component in range(3):
        own = z[nearest == component]
        assert len(own) / len(z) == pytest.approx(float(shares[component]), abs=0.02)
        scale = random_covariances[1, component].diagonal().sum()
        assert (own.T.cov() - random_covariances[1, component]).abs().max() < 0.05 * scale
        assert (own.mean(dim=0) - means[component]).abs().max() < 0.05 * scale.sqrt()


def test_a_fit_to_narrow_distributions_is_that_of_scikit_learn_to_points() -> None:
    """Expectation-maximization from the same start, so that the two reach the same mixture."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) + 9 * k for k in range(4)])
    means = torch.from_numpy(points)
    starts = (torch.randperm(1200, generator=torch.Generator().manual_seed(seed))[:4] for seed in count())
    seed, first = next((seed, rows) for seed, rows in enumerate(starts) if len((rows // 300).unique()) == 4)
    shares, centers, covariances = fitted_mixture(
        means, torch.full_like(means, 1e-10), 4, torch.Generator().manual_seed(seed)
    )
    precision = np.diag(1 / points.var(axis=0))
    theirs = GaussianMixture(
        4,
        weights_init=np.full(4, 0.25),
        means_init=points[first],
        precisions_init=[precision] * 4,
        reg_covar=0,
        max_iter=1000,
        tol=1e-6,
    ).fit(points)
    np.testing.assert_allclose(shares.numpy(), theirs.weights_, atol=1e-4)
    np.testing.assert_allclose(centers.numpy(), theirs.means_, atol=1e-3)
    np.testing.assert_allclose(covariances.numpy(), theirs.covariances_, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 40])
def test_fewer_rows_than_components_or_equal_ones_are_no_failure(rows: int) -> None:
    shares, _, covariances = fitted_mixture(
        torch.ones(rows, 3, dtype=torch.float64),
        torch.full((rows, 3), 0.5, dtype=torch.float64),
        8,
        torch.Generator().manual_seed(0),
    )
    assert (shares > 0).all()
    torch.testing.assert_close(covariances, (0.5 * torch.eye(3).double()).expand(8, 3, 3))


def test_a_learned_prior_is_nearer_to_z_than_the_standard_normal_and_nearer_still_if_it_is_fitted(
    holograms: Holograms, recipe: Recipe
) -> None:
    """Of the trained posteriors; and what training recorded is the divergence from the mixture of each category."""
    condition = Condition(column="label", categories=(0, 1, 2))  # no row is of the last
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
    assert isinstance(model.network, HolographicAutoencoder)
    prior = model.network.prior
    assert prior is not None
    for epoch in train(model.network, rows, rows, recipe):
        # The network holds the weights of the best epoch so far, and not yet the fitted prior.
        if epoch.best:
            best, learned, of_no_row = epoch, _divergence(model, labelled), prior.means[2].clone()
    assert learned == pytest.approx(best.validation["kl"], rel=1e-4)

    encoded = model.encode(labelled)
    assert encoded.log_variances is not None
    mean, log_variance = torch.from_numpy(encoded.invariants), torch.from_numpy(encoded.log_variances)
    normal = kl_divergence(Latent(mean, log_variance, torch.from_numpy(encoded.frames))).mean()
    assert _divergence(model, labelled) < learned < 0.8 * normal
    torch.testing.assert_close(prior.means[2], of_no_row, rtol=0, atol=0)


def _divergence(model: Model, rows: Holograms) -> float:
    encoded, prior = model.encode(rows), model.network.prior
    assert prior is not None
    assert encoded.log_variances is not None
    mean, log_variance = torch.from_numpy(encoded.invariants), torch.from_numpy(encoded.log_variances)
    with torch.inference_mode():
        return float(prior.divergence(mean, log_variance, torch.from_numpy(rows.index["label"])).mean())
