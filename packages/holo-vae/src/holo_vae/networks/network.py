"""The holographic autoencoder: an SO(3)-equivariant network from a hologram to (z, frame) and back."""

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn import Block, Blocks, Irreps, Linear, full_precision, orthonormal_frame, split_degrees, widened
from holo_types import HoloError
from holo_vae.recipes.model import BlocksConfig, ModelConfig

from .prior import MixturePrior

__all__ = ["HologramNetwork", "HolographicAutoencoder", "Latent", "dense_layers", "stages"]


class Latent(NamedTuple):
    """The output of the encoder.

    Attributes
    ----------
    mean
        Invariant embedding z; for a variational model, its mean.
    log_variance
        The log variance of a variational model, otherwise None.
    frame
        The right-handed frame, whose rows are its axes; axes that the input does not define are zero.
    """

    mean: Float[Tensor, "n d"]
    log_variance: Float[Tensor, "n d"] | None
    frame: Float[Tensor, "n 3 3"]


def _uniform(channels: int, lmax: int) -> Irreps:
    return Irreps([(channels, (degree, 1)) for degree in range(lmax + 1)])


def stages(config: BlocksConfig) -> list[Irreps]:
    """Return the irreps of the first block's input, followed by those of each block's output.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> stages(BlocksConfig(basis=basis, lmax=(2, 1), channels=(6, 4)))
    [1x0e+1x1e+1x2e, 6x0e+6x1e+6x2e, 4x0e+4x1e]
    """
    first = Irreps(str(config.basis.irreps))
    if config.initial_projection is not None:
        first = _uniform(config.initial_projection, config.basis.lmax)
    return [first, *(_uniform(c, lmax) for c, lmax in zip(config.channels, config.lmax, strict=True))]


