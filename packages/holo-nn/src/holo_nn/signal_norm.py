"""Normalization of each sample by the norm of its whole signal."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .irreps import IrrepsLike, check_features, multiplicities, read_irreps

__all__ = ["SignalNorm"]

_EPS = 1e-8


class SignalNorm(nn.Module):
    """Divide each sample by sqrt(N + 1e-8), N = Σ_l Σ_c Σ_m x²/(2l+1), then weigh each degree.

    Parameters
    ----------
    irreps
        Of the features.

    Attributes
    ----------
    weight : torch.nn.Parameter
        One per degree, ``[degrees]``, degrees ascending.
    bias : torch.nn.Parameter or None
        One number, ``[1]``, added to every channel of degree 0; None where there is no degree 0.

    Raises
    ------
    ValueError
        If the irreps are refused (see `holo_nn.irreps.read_irreps`).

    Examples
    --------
    >>> norm = SignalNorm("2x0e+1x1e")
    >>> norm(torch.tensor([[0.0, 0.0, 0.0, 5.0, 0.0]])).round(decimals=4)
    tensor([[0.0000, 0.0000, 0.0000, 1.7321, 0.0000]], grad_fn=<RoundBackward1>)
    """

    _degree: Tensor
    _sizes: Tensor

    def __init__(self, irreps: IrrepsLike) -> None:
        super().__init__()
        self.irreps = read_irreps(irreps)
        channels = multiplicities(self.irreps)
        self._scalars = channels.get(0, 0)
        self.weight = nn.Parameter(torch.ones(len(channels)))
        self.bias = nn.Parameter(torch.zeros(1)) if self._scalars else None
        degrees = [position for position, term in enumerate(self.irreps) for _ in range(term.dim)]
        sizes = [term.ir.dim for term in self.irreps for _ in range(term.dim)]
        self.register_buffer("_degree", torch.tensor(degrees), persistent=False)
        # Whole numbers: their inverses are then right in any precision that the module is moved to.
        self.register_buffer("_sizes", torch.tensor(sizes), persistent=False)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Normalize features ``[batch, irreps.dim]``."""
        check_features(features, self.irreps)
        power = (features * features) @ self._sizes.to(features.dtype).reciprocal()
        normalized = features * (power + _EPS).rsqrt()[:, None]
        weight = self.weight.index_select(0, self._degree)
        if self.bias is None:
            return normalized * weight
        bias = nn.functional.pad(self.bias.expand(self._scalars), (0, features.shape[1] - self._scalars))
        return torch.addcmul(bias, normalized, weight)

    def extra_repr(self) -> str:
        """Show the irreps."""
        return str(self.irreps)
