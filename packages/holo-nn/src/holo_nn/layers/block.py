"""The nonlinear building block of the networks."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.kernels.compiled_block import CompiledBatchNorm, CompiledBlock, compute_blocks
from holo_nn.kernels.dispatch import compiled_serves
from holo_nn.kernels.plan import block_plan
from holo_nn.so3.connectivity import Connectivity
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
from holo_nn.so3.representation import Irreps

from .batch_norm import BatchNorm
from .hooks import as_made
from .linear import ChannelWeights, Linear
from .norms import InstanceNorm, LayerNorm, Norm
from .signal_norm import SignalNorm
from .tensor_square import ChannelRule, TensorSquare

__all__ = ["Block", "BlockNorm", "Blocks"]

BlockNorm = Literal["signal", "layer", "instance"]

_NORMS = {"signal": SignalNorm, "layer": LayerNorm, "instance": InstanceNorm}


def _without_noise(features: Tensor, norm: Norm) -> Tensor:
    """Set to zero the channels no larger than sqrt(eps) times their sample, except scalars.

    The norms by degree and by channel scale every channel to size one. For a symmetric input, whole degrees are
    rounding error, which must not become a direction; the tolerance is that of `holo_nn.orthonormal_frame`.
    """
    powers = norm.powers(features * features)
    least = torch.finfo(features.dtype).eps * powers.sum(1, keepdim=True)
    scalar = torch.arange(powers.shape[1], device=features.device) < norm._scalars
    return features * norm.spread(((powers > least) | scalar).to(powers))


class Block(nn.Module):
    """A nonlinear block: batch norm, tensor square, another norm, linear map, and an additive skip connection.

    Parameters
    ----------
    irreps_in, irreps_out
        The irreps of the features: every degree from 0 to the highest, each once, of even parity. The highest degree
        can at most double.
    connectivity, channels
        As in `TensorSquare`.
    batch_norm
        Whether the features are batch normalized first.
    norm
        The norm of the products of the tensor square: ``"signal"``, `holo_nn.SignalNorm`; ``"layer"``,
        `holo_nn.LayerNorm`; ``"instance"``, `holo_nn.InstanceNorm`; None, no norm. The submodule has that name, such as
        ``signal_norm``. Before the latter two, channels no larger than sqrt(eps) times their sample are set to zero,
        because rounding error must not become a direction.
    skip
        Whether the input is added to the output: for each degree that both have, where surplus channels are dropped
        and missing ones are zero.

    Raises
    ------
    ValueError
        If irreps or rules cannot be used (see `TensorSquare`), or the norm is unknown or cannot be used (see
        `holo_nn.LayerNorm`).

    Examples
    --------
    >>> import torch
    >>> block = Block("8x0e+8x1e", "4x0e+4x1e+4x2e")
    >>> block(torch.randn(5, 32)).shape
    torch.Size([5, 36])
    """

    signal_norm: SignalNorm  # if `norm` is "signal"

    def __init__(
        self,
        irreps_in: IrrepsLike,
        irreps_out: IrrepsLike,
        *,
        connectivity: Connectivity = "efficient",
        channels: ChannelRule = "elementwise",
        batch_norm: bool = True,
        norm: BlockNorm | None = "signal",
        skip: bool = True,
    ) -> None:
        super().__init__()
        self.irreps_in = read_ascending(irreps_in, "irreps_in")
        self.irreps_out = read_ascending(irreps_out, "irreps_out")
        for name, irreps in (("irreps_in", self.irreps_in), ("irreps_out", self.irreps_out)):
            if any(term.ir.p != 1 for term in irreps):
                raise ValueError(
                    f"Block: {name} {irreps} has odd parity; a block is equivariant under SO(3), every parity must be "
                    "even (its layers carry parity: TensorSquare, SignalNorm, Linear)"
                )
        if self.irreps_out.lmax > 2 * self.irreps_in.lmax:
            raise ValueError(
                f"Block: irreps_out {self.irreps_out} has degree {self.irreps_out.lmax}; it must be at most "
                f"twice the highest degree of irreps_in, {2 * self.irreps_in.lmax}"
            )
        degrees = tuple(term.ir.l for term in self.irreps_out)
        if degrees != tuple(range(self.irreps_out.lmax + 1)):
            raise ValueError(
                f"Block: irreps_out {self.irreps_out} has degrees {degrees}; "
                f"it must have every degree from 0 to {self.irreps_out.lmax}"
            )
        if norm is not None and norm not in _NORMS:
            raise ValueError(f"Block: norm is {norm!r}; it must be 'signal', 'layer', 'instance' or None")
        self.skip = skip
        self.batch_norm = BatchNorm(self.irreps_in) if batch_norm else None
        self.tensor_square = TensorSquare(self.irreps_in, self.irreps_out.lmax, connectivity, channels)
        self._norm = None if norm is None else f"{norm}_norm"
        if norm is not None:
            self.add_module(f"{norm}_norm", _NORMS[norm](self.tensor_square.irreps_out))
        self.linear = Linear(self.tensor_square.irreps_out, self.irreps_out)
        self._terms_in, self._terms_out = terms_of(self.irreps_in), terms_of(self.irreps_out)
        self._widths_out = tuple(width for width, _ in self._terms_out)

    def forward(self, features: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in.dim]`` to ``[..., irreps_out.dim]``.

        Raises
        ------
        ValueError
            If the shape or the precision does not fit.
        """
        check_features(features, self._terms_in)  # the layers check the precision where they compute
        rows = as_rows(features)
        forms = _compiled([self], rows)
        return like_input(self._pure(rows) if forms is None else compute_blocks(forms, rows), features)

    def _compiled(self, dtype: torch.dtype) -> CompiledBlock | None:
        """Return this block as compiled loops compute it in a precision; None if they cannot."""
        norm, square, signal, linear = map(
            self._modules.get, ("batch_norm", "tensor_square", "signal_norm", "linear")
        )
        if not (as_made(square, TensorSquare) and as_made(signal, SignalNorm) and as_made(linear, Linear)):
            return None
        if (
            not as_made(linear.weights, ChannelWeights)
            or square.channels != "elementwise"
            or linear.bias is not None
            or (signal.normalization, signal.affine) != ("component", "degree")
        ):
            return None
        weights = linear.by_degree()
        batch_norm: CompiledBatchNorm | None = None
        affine: tuple[Tensor | None, Tensor | None] = None, None
        if norm is not None:
            if not as_made(norm, BatchNorm) or norm.normalization != "component" or norm.affine == "degree":
                return None
            batch_norm = CompiledBatchNorm(
                norm.running_mean, norm.running_var, norm.eps, norm.momentum, norm.training, norm.synchronized
            )
            affine = norm.weight, norm.bias
        channels, degrees = self._terms_in[0][0], len(self._terms_in)
        plan = block_plan(square.paths, channels, degrees, self._widths_out, dtype)
        if plan is None or tuple(weight.shape for weight in weights) != plan.weight_shapes:
            return None
        parameters = (*affine, signal.weight, signal.bias, *weights)
        return CompiledBlock(
            plan,
            tuple(None if each is None else each.contiguous() for each in parameters),
            batch_norm,
            signal.eps,
            self.skip,
            self._terms_in,
            self._terms_out,
            self._pure_of,
        )

    def _pure(self, features: Tensor) -> Tensor:
        """Compute the block layer by layer."""
        normalized = features if self.batch_norm is None else self.batch_norm(features)
        products = self.tensor_square(normalized)
        if self._norm is not None:
            norm = self.get_submodule(self._norm)
            if isinstance(norm, LayerNorm | InstanceNorm):
                products = _without_noise(products, norm)
            products = norm(products)
        output: Tensor = self.linear(products)
        return output + self._fit(features) if self.skip else output

    def _pure_of(
        self,
        features: Tensor,
        parameters: Sequence[Tensor | None],
        statistics: tuple[Tensor, Tensor],
        *,
        training: bool,
    ) -> Tensor:
        """Compute the block layer by layer, with the parameters and statistics that the compiled loops used."""
        names = [
            *("batch_norm.weight", "batch_norm.bias", "signal_norm.weight", "signal_norm.bias"),
            *(f"linear.weights.{key}" for key in self.linear.keys),
        ]
        state = {name: tensor for name, tensor in zip(names, parameters, strict=True) if tensor is not None}
        if self.batch_norm is not None:
            # The statistics from before, as clones: a batch must not count twice.
            state["batch_norm.running_mean"], state["batch_norm.running_var"] = (
                x.clone() for x in statistics
            )
        modes = [module.training for module in self.modules()]
        self.train(training)
        try:
            result: Tensor = torch.func.functional_call(self, state, (features,))
        finally:
            for module, mode in zip(self.modules(), modes, strict=True):
                module.training = mode
        return result

    def _fit(self, features: Tensor) -> Tensor:
        """Cut or zero-pad the channels of each degree of the input to the number of the output."""
        if self._terms_in == self._terms_out:
            return features
        pieces = split_terms(features, self._terms_in)
        fitted = []
        for count, degree in self._terms_out:
            if degree < len(pieces):
                surplus = pieces[degree].shape[1] - count
                fitted.append(nn.functional.pad(pieces[degree], (0, 0, 0, -surplus)))
            else:
                fitted.append(features.new_zeros(features.shape[0], count, 2 * degree + 1))
        return join_terms(fitted, features)


