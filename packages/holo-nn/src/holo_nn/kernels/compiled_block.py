"""Blocks one after another as compiled loops: one autograd function from flat features to flat features.

Between the blocks features are rows (see `holo_nn.kernels.rows`).
"""

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

__all__ = ["CompiledBatchNorm", "CompiledBlock", "PureBlock", "compute_blocks"]

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


class _Saved(NamedTuple):
    """What the backward of a block needs beside its input, parameters and what its linear map gave.

    Attributes
    ----------
    block
        What the compiled functions were told.
    parts
        Into how many the batch was cut.
    reals, doubles
        What the block points to.
    """

    block: Block
    parts: int
    reals: Tensor
    doubles: Tensor


class _Blocks(torch.autograd.Function):
    """Blocks from flat features to flat features; the parameters are those of each `CompiledBlock` in turn."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        forms: Sequence[CompiledBlock],
        differentiable: bool,
        *parameters: Tensor | None,
    ) -> Tensor:
        batch = len(features)
        rows = to_rows(features, forms[0].widths_in)
        tensors: list[Tensor | None] = []
        saved = []
        for form in forms:
            out = rows.new_empty(batch * form.plan.dim_out)
            mapped = torch.empty_like(out) if differentiable else None
            saved.append(_forward(form, rows, out, mapped, batch))
            tensors += [rows, mapped]
            rows = out
        if differentiable:
            ctx.save_for_backward(features, *tensors, *parameters)
            ctx.call = forms, saved
        return from_rows(rows, forms[-1].widths_out, batch)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        forms, saved = ctx.call
        features, *tensors = ctx.saved_tensors
        rows, parameters = tensors[: 2 * len(forms)], iter(tensors[2 * len(forms) :])
        own = [[next(parameters) for _ in form.parameters] for form in forms]
        if torch.is_grad_enabled():  # the gradient is to be differentiated itself
            dx, *found = _differentiable_gradients(forms, saved, features, own, gradient)
            return dx, None, None, *found
        passed = to_rows(gradient, forms[-1].widths_out)
        all_found: list[Tensor | None] = []
        for number in reversed(range(len(forms))):
            x, mapped = rows[2 * number : 2 * number + 2]
            passed, found = _backward(forms[number], saved[number], x, mapped, own[number], passed)
            all_found[:0] = found
        return from_rows(passed, forms[0].widths_in, len(features)), None, None, *all_found


def _forward(form: CompiledBlock, x: Tensor, out: Tensor, mapped: Tensor | None, batch: int) -> _Saved:
    """Compute a block from rows to rows, and what its linear map gives if that is wanted."""
    plan, functions, norm = form.plan, form.plan.functions, form.batch_norm
    structure = plan.structure
    parts = part_count(batch, _LEAST_PRODUCTS // plan.products)
    norm_weight, norm_bias, signal_weight, signal_bias, *weights = form.parameters
    reals = x.new_empty(plan.normalization_numbers + batch + plan.packed_numbers)
    normalization = reals.data_ptr()
    factor = normalization + plan.normalization_numbers * x.itemsize
    sums, moments = parts * plan.partial_numbers, (structure.degrees_in + 1) * structure.channels
    doubles = x.new_empty(sums + moments, dtype=torch.float64)
    training = norm is not None and norm.training
    with workspace(parts * plan.work_numbers * x.itemsize) as work:
        block = Block(
            plan=plan.address,
            batch=batch,
            skip=form.skip,
            differentiable=mapped is not None,
            signal_eps=form.eps,
            samples=batch if training else 0,
            work=work,
            work_numbers=plan.work_numbers,
            norm_weight=_address(norm_weight),
            norm_bias=_address(norm_bias),
            signal_weight=_address(signal_weight),
            signal_bias=_address(signal_bias),
            weights=_addresses(cast("list[Tensor]", weights)),
            x=x.data_ptr(),
            out=out.data_ptr(),
            mapped=_address(mapped),
            normalization=normalization,
            factor=factor,
            packed=factor + batch * x.itemsize,
            partial=doubles.data_ptr(),
            moments=doubles.data_ptr() + 8 * sums,
        )
        if norm is not None:
            block.norm_eps, block.momentum = norm.eps, norm.momentum
            block.running_mean, block.running_var = norm.mean.data_ptr(), norm.variance.data_ptr()
        address = ctypes.addressof(block)
        in_parts(functions.block_prepare, address, parts)
        if norm is not None and norm.training:
            functions.block_moments(block, parts)
            if norm.synchronized:
                block.samples = _merge(batch, doubles[sums:], structure.channels)
            torch.autograd.graph.increment_version((norm.mean, norm.variance))
        functions.block_normalization(block, parts)
        in_parts(functions.block_forward, address, parts)
    return _Saved(block, parts, reals, doubles)


def _merge(batch: int, moments: Tensor, channels: int) -> float:
    """Merge mean and variance with those of the other processes, in place; give how many samples there are."""
    merged = global_statistics(batch, moments[:channels], moments[channels:])
    torch.cat([merged.mean, merged.variance], out=moments)
    return merged.samples.item()


def _backward(
    form: CompiledBlock,
    saved: _Saved,
    x: Tensor,
    mapped: Tensor,
    parameters: list[Tensor | None],
    gradient: Tensor,
) -> tuple[Tensor, list[Tensor | None]]:
    """Differentiate a block: the gradients of x and of the parameters."""
    plan, functions, structure, parts = form.plan, form.plan.functions, form.plan.structure, saved.parts
    found = [None if parameter is None else torch.empty_like(parameter) for parameter in parameters]
    dx = torch.empty_like(x)
    reals = x.new_empty(parts * plan.gradient_numbers + plan.through_numbers)
    sums, every = parts * plan.partial_numbers, (structure.degrees_in + 1) * structure.channels
    doubles = x.new_empty(sums + every + form.widths_out[0], dtype=torch.float64)
    block = Block.from_buffer_copy(saved.block)
    # Tensors that were saved may have been elsewhere since.
    block.x, block.mapped, block.gradient, block.dx = (t.data_ptr() for t in (x, mapped, gradient, dx))
    block.norm_weight, block.norm_bias, block.signal_weight, block.signal_bias = map(_address, parameters[:4])
    block.weights, block.weight_gradients = (
        _addresses(cast("list[Tensor]", some[4:])) for some in (parameters, found)
    )
    block.found = reals.data_ptr()
    block.through = block.found + parts * plan.gradient_numbers * x.itemsize
    block.partial = doubles.data_ptr()
    block.inner, block.dbias = block.partial + 8 * sums, block.partial + 8 * (sums + every)
    block.norm_weight_gradient, block.norm_bias_gradient = map(_address, found[:2])
    block.signal_weight_gradient, block.signal_bias_gradient = map(_address, found[2:4])
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
    return dx, found


def _statistics(form: CompiledBlock, saved: _Saved) -> tuple[Tensor, Tensor]:
    """Give the mean and the variance that normalized, from where the compiled functions keep them."""
    channels = form.plan.structure.channels
    every = form.plan.structure.degrees_in * channels
    rest = len(saved.reals) - 2 * (every + channels)
    _, mean, _, variance, _ = torch.split(saved.reals, [every, channels, channels, every, rest])
    return mean, variance


def _differentiable_gradients(
    forms: Sequence[CompiledBlock],
    saved: Sequence[_Saved],
    features: Tensor,
    parameters: list[list[Tensor | None]],
    gradient: Tensor,
) -> list[Tensor | None]:
    """Differentiate the pure form of the blocks, so that the result can be differentiated again."""
    result = features
    with torch.enable_grad(), pure_form():
        for form, each, own in zip(forms, saved, parameters, strict=True):
            training = form.batch_norm is not None and form.batch_norm.training
            result = form.pure(result, own, _statistics(form, each), training=training)
    tensors = [features, *(tensor for own in parameters for tensor in own)]
    wanted = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(result, wanted, gradient, create_graph=True))
    return [next(found) if tensor is not None and tensor.requires_grad else None for tensor in tensors]


def compute_blocks(forms: Sequence[CompiledBlock], features: Tensor) -> Tensor:
    """Compute blocks one after another, from flat features to flat features."""
    parameters = [tensor for form in forms for tensor in form.parameters]
    return apply(_Blocks, features, forms, torch.is_grad_enabled(), *parameters)