class HologramNetwork(nn.Module):
    """The parts that all networks on holograms share: the scale, an optional linear projection, and blocks.

    Parameters
    ----------
    config
        The architecture.

    Attributes
    ----------
    scale : torch.Tensor
        The constant by which holograms are divided first; it is part of the state, and 1 until it is set.
    initial_projection, encoder : torch.nn.Module
        The first layers; each network makes them in its own order, with `make_projection` and `make_blocks`.
    """

    scale: Tensor
    initial_projection: nn.Module
    encoder: Blocks

    def __init__(self, config: BlocksConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("scale", torch.ones(()))

    def make_projection(self, mirrored: bool = False) -> nn.Module:
        """Return the linear map from the irreps of the data to those of the first stage, or the map back."""
        if self.config.initial_projection is None:
            return nn.Identity()
        data, first = Irreps(str(self.config.basis.irreps)), stages(self.config)[0]
        return Linear(first, data) if mirrored else Linear(data, first)

    def make_blocks(self, mirrored: bool = False) -> Blocks:
        """Return the blocks from the first stage to the last, or those that lead back."""
        config, step = self.config, -1 if mirrored else 1
        return Blocks(
            *(
                Block(
                    before,
                    after,
                    connectivity=connectivity,
                    channels=channels,
                    batch_norm=config.batch_norm,
                    norm=config.norm,
                    skip=config.skip,
                )
                for (before, after), connectivity, channels in zip(
                    pairwise(stages(config)[::step]),
                    config.connectivities[::step],
                    config.channel_rules[::step],
                    strict=True,
                )
            )
        )

    def last_features(self, holograms: Float[Tensor, "n dim"]) -> Float[Tensor, "n features"]:
        """Return the output of the last block for holograms."""
        features: Tensor = self.encoder(self.initial_projection(holograms / self.scale))
        return features


def dense_layers(*widths: int) -> nn.Sequential:
    """Return linear layers between successive widths, each followed by a ReLU.

    Examples
    --------
    >>> dense_layers(4, 8, 2)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=2, bias=True)
      (3): ReLU()
    )
    """
    layers = [[nn.Linear(before, after), nn.ReLU()] for before, after in pairwise(widths)]
    return nn.Sequential(*(layer for pair in layers for layer in pair))


class HolographicAutoencoder(HologramNetwork):
    """H-(V)AE of Visani et al., Phys. Rev. Research 6, 023006 (2024), section "Model architecture".

    The blocks of the encoder lower lmax to 1. The l = 0 features then give z, through the hidden layers of the
    bottleneck if there are any, and the l = 1 features give two vectors that Gram-Schmidt turns into a frame. The
    decoder mirrors the encoder. `encode` takes holograms in their own scale and divides them by `scale`; `decode`
    returns holograms in the divided scale.

    Parameters
    ----------
    config
        The architecture.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> network = HolographicAutoencoder(ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6)))
    >>> mean, log_variance, frame = network.encode(torch.randn(5, 9))
    >>> mean.shape, frame.shape, network.decode(mean, frame).shape
    (torch.Size([5, 4]), torch.Size([5, 3, 3]), torch.Size([5, 9]))
    """

    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        width, latent, hidden = config.channels[-1], config.latent_dim, config.bottleneck
        self.initial_projection = self.make_projection()
        self.final_projection = self.make_projection(mirrored=True)
        self.encoder = self.make_blocks()
        self.hidden = dense_layers(width, *hidden)
        before_z = hidden[-1] if hidden else width
        told = before_z + config.spectrum_width
        self.mean = nn.Linear(told, latent)
        self.log_variance = nn.Linear(told, latent) if config.variational else None
        self.frame_vectors = Linear(f"{width}x1e", "2x1e")
        # Hidden layers are mirrored as by the authors: the first map out of z is linear, the others each have a ReLU.
        self.bottleneck: nn.Module = nn.Linear(latent, before_z)
        if hidden:
            self.bottleneck = nn.Sequential(self.bottleneck, *dense_layers(*hidden[::-1], width))
        # Applied to one-hot vectors: a bias would only add to that of the next map.
        categories = len(config.condition.categories) if config.condition else 0
        self.condition = nn.Linear(categories, latent, bias=False) if categories else None
        self.frame_projection = Linear("3x1e", f"{width}x1e")
        self.decoder = self.make_blocks(mirrored=True)
        # Made last, so that a network with heads or a learned prior begins with the weights of one without them.
        self.heads = nn.ModuleList(nn.Linear(latent, len(head.categories)) for head in config.heads)
        mixtures = config.prior_components
        self.prior = MixturePrior(categories or 1, mixtures, latent) if mixtures else None

    def encode(self, holograms: Float[Tensor, "n dim"]) -> Latent:
        """Return z and the frame of holograms."""
        features = widened(self.last_features(holograms))
        width = self.config.channels[-1]
        scalars, vectors = torch.split(features, [width, 3 * width], dim=-1)
        with full_precision(features.device):
            first, second = self.frame_vectors(vectors).unflatten(-1, (2, 3)).unbind(-2)
            # A vector counts as zero relative to all that the last block carries: a symmetric input leaves rounding
            # noise in l = 1, which must not become a direction.
            frame = orthonormal_frame(first, second, scale=features.detach().norm(dim=-1)).axes
            scalars = self._told(scalars, holograms)
            log_variance = None if self.log_variance is None else self.log_variance(scalars)
            return Latent(self.mean(scalars), log_variance, frame)

    def invariants(self, holograms: Float[Tensor, "n dim"]) -> Float[Tensor, "n told"]:
        """Return the numbers of which z is a linear map."""
        features = widened(self.last_features(holograms))
        with full_precision(features.device):
            return self._told(features[:, : self.config.channels[-1]], holograms)

    def _told(
        self, scalars: Float[Tensor, "n width"], holograms: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n told"]:
        """Return the scalars after the hidden layers, and the power spectrum if z is computed from it too."""
        hidden: Tensor = self.hidden(scalars)
        if not self.config.spectrum:
            return hidden
        irreps = Irreps(str(self.config.basis.irreps))
        first, *others = split_degrees(widened(holograms) / self.scale, irreps).values()
        norms = [torch.linalg.vector_norm(part, dim=-1) for part in others]
        return torch.cat([hidden, first.flatten(1), *norms], dim=1)

    def decode(
        self,
        z: Float[Tensor, "n d"],
        frame: Float[Tensor, "n 3 3"],
        condition: Float[Tensor, "n categories"] | None = None,
    ) -> Float[Tensor, "n dim"]:
        """Return the holograms, divided by `scale`, that z and a frame represent.

        Parameters
        ----------
        z, frame
            As returned by `encode`; the rows of the frame are its axes.
        condition
            One-hot vectors of the categories; required for a conditional model, and not allowed for others.

        Raises
        ------
        HoloError
            If a condition is missing, or is passed to a model that has none.
        """
        with full_precision(z.device):
            if self.condition is not None:
                if condition is None:
                    raise HoloError("condition is None; a conditional model decodes z only with a condition")
                z = z + self.condition(condition)
            elif condition is not None:
                raise HoloError("condition is given; the model is not conditional, it must be None")
            features = torch.cat([self.bottleneck(z), self.frame_projection(frame.flatten(-2))], dim=-1)
        decoded: Tensor = self.final_projection(self.decoder(features))
        return decoded

    def forward(
        self,
        holograms: Float[Tensor, "n dim"],
        noise: Float[Tensor, "n d"] | None = None,
        condition: Float[Tensor, "n categories"] | None = None,
        masked: Float[Tensor, "n dim"] | None = None,
    ) -> tuple[Float[Tensor, "n dim"], Latent]:
        """Encode, draw z if there is standard normal noise, and decode.

        Parameters
        ----------
        holograms
            Holograms in their own scale; `encode` divides them by `scale`.
        noise
            For an H-VAE, the deviation of z from its mean in standard deviations; None for the mean.
        condition
            As for `decode`.
        masked
            Holograms to encode in place of `holograms` (denoising); None to encode `holograms`.

        Raises
        ------
        HoloError
            As for `decode`.
        """
        latent = self.encode(holograms if masked is None else masked)
        z = latent.mean
        if noise is not None and latent.log_variance is not None:
            z = z + noise * torch.exp(0.5 * latent.log_variance)
        return self.decode(z, latent.frame, condition), latent
