"""The block as compiled loops: one autograd function from rows to rows (see `holo_nn.kernels.rows`)."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from holo_kernels.tensor_square import Block
from holo_kernels.threads import in_parts

from .autograd import apply
from .dispatch import pure_form
from .global_batch import global_statistics, sum_over_processes
from .plan import BlockPlan
from .rows import from_rows, to_rows
from .threads import part_count, workspace

__all__ = ["CompiledBatchNorm", "CompiledBlock", "PureBlock", "block_rows"]

# A part of fewer products (some 20 µs) is not worth a thread of its own.
_LEAST_PRODUCTS = 1 << 20


class PureBlock(Protocol):
    """A block in plain PyTorch, of given numbers in place of its own."""

    def __call__(
        self,
        features: Tensor,
        parameters: Sequence[Tensor | None],
        statistics: tuple[Tensor, Tensor],
        *,
        training: bool,
    ) -> Tensor:
        """Compute it of flat features; the statistics, mean and variance of a batch norm, are left as they are."""


class CompiledBatchNorm(NamedTuple):
    """What compiled loops know of a batch norm beside its parameters.

    Attributes
    ----------
    mean, variance
        The running ones.
    eps, momentum
        As `holo_nn.BatchNorm` has them.
    training
        Whether the batch's own statistics normalize, and are taken into the running ones.
    synchronized
        See `holo_nn.synchronize_batch_norms`.
    """

    mean: Tensor
    variance: Tensor
    eps: float
    momentum: float
    training: bool
    synchronized: bool


class CompiledBlock(NamedTuple):
    """How compiled loops compute a block.

    Attributes
    ----------
    plan
        Of its tensor square and linear map.
    parameters
        Weight and bias of the batch norm and of the signal norm, then the linear map's weights, degrees
        ascending; None where there is none.
    batch_norm
        None where there is none.
    eps
        Of the signal norm.
    skip
        Whether the input is added.
    widths_in, widths_out
        Channels of each degree of what goes in and comes out.
    pure
        The same in plain PyTorch, of which second derivatives are taken; called within `pure_form`.
    """

    plan: BlockPlan
    parameters: tuple[Tensor | None, ...]
    batch_norm: CompiledBatchNorm | None
    eps: float
    skip: bool
    widths_in: tuple[int, ...]
    widths_out: tuple[int, ...]
    pure: PureBlock


def _addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*[tensor.data_ptr() for tensor in tensors])


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


class _Call(NamedTuple):
    """One call of a block, cut into so many parts."""

    form: CompiledBlock
    batch: int
    parts: int
    differentiable: bool


class _Saved(NamedTuple):
    """What the backward of a block needs beside its input, parameters and what its linear map gave.

    Attributes
    ----------
    call
        The forward's.
    block
        What the compiled functions were told.
    reals, doubles
        What it points to.
    """

    call: _Call
    block: Block
    reals: Tensor
    doubles: Tensor

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Give the mean and the variance that normalized, from where the compiled functions keep them."""
        structure = self.call.form.plan.structure
        channels, every = structure.channels, structure.degrees_in * structure.channels
        _, mean, _, variance, _ = torch.split(
            self.reals, [every, channels, channels, every, len(self.reals) - 2 * (every + channels)]
        )
        return mean, variance


class _BlockRows(torch.autograd.Function):
    """A block from rows to rows; parameters are those of `CompiledBlock`."""

    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *parameters: Tensor | None) -> Tensor:
        form, batch, parts, differentiable = call
        plan, functions, norm = form.plan, form.plan.functions, form.batch_norm
        structure = plan.structure
        norm_weight, norm_bias, signal_weight, signal_bias, *weights = parameters
        pointers = _addresses(cast("list[Tensor]", weights))
        out = x.new_empty(batch * plan.dim_out)
        mapped = torch.empty_like(out) if differentiable else None
        reals = x.new_empty(plan.normalization_numbers + batch + plan.packed_numbers)
        normalization = reals.data_ptr()
        factor = normalization + plan.normalization_numbers * x.itemsize
        packed = factor + batch * x.itemsize
        sums, moments = parts * plan.partial_numbers, (structure.degrees_in + 1) * structure.channels
        doubles = x.new_empty(sums + moments, dtype=torch.float64)
        training = norm is not None and norm.training
        with workspace(parts * plan.work_numbers * x.itemsize) as work:
            block = Block(
                plan.address,
                batch,
                form.skip,
                differentiable,
                form.eps,
                0.0 if norm is None else norm.eps,
                0.0 if norm is None else norm.momentum,
                batch if training else 0,
                work,
                plan.work_numbers,
                _address(norm_weight),
                _address(norm_bias),
                None if norm is None else norm.mean.data_ptr(),
                None if norm is None else norm.variance.data_ptr(),
                _address(signal_weight),
                _address(signal_bias),
                pointers,
                x.data_ptr(),
                out.data_ptr(),
                _address(mapped),
                factor,
                packed,
                doubles.data_ptr(),
                doubles.data_ptr() + 8 * sums,
                normalization,
            )
            address = ctypes.addressof(block)
            in_parts(functions.block_prepare, address, parts)
            if norm is not None and norm.training:
                functions.block_moments(block, parts)
                if norm.synchronized:
                    block.samples = _merge(batch, doubles[sums:], structure.channels)
                torch.autograd.graph.increment_version((norm.mean, norm.variance))
            functions.block_normalization(block, parts)
            in_parts(functions.block_forward, address, parts)
        if differentiable:
            ctx.save_for_backward(x, mapped, *parameters)
            ctx.saved = _Saved(call, block, reals, doubles)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved: _Saved = ctx.saved
        x, mapped, *parameters = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated itself
            return None, *_differentiable_gradients(saved, x, parameters, gradient)
        return None, *_gradients(saved, x, mapped, parameters, gradient.contiguous())


