"""Batch normalization of equivariant features."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .irreps import IrrepsLike, check_features, multiplicities, read_irreps

__all__ = ["BatchNorm"]


class BatchNorm(nn.Module):
    """Divide each channel of each degree by its root mean square over the batch.

    The variance of a channel is the mean over the batch and over m of x², biased; scalars (degree 0) are
    centred first. In evaluation the running statistics take the place of the batch's. The batch mean of x²
    over m does not change when samples turn, so the layer is equivariant also while it trains.

    Parameters
    ----------
    irreps
        Of the features.
    affine
        Whether each channel gets a learned weight, and each scalar channel a learned bias.
    momentum
        The share of the batch's statistics in each update of the running ones.
    eps
        Added to the variance.

    Attributes
    ----------
    weight, running_var : torch.Tensor
        Over every (degree, channel), degrees ascending.
    bias, running_mean : torch.Tensor
        Over the channels of degree 0.

    Raises
    ------
    ValueError
        If the irreps are refused (see `holo_nn.irreps.read_irreps`).

    Examples
    --------
    >>> norm = BatchNorm("4x0e+4x1e")
    >>> y = norm(7 * torch.randn(100, 16) + 3)
    >>> bool(((y**2).mean(0)[:4] - 1).abs().max() < 1e-4)
    True
    """

    running_mean: Tensor
    running_var: Tensor
    _channel: Tensor
    _sizes: Tensor

    def __init__(
        self, irreps: IrrepsLike, affine: bool = True, momentum: float = 0.1, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.irreps = read_irreps(irreps)
        self.momentum = momentum
        self.eps = eps
        channels = multiplicities(self.irreps)
        self._scalars = channels.get(0, 0)
        sizes = torch.tensor([2 * degree + 1 for degree, count in channels.items() for _ in range(count)])
        self.weight = nn.Parameter(torch.ones(len(sizes))) if affine else None
        self.bias = nn.Parameter(torch.zeros(self._scalars)) if affine and self._scalars else None
        self.register_buffer("running_mean", torch.zeros(self._scalars))
        self.register_buffer("running_var", torch.ones(len(sizes)))
        # The channel that each coefficient belongs to: with it a layer of any number of degrees is a few
        # passes over the features.
        self.register_buffer(
            "_channel", torch.repeat_interleave(torch.arange(len(sizes)), sizes), persistent=False
        )
        self.register_buffer("_sizes", sizes, persistent=False)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Normalize features ``[batch, irreps.dim]``."""
        check_features(features, self.irreps)
        scalars, rest = torch.split(features, [self._scalars, features.shape[1] - self._scalars], dim=1)
        mean = scalars.mean(0) if self.training else self.running_mean
        centred = torch.cat([scalars - mean, rest], dim=1)
        variance = self._variance(centred) if self.training else self.running_var
        if self.training:
            self._remember(mean, variance)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        scale = scale.index_select(0, self._channel)
        if self.bias is None:
            return centred * scale
        bias = nn.functional.pad(self.bias, (0, features.shape[1] - self._scalars))
        return torch.addcmul(bias, centred, scale)

    def _variance(self, centred: Tensor) -> Tensor:
        power = (centred * centred).mean(0)
        total = torch.zeros_like(self.running_var).index_add(0, self._channel, power)
        return total / self._sizes

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)

    def extra_repr(self) -> str:
        """Show the irreps and settings."""
        return f"{self.irreps}, affine={self.weight is not None}, momentum={self.momentum}, eps={self.eps}"
