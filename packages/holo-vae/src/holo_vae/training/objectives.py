"""What a network is trained for: the losses of each sample, and what they weigh."""

import attrs
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from holo_nn import cosine_loss
from holo_vae.networks.network import Encoding
from holo_vae.recipes.model import ClassifierConfig, ModelConfig
from holo_vae.recipes.recipe import Recipe
from holo_vae.recipes.training import TrainingConfig

__all__ = ["Autoencoding", "Classification", "Draws", "Objective", "kl_divergence", "objective_of"]


@attrs.frozen(eq=False)
class Draws:
    """What chance decides for each sample of a batch.

    Parameters
    ----------
    noise
        Standard normal, with which z is drawn; of an H-AE None.
    kept
        Which (channel, degree) blocks of the input stay, spread over their coefficients; None for all.
    """

    noise: Float[Tensor, "n d"] | None = None
    kept: Bool[Tensor, "n dim"] | None = None


def kl_divergence(encoding: Encoding) -> Float[Tensor, " n"]:
    """Give KL(q(z|x) ‖ N(0, 1)), summed over the latent dimensions; 0 for an H-AE."""
    mean, log_variance = encoding.mean, encoding.log_variance
    if log_variance is None:
        return torch.zeros_like(mean[:, 0])
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=-1)


@attrs.frozen
class Autoencoding:
    """The objective of an autoencoder: α MSE + β KL / d; the cosine loss (s = +1) is measured beside.

    Where the training rows lie in one pose, γ times the frame's squared error is added: without it the frame of
    each sort of rows settles on a pose of its own, and rows that look alike can be far from each other in z.
    """

    model: ModelConfig
    training: TrainingConfig

    @property
    def names(self) -> tuple[str, ...]:
        """Name what is measured in training."""
        return (*self.validated, "frame") if self.training.frame_weight else self.validated

    @property
    def validated(self) -> tuple[str, ...]:
        """Name what is measured in validation, whose rows may lie in any pose: the first of `names`."""
        return ("mse", "kl", "cosine")

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Give (α, β / d, 0), and γ where it counts."""
        config = self.training
        beta = config.kl_weight_at(epoch) if self.model.variational else 0.0
        weights = (config.reconstruction_weight, beta / self.model.latent_dim, 0.0)
        return (*weights, config.frame_weight) if config.frame_weight else weights

    def comparable(self, epoch: int) -> bool:
        """Of an H-VAE, only epochs at the full KL weight can be compared."""
        return not self.model.variational or self.training.kl_weight_at(epoch) == self.training.kl_weight

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        """Draw the noise of z and the masked blocks, as far as the recipe has them."""
        noise = kept = None
        if self.model.variational:
            noise = torch.randn(count, self.model.latent_dim, generator=generator)
        if self.training.masking:
            blocks = [(channels, 2 * degree + 1) for channels, degree in self.model.basis.irreps]
            share = torch.rand(count, sum(channels for channels, _ in blocks), generator=generator)
            sizes = torch.tensor([size for channels, size in blocks for _ in range(channels)])
            kept = (share >= self.training.masking).repeat_interleave(sizes, dim=1)
        return Draws(noise, kept)

    def values(
        self,
        network: nn.Module,
        holograms: Float[Tensor, "n dim"],
        labels: Int[Tensor, " n"] | None,
        draws: Draws,
    ) -> Float[Tensor, "n k"]:
        """Give the mean squared error, the divergence and the cosine loss of each sample, as `names` says."""
        condition = None
        if self.model.condition is not None:
            assert labels is not None
            condition = nn.functional.one_hot(labels, len(self.model.condition.categories)).to(holograms)
        masked = None if draws.kept is None else holograms * draws.kept
        decoded, encoding = network(holograms, draws.noise, condition, masked)
        scale = torch.as_tensor(network.scale)  # not get_buffer: torch.compile's wrapper has none
        target = holograms / scale
        decoded = decoded.to(target.dtype)
        cosine = cosine_loss(decoded.detach(), target, str(self.model.basis.irreps))
        mse = (decoded - target).square().mean(dim=1)
        measured = [mse, kl_divergence(encoding).to(mse), cosine]
        if self.training.frame_weight:
            axes = torch.eye(3, device=mse.device)
            measured.append((encoding.frame - axes).square().mean(dim=(1, 2)).to(mse))
        return torch.stack(measured, dim=1)


@attrs.frozen
class Classification:
    """The objective of a classifier: cross-entropy; the share of wrong classes is measured beside."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name what is measured in training."""
        return ("cross_entropy", "errors")

    @property
    def validated(self) -> tuple[str, ...]:
        """Name what is measured in validation: all of it."""
        return self.names

    def weights(self, epoch: int) -> tuple[float, ...]:
        """Only the cross-entropy counts."""
        return (1.0, 0.0)

    def comparable(self, epoch: int) -> bool:
        """All epochs can be compared."""
        return True

    def draw(self, generator: torch.Generator, count: int) -> Draws:
        """Nothing is left to chance."""
        return Draws()

    def values(
        self,
        network: nn.Module,
        holograms: Float[Tensor, "n dim"],
        labels: Int[Tensor, " n"] | None,
        draws: Draws,
    ) -> Float[Tensor, "n 2"]:
        """Give the cross-entropy of each sample, and whether its class is wrong."""
        assert labels is not None
        logits: Tensor = network(holograms).float()
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.stack([loss, (logits.argmax(dim=1) != labels).to(loss)], dim=1)


Objective = Autoencoding | Classification


def objective_of(recipe: Recipe) -> Objective:
    """Give what a recipe trains for."""
    if isinstance(recipe.model, ClassifierConfig):
        return Classification()
    return Autoencoding(recipe.model, recipe.training)
