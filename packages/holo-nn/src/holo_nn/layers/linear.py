"""The equivariant linear map: channels mix inside each degree."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.kernels.dispatch import compiled_serves
from holo_nn.kernels.rows import from_rows, to_rows, widths_of
from holo_nn.so3.irreps import (
    IrrepsLike,
    check_features,
    join_degrees,
    multiplicities,
    read_irreps,
    split_degrees,
)

__all__ = ["Linear"]


class Linear(nn.Module):
    """Mix the channels of each degree: y[b, j, m] = Σ_i W_l[i, j] x[b, i, m].

    Weights start Xavier uniform per degree, biases at zero.

    Parameters
    ----------
    irreps_in, irreps_out
        Of the features; a degree of ``irreps_out`` that ``irreps_in`` lacks comes out as zeros.
    bias
        Whether the channels of degree 0, the only ones that may have it, get a bias.

    Attributes
    ----------
    weights : torch.nn.ParameterDict
        Degree as text to a weight ``[channels_in, channels_out]``.

    Raises
    ------
    ValueError
        If irreps are refused (see `holo_nn.so3.irreps.read_irreps`), or a bias is asked for and there is no
        degree 0 to have it.

    Examples
    --------
    >>> linear = Linear("4x0e+4x1e", "2x0e+3x1e")
    >>> linear(torch.randn(5, 16)).shape
    torch.Size([5, 11])
    """

    def __init__(self, irreps_in: IrrepsLike, irreps_out: IrrepsLike, bias: bool = False) -> None:
        super().__init__()
        self.irreps_in = read_irreps(irreps_in, "irreps_in")
        self.irreps_out = read_irreps(irreps_out, "irreps_out")
        channels_in, channels_out = multiplicities(self.irreps_in), multiplicities(self.irreps_out)
        self._channels_in, self._channels_out = channels_in, channels_out
        if bias and 0 not in channels_out:
            raise ValueError(f"Linear: irreps_out {self.irreps_out} has no degree 0 to have a bias")
        self.weights = nn.ParameterDict(
            {
                str(degree): nn.Parameter(torch.empty(channels_in[degree], channels_out[degree]))
                for degree in channels_out
                if degree in channels_in
            }
        )
        self._degrees = tuple(degree for degree in sorted(channels_out) if degree in channels_in)
        self._widths_in, self._widths_out = widths_of(self.irreps_in), widths_of(self.irreps_out)
        self.bias = nn.Parameter(torch.empty(channels_out[0])) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, Xavier uniform per degree, and set the bias to zero."""
        for weight in self.weights.values():
            nn.init.xavier_uniform_(weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def by_degree(self) -> tuple[Tensor, ...]:
        """Give the weights, degrees ascending; the dictionary may be in another order."""
        weights = self.weights._parameters  # its own way to them takes ten times as long
        return tuple(weight for d in self._degrees if (weight := weights[str(d)]) is not None)

    def forward(self, features: Float[Tensor, "batch dim_in"]) -> Float[Tensor, "batch dim_out"]:
        """Map features ``[batch, irreps_in.dim]`` to ``[batch, irreps_out.dim]``."""
        check_features(features, self._channels_in)
        if compiled_serves(features, self.bias, *self.by_degree()) and len(features):
            return self._by_rows(features)
        pieces = split_degrees(features, self._channels_in)
        mapped = []
        for degree, channels in self._channels_out.items():
            if str(degree) in self.weights:
                piece = torch.einsum("bim,ij->bjm", pieces[degree], self.weights[str(degree)])
            else:
                piece = features.new_zeros(features.shape[0], channels, 2 * degree + 1)
            if degree == 0 and self.bias is not None:
                piece = piece + self.bias[:, None]
            mapped.append(piece)
        return join_degrees(mapped)

    def _by_rows(self, features: Tensor) -> Tensor:
        """Map in the layout of the compiled loops, in which each degree is one large matrix product."""
        batch, widths_in, widths_out = len(features), self._widths_in, self._widths_out
        sizes = [(2 * degree + 1) * batch * width for degree, width in enumerate(widths_in)]
        pieces = torch.split(to_rows(features, widths_in), sizes)
        weights = dict(zip(self._degrees, self.by_degree(), strict=True))
        mapped = []
        for degree, width in enumerate(widths_out):
            if degree in weights:
                piece = pieces[degree].view(-1, widths_in[degree]) @ weights[degree]
                if degree == 0 and self.bias is not None:
                    piece = piece + self.bias
                mapped.append(piece.flatten())
            elif width:
                mapped.append(features.new_zeros((2 * degree + 1) * batch * width))
        return from_rows(torch.cat(mapped) if len(mapped) > 1 else mapped[0], widths_out, batch)

    def extra_repr(self) -> str:
        """Show the irreps."""
        return f"{self.irreps_in} -> {self.irreps_out}, bias={self.bias is not None}"
