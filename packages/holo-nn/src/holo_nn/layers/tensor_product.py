"""The Clebsch-Gordan product of two features."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from holo_nn.so3.connectivity import Connectivity, Path, product_connectivity
from holo_nn.so3.irreps import (
    IrrepsLike,
    check_features,
    join_degrees,
    multiplicities,
    read_irreps,
    split_degrees,
)
from holo_nn.so3.precision import widened
from holo_nn.so3.representation import Irreps

from .coupling import Coupled, Pair

__all__ = ["TensorProduct"]


def _pairs(paths: tuple[Path, ...]) -> tuple[Pair, ...]:
    degrees: dict[tuple[int, int], tuple[int, ...]] = {}
    for l1, l2, l3 in paths:
        degrees[l1, l2] = (*degrees.get((l1, l2), ()), l3)
    return tuple(Pair(l1, l2, outputs) for (l1, l2), outputs in degrees.items())


class TensorProduct(Coupled):
    """Couple two features, degree by degree: Σ_mn C[m, n, M] x_l1[c, m] y_l2[c', n].

    Of a feature with itself half of this is the same twice and a part of it is zero: use `TensorSquare`.

    Parameters
    ----------
    irreps_in1, irreps_in2
        Of the two features.
    lmax
        The highest degree that comes out, at most the sum of the highest that go in; None for the higher of
        the two.
    connectivity
        Which degrees are coupled; see `holo_nn.product_connectivity`.
    channels
        ``"elementwise"``: the channels of the first with those of the second, one by one; all degrees of both
        must have the same multiplicity. ``"full"``: every channel of the first with every channel of the
        second.

    Attributes
    ----------
    irreps_in1, irreps_in2, irreps_out : holo_nn.Irreps
        Of what goes in and comes out.
    paths : tuple of (l1, l2, l3)
        In the order of the rows of each output degree l3; with ``"full"`` channels the channels of the first
        feature are outermost in the rows of a path.

    Raises
    ------
    ValueError
        If irreps, ``lmax`` or a rule cannot be used.

    Notes
    -----
    Thomas et al., Tensor field networks, arXiv 1802.08219; Kondor, Lin, Trivedi, Clebsch-Gordan nets, NeurIPS
    2018.

    Examples
    --------
    Two vectors couple to their scalar product and their cross product.

    >>> import torch
    >>> product = TensorProduct("1x1e", "1x1e")
    >>> product.irreps_out, product.paths
    (1x0e+1x1e, ((1, 1, 0), (1, 1, 1)))
    >>> x, y = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    >>> (product(x, y) * torch.tensor([3, 6, 6, 6]).sqrt()).round()
    tensor([[0., 0., 0., 1.]])
    """

    def __init__(
        self,
        irreps_in1: IrrepsLike,
        irreps_in2: IrrepsLike,
        lmax: int | None = None,
        connectivity: Connectivity = "efficient",
        channels: Literal["elementwise", "full"] = "elementwise",
    ) -> None:
        super().__init__()
        first, second = read_irreps(irreps_in1, "irreps_in1"), read_irreps(irreps_in2, "irreps_in2")
        counts1, counts2 = multiplicities(first), multiplicities(second)
        if channels not in ("elementwise", "full"):
            raise ValueError(f"TensorProduct: channels is {channels!r}; it must be 'elementwise' or 'full'")
        if channels == "elementwise" and len({*counts1.values(), *counts2.values()}) > 1:
            raise ValueError(
                f"TensorProduct: irreps_in1 {first} and irreps_in2 {second} have multiplicities "
                f"{(*counts1.values(), *counts2.values())}; with channels='elementwise' they must all be the same"
            )
        lmax = max(first.lmax, second.lmax) if lmax is None else lmax
        paths = product_connectivity(tuple(counts1), tuple(counts2), lmax, connectivity)
        self.hold_couplings(_pairs(paths))
        self.irreps_in1, self.irreps_in2 = first, second
        self._counts1, self._counts2 = counts1, counts2
        self.channels = channels
        self.paths: tuple[Path, ...] = paths
        rows: dict[int, int] = {}
        for l1, l2, l3 in paths:
            count = counts1[l1] if channels == "elementwise" else counts1[l1] * counts2[l2]
            rows[l3] = rows.get(l3, 0) + count
        self.irreps_out = Irreps([(count, (degree, 1)) for degree, count in rows.items()])

    def forward(
        self, first: Float[Tensor, "batch dim_in1"], second: Float[Tensor, "batch dim_in2"]
    ) -> Float[Tensor, "batch dim_out"]:
        """Map features ``[batch, irreps_in1.dim]``, ``[batch, irreps_in2.dim]`` to ``[batch, irreps_out.dim]``.

        Raises
        ------
        ValueError
            If a shape does not fit, or the two batches differ.
        """
        check_features(first, self._counts1, "first")
        check_features(second, self._counts2, "second")
        if first.shape[0] != second.shape[0]:
            raise ValueError(
                f"second has shape {list(second.shape)}; it must have as many rows as first, {first.shape[0]}"
            )
        # Components first, [m, batch, channels]: products and sums then run along long rows.
        pieces1, pieces2 = (
            {degree: piece.permute(2, 0, 1).contiguous() for degree, piece in split_degrees(*each).items()}
            for each in ((widened(first), self._counts1), (widened(second), self._counts2))
        )
        outputs: dict[Path, Tensor] = {}
        for pair in self._pairs:
            x, y = pieces1[pair.l1][:, None], pieces2[pair.l2][None, :]
            if self.channels == "full":
                x, y = x[..., :, None], y[..., None, :]
            for degree, output in zip(pair.degrees, self.couple(pair, (x * y).flatten(3)), strict=True):
                outputs[pair.l1, pair.l2, degree] = output
        return join_degrees(outputs[path] for path in self.paths)

    def extra_repr(self) -> str:
        """Show the irreps and how many paths there are."""
        return (
            f"{self.irreps_in1} x {self.irreps_in2} -> {self.irreps_out}, {len(self.paths)} paths, "
            f"channels={self.channels!r}"
        )
