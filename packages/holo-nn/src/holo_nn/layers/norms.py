"""Normalization of equivariant features: the base class of all norms, and the norms of each sample by itself.

Sums over the orders of a channel, and values that are repeated for each order, are split and joined by degree. Nothing
is gathered by an index: the gradient of that adds to a tensor of zeros, ``[batch, channels]``, which torch's inductor
(2.13) merges with other zeros of that shape, such as the gradient of degrees that a skip connection drops. Inductor
then places those zeros in the tensor into which they are joined and adds to them there, so that the gradient of one
silently ends up in that of the other.
"""

from itertools import groupby
from typing import Literal

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

__all__ = ["Affine", "InstanceNorm", "LayerNorm", "Norm", "Normalization"]

Normalization = Literal["component", "norm"]
Affine = Literal["degree", "channel"]


class Norm(nn.Module):
    """Divide features by sqrt(V + eps), then scale them: y = w x / sqrt(V + eps) + b.

    This is the base class of all norms. A subclass defines V in `center_and_variance`. A weight is the same for all
    orders m, and only scalars (0e) are centered or get a bias, so every norm is equivariant under rotations and
    reflections. Under autocast it works in float32.

    Parameters
    ----------
    irreps
        The irreps of the features.
    normalization
        The power of a channel, from which V is computed: ``"component"``, Σ_m x²/(2l+1); ``"norm"``, Σ_m x².
    affine
        What is learned: ``"channel"``, a weight for each channel and a bias for each scalar channel;
        ``"degree"``, a weight for each irrep and one bias for all scalar channels; None, nothing.
    eps
        Added to V.

    Attributes
    ----------
    irreps, irreps_in, irreps_out : holo_nn.Irreps
        The irreps of the features; the three are the same.
    weight : torch.nn.Parameter or None
        For each channel, in the order of the irreps' terms, ``[channels]``; or for each irrep, in the order in which
        they first occur, ``[irreps]``.
    bias : torch.nn.Parameter or None
        For each scalar channel (0e), ``[scalars]``; or ``[1]``. None if there are none.

    Raises
    ------
    ValueError
        If irreps cannot be read, or an option is unknown.
    """

    def __init__(
        self, irreps: IrrepsLike, normalization: Normalization, affine: Affine | None, eps: float
    ) -> None:
        super().__init__()
        self.irreps = self.irreps_in = self.irreps_out = read_irreps(irreps)
        name = type(self).__name__
        if normalization not in ("component", "norm"):
            raise ValueError(f"{name}: normalization is {normalization!r}; it must be 'component' or 'norm'")
        if affine not in ("degree", "channel", None):
            raise ValueError(f"{name}: affine is {affine!r}; it must be 'degree', 'channel' or None")
        self.normalization: Normalization = normalization
        self.affine: Affine | None = affine
        self.eps = eps
        terms = [term for term in self.irreps if term.mul]
        self._terms = terms_of(self.irreps)
        self._counts = [term.mul for term in terms]
        distinct = list(dict.fromkeys(term.ir for term in terms))
        self._irrep_of_term = tuple(distinct.index(term.ir) for term in terms)
        # Runs of scalars and of other numbers: their lengths, and whether they are scalars.
        self._parts = tuple(
            (sum(term.dim for term in run), scalar)
            for scalar, run in groupby(terms, key=lambda term: term.ir == (0, 1))
        )
        self._scalars = sum(size for size, scalar in self._parts if scalar)
        weights, biases = (sum(self._counts), self._scalars) if affine == "channel" else (len(distinct), 1)
        self.weight = nn.Parameter(torch.empty(weights)) if affine and terms else None
        self.bias = nn.Parameter(torch.empty(biases)) if affine and self._scalars else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset weights to one and biases to zero."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _like(self) -> Tensor | None:
        """Return a tensor whose precision the features must have; None if any precision will do."""
        return self.weight

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features ``[batch, dim]``, with scalars centered if the norm centers, and V.

        V is ``[1 or batch, 1 or channels]``. Every norm must define this.
        """
        raise NotImplementedError(
            f"{type(self).__name__}.center_and_variance must return (features, variance)"
        )

    def forward(self, features: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normalize features ``[..., irreps.dim]``.

        Raises
        ------
        ValueError
            If the shape or the precision does not fit.
        """
        check_features(features, self._terms, like=self._like())
        if not self._terms:
            return features
        return like_input(self._normalize(as_rows(widened(features))), features)

    def _normalize(self, features: Float[Tensor, "rows dim"]) -> Float[Tensor, "rows dim"]:
        centered, variance = self.center_and_variance(features)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * (self.weight if self.affine == "channel" else self._of_channels(self.weight))
        if scale.shape[1] > 1:
            scale = self.spread(scale)
        if self.bias is None:
            return centered * scale
        return torch.addcmul(self._of_scalars(self.bias.expand(self._scalars)), centered, scale)

    def powers(self, squares: Float[Tensor, "rows dim"]) -> Float[Tensor, "rows channels"]:
        """Return the sum or the mean of squares over m, depending on `normalization`."""
        pieces = split_terms(squares, self._terms)
        mean = self.normalization == "component"
        return torch.cat([piece.mean(2) if mean else piece.sum(2) for piece in pieces], dim=1)

    def spread(self, values: Float[Tensor, "rows channels"]) -> Float[Tensor, "rows dim"]:
        """Repeat the value of each channel for each of its orders."""
        pieces = torch.split(values, self._counts, dim=1)
        return join_terms(
            (
                piece[..., None].expand(-1, -1, 2 * degree + 1)
                for (_, degree), piece in zip(self._terms, pieces, strict=True)
            ),
            values,
        )

    def _of_channels(self, values: Float[Tensor, " irreps"]) -> Float[Tensor, " channels"]:
        """Repeat the value of each irrep for each of its channels."""
        pieces = torch.split(values, 1)
        return torch.cat(
            [
                pieces[irrep].expand(count)
                for irrep, count in zip(self._irrep_of_term, self._counts, strict=True)
            ]
        )

    def _of_scalars(self, values: Float[Tensor, " scalars"]) -> Float[Tensor, " dim"]:
        """Return the value of each scalar in its place, and zero elsewhere."""
        total, before, result = sum(size for size, _ in self._parts), 0, None
        pieces = iter(torch.split(values, [size for size, scalar in self._parts if scalar]))
        for size, scalar in self._parts:
            if scalar:
                padded = nn.functional.pad(next(pieces), (before, total - before - size))
                result = padded if result is None else result + padded
            before += size
        assert result is not None  # otherwise there would be no bias
        return result

    def scalars(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch scalars"]:
        """Return the scalars."""
        pieces = torch.split(features, [size for size, _ in self._parts], dim=1)
        kept = [piece for piece, (_, scalar) in zip(pieces, self._parts, strict=True) if scalar]
        return torch.cat(kept, dim=1) if kept else features[:, :0]

    def shift_scalars(self, features: Float[Tensor, "batch dim"], mean: Tensor) -> Float[Tensor, "batch dim"]:
        """Subtract a mean, ``[scalars]`` or ``[batch, 1]``, from the scalars."""
        sizes = [size for size, scalar in self._parts if scalar]
        means = iter(torch.split(mean, sizes) if mean.ndim == 1 else [mean] * len(sizes))
        pieces = torch.split(features, [size for size, _ in self._parts], dim=1)
        shifted = [
            piece - next(means) if scalar else piece
            for piece, (_, scalar) in zip(pieces, self._parts, strict=True)
        ]
        return torch.cat(shifted, dim=1)

    def extra_repr(self) -> str:
        """Return the irreps and settings, for printing."""
        return f"{self.irreps}, normalization={self.normalization!r}, affine={self.affine!r}, eps={self.eps}"


class InstanceNorm(Norm):
    """Divide each channel of each sample by its own size: y = w x / sqrt(V + eps), V = Σ_m x²/(2l+1) or Σ_m x².

    What remains of a channel is its direction. A scalar has no direction but its sign, so its size is lost unless it is
    well below sqrt(eps); where sizes of scalars matter, `LayerNorm` or `holo_nn.SignalNorm` keep them.

    Parameters
    ----------
    irreps
        The irreps of the features.
    normalization
        ``"component"``: V is Σ_m x²/(2l+1); ``"norm"``: it is Σ_m x².
    affine
        ``"channel"``: each channel gets a learned weight, and each scalar channel a learned bias; ``"degree"``: each
        degree gets a weight, and all scalar channels share one bias; None: nothing is learned.
    eps
        Added to V.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.

    Raises
    ------
    ValueError
        If irreps cannot be read, or an option is unknown.

    Notes
    -----
    Ulyanov, Vedaldi, Lempitsky, Instance normalization, arXiv 1607.08022, with the orders m in place of pixels. For
    degrees above 0 it equals ``e3nn.nn.BatchNorm(instance=True)``, which centers a single scalar to zero.

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
        """Return the features, and the power of each channel of each sample."""
        return features, self.powers(features * features)


class LayerNorm(Norm):
    """Divide each irrep of each sample by its root mean square over the channels, scalars centered first.

    y = w x / sqrt(V + eps), V = mean_c Σ_m x²/(2l+1) or mean_c Σ_m x². On scalars alone it is
    `torch.nn.LayerNorm`.

    Parameters
    ----------
    irreps
        The irreps of the features, with at least two scalar channels (0e) or none: a single one would be centered to
        zero.
    normalization
        The power of a channel: ``"component"``, Σ_m x²/(2l+1); ``"norm"``, Σ_m x².
    affine
        ``"channel"``: each channel gets a learned weight, and each scalar channel a learned bias; ``"degree"``: each
        degree gets a weight, and all scalar channels share one bias; None: nothing is learned.
    eps
        Added to V.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.

    Raises
    ------
    ValueError
        If irreps cannot be read, there is one scalar channel, or an option is unknown.

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
        """Return the features with scalars centered, and the mean power of each irrep of each sample."""
        if self._scalars:
            features = self.shift_scalars(features, self.scalars(features).mean(1, keepdim=True))
        powers = torch.split(self.powers(features * features), self._counts, dim=1)
        of_irrep: dict[int, list[Tensor]] = {}
        for irrep, power in zip(self._irrep_of_term, powers, strict=True):
            of_irrep.setdefault(irrep, []).append(power)
        means = {
            irrep: torch.cat(several, dim=1).mean(1, keepdim=True) for irrep, several in of_irrep.items()
        }
        spread = [
            means[irrep].expand_as(power) for irrep, power in zip(self._irrep_of_term, powers, strict=True)
        ]
        return features, torch.cat(spread, dim=1)
