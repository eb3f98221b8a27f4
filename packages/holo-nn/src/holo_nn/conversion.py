"""Convert modules of e3nn, with their weights, to those of holo-nn. e3nn itself is not imported."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from holo_nn.layers.linear import Linear
from holo_nn.layers.weighted_product import Instruction, WeightedTensorProduct
from holo_nn.so3.irreps import IrrepsLike, read_irreps
from holo_nn.so3.representation import Irreps

__all__ = ["linear_from_e3nn", "product_from_e3nn"]


class _LinearPath(Protocol):
    i_in: int
    i_out: int
    path_shape: tuple[int, ...]
    path_weight: float


@runtime_checkable
class _E3nnLinear(Protocol):
    irreps_in: IrrepsLike
    irreps_out: IrrepsLike
    instructions: list[_LinearPath]
    weight: Tensor
    bias: Tensor


class _ProductPath(Protocol):
    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool
    path_weight: float


@runtime_checkable
class _E3nnProduct(Protocol):
    irreps_in1: IrrepsLike
    irreps_in2: IrrepsLike
    irreps_out: IrrepsLike
    instructions: list[_ProductPath]
    internal_weights: bool
    weight: Tensor


def _channels(irreps: Irreps) -> list[slice]:
    """Return, for each term, which channels of its irrep it has."""
    before: dict[object, int] = {}
    found = []
    for term in irreps:
        start = before.get(term.ir, 0)
        before[term.ir] = start + term.mul
        found.append(slice(start, start + term.mul))
    return found


@torch.no_grad()
def linear_from_e3nn(theirs: _E3nnLinear) -> Linear:
    """Make a `Linear` that computes the same as an ``e3nn.o3.Linear``.

    Parameters
    ----------
    theirs
        A linear map that has its own weights, connects every pair of terms of one irrep, and has no channels ``f_in``
        or ``f_out``.

    Returns
    -------
    Linear
        A map in the same precision and on the same device. e3nn's factor of 1/sqrt(channels) is contained in the
        weights, so further training takes different steps.

    Raises
    ------
    ValueError
        If terms of one irrep are not connected, or the module has no weights of its own.

    Examples
    --------
    >>> from e3nn import o3
    >>> theirs = o3.Linear("4x0e+2x1o+3x1o", "8x0e+2x1o")
    >>> x = torch.randn(5, 19)
    >>> bool((linear_from_e3nn(theirs)(x) - theirs(x)).abs().max() < 1e-5)
    True
    """
    irreps_in, irreps_out = read_irreps(theirs.irreps_in), read_irreps(theirs.irreps_out)
    paths = [each for each in theirs.instructions if each.i_in >= 0]
    biases = [each.i_out for each in theirs.instructions if each.i_in < 0]
    connected = {(each.i_in, each.i_out) for each in paths}
    for i, one in enumerate(irreps_in):
        for j, other in enumerate(irreps_out):
            if one.ir == other.ir and one.mul and other.mul and (i, j) not in connected:
                raise ValueError(
                    f"linear_from_e3nn: term {i} of '{irreps_in}' is not connected with term {j} of '{irreps_out}'; "
                    "all of one irrep must be"
                )
    scalars = [place for place, term in enumerate(irreps_out) if term.ir == (0, 1) and term.mul]
    if biases and not set(scalars) <= set(biases):
        raise ValueError(
            f"linear_from_e3nn: the scalar terms {scalars} must all have a bias, or none; {biases} have"
        )
    numbers = sum(each.path_shape[0] * each.path_shape[1] for each in paths)
    if theirs.weight.numel() != numbers:
        raise ValueError(
            f"linear_from_e3nn: the module has {theirs.weight.numel()} weights; it must have {numbers} of its own"
        )
    ours = Linear(irreps_in, irreps_out, bias=bool(biases)).to(theirs.weight)
    for weight in ours.weights.values():
        weight.zero_()
    places_in, places_out, start = _channels(irreps_in), _channels(irreps_out), 0
    for each in paths:
        rows, columns = each.path_shape
        if rows * columns:
            ir = irreps_in[each.i_in].ir
            block = theirs.weight[start : start + rows * columns].reshape(rows, columns) * each.path_weight
            key = str(ir.l) if ir.p == 1 else f"{ir.l}o"
            ours.weights[key][places_in[each.i_in], places_out[each.i_out]] += block
        start += rows * columns
    if ours.bias is not None:
        ours.bias.copy_(theirs.bias)
    return ours


@torch.no_grad()
def product_from_e3nn(theirs: _E3nnProduct) -> WeightedTensorProduct:
    """Make a `WeightedTensorProduct` that computes the same as an ``e3nn.o3.TensorProduct`` with the same weights.

    Parameters
    ----------
    theirs
        A product whose paths all have the mode ``"uvu"`` or ``"uvw"`` and weights.

    Returns
    -------
    WeightedTensorProduct
        A product in the same precision and on the same device; external weights are passed as before.

    Raises
    ------
    ValueError
        If a path has another mode or no weights.

    Examples
    --------
    >>> from e3nn import o3
    >>> theirs = o3.FullyConnectedTensorProduct("4x0e+2x1o", "1x0e+1x1o", "8x0e+2x1o")
    >>> x, y = torch.randn(5, 10), torch.randn(5, 4)
    >>> bool((product_from_e3nn(theirs)(x, y) - theirs(x, y)).abs().max() < 1e-5)
    True
    """
    if not all(each.has_weight for each in theirs.instructions):
        raise ValueError("product_from_e3nn: a path has no weights; every one must have")
    # The attribute that e3nn calls the weight of a path is its whole coefficient, which is used unchanged here.
    ours = WeightedTensorProduct(
        theirs.irreps_in1,
        theirs.irreps_in2,
        theirs.irreps_out,
        [
            Instruction(each.i_in1, each.i_in2, each.i_out, each.connection_mode, each.path_weight**2)  # type: ignore[arg-type]
            for each in theirs.instructions
        ],
        irrep_normalization="none",
        path_normalization="none",
        internal_weights=theirs.internal_weights and theirs.weight.numel() > 0,
    )
    if ours.weight is not None:
        ours.to(theirs.weight)
        ours.weight.copy_(theirs.weight)
    return ours
