"""Normalization of equivariant features: what all norms share, and the norms of a sample by itself.

Sums over the orders of a channel, and what goes back to each order, are split and joined by degree. Nothing gathers by
an index: the gradient of that adds to a tensor of zeros, ``[batch, channels]``, and torch's inductor (2.13) merges it
with other zeros of that shape, such as the gradient of degrees that a skip drops. It then lays those zeros out in the
tensor into which they are joined and adds to them there, so that the gradient of one arrives in that of the other,
without a word.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.so3.irreps import (
    IrrepsLike,
    check_features,
    join_degrees,
    multiplicities,
    read_irreps,
    split_degrees,
)
from holo_nn.so3.precision import widened

__all__ = ["Affine", "InstanceNorm", "LayerNorm", "Norm", "Normalization"]

Normalization = Literal["component", "norm"]
Affine = Literal["degree", "channel"]


class Norm(nn.Module):
    """Divide features by sqrt(V + eps), then weigh them: y = w x / sqrt(V + eps) + b.

    What all norms share. One of its own says by `center_and_variance` over what V is taken. A weight is the
    same for all orders m, and only scalars are centered or get a bias, so every norm is equivariant. Under
    autocast it works in float32.

    Parameters
    ----------
    irreps
        Of the features.
    normalization
        The power of a channel, of which V is made: ``"component"``, Σ_m x²/(2l+1); ``"norm"``, Σ_m x².
    affine
        What is learned: ``"channel"``, a weight for each channel and a bias for each scalar channel;
        ``"degree"``, a weight for each degree and one bias for all scalar channels; None, nothing.
    eps
        Added to V.

    Attributes
    ----------
    weight : torch.nn.Parameter or None
        Over every (degree, channel), degrees ascending, ``[channels]``; or ``[degrees]``.
    bias : torch.nn.Parameter or None
        Over the channels of degree 0, ``[scalars]``; or ``[1]``. None where there is no degree 0.

    Raises
    ------
    ValueError
        If irreps are refused (see `holo_nn.so3.irreps.read_irreps`), or an option is unknown.
    """

    def __init__(
        self, irreps: IrrepsLike, normalization: Normalization, affine: Affine | None, eps: float
    ) -> None:
        super().__init__()
        self.irreps = read_irreps(irreps)
        name = type(self).__name__
        if normalization not in ("component", "norm"):
            raise ValueError(f"{name}: normalization is {normalization!r}; it must be 'component' or 'norm'")
        if affine not in ("degree", "channel", None):
            raise ValueError(f"{name}: affine is {affine!r}; it must be 'degree', 'channel' or None")
        self.normalization: Normalization = normalization
        self.affine: Affine | None = affine
        self.eps = eps
        self._multiplicities = counts = multiplicities(self.irreps)
        self._counts = list(counts.values())
        self._scalars = counts.get(0, 0)
        channels = sum(self._counts)
        weights, biases = (channels, self._scalars) if affine == "channel" else (len(counts), 1)
        self.weight = nn.Parameter(torch.ones(weights)) if affine else None
        self.bias = nn.Parameter(torch.zeros(biases)) if affine and self._scalars else None

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give the features ``[batch, dim]`` with scalars centered, where the norm centers, and V.

        V is ``[1 or batch, 1 or channels]``. A norm must say this.
        """
        raise NotImplementedError(
            f"{type(self).__name__}.center_and_variance must return (features, variance)"
        )

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Normalize features ``[batch, irreps.dim]``."""
        check_features(features, self._multiplicities)
        centered, variance = self.center_and_variance(widened(features))
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * (self.weight if self.affine == "channel" else self._of_channels(self.weight))
        if scale.shape[1] > 1:
            scale = self.spread(scale)
        if self.bias is None:
            return centered * scale
        bias = nn.functional.pad(self.bias.expand(self._scalars), (0, features.shape[1] - self._scalars))
        return torch.addcmul(bias, centered, scale)

    def powers(self, squares: Float[Tensor, "rows dim"]) -> Float[Tensor, "rows channels"]:
        """Sum the squares of coefficients over m, or take their mean, as `normalization` says."""
        pieces = split_degrees(squares, self._multiplicities).values()
        mean = self.normalization == "component"
        return torch.cat([piece.mean(2) if mean else piece.sum(2) for piece in pieces], dim=1)

    def spread(self, values: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows dim"]:
        """Give each order of a channel the channel's value."""
        pieces = torch.split(values, self._counts, dim=1)
        return join_degrees(
            piece[..., None].expand(-1, -1, 2 * degree + 1)
            for degree, piece in zip(self._multiplicities, pieces, strict=True)
        )

    def _of_channels(self, values: Float[Tensor, " degrees"]) -> Float[Tensor, " channels"]:
        """Give each channel of a degree the degree's value."""
        pieces = torch.split(values, 1)
        return torch.cat([piece.expand(count) for piece, count in zip(pieces, self._counts, strict=True)])

    def shift_scalars(self, features: Float[Tensor, "batch dim"], mean: Tensor) -> Float[Tensor, "batch dim"]:
        """Take a mean, ``[scalars]`` or ``[batch, 1]``, from the scalars."""
        scalars, rest = torch.split(features, [self._scalars, features.shape[1] - self._scalars], dim=1)
        return torch.cat([scalars - mean, rest], dim=1)

    def extra_repr(self) -> str:
        """Show the irreps and settings."""
        return f"{self.irreps}, normalization={self.normalization!r}, affine={self.affine!r}, eps={self.eps}"


