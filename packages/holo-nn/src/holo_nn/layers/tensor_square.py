"""The Clebsch-Gordan product of a feature with itself."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.kernels.compiled_square import compiled_square
from holo_nn.kernels.dispatch import compiled_serves, triton_serves
from holo_nn.kernels.triton_square import triton_square
from holo_nn.so3.connectivity import Connectivity, Path, connectivity as connected_paths
from holo_nn.so3.irreps import (
    IrrepsLike,
    as_rows,
    check_features,
    join_terms,
    like_input,
    read_ascending,
    split_terms,
    terms_of,
)
from holo_nn.so3.precision import widened
from holo_nn.so3.representation import Irreps

from .coupling import Couplings, Pair

__all__ = ["ChannelRule", "TensorSquare"]

ChannelRule = Literal["elementwise", "full"]


def _pairs(paths: tuple[Path, ...], by_parity: bool) -> tuple[Pair, ...]:
    """Group the paths by their input degrees; if `by_parity`, group self pairs also by the parity of l3."""
    degrees: dict[tuple[int, int, int], list[int]] = {}
    for l1, l2, l3 in paths:
        degrees.setdefault((l1, l2, l3 % 2 if by_parity and l1 == l2 else 0), []).append(l3)
    return tuple(Pair(l1, l2, tuple(outputs)) for (l1, l2, _), outputs in sorted(degrees.items()))


class TensorSquare(nn.Module):
    """Couple a feature with itself, degree by degree: Σ_mn C[m, n, M] x_l1[c, m] x_l2[c', n].

    Parameters
    ----------
    irreps_in
        The irreps of the features: every degree from 0 to the highest, each once, of any parity.
    lmax
        The highest degree of the result, at most twice that of ``irreps_in``; None for the same.
    connectivity
        Which degrees are coupled; see `holo_nn.connectivity`.
    channels
        ``"elementwise"``: each channel with itself; all degrees must have the same multiplicity. ``"full"``: every
        channel with every channel; in a self pair (l, l) each unordered pair of channels once, and no channel with
        itself if the output degree is odd.

    Attributes
    ----------
    irreps_in, irreps_out : holo_nn.Irreps
        The irreps of the input and output. The parity of a product is that of its two factors; within a degree, even
        irreps come first.
    paths : tuple of (l1, l2, l3)
        The paths, in the order of the rows of each output irrep. Paths that are identically zero (with ``elementwise``
        channels, a self pair into an odd degree) are never computed and have no rows.

    Raises
    ------
    ValueError
        If irreps, ``lmax`` or a rule cannot be used.

    Notes
    -----
    Kondor, Lin, Trivedi, Clebsch-Gordan nets, NeurIPS 2018; the connectivity is that of Visani et al.,
    Phys. Rev. Research 6, 023006 (2024).

    Examples
    --------
    >>> square = TensorSquare("4x0e+4x1e", lmax=2)
    >>> square.irreps_out, square.paths
    (8x0e+4x1e+4x2e, ((0, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 2)))
    >>> square(torch.randn(5, 16)).shape
    torch.Size([5, 40])
    """

    def __init__(
        self,
        irreps_in: IrrepsLike,
        lmax: int | None = None,
        connectivity: Connectivity = "efficient",
        channels: ChannelRule = "elementwise",
    ) -> None:
        super().__init__()
        self.irreps_in = read_ascending(irreps_in, "irreps_in")
        counts = {term.ir.l: term.mul for term in self.irreps_in}
        parities = [term.ir.p for term in self.irreps_in]
        lmax_in = self.irreps_in.lmax
        if tuple(counts) != tuple(range(lmax_in + 1)):
            raise ValueError(
                f"TensorSquare: irreps_in {self.irreps_in} has degrees {tuple(counts)}; "
                f"it must have every degree from 0 to {lmax_in}"
            )
        if channels not in ("elementwise", "full"):
            raise ValueError(f"TensorSquare: channels is {channels!r}; it must be 'elementwise' or 'full'")
        if channels == "elementwise" and len(set(counts.values())) > 1:
            raise ValueError(
                f"TensorSquare: irreps_in {self.irreps_in} has multiplicities {tuple(counts.values())}; "
                "with channels='elementwise' they must all be the same"
            )
        self.channels: ChannelRule = channels
        self._channel_counts = counts
        self._terms_in = terms_of(self.irreps_in)
        paths = connected_paths(lmax_in, lmax_in if lmax is None else lmax, connectivity)

        def irrep_of(path: Path) -> tuple[int, int]:
            return path[2], parities[path[0]] * parities[path[1]]

        self.paths: tuple[Path, ...] = tuple(
            sorted(
                (path for path in paths if self.rows(path)),
                key=lambda path: (path[2], -irrep_of(path)[1]),
            )
        )
        rows: dict[tuple[int, int], int] = {}
        for path in self.paths:
            rows[irrep_of(path)] = rows.get(irrep_of(path), 0) + self.rows(path)
        self.irreps_out = Irreps([(count, irrep) for irrep, count in rows.items()])
        self._couplings = Couplings(_pairs(self.paths, by_parity=channels == "full"))

    def rows(self, path: Path) -> int:
        """Return the number of output channels of a path: 0 if it is identically zero.

        Examples
        --------
        >>> TensorSquare("4x0e+4x1e").rows((1, 1, 1)), TensorSquare("4x0e+4x1e").rows((1, 0, 1))
        (0, 4)
        """
        l1, l2, l3 = path
        count = self._channel_counts[l1]
        if self.channels == "elementwise":
            return 0 if l1 == l2 and l3 % 2 else count
        if l1 == l2:
            return count * (count - 1) // 2 if l3 % 2 else count * (count + 1) // 2
        return count * self._channel_counts[l2]

    def forward(self, features: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in.dim]`` to ``[..., irreps_out.dim]``.

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        check_features(features, self._terms_in)
        return like_input(self._square(as_rows(widened(features))), features)

    def _square(self, features: Tensor) -> Tensor:
        if self.channels == "elementwise" and triton_serves(features):
            return triton_square(features, self._channel_counts[0], self.paths)
        if self.channels == "elementwise" and compiled_serves(features) and len(features):
            return compiled_square(features, self._channel_counts[0], self.paths, pure=self._square)
        # Components first, [m, batch, channels], so that products and sums run along long rows, and one matrix product
        # serves a pair of degrees. This is two to four times as fast as an einsum for each path.
        pieces = [piece.permute(2, 0, 1).contiguous() for piece in split_terms(features, self._terms_in)]
        pairs = self._couplings.pairs
        coupled = self._couplings.couple(self._products(pieces, pair) for pair in pairs)
        outputs = {
            (pair.l1, pair.l2, degree): output
            for pair, several in zip(pairs, coupled, strict=True)
            for degree, output in zip(pair.degrees, several, strict=True)
        }
        return join_terms((outputs[path] for path in self.paths), features)

    def _products(self, pieces: list[Tensor], pair: Pair) -> Tensor:
        """Multiply all components of two degrees, [2 l1 + 1, 2 l2 + 1, batch, rows]."""
        first, second = pieces[pair.l1][:, None], pieces[pair.l2][None, :]
        if self.channels == "elementwise":
            return first * second
        if pair.l1 != pair.l2:
            return (first[..., :, None] * second[..., None, :]).flatten(3)
        count = first.shape[-1]
        low, high = torch.triu_indices(count, count, offset=pair.degrees[0] % 2, device=first.device)
        return first.index_select(3, low) * second.index_select(3, high)

    def extra_repr(self) -> str:
        """Return the irreps and the number of paths, for printing."""
        return f"{self.irreps_in} -> {self.irreps_out}, {len(self.paths)} paths, channels={self.channels!r}"
