"""The Clebsch-Gordan product of two features."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.so3.connectivity import Connectivity, Path, product_connectivity
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
from holo_nn.so3.precision import autocasts, widened
from holo_nn.so3.representation import Irreps

from .coupling import Couplings, Pair

__all__ = ["TensorProduct"]


def _pairs(paths: tuple[Path, ...]) -> tuple[Pair, ...]:
    degrees: dict[tuple[int, int], tuple[int, ...]] = {}
    for l1, l2, l3 in paths:
        degrees[l1, l2] = (*degrees.get((l1, l2), ()), l3)
    return tuple(Pair(l1, l2, outputs) for (l1, l2), outputs in degrees.items())


class TensorProduct(nn.Module):
    """Couple two features, degree by degree: Σ_mn C[m, n, M] x_l1[c, m] y_l2[c', n].

    For the product of a feature with itself, half of this is redundant and a part is zero: use `TensorSquare`.

    Parameters
    ----------
    irreps_in1, irreps_in2
        The irreps of the two features: degrees in ascending order, each once, of any parity.
    lmax
        The highest degree of the result, at most the sum of the highest degrees of the factors; None for the higher of
        the two.
    connectivity
        Which degrees are coupled; see `holo_nn.product_connectivity`.
    channels
        ``"elementwise"``: the channels of the first feature with those of the second, one by one; all degrees of both
        must have the same multiplicity. ``"full"``: every channel of the first with every channel of the second.

    Attributes
    ----------
    irreps_in1, irreps_in2, irreps_out : holo_nn.Irreps
        The irreps of the factors and of the result. The parity of a product is that of its two factors; within a
        degree, even irreps come first.
    paths : tuple of (l1, l2, l3)
        The paths, in the order of the rows of each output irrep; with ``"full"`` channels, the channels of the first
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
        first, second = read_ascending(irreps_in1, "irreps_in1"), read_ascending(irreps_in2, "irreps_in2")
        counts1, counts2 = ({term.ir.l: term.mul for term in each} for each in (first, second))
        parities1, parities2 = ({term.ir.l: term.ir.p for term in each} for each in (first, second))
        if channels not in ("elementwise", "full"):
            raise ValueError(f"TensorProduct: channels is {channels!r}; it must be 'elementwise' or 'full'")
        if channels == "elementwise" and len({*counts1.values(), *counts2.values()}) > 1:
            raise ValueError(
                f"TensorProduct: irreps_in1 {first} and irreps_in2 {second} have multiplicities "
                f"{(*counts1.values(), *counts2.values())}; with channels='elementwise' they must all be the same"
            )
        lmax = max(first.lmax, second.lmax) if lmax is None else lmax

        def irrep_of(path: Path) -> tuple[int, int]:
            return path[2], parities1[path[0]] * parities2[path[1]]

        paths = product_connectivity(tuple(counts1), tuple(counts2), lmax, connectivity)
        self.paths: tuple[Path, ...] = tuple(
            sorted(paths, key=lambda path: (path[2], -irrep_of(path)[1]))  # stable
        )
        self._couplings = Couplings(_pairs(self.paths))
        self.irreps_in1, self.irreps_in2 = first, second
        self._terms1, self._terms2 = terms_of(first), terms_of(second)
        self.channels = channels
        rows: dict[tuple[int, int], int] = {}
        for path in self.paths:
            l1, l2, _ = path
            count = counts1[l1] if channels == "elementwise" else counts1[l1] * counts2[l2]
            rows[irrep_of(path)] = rows.get(irrep_of(path), 0) + count
        self.irreps_out = Irreps([(count, irrep) for irrep, count in rows.items()])

    def forward(
        self, first: Float[Tensor, "*batch dim_in1"], second: Float[Tensor, "*batch dim_in2"]
    ) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in1.dim]`` and ``[..., irreps_in2.dim]`` to ``[..., irreps_out.dim]``.

        Raises
        ------
        ValueError
            If a shape does not fit, or the two differ in samples or precision.
        """
        check_features(first, self._terms1, "first")
        check_features(second, self._terms2, "second")
        if first.shape[:-1] != second.shape[:-1]:
            raise ValueError(
                f"second has shape {list(second.shape)}; but for the last dimension it must be that of first, "
                f"{list(first.shape)}"
            )
        if first.dtype != second.dtype and not autocasts(first.device):
            raise ValueError(f"second has dtype {second.dtype}; it must be that of first, {first.dtype}")
        # Components first, [m, batch, channels], so that products and sums run along long rows.
        rows = as_rows(widened(first))
        pieces1, pieces2 = (
            {
                degree: piece.permute(2, 0, 1).contiguous()
                for piece, (_, degree) in zip(split_terms(each, terms), terms, strict=True)
            }
            for each, terms in ((rows, self._terms1), (as_rows(widened(second)), self._terms2))
        )
        pairs = self._couplings.pairs
        coupled = self._couplings.couple(self._products(pieces1[pair.l1], pieces2[pair.l2]) for pair in pairs)
        outputs = {
            (pair.l1, pair.l2, degree): output
            for pair, several in zip(pairs, coupled, strict=True)
            for degree, output in zip(pair.degrees, several, strict=True)
        }
        return like_input(join_terms((outputs[path] for path in self.paths), rows), first)

    def _products(self, first: Tensor, second: Tensor) -> Tensor:
        """Multiply all components of two degrees, [2 l1 + 1, 2 l2 + 1, batch, rows]."""
        x, y = first[:, None], second[None, :]
        if self.channels == "full":
            x, y = x[..., :, None], y[..., None, :]
        return (x * y).flatten(3)

    def extra_repr(self) -> str:
        """Return the irreps and the number of paths, for printing."""
        return (
            f"{self.irreps_in1} x {self.irreps_in2} -> {self.irreps_out}, {len(self.paths)} paths, "
            f"channels={self.channels!r}"
        )
