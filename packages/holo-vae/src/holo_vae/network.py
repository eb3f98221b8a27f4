"""The holographic autoencoder: an SO(3)-equivariant network from a hologram to (z, frame) and back."""

from itertools import pairwise
from typing import NamedTuple

import torch
from e3nn.o3 import Irreps
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn import Block, Blocks, Linear, orthonormal_frame

from .config import ModelConfig

__all__ = ["Encoding", "HolographicAutoencoder"]


class Encoding(NamedTuple):
    """What the encoder gives.

    Attributes
    ----------
    mean
        Invariant embedding z; of a variational model its mean.
    log_variance
        Of a variational model, else None.
    frame
        Rows are the axes, right-handed; axes that the input does not define are zero.
    """

    mean: Float[Tensor, "n d"]
    log_variance: Float[Tensor, "n d"] | None
    frame: Float[Tensor, "n 3 3"]


def _uniform(channels: int, lmax: int) -> Irreps:
    return Irreps([(channels, (degree, 1)) for degree in range(lmax + 1)])


class HolographicAutoencoder(nn.Module):
    """H-(V)AE of Visani et al., Phys. Rev. Research 6, 023006 (2024), section "Model architecture".

    The encoder's blocks lower lmax to 1; then l = 0 gives z and l = 1 two vectors that Gram-Schmidt turns
    into a frame. The decoder mirrors it. `encode` takes holograms as they are and divides them by `scale`;
    `decode` gives them in that divided scale.

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

    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        data = Irreps(str(config.basis.irreps))
        first = data
        self.initial_projection: nn.Module = nn.Identity()
        self.final_projection: nn.Module = nn.Identity()
        if config.initial_projection is not None:
            first = _uniform(config.initial_projection, config.basis.lmax)
            self.initial_projection = Linear(data, first)
            self.final_projection = Linear(first, data)
        stages = [first]
        stages += [_uniform(c, lmax) for c, lmax in zip(config.channels, config.lmax, strict=True)]

        def blocks(path: list[Irreps]) -> Blocks:
            return Blocks(
                *(
                    Block(before, after, connectivity=config.connectivity, channels=config.channel_rule)
                    for before, after in pairwise(path)
                )
            )

        width = config.channels[-1]
        self.encoder = blocks(stages)
        self.mean = nn.Linear(width, config.latent_dim)
        self.log_variance = nn.Linear(width, config.latent_dim) if config.variational else None
        self.frame_vectors = Linear(f"{width}x1e", "2x1e")
        self.bottleneck = nn.Linear(config.latent_dim, width)
        self.frame_projection = Linear("3x1e", f"{width}x1e")
        self.decoder = blocks(stages[::-1])
        self.register_buffer("scale", torch.ones(()))

    def encode(self, holograms: Float[Tensor, "n dim"]) -> Encoding:
        """Give z and the frame of holograms."""
        features = self.encoder(self.initial_projection(holograms / self.scale))
        scalars, vectors = features.split([self.config.channels[-1], 3 * self.config.channels[-1]], dim=-1)
        first, second = self.frame_vectors(vectors).unflatten(-1, (2, 3)).unbind(-2)
        # What counts as a zero vector is judged beside all that the last block carries: a symmetric input
        # leaves rounding noise in l = 1, which must not become a direction.
        frame = orthonormal_frame(first, second, scale=features.detach().norm(dim=-1)).axes
        log_variance = None if self.log_variance is None else self.log_variance(scalars)
        return Encoding(self.mean(scalars), log_variance, frame)

    def decode(self, z: Float[Tensor, "n d"], frame: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n dim"]:
        """Give the holograms, divided by `scale`, that z and a frame stand for."""
        features = torch.cat([self.bottleneck(z), self.frame_projection(frame.flatten(-2))], dim=-1)
        decoded: Tensor = self.final_projection(self.decoder(features))
        return decoded

    def forward(
        self, holograms: Float[Tensor, "n dim"], noise: Float[Tensor, "n d"] | None = None
    ) -> tuple[Float[Tensor, "n dim"], Encoding]:
        """Encode, draw z with standard normal noise if any is given, and decode."""
        encoding = self.encode(holograms)
        z = encoding.mean
        if noise is not None and encoding.log_variance is not None:
            z = z + noise * torch.exp(0.5 * encoding.log_variance)
        return self.decode(z, encoding.frame), encoding
