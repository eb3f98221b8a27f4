"""A gated nonlinearity: each channel is scaled by a function of its size."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.so3.irreps import (
    IrrepsLike,
    as_rows,
    check_features,
    join_terms,
    like_input,
    read_irreps,
    split_terms,
    terms_of,
)
from holo_nn.so3.precision import widened

__all__ = ["NormGate"]

# Added under the root, whose derivative at zero is infinite: sizes below 1e-6 count as zero.
_EPS = 1e-12


class NormGate(nn.Module):
    """Scale each channel by a gate that depends on its norm: y_m = σ(w |x| + b) x_m, |x|² = Σ_m x²/(2l+1).

    σ is the logistic function. For a scalar (0e), the gate depends on the value and not on the size, y = σ(w x + b) x,
    so that scalars get the usual swish rather than an odd function. A pseudoscalar (0o) needs an odd function, and is
    gated by its size.

    Parameters
    ----------
    irreps
        The irreps of the features.

    Attributes
    ----------
    irreps, irreps_in, irreps_out : holo_nn.Irreps
        The irreps of the features; the three are the same.
    weight, bias : torch.nn.Parameter
        w, which starts at 1, and b, which starts at 0, for each channel, in the order of the irreps' terms,
        ``[channels]``.

    Raises
    ------
    ValueError
        If the irreps cannot be read.

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
        self.irreps = self.irreps_in = self.irreps_out = read_irreps(irreps)
        self._terms = terms_of(self.irreps)
        self._scalar = tuple(term.ir == (0, 1) for term in self.irreps if term.mul)
        self._counts = [count for count, _ in self._terms]
        self.weight = nn.Parameter(torch.empty(sum(self._counts)))
        self.bias = nn.Parameter(torch.empty(sum(self._counts)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset w to one and b to zero."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, features: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Gate features ``[..., irreps.dim]``.

        Raises
        ------
        ValueError
            If the shape or the precision does not fit.
        """
        check_features(features, self._terms, like=self.weight)
        rows = as_rows(widened(features))
        weights, biases = torch.split(self.weight, self._counts), torch.split(self.bias, self._counts)
        gated = []
        for piece, scalar, weight, bias in zip(
            split_terms(rows, self._terms), self._scalar, weights, biases, strict=False
        ):
            size = piece if scalar else (piece.square().mean(-1, keepdim=True) + _EPS).sqrt()
            gated.append(piece * torch.sigmoid(weight[:, None] * size + bias[:, None]))
        return like_input(join_terms(gated, rows), features)

    def extra_repr(self) -> str:
        """Return the irreps, for printing."""
        return str(self.irreps)