def _compiled(blocks: Sequence[Block], features: Tensor) -> list[CompiledBlock] | None:
    """Return the forms of a sequence of blocks for compiled loops and these features; None if they cannot be used."""
    if not features.shape[0] or not compiled_serves(features):
        return None
    forms = [form for block in blocks if (form := block._compiled(features.dtype)) is not None]
    tensors = [tensor for form in forms for tensor in form.tensors]
    return forms if len(forms) == len(blocks) and compiled_serves(features, *tensors) else None


class Blocks(nn.Sequential):
    """A sequence of blocks.

    It computes the same as `torch.nn.Sequential`, but faster if compiled loops can be used, because their layout of
    features is kept from block to block.

    Parameters
    ----------
    *blocks
        The blocks, each of which takes the output of the one before. Or one ordered dictionary of blocks by name.

    Raises
    ------
    ValueError
        If irreps do not match, or there are no blocks.

    Examples
    --------
    >>> import torch
    >>> blocks = Blocks(Block("4x0e+4x1e", "6x0e+6x1e+6x2e"), Block("6x0e+6x1e+6x2e", "2x0e+2x1e"))
    >>> blocks(torch.randn(5, 16)).shape
    torch.Size([5, 8])
    >>> blocks[:1].irreps_out
    6x0e+6x1e+6x2e
    """

    def __init__(self, *blocks: Block | OrderedDict[str, Block]) -> None:
        chain: list[Block] = []
        for each in blocks:
            chain.extend(each.values() if isinstance(each, OrderedDict) else [each])
        if not chain:
            raise ValueError("Blocks: there are none; at least one is needed")
        for before, after in pairwise(chain):
            if before.irreps_out != after.irreps_in:
                raise ValueError(
                    f"Blocks: a block gives {before.irreps_out} and the next takes {after.irreps_in}; "
                    "they must be the same"
                )
        super().__init__(*blocks)  # type: ignore[arg-type]

    @property
    def irreps_in(self) -> Irreps:
        """The input irreps of the first block."""
        return self[0].irreps_in  # type: ignore[return-value]

    @property
    def irreps_out(self) -> Irreps:
        """The output irreps of the last block."""
        return self[-1].irreps_out  # type: ignore[return-value]

    def forward(self, features: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in.dim]`` of the first block to ``[..., irreps_out.dim]`` of the last.

        Raises
        ------
        ValueError
            If the shape or the precision does not fit.
        """
        blocks = [block for block in self if as_made(block, Block)]
        if len(blocks) == len(self):
            check_features(features, blocks[0]._terms_in)
            rows = as_rows(features)
            forms = _compiled(blocks, rows)
            if forms is not None:
                return like_input(compute_blocks(forms, rows), features)
        return super().forward(features)  # type: ignore[no-any-return, no-untyped-call]
