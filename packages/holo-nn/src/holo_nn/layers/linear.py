"""The equivariant linear map, which mixes channels within each irrep."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.kernels.dispatch import compiled_serves
from holo_nn.kernels.rows import from_rows, to_rows
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
from holo_nn.so3.representation import Irrep, Irreps

from .hooks import as_made

__all__ = ["ChannelWeights", "Initialization", "Linear"]

Initialization = Literal["xavier", "fan_in"]


def _key(irrep: Irrep) -> str:
    """Return the name of a weight in checkpoints: its degree, followed by its parity if that is odd."""
    return str(irrep.l) if irrep.p == 1 else f"{irrep.l}o"


def _places(irreps: Irreps) -> dict[str, tuple[int, ...]]:
    """Return which terms have each irrep, among terms with channels, in the order in which irreps first occur."""
    places: dict[str, tuple[int, ...]] = {}
    for number, term in enumerate(term for term in irreps if term.mul):
        places[_key(term.ir)] = (*places.get(_key(term.ir), ()), number)
    return places


class ChannelWeights(nn.ParameterDict):
    """The weights of a linear map by irrep, as a separate module, so that hooks and parametrizations of it work."""

    initialization: Initialization = "xavier"

    __call__ = nn.Module.__call__  # a ParameterDict refuses calls; this calls hooks, as every module does

    def forward(self, keys: Sequence[str]) -> tuple[Tensor, ...]:
        """Return the weights of the given irreps."""
        return tuple(self[key] for key in keys)

    def reset_parameters(self) -> None:
        """Draw new weights."""
        for weight in self.values():
            if self.initialization == "xavier":
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.normal_(weight, std=weight.shape[0] ** -0.5)


class Linear(nn.Module):
    """Mix the channels of each irrep: y[b, j, m] = Σ_i W[i, j] x[b, i, m].

    The channels of an irrep are those of all its terms, in their order.

    Parameters
    ----------
    irreps_in, irreps_out
        The irreps of the features; an irrep of ``irreps_out`` that ``irreps_in`` lacks is filled with zeros.
    bias
        Whether the scalar channels (0e) get a bias; no other channels can have one.
    initialization
        The initial weights of an irrep with `in` input and `out` output channels. ``"xavier"``: uniform with variance
        2 / (in + out), a compromise between forward and backward (Glorot, Bengio, AISTATS 2010), for networks that
        normalize in between, as the autoencoders of holo-vae do. ``"fan_in"``: normal with variance 1 / in, so that
        channels of variance 1 are mapped to variance 1, as in e3nn's linear map.

    Attributes
    ----------
    irreps_in, irreps_out : holo_nn.Irreps
        The irreps of the input and output.
    weights : torch.nn.ParameterDict
        A weight ``[channels_in, channels_out]`` for each degree, as text, followed by ``o`` if the parity is odd.
    keys : tuple of str
        The keys of the weights, in ascending order of the degrees.
    bias : torch.nn.Parameter or None
        ``[scalars]``; initially zero.

    Raises
    ------
    ValueError
        If irreps cannot be read, an option is unknown, or a bias is requested and there are no scalars.

    Examples
    --------
    >>> linear = Linear("4x0e+4x1e", "2x0e+3x1e")
    >>> linear(torch.randn(5, 16)).shape
    torch.Size([5, 11])
    >>> mixed = Linear("2x1o+4x0e+3x1o", "1x1o+2x1e")
    >>> {key: tuple(weight.shape) for key, weight in mixed.weights.items()}
    {'1o': (5, 1)}
    """

    def __init__(
        self,
        irreps_in: IrrepsLike,
        irreps_out: IrrepsLike,
        bias: bool = False,
        initialization: Initialization = "xavier",
    ) -> None:
        super().__init__()
        self.irreps_in = read_irreps(irreps_in, "irreps_in")
        self.irreps_out = read_irreps(irreps_out, "irreps_out")
        if bias and not self.irreps_out.count("0e"):
            raise ValueError(f"Linear: irreps_out {self.irreps_out} has no 0e to have a bias")
        if initialization not in ("xavier", "fan_in"):
            raise ValueError(f"Linear: initialization is {initialization!r}; it must be 'xavier' or 'fan_in'")
        self._terms_in, self._terms_out = terms_of(self.irreps_in), terms_of(self.irreps_out)
        self._places_in, self._places_out = _places(self.irreps_in), _places(self.irreps_out)
        shapes = {
            key: (
                sum(self._terms_in[place][0] for place in self._places_in[key]),
                sum(self._terms_out[place][0] for place in places),
            )
            for key, places in self._places_out.items()
            if key in self._places_in
        }
        self.weights = ChannelWeights(
            {key: nn.Parameter(torch.empty(shape)) for key, shape in shapes.items()}
        )
        self.weights.initialization = initialization
        degrees = {key: self._terms_in[places[0]][1] for key, places in self._places_in.items()}
        self.keys = tuple(sorted(shapes, key=lambda key: (degrees[key], key)))
        self.bias = nn.Parameter(torch.empty(self.irreps_out.count("0e"))) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, and set the bias to zero."""
        self.weights.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def by_degree(self) -> tuple[Tensor, ...]:
        """Return the weights in ascending order of the degrees; the dictionary may have another order."""
        weights = self.weights
        if as_made(weights, ChannelWeights):  # its own access takes ten times as long
            parameters = weights._parameters
            return tuple(weight for key in self.keys if (weight := parameters[key]) is not None)
        return weights(self.keys)  # type: ignore[no-any-return]

    def forward(self, features: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in.dim]`` to ``[..., irreps_out.dim]``.

        Raises
        ------
        ValueError
            If the shape or the precision does not fit.
        """
        weights = self.by_degree()
        check_features(features, self._terms_in, like=weights[0] if weights else self.bias)
        rows = as_rows(features)
        if weights and compiled_serves(rows, self.bias, *weights) and len(rows):
            return like_input(self._by_rows(rows, weights), features)
        pieces = split_terms(rows, self._terms_in)
        mapped: dict[int, Tensor] = {}
        for key, weight in zip(self.keys, weights, strict=True):
            channels = [pieces[place] for place in self._places_in[key]]
            together = channels[0] if len(channels) == 1 else torch.cat(channels, dim=1)
            mapped |= self._cut(key, torch.einsum("bim,ij->bjm", together, weight), dim=1)
        for place, (count, degree) in enumerate(self._terms_out):
            if place not in mapped:
                mapped[place] = rows.new_zeros(rows.shape[0], count, 2 * degree + 1)
        if self.bias is not None:
            for place, bias in self._cut("0", self.bias, dim=0).items():
                mapped[place] = mapped[place] + bias[:, None]
        return like_input(join_terms((mapped[place] for place in range(len(mapped))), rows), features)

    def _cut(self, key: str, channels: Tensor, dim: int) -> dict[int, Tensor]:
        """Split the channels of an irrep into those of its output terms, by the position of the term."""
        places = self._places_out[key]
        pieces = torch.split(channels, [self._terms_out[place][0] for place in places], dim=dim)
        return dict(zip(places, pieces, strict=True))

    def _by_rows(self, features: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Map features in the layout of the compiled loops, where each irrep is one large matrix product."""
        batch = len(features)
        sizes = [(2 * degree + 1) * batch * width for width, degree in self._terms_in]
        pieces = [
            piece.view(-1, width)
            for piece, (width, _) in zip(
                torch.split(to_rows(features, self._terms_in), sizes), self._terms_in, strict=True
            )
        ]
        mapped: dict[int, Tensor] = {}
        for key, weight in zip(self.keys, weights, strict=True):
            channels = [pieces[place] for place in self._places_in[key]]
            together = channels[0] if len(channels) == 1 else torch.cat(channels, dim=1)
            product = together @ weight
            if key == "0" and self.bias is not None:
                product = product + self.bias
            mapped |= self._cut(key, product, dim=1)
        for place, (width, degree) in enumerate(self._terms_out):
            if place not in mapped:
                mapped[place] = features.new_zeros((2 * degree + 1) * batch, width)
                if self.bias is not None and place in self._places_out.get("0", ()):
                    mapped[place] = mapped[place] + self._cut("0", self.bias, dim=0)[place]
        flat = [mapped[place].flatten() for place in range(len(mapped))]
        return from_rows(torch.cat(flat) if len(flat) > 1 else flat[0], self._terms_out, batch)

    def extra_repr(self) -> str:
        """Return the irreps, for printing."""
        return f"{self.irreps_in} -> {self.irreps_out}, bias={self.bias is not None}"
