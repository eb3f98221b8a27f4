"""The nonlinear building block of the networks."""

from jaxtyping import Float
from torch import Tensor, nn

from .batch_norm import BatchNorm
from .connectivity import Connectivity
from .irreps import IrrepsLike, join_degrees, multiplicities, read_irreps, split_degrees
from .linear import Linear
from .signal_norm import SignalNorm
from .tensor_square import ChannelRule, TensorSquare

__all__ = ["Block"]


class Block(nn.Module):
    """Batch norm, tensor square, signal norm, linear, and an additive skip.

    Parameters
    ----------
    irreps_in, irreps_out
        Of the features: every degree from 0 to the highest, which can at most double.
    connectivity, channels
        As in `TensorSquare`.
    batch_norm
        Whether the features are batch normalized first.
    skip
        Whether the input is added to the output: per degree that both have, surplus channels cut, missing
        ones zeros.

    Raises
    ------
    ValueError
        If irreps or rules cannot be used (see `TensorSquare`).

    Examples
    --------
    >>> import torch
    >>> block = Block("8x0e+8x1e", "4x0e+4x1e+4x2e")
    >>> block(torch.randn(5, 32)).shape
    torch.Size([5, 36])
    """

    def __init__(
        self,
        irreps_in: IrrepsLike,
        irreps_out: IrrepsLike,
        *,
        connectivity: Connectivity = "efficient",
        channels: ChannelRule = "elementwise",
        batch_norm: bool = True,
        skip: bool = True,
    ) -> None:
        super().__init__()
        self.irreps_in = read_irreps(irreps_in, "irreps_in")
        self.irreps_out = read_irreps(irreps_out, "irreps_out")
        if self.irreps_out.lmax > 2 * self.irreps_in.lmax:
            raise ValueError(
                f"Block: irreps_out {self.irreps_out} has degree {self.irreps_out.lmax}; it must be at most "
                f"twice the highest degree of irreps_in, {2 * self.irreps_in.lmax}"
            )
        degrees = tuple(multiplicities(self.irreps_out))
        if degrees != tuple(range(self.irreps_out.lmax + 1)):
            raise ValueError(
                f"Block: irreps_out {self.irreps_out} has degrees {degrees}; "
                f"it must have every degree from 0 to {self.irreps_out.lmax}"
            )
        self.skip = skip
        self.batch_norm = BatchNorm(self.irreps_in) if batch_norm else None
        self.tensor_square = TensorSquare(self.irreps_in, self.irreps_out.lmax, connectivity, channels)
        self.signal_norm = SignalNorm(self.tensor_square.irreps_out)
        self.linear = Linear(self.tensor_square.irreps_out, self.irreps_out)

    def forward(self, features: Float[Tensor, "batch dim_in"]) -> Float[Tensor, "batch dim_out"]:
        """Map features ``[batch, irreps_in.dim]`` to ``[batch, irreps_out.dim]``."""
        normalized = features if self.batch_norm is None else self.batch_norm(features)
        output: Tensor = self.linear(self.signal_norm(self.tensor_square(normalized)))
        return output + self._fit(features) if self.skip else output

    def _fit(self, features: Tensor) -> Tensor:
        """Cut or zero-pad the channels of each degree of the input to those of the output."""
        if self.irreps_in == self.irreps_out:
            return features
        pieces = split_degrees(features, self.irreps_in)
        fitted = []
        for degree, count in multiplicities(self.irreps_out).items():
            if degree in pieces:
                surplus = pieces[degree].shape[1] - count
                fitted.append(nn.functional.pad(pieces[degree], (0, 0, 0, -surplus)))
            else:
                fitted.append(features.new_zeros(features.shape[0], count, 2 * degree + 1))
        return join_degrees(fitted)