class InstanceNorm(Norm):
    """Divide each channel of each sample by its own size: y = w x / sqrt(V + eps), V = Σ_m x²/(2l+1) or Σ_m x².

    What is left of a channel is its direction. A scalar has none but its sign, so its size is lost unless it
    is well below sqrt(eps); where sizes of scalars matter, `LayerNorm` or `holo_nn.SignalNorm` keep them.

    Parameters
    ----------
    irreps
        Of the features.
    normalization
        ``"component"``: V is Σ_m x²/(2l+1); ``"norm"``: it is Σ_m x².
    affine
        ``"channel"``: each channel gets a learned weight, and each scalar channel a learned bias;
        ``"degree"``: each degree a weight, and all scalar channels one bias; None: nothing is learned.
    eps
        Added to V.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.

    Raises
    ------
    ValueError
        If irreps are refused (see `holo_nn.so3.irreps.read_irreps`), or an option is unknown.

    Notes
    -----
    Ulyanov, Vedaldi, Lempitsky, Instance normalization, arXiv 1607.08022, with the orders m in the place of
    pixels. Degrees above 0 are those of ``e3nn.nn.BatchNorm(instance=True)``, which centers a lone scalar to
    zero.

    Examples
    --------
    >>> norm = InstanceNorm("1x0e+1x1e", affine=None)
    >>> norm(torch.tensor([[7.0, 0.0, 6.0, 8.0]])).round(decimals=4)
    tensor([[1.0000, 0.0000, 1.0392, 1.3856]])
    """

    def __init__(
        self,
        irreps: IrrepsLike,
        normalization: Normalization = "component",
        affine: Affine | None = "channel",
        eps: float = 1e-5,
    ) -> None:
        super().__init__(irreps, normalization, affine, eps)

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give the features, and the power of each channel of each sample."""
        return features, self.powers(features * features)


class LayerNorm(Norm):
    """Divide each degree of each sample by its root mean square over the channels, scalars centered first.

    y = w x / sqrt(V + eps), V = mean_c Σ_m x²/(2l+1) or mean_c Σ_m x². On scalars alone it is
    `torch.nn.LayerNorm`.

    Parameters
    ----------
    irreps
        Of the features; degree 0 has at least two channels, or is not there: one channel alone would be
        centered to zero.
    normalization
        The power of a channel: ``"component"``, Σ_m x²/(2l+1); ``"norm"``, Σ_m x².
    affine
        ``"channel"``: each channel gets a learned weight, and each scalar channel a learned bias;
        ``"degree"``: each degree a weight, and all scalar channels one bias; None: nothing is learned.
    eps
        Added to V.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.

    Raises
    ------
    ValueError
        If irreps are refused (see `holo_nn.so3.irreps.read_irreps`), there is one scalar channel, or an option is
        unknown.

    Notes
    -----
    Ba, Kiros, Hinton, Layer normalization, arXiv 1607.06450; for higher degrees Liao and Smidt, Equiformer,
    ICLR 2023.

    Examples
    --------
    >>> norm = LayerNorm("2x0e+1x1e")
    >>> norm(torch.tensor([[1.0, 3.0, 0.0, 6.0, 8.0]])).detach().round(decimals=3)
    tensor([[-1.0000,  1.0000,  0.0000,  1.0390,  1.3860]])
    """

    def __init__(
        self,
        irreps: IrrepsLike,
        normalization: Normalization = "component",
        affine: Affine | None = "channel",
        eps: float = 1e-5,
    ) -> None:
        super().__init__(irreps, normalization, affine, eps)
        if self._scalars == 1:
            raise ValueError(
                f"LayerNorm: irreps {self.irreps} have one scalar channel, which would be centered to zero; "
                "there must be two or more, or none"
            )

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give the features with scalars centered, and the mean power of each degree of each sample."""
        if self._scalars:
            features = self.shift_scalars(features, features[:, : self._scalars].mean(1, keepdim=True))
        powers = torch.split(self.powers(features * features), self._counts, dim=1)
        means = [power.mean(1, keepdim=True).expand_as(power) for power in powers]
        return features, torch.cat(means, dim=1)
