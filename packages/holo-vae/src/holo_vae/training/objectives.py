"""Training objectives: the loss terms of each sample, and their weights.

A new loss is a new class, an `Objective`, which can be passed to `holo_vae.train`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Protocol, runtime_checkable

import attrs
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from holo_nn import cosine_loss
from holo_types import Basis
from holo_vae.networks.network import Latent
from holo_vae.networks.prior import MixturePrior
from holo_vae.recipes.model import ClassifierConfig, ModelConfig
from holo_vae.recipes.recipe import Recipe
from holo_vae.recipes.training import TrainingConfig
from holo_vae.recipes.views import ViewsConfig

from .view_terms import view_terms

__all__ = ["Autoencoding", "Classification", "Draws", "Objective", "kl_divergence", "objective_of"]


# The random numbers for each sample of a batch, by names that the objective chooses.
Draws = Mapping[str, Shaped[Tensor, "n ..."]]


@runtime_checkable
class Objective(Protocol):
    """A training objective: the quantities that are measured for each sample, and their weights in the loss.

    The loss of an epoch is the weighted sum of the quantities, averaged over the samples. Subclasses need to define
    only `names`, `weights` and `values`.

    Examples
    --------
    A classifier trained on the squared error of its probabilities, the Brier score:

    >>> class BrierScore(Objective):
    ...     names = ("brier",)
    ...     def weights(self, epoch):
    ...         return (1.0,)
    ...     def values(self, network, holograms, labels, draws):
    ...         probabilities = network(holograms).softmax(dim=1)
    ...         wanted = nn.functional.one_hot(labels, probabilities.shape[1])
    ...         return (probabilities - wanted).square().sum(dim=1, keepdim=True)
    >>> BrierScore().values(lambda rows: torch.zeros(len(rows), 2), torch.ones(1, 9), torch.tensor([1]), {})
    tensor([[0.5000]])
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the quantities that are measured in training."""
        ...

    @property
    def validated(self) -> tuple[str, ...]:
        """Return the names of those also measured in validation, the first ones of `names`: by default all."""
        return self.names

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Return the weight of each of `names` in the loss of an epoch, counted from 0; 0 for those only monitored."""
        ...

    def comparable(self, epoch: int) -> bool:
        """Return whether an epoch's validation loss can be compared with others, to choose the best weights."""
        return True

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        """Draw the random numbers for a whole training batch: tensors with one row for each sample.

        They must come from the generator alone, so that runs can be resumed and shared among processes.
        """
        return {}

    def values(
        self,
        network: nn.Module,
        holograms: Float[Tensor, "n dim"],
        labels: Int[Tensor, " n"] | None,
        draws: Draws,
    ) -> Float[Tensor, "n k"]:
        """Return the quantities of each sample, in the order of `names`.

        Parameters
        ----------
        network
            The network that is trained.
        holograms
            A batch in the data's own scale.
        labels
            The number of each sample's category, if the recipe's model has a condition or classes.
        draws
            The rows of these samples from the result of `draw`, with floating-point values in the network's precision,
            and what the batch contains other than its rows, see `holo_vae.data.batches.Batch`: views, and ``heads``.
            Empty in validation.
        """
        ...


def kl_divergence(latent: Latent) -> Float[Tensor, " n"]:
    """Return KL(q(z|x) ‖ N(0, 1)), summed over the latent dimensions; 0 for an H-AE."""
    mean, log_variance = latent.mean, latent.log_variance
    if log_variance is None:
        return torch.zeros_like(mean[:, 0])
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=-1)


