"""A nonlinearity by gates: each channel is scaled by what its size says."""

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

__all__ = ["NormGate"]

# Under the root, where its derivative would be infinite: sizes below 1e-6 count as zero.
_EPS = 1e-12


class NormGate(nn.Module):
    """Scale each channel by a gate that its norm opens: y_m = σ(w |x| + b) x_m, |x|² = Σ_m x²/(2l+1).

    σ is the logistic function. Of a scalar not the size counts but the value, y = σ(w x + b) x, so that
    scalars get the usual swish and not an odd function.

    Parameters
    ----------
    irreps
        Of the features.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter
        w, which starts at 1, and b, which starts at 0, over every (degree, channel), degrees ascending,
        ``[channels]``.

    Raises
    ------
    ValueError
        If the irreps are refused (see `holo_nn.so3.irreps.read_irreps`).

    Notes
    -----
    Weiler, Geiger, Welling, Boomsma, Cohen, 3D steerable CNNs, NeurIPS 2018 (gates); Worrall et al., Harmonic
    networks, CVPR 2017 (by norms); Ramachandran, Zoph, Le, arXiv 1710.05941 (swish).

    Examples
    --------
    >>> gate = NormGate("1x0e+1x1e")
    >>> gate(torch.tensor([[-2.0, 0.0, 3.0, 0.0]])).detach().round(decimals=3)
    tensor([[-0.2380,  0.0000,  2.5490,  0.0000]])
    """

    def __init__(self, irreps: IrrepsLike) -> None:
        super().__init__()
        self.irreps = read_irreps(irreps)
        self._multiplicities = multiplicities(self.irreps)
        self._counts = list(self._multiplicities.values())
        self.weight = nn.Parameter(torch.ones(sum(self._counts)))
        self.bias = nn.Parameter(torch.zeros(sum(self._counts)))

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Gate features ``[batch, irreps.dim]``."""
        check_features(features, self._multiplicities)
        pieces = split_degrees(widened(features), self._multiplicities)
        weights, biases = torch.split(self.weight, self._counts), torch.split(self.bias, self._counts)
        gated = []
        for (degree, piece), weight, bias in zip(pieces.items(), weights, biases, strict=True):
            size = piece if degree == 0 else (piece.square().mean(-1, keepdim=True) + _EPS).sqrt()
            gated.append(piece * torch.sigmoid(weight[:, None] * size + bias[:, None]))
        return join_degrees(gated)

    def extra_repr(self) -> str:
        """Show the irreps."""
        return str(self.irreps)
