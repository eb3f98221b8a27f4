"""The learned prior of an H-VAE, fitted to the final posteriors of z by expectation-maximization."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from holo_vae.data.batches import Rows
from holo_vae.networks.network import HolographicAutoencoder

__all__ = ["fit_prior", "fitted_mixture"]

_MOST_ROWS = 100_000
_ITERATIONS = 100
_LEAST_GAIN = 1e-4  # of the bound in an iteration, relative to it; less ends the fit
_LEAST_WEIGHT = 1e-6  # rows; a component of fewer keeps its mean and its covariance
_AT_ONCE = 4096  # rows, whose divergences from all components are in memory together


def fit_prior(network: HolographicAutoencoder, rows: Rows, seed: int) -> None:
    """Fit the learned prior of each category to the posteriors of its rows.

    During the training the prior follows a network that changes, and by gradients. Once the network is final,
    expectation-maximization finds a mixture from which the posteriors diverge less.

    Parameters
    ----------
    network
        An H-VAE with a learned prior, which is changed in place. The mixtures of categories without rows stay as they
        are.
    rows
        The training rows, of which at most 100,000 random ones are used.
    seed
        The seed of the choice of rows, and of the initial means.
    """
    prior, count = network.prior, 0
    assert prior is not None
    network.eval()
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for batch in rows.epoch(seed, 0, 256):
            latent = network.encode(batch.coefficients.to(network.scale))
            assert latent.log_variance is not None
            numbers = torch.zeros(len(latent.mean), dtype=torch.int64, device="cpu")
            parts.append(
                (
                    numbers if batch.labels is None else batch.labels.cpu(),
                    latent.mean.double().cpu(),
                    latent.log_variance.double().exp().cpu(),
                )
            )
            count += len(latent.mean)
            if count >= _MOST_ROWS:
                break
    numbers, means, variances = (torch.cat(each) for each in zip(*parts, strict=True))
    generator = torch.Generator("cpu").manual_seed(seed)
    components = prior.logits.shape[1]
    for number in sorted(set(numbers.tolist())):
        chosen = numbers == number
        prior.set_mixture(number, *fitted_mixture(means[chosen], variances[chosen], components, generator))


def fitted_mixture(
    means: Float[Tensor, "n d"],
    variances: Float[Tensor, "n d"],
    components: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, " components"], Float[Tensor, "components d"], Float[Tensor, "components d d"]]:
    """Fit a mixture of normal distributions to normal distributions with diagonal covariances.

    Each iteration lowers the bound of the divergence, `MixturePrior.divergence`, in the mean over rows.

    Parameters
    ----------
    means, variances
        The distributions, in float64.
    components
        The number of components.
    generator
        Chooses the rows whose means are the initial ones of the components.

    Returns
    -------
    shares, means, covariances
        The share of each component, its mean, and its covariance.

    Notes
    -----
    N. Vasconcelos and A. Lippman, Learning mixture hierarchies, NIPS (1998), with one virtual sample for each
    distribution.

    Examples
    --------
    >>> points = torch.tensor([[-5.0], [-4], [4], [5]], dtype=torch.float64)
    >>> generator = torch.Generator().manual_seed(1)
    >>> shares, means, _ = fitted_mixture(points, torch.full_like(points, 0.1), 2, generator)
    >>> sorted(round(mean, 3) for mean in means.flatten().tolist())
    [-4.5, 4.5]
    """
    count, dim = means.shape
    # A row serves several components if there are fewer rows than components.
    first = torch.randperm(max(count, components), generator=generator, device="cpu")[:components] % count
    centers = means[first]
    covariances = torch.diag(means.var(dim=0, correction=0) + variances.mean(dim=0)).expand(
        components, dim, dim
    )
    shares = torch.full_like(centers[:, 0], 1 / components)
    before = np.inf
    for _ in range(_ITERATIONS):
        bound, weights, sums, products = _expectations(means, variances, shares, centers, covariances)
        if before - bound < _LEAST_GAIN * abs(bound):
            break
        before = bound
        used = weights > _LEAST_WEIGHT
        counts = weights.clamp(min=_LEAST_WEIGHT)  # so that the logarithm of a share is finite
        centers = torch.where(used[:, None], sums / counts[:, None], centers)
        moved = products / counts[:, None, None] - centers[:, :, None] * centers[:, None, :]
        covariances = torch.where(used[:, None, None], moved, covariances)
        shares = counts / counts.sum()
    return shares, centers, covariances


def _expectations(
    means: Float[Tensor, "n d"],
    variances: Float[Tensor, "n d"],
    shares: Float[Tensor, " k"],
    centers: Float[Tensor, "k d"],
    covariances: Float[Tensor, "k d d"],
) -> tuple[float, Float[Tensor, " k"], Float[Tensor, "k d"], Float[Tensor, "k d d"]]:
    """Return the mean bound, and each component's weight, first and second moments, summed over rows."""
    factors = torch.linalg.cholesky(covariances)
    identity = torch.eye(means.shape[1], dtype=means.dtype, device=means.device)
    whitening = torch.linalg.solve_triangular(factors, identity, upper=False)
    log_determinants = 2 * torch.diagonal(factors, dim1=1, dim2=2).log().sum(dim=1)
    total = 0.0
    weights, sums, products = (
        torch.zeros_like(shares),
        torch.zeros_like(centers),
        torch.zeros_like(covariances),
    )
    for mean, variance in zip(torch.split(means, _AT_ONCE), torch.split(variances, _AT_ONCE), strict=True):
        distances = torch.einsum("kij,nkj->nki", whitening, mean[:, None] - centers).square().sum(dim=2)
        spreads = variance @ whitening.square().sum(dim=1).T
        constant = variance.log().sum(dim=1, keepdim=True) + means.shape[1]
        joint = shares.log() - 0.5 * (distances + spreads - constant + log_determinants)
        row = joint.logsumexp(dim=1, keepdim=True)
        chosen = (joint - row).exp()
        total -= float(row.sum())
        weights += chosen.sum(dim=0)
        sums += chosen.T @ mean
        products += torch.einsum("nk,ni,nj->kij", chosen, mean, mean) + torch.diag_embed(chosen.T @ variance)
    return total / len(means), weights, sums, products