def _merge(batch: int, moments: Tensor, channels: int) -> float:
    """Merge mean and variance with those of the other processes, in place; give how many samples there are."""
    merged = global_statistics(batch, moments[:channels], moments[channels:])
    torch.cat([merged.mean, merged.variance], out=moments)
    return merged.samples.item()


def _gradients(
    saved: _Saved, x: Tensor, mapped: Tensor, parameters: list[Tensor | None], gradient: Tensor
) -> list[Tensor | None]:
    """Differentiate a block: the gradients of x and of the parameters."""
    form, _, parts, _ = saved.call
    plan, functions, structure = form.plan, form.plan.functions, form.plan.structure
    found = [None if parameter is None else torch.empty_like(parameter) for parameter in parameters]
    weights, dweights = (_addresses(cast("list[Tensor]", some[4:])) for some in (parameters, found))
    dx = torch.empty_like(x)
    reals = x.new_empty(parts * plan.gradient_numbers + plan.through_numbers)
    sums, every = parts * plan.partial_numbers, (structure.degrees_in + 1) * structure.channels
    doubles = x.new_empty(sums + every + form.widths_out[0], dtype=torch.float64)
    block = Block.from_buffer_copy(saved.block)
    # Tensors that were saved may have been elsewhere since.
    block.x, block.mapped, block.gradient, block.dx = (t.data_ptr() for t in (x, mapped, gradient, dx))
    block.norm_weight, block.norm_bias, block.signal_weight, block.signal_bias = map(_address, parameters[:4])
    block.weights, block.weight_gradients = weights, dweights
    block.found, block.through = (
        reals.data_ptr(),
        reals.data_ptr() + parts * plan.gradient_numbers * x.itemsize,
    )
    block.partial = doubles.data_ptr()
    block.inner, block.dbias = (doubles.data_ptr() + 8 * place for place in (sums, sums + every))
    (
        block.norm_weight_gradient,
        block.norm_bias_gradient,
        block.signal_weight_gradient,
        block.signal_bias_gradient,
    ) = map(_address, found[:4])
    address = ctypes.addressof(block)
    with workspace(parts * plan.work_numbers * x.itemsize) as work:
        block.work = work
        in_parts(functions.block_backward, address, parts)
    functions.block_sums(block, parts)
    if block.samples and form.batch_norm is not None and form.batch_norm.synchronized:
        inner = doubles[sums : sums + every]
        inner.copy_(sum_over_processes(inner))
    functions.block_slopes(block)
    in_parts(functions.block_finish, address, parts)
    functions.block_signal(block, saved.doubles.data_ptr(), parts)
    return [dx, *found]


def _differentiable_gradients(
    saved: _Saved, x: Tensor, parameters: list[Tensor | None], gradient: Tensor
) -> list[Tensor | None]:
    """Differentiate the pure form of a block, so that the result can be differentiated again."""
    form, batch, _, _ = saved.call
    with torch.enable_grad(), pure_form():
        flat = from_rows(x, form.widths_in, batch)
        training = form.batch_norm is not None and form.batch_norm.training
        result = form.pure(flat, parameters, saved.statistics(), training=training)
        rows = to_rows(result, form.widths_out)
    inputs = [tensor for tensor in (x, *parameters) if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(rows, inputs, gradient, create_graph=True))
    return [
        next(found) if tensor is not None and tensor.requires_grad else None for tensor in (x, *parameters)
    ]


def block_rows(form: CompiledBlock, rows: Tensor, batch: int) -> Tensor:
    """Compute a block from rows to rows."""
    parts = part_count(batch, _LEAST_PRODUCTS // form.plan.products)
    return apply(_BlockRows, _Call(form, batch, parts, torch.is_grad_enabled()), rows, *form.parameters)