@cache
def _coefficient_weights(basis: Basis, channel_weights: tuple[float, ...]) -> Float[Tensor, " dim"]:
    """Return the weight of each coefficient's channel; within a degree, the channels follow each other."""
    weights = np.array(channel_weights, dtype=np.float32)
    parts = [
        np.repeat(weights, multiplicity // len(weights) * (2 * degree + 1))
        for multiplicity, degree in basis.irreps
    ]
    return torch.from_numpy(np.concatenate(parts))


@attrs.frozen
class Autoencoding(Objective):
    """The objective of an autoencoder, α MSE + β KL / d; the cosine loss (s = +1) is monitored as well.

    If the recipe has channel weights, the mean of the squared errors is weighted by them.

    If there are views of a row, the views are encoded, and the unchanged row is the target. With two views, the
    quantities are averaged over both, and the terms of VICReg may be added: z of the two views should be alike, vary,
    and have uncorrelated dimensions. A cross-entropy is added for each head. KL is the divergence from the prior of the
    model; if the prior is learned, it is an upper bound of the divergence.

    If the training rows all have one pose, γ times the squared error of the frame is added: without it, the frame of
    each kind of rows settles on its own pose, and rows that look alike can be far apart in z.
    """

    model: ModelConfig
    training: TrainingConfig
    views: ViewsConfig | None = None

    @property
    def _two(self) -> bool:
        return self.views is not None and self.views.two

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the quantities measured in training."""
        return (
            *self.validated,
            *(("frame",) if self.training.frame_weight else ()),
            *(("invariance", "variance", "covariance") if self._two else ()),
            *(f"head_{head.column}" for head in self.model.heads),
        )

    @property
    def validated(self) -> tuple[str, ...]:
        """Return the names of those measured in validation, the first ones of `names`; its rows may have any pose."""
        return ("mse", "kl", "cosine_loss")

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Return (α, β / d, 0), and γ where it applies."""
        config = self.training
        beta = config.kl_weight_at(epoch) if self.model.variational else 0.0
        views = self.views
        return (
            *(config.reconstruction_weight, beta / self.model.latent_dim, 0.0),
            *((config.frame_weight,) if config.frame_weight else ()),
            *(
                (views.invariance, views.variance, views.covariance)
                if views is not None and views.two
                else ()
            ),
            *config.head_weights(len(self.model.heads)),
        )

    def comparable(self, epoch: int) -> bool:
        """Return whether the KL weight has its final value; for an H-VAE, only such epochs can be compared."""
        return not self.model.variational or self.training.kl_weight_at(epoch) == self.training.kl_weight

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        """Draw ``noise``, with which z is sampled, and ``kept``, the coefficients that masking keeps in each view."""
        draws = {}
        if self.model.variational:
            draws["noise"] = torch.randn(
                (count, self.model.latent_dim),
                generator=generator,
                dtype=torch.float32,
                device=generator.device,
            )
        if self.training.masking:
            draws["kept"] = self._kept(generator, count)
            if self._two:
                draws["other_kept"] = self._kept(generator, count)
        return draws

    def _kept(self, generator: torch.Generator, count: int) -> Bool[Tensor, "n dim"]:
        """Draw which coefficients masking keeps: all orders of a channel and degree, or none."""
        blocks = [(channels, 2 * degree + 1) for channels, degree in self.model.basis.irreps]
        share = torch.rand(
            (count, sum(channels for channels, _ in blocks)),
            generator=generator,
            dtype=torch.float32,
            device=generator.device,
        )
        sizes = torch.tensor(
            [size for channels, size in blocks for _ in range(channels)], device=generator.device
        )
        return (share >= self.training.masking).repeat_interleave(sizes, dim=1)

    def values(
        self,
        network: nn.Module,
        holograms: Float[Tensor, "n dim"],
        labels: Int[Tensor, " n"] | None,
        draws: Draws,
    ) -> Float[Tensor, "n k"]:
        """Return the mean squared error, the divergence, the cosine loss and the rest of `names` for each sample."""
        condition = None
        if self.model.condition is not None:
            assert labels is not None
            condition = nn.functional.one_hot(labels, len(self.model.condition.categories)).to(holograms)
        given = draws.get("view", holograms)
        targets, noise, kept = holograms, draws.get("noise"), draws.get("kept")
        two = "other_view" in draws
        if two:
            given = torch.cat([given, draws["other_view"]])
            targets = torch.cat([holograms, draws.get("other", holograms)])
            noise, condition = (
                None if each is None else torch.cat([each, each]) for each in (noise, condition)
            )
            kept = None if kept is None else torch.cat([kept, draws["other_kept"]])
        if kept is not None:
            given = given * kept
        decoded, latent = network(targets, noise, condition, None if given is targets else given)
        scale = torch.as_tensor(network.scale)  # not get_buffer, which torch.compile's wrapper lacks
        target = targets / scale
        decoded = decoded.to(target.dtype)
        cosine = cosine_loss(decoded.detach(), target, str(self.model.basis.irreps))
        errors = (decoded - target).square()
        if self.training.channel_weights is not None:
            errors = errors * _coefficient_weights(self.model.basis, self.training.channel_weights).to(errors)
        mse = errors.mean(dim=1)
        kl = kl_divergence(latent)
        if self.model.prior_components:
            kl = self._from_prior(network, latent, condition)
        measured = [mse, kl.to(mse), cosine]
        if self.training.frame_weight:
            axes = torch.eye(3, dtype=torch.float32, device=mse.device)
            measured.append((latent.frame - axes).square().mean(dim=(1, 2)).to(mse))
        # The mean of two views, so that each sample counts once.
        found = torch.stack(measured, dim=1).view(1 + two, -1, len(measured)).mean(dim=0)
        z = latent.mean.view(1 + two, -1, self.model.latent_dim)
        columns = [found]
        if two:
            columns.append(view_terms(z[0], z[1]).to(mse))
        if "heads" in draws:
            columns.append(self._heads(network, z, draws["heads"]).to(mse))
        return torch.cat(columns, dim=1)

    @staticmethod
    def _from_prior(
        network: nn.Module, latent: Latent, condition: Float[Tensor, "n categories"] | None
    ) -> Float[Tensor, " n"]:
        """Return the bound of the divergence from the learned prior, see `MixturePrior.divergence`."""
        prior = network.prior
        assert isinstance(prior, MixturePrior)
        assert latent.log_variance is not None
        numbers = latent.mean.new_zeros(len(latent.mean), dtype=torch.int64)
        if condition is not None:
            numbers = condition.argmax(dim=1)
        return prior.divergence(latent.mean, latent.log_variance, numbers)

    @staticmethod
    def _heads(
        network: nn.Module, z: Float[Tensor, "views n d"], categories: Int[Tensor, "n heads"]
    ) -> Float[Tensor, "n heads"]:
        """Return the cross-entropy of each head, averaged over all views; 0 for rows without a category."""
        heads = network.heads
        assert isinstance(heads, nn.ModuleList)
        losses = [
            nn.functional.cross_entropy(
                head(z).flatten(0, 1).float(),
                categories[:, number].repeat(len(z)),
                reduction="none",
                ignore_index=-1,
            )
            for number, head in enumerate(heads)
        ]
        return torch.stack(losses, dim=1).view(len(z), -1, len(losses)).mean(dim=0)


@attrs.frozen
class Classification(Objective):
    """The objective of a classifier: the cross-entropy; the share of wrong classes is monitored as well."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the quantities measured in training."""
        return ("cross_entropy", "errors")

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Return 1 for the cross-entropy and 0 for the share of wrong classes."""
        return (1.0, 0.0)

    def values(
        self,
        network: nn.Module,
        holograms: Float[Tensor, "n dim"],
        labels: Int[Tensor, " n"] | None,
        draws: Draws,
    ) -> Float[Tensor, "n 2"]:
        """Return the cross-entropy of each sample, and whether its class is wrong."""
        assert labels is not None
        logits: Tensor = network(holograms).float()
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.stack([loss, (logits.argmax(dim=1) != labels).to(loss)], dim=1)


def objective_of(recipe: Recipe) -> Objective:
    """Return the objective of a recipe."""
    if isinstance(recipe.model, ClassifierConfig):
        return Classification()
    return Autoencoding(recipe.model, recipe.training, recipe.views)
