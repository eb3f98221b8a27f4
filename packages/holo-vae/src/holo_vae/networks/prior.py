"""The prior of z that an H-VAE learns: a mixture of normal distributions for each category."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["RATE", "MixturePrior"]

# Adam changes every parameter by about the learning rate, and those of the prior must change more than the weights of
# networks: from N(0, 1) to narrow distributions around z. The learned parameters are therefore fractions of them.
RATE = 4.0


class MixturePrior(nn.Module):
    """A mixture of normal distributions for each category, learned with the network.

    The components are initialized with the unit covariance and with random means, because equal components would stay
    equal.

    Parameters
    ----------
    categories
        The number of mixtures.
    components
        The number of normal distributions in each mixture.
    latent_dim
        The length of z.

    Notes
    -----
    N. Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders,
    arXiv:1611.02648 (2016); J. Tomczak and M. Welling, VAE with a VampPrior, AISTATS (2018). The covariances are
    learned as the modified Cholesky decomposition of their inverses: M. Pourahmadi, Biometrika 86, 677 (1999).

    Examples
    --------
    >>> prior = MixturePrior(categories=10, components=5, latent_dim=3)
    >>> mean, log_variance = torch.zeros(2, 3), torch.zeros(2, 3)
    >>> prior.divergence(mean, log_variance, torch.tensor([7, 0])).shape
    torch.Size([2])
    """

    def __init__(self, categories: int, components: int, latent_dim: int) -> None:
        super().__init__()
        shape = (categories, components, latent_dim)
        self.slow_means = nn.Parameter(torch.randn(shape) / RATE)
        self.slow_log_variances = nn.Parameter(torch.zeros(shape))
        self.slow_regressions = nn.Parameter(
            torch.zeros(categories, components, latent_dim * (latent_dim - 1) // 2)
        )
        self.slow_logits = nn.Parameter(torch.zeros(shape[:2]))

    @property
    def means(self) -> Float[Tensor, "categories components d"]:
        """The mean of each component."""
        return RATE * self.slow_means

    @property
    def logits(self) -> Float[Tensor, "categories components"]:
        """The log shares of the components, up to a constant."""
        return RATE * self.slow_logits

    @property
    def whitening(self) -> Float[Tensor, "categories components d d"]:
        """The lower triangular matrix W of each component for which W (z - mean) has the unit covariance."""
        # Row i of W is z_i minus what z_1 to z_(i-1) predict of it, over the deviation of what is left.
        unit = torch.diag_embed(torch.ones_like(self.slow_log_variances))
        row, column = _below_diagonal(unit.shape[-1])
        unit[..., row, column] = -RATE * self.slow_regressions
        return (-0.5 * RATE * self.slow_log_variances).exp().unsqueeze(-1) * unit

    def divergence(
        self, mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"], numbers: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return an upper bound of the KL divergence of normal distributions from the mixtures of their categories.

        The bound is -log Σₖ πₖ exp(-KL(q ‖ pₖ)), which follows from Jensen's inequality and needs no samples. With
        one component it is the divergence itself.

        Parameters
        ----------
        mean, log_variance
            The posterior of each row, as the encoder gives it.
        numbers
            The place of each row's category among the categories.

        Notes
        -----
        J. Hershey and P. Olsen, Approximating the Kullback Leibler divergence between Gaussian mixture models,
        ICASSP (2007), equation 20 for one component against several.
        """
        # All rows are compared with all components by one product of matrices, which is faster than to copy the
        # matrices of its own components for each row, and takes less memory.
        whitening, rows = self.whitening, torch.arange(len(mean), device=mean.device)
        moved = torch.einsum("ckij,nj->ncki", whitening, mean)[rows, numbers]
        moved = moved - torch.einsum("ckij,ckj->cki", whitening, self.means)[numbers]
        spread = torch.einsum("ckj,nj->nck", whitening.square().sum(dim=-2), log_variance.exp())[
            rows, numbers
        ]
        log_determinants = RATE * self.slow_log_variances.sum(dim=-1)[numbers]
        entropies = log_variance.sum(dim=-1, keepdim=True) + mean.shape[1]
        divergences = 0.5 * (moved.square().sum(dim=-1) + spread - entropies + log_determinants)
        return -(self.logits.log_softmax(dim=-1)[numbers] - divergences).logsumexp(dim=-1)

    def set_mixture(
        self,
        number: int,
        shares: Float[Tensor, " components"],
        means: Float[Tensor, "components d"],
        covariances: Float[Tensor, "components d d"],
    ) -> None:
        """Set the mixture of a category.

        Parameters
        ----------
        number
            The place of the category among the categories.
        shares, means, covariances
            The share of each component, all of them above 0, its mean, and its covariance.
        """
        factors = torch.linalg.cholesky(covariances)
        deviations = torch.diagonal(factors, dim1=-2, dim2=-1)
        identity = torch.eye(means.shape[-1], dtype=means.dtype, device=means.device)
        unit = deviations.unsqueeze(-1) * torch.linalg.solve_triangular(factors, identity, upper=False)
        row, column = _below_diagonal(means.shape[-1])
        with torch.no_grad():
            self.slow_means[number] = means / RATE
            self.slow_log_variances[number] = 2 * deviations.log() / RATE
            self.slow_regressions[number] = -unit[..., row, column] / RATE
            self.slow_logits[number] = shares.log() / RATE

    def draw(
        self, numbers: Int[Tensor, " n"], uniform: Float[Tensor, " n"], noise: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n d"]:
        """Return z of categories from random numbers.

        Parameters
        ----------
        numbers
            The place of each row's category among the categories.
        uniform
            Numbers between 0 and 1, which choose the component.
        noise
            Standard normal numbers, which give the position in the component.
        """
        shares = self.logits.double().softmax(dim=-1).cumsum(dim=-1)[numbers]
        # A sum of shares may end below 1 by rounding, and a number beyond it is of the last component.
        below = (shares < uniform.double().unsqueeze(1)).sum(dim=1)
        chosen = below.clamp(max=self.logits.shape[1] - 1)
        z, whitening = self.means[numbers, chosen], self.whitening
        for number, component in set(zip(numbers.tolist(), chosen.tolist(), strict=True)):
            rows = (numbers == number) & (chosen == component)
            z[rows] += torch.linalg.solve_triangular(
                whitening[number, component], noise[rows].mT, upper=False
            ).mT
        return z


def _below_diagonal(size: int) -> tuple[Tensor, Tensor]:
    row, column = torch.tril_indices(size, size, -1, device="cpu")
    return row, column
