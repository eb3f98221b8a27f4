"""The block as compiled loops: one autograd function from rows to rows (see `holo_nn.kernels.rows`)."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast, no_type_check

import torch
from torch import Tensor

from .autograd import apply
from .dispatch import pure_form
from .global_batch import global_statistics, sum_over_processes
from .plan import BlockPlan
from .rows import from_rows, to_rows
from .threads import in_parts, part_count, workspace

__all__ = ["CompiledBatchNorm", "CompiledBlock", "PureBlock", "block_rows"]

# A part of a block's linear map of fewer products (some 2 ms) is not worth a thread of its own.
_LEAST_PRODUCTS = 1 << 26


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
    eps
        Added to the variance.
    remember
        Takes mean and variance of a batch into the running ones; None in evaluation, where the running ones
        normalize.
    synchronized
        See `holo_nn.synchronize_batch_norms`.
    """

    mean: Tensor
    variance: Tensor
    eps: float
    remember: Callable[[Tensor, Tensor], None] | None
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


def _pointers_of(normalization: "_Normalization") -> tuple[int, int, int]:
    return normalization.scale.data_ptr(), normalization.mean.data_ptr(), normalization.shift.data_ptr()


def _addresses(tensors: list[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


# A function that is made at each call is one for @no_type_check: the tests' checker of shapes would wrap it each time.


class _Normalization(NamedTuple):
    """A batch norm as the loops apply it: (x - mean) × scale + shift, mean and shift of degree 0 only.

    Attributes
    ----------
    samples
        Of how many mean and variance are those, over all processes where the norm is synchronized; None where
        they are the running ones.
    synchronized
        See `holo_nn.synchronize_batch_norms`.
    mean, shift
        Of the channels of degree 0.
    variance, inverse, scale
        Of each channel of each degree; ``inverse`` is 1 / sqrt(variance + eps).
    """

    samples: float | None
    synchronized: bool
    mean: Tensor
    variance: Tensor
    inverse: Tensor
    scale: Tensor
    shift: Tensor


class _Call(NamedTuple):
    """One call of a block, cut into so many parts."""

    form: CompiledBlock
    batch: int
    parts: int
    differentiable: bool


class _Saved(NamedTuple):
    """What the backward of a block needs beside its input, parameters and what its linear map gave."""

    call: _Call
    normalization: _Normalization
    packed: Tensor
    factor: Tensor


class _BlockRows(torch.autograd.Function):
    """A block from rows to rows; parameters are those of `CompiledBlock`."""

    @staticmethod
    def forward(ctx: Any, call: _Call, x: Tensor, *parameters: Tensor | None) -> Tensor:
        form, batch, parts, differentiable = call
        plan = form.plan
        normalization = _normalization(call, x, *parameters[:2])
        degree_weight, degree_bias, *weights = cast("tuple[Tensor, ...]", parameters[2:])
        packed = _pack(plan, weights, degree_weight, differentiable)
        bias = degree_bias * weights[0].sum(0)
        out = x.new_empty(batch * plan.dim_out)
        mapped = torch.empty_like(out) if differentiable else None
        factor = x.new_empty(batch)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with workspace(plan.work_numbers * x.itemsize) as work:
                plan.functions.block_forward(
                    plan.structure,
                    x.data_ptr(),
                    *_pointers_of(normalization),
                    packed.data_ptr(),
                    bias.data_ptr(),
                    form.eps,
                    form.skip,
                    batch,
                    begin,
                    end,
                    plan.tile,
                    factor.data_ptr(),
                    out.data_ptr(),
                    None if mapped is None else mapped.data_ptr(),
                    work,
                )

        in_parts(compute, batch, parts)
        if differentiable:
            ctx.save_for_backward(x, mapped, *parameters)
            ctx.saved = _Saved(call, normalization, packed, factor)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved: _Saved = ctx.saved
        x, mapped, *parameters = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated itself
            return None, *_differentiable_gradients(saved, x, parameters, gradient)
        return None, *_gradients(saved, x, mapped, parameters, gradient.contiguous())


def _gradients(
    saved: _Saved, x: Tensor, mapped: Tensor, parameters: list[Tensor | None], gradient: Tensor
) -> list[Tensor | None]:
    """Differentiate a block: the gradients of x and of the parameters."""
    call, normalization, packed, factor = saved
    form, batch, parts, _ = call
    plan = form.plan
    norm_weight, norm_bias = parameters[:2]
    degree_weight, degree_bias, *weights = cast("list[Tensor]", parameters[2:])
    channels = plan.structure.channels
    sizes = [len(normalization.scale), channels, weights[0].shape[1]]
    dx = torch.empty_like(x)
    found = [x.new_zeros(plan.gradient_numbers) for _ in range(parts)]
    sums = x.new_zeros(parts, sum(sizes), dtype=torch.float64)

    @no_type_check
    def compute(part: int, begin: int, end: int) -> None:
        inner, total, dbias = (piece.data_ptr() for piece in torch.split(sums[part], sizes))
        with workspace(plan.work_numbers * x.itemsize) as work:
            plan.functions.block_backward(
                plan.structure,
                x.data_ptr(),
                *_pointers_of(normalization),
                packed.data_ptr(),
                factor.data_ptr(),
                mapped.data_ptr(),
                gradient.data_ptr(),
                batch,
                begin,
                end,
                plan.tile,
                dx.data_ptr(),
                found[part].data_ptr(),
                inner,
                total,
                dbias,
                work,
            )

    in_parts(compute, batch, parts)
    inner, total, dbias = torch.split(sums.sum(0), sizes)
    slope, offset = _through_statistics(normalization, plan, inner, total)
    shared = (degree_bias.double() * dbias).to(x.dtype)
    dweights = [torch.empty_like(weight) for weight in weights]
    dfactors = x.new_zeros(parts, len(weights), dtype=torch.float64)
    sources, pointers, targets = _addresses(found), _addresses(weights), _addresses(dweights)

    @no_type_check
    def finish(part: int, begin: int, end: int) -> None:
        plan.functions.finish_weights(
            plan.structure,
            pointers,
            degree_weight.data_ptr(),
            sources,
            parts,
            shared.data_ptr(),
            part,
            parts,
            targets,
            dfactors[part].data_ptr(),
        )
        plan.functions.finish_backward(
            plan.structure,
            x.data_ptr(),
            gradient.data_ptr(),
            normalization.scale.data_ptr(),
            slope.data_ptr(),
            offset.data_ptr(),
            form.skip,
            batch,
            begin,
            end,
            dx.data_ptr(),
        )

    in_parts(finish, batch, parts)
    return [
        dx,
        None if norm_weight is None else (inner * normalization.inverse).to(x.dtype),
        None if norm_bias is None else total.to(x.dtype),
        dfactors.sum(0).to(x.dtype),
        (weights[0].sum(0) * dbias).sum().reshape(1).to(x.dtype),
        *dweights,
    ]


def _differentiable_gradients(
    saved: _Saved, x: Tensor, parameters: list[Tensor | None], gradient: Tensor
) -> list[Tensor | None]:
    """Differentiate the pure form of a block, so that the result can be differentiated again."""
    form, batch, _, _ = saved.call
    mean, variance = saved.normalization.mean, saved.normalization.variance
    with torch.enable_grad(), pure_form():
        flat = from_rows(x, form.widths_in, batch)
        training = saved.normalization.samples is not None
        result = form.pure(flat, parameters, (mean, variance), training=training)
        rows = to_rows(result, form.widths_out)
    inputs = [tensor for tensor in (x, *parameters) if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(rows, inputs, gradient, create_graph=True))
    return [
        next(found) if tensor is not None and tensor.requires_grad else None for tensor in (x, *parameters)
    ]


def _normalization(call: _Call, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> _Normalization:
    """Take the statistics of a block's batch norm, and remember them in training."""
    norm, structure = call.form.batch_norm, call.form.plan.structure
    if norm is None:
        zeros, ones = x.new_zeros(structure.channels), x.new_ones(structure.degrees_in * structure.channels)
        return _Normalization(None, False, zeros, ones, ones, ones, zeros)
    samples: float | None = None
    if norm.remember is None:
        mean, variance = norm.mean.clone(), norm.variance.clone()
    else:
        samples, mean, variance = _statistics(call, x, synchronized=norm.synchronized)
        norm.remember(mean, variance)
    inverse = (variance + norm.eps).rsqrt()
    scale = inverse if weight is None else inverse * weight
    shift = torch.zeros_like(mean) if bias is None else bias
    return _Normalization(samples, norm.synchronized, mean, variance, inverse, scale, shift)


def _orders(plan: BlockPlan) -> Tensor:
    """Count the orders, 2l + 1, of each channel of each degree."""
    orders = torch.arange(1, 2 * plan.structure.degrees_in, 2, device="cpu")
    return orders.repeat_interleave(plan.structure.channels)


def _statistics(call: _Call, x: Tensor, *, synchronized: bool) -> tuple[float, Tensor, Tensor]:
    """Count the samples, and give the mean of degree 0 and the variance of each channel of each degree."""
    form, batch, parts, _ = call
    functions, structure, orders = form.plan.functions, form.plan.structure, _orders(form.plan)
    total = x.new_zeros(structure.channels, dtype=torch.float64)
    functions.sums(structure, x.data_ptr(), 0, batch, total.data_ptr())
    mean = (total / batch).to(x.dtype)
    squares = x.new_zeros(parts, len(orders), dtype=torch.float64)
    in_parts(
        lambda part, begin, end: functions.squares(
            structure, x.data_ptr(), mean.data_ptr(), batch, begin, end, squares[part].data_ptr()
        ),
        batch,
        parts,
    )
    variance = squares.sum(0) / (batch * orders)
    if not synchronized:
        return float(batch), mean, variance.to(x.dtype)
    merged = global_statistics(batch, mean.double(), variance)
    return merged.samples.item(), merged.mean.to(x.dtype), merged.variance.to(x.dtype)


def _through_statistics(
    normalization: _Normalization, plan: BlockPlan, inner: Tensor, total: Tensor
) -> tuple[Tensor, Tensor]:
    """Say what the batch's statistics add to the gradient of x: x × slope + offset, the offset in degree 0 only."""
    channels, samples = plan.structure.channels, normalization.samples
    if samples is None:
        return torch.zeros_like(normalization.scale), torch.zeros_like(normalization.mean)
    if normalization.synchronized:
        both = sum_over_processes(torch.cat([inner, total]))
        inner, total = torch.split(both, [len(inner), len(total)])
    scale, inverse = normalization.scale.double(), normalization.inverse.double()
    slope = -inner * scale * inverse.square() / (samples * _orders(plan))
    offset = -slope[:channels] * normalization.mean - scale[:channels] * total / samples
    return slope.to(normalization.scale.dtype), offset.to(normalization.scale.dtype)


def _pack(plan: BlockPlan, weights: list[Tensor], factors: Tensor, backward: bool) -> Tensor:
    """Put the weights, times the factors of their degrees, into the order in which they are used."""
    packed = factors.new_empty(plan.packed_numbers)
    plan.functions.pack(plan.structure, _addresses(weights), factors.data_ptr(), backward, packed.data_ptr())
    return packed


def block_rows(form: CompiledBlock, rows: Tensor, batch: int) -> Tensor:
    """Compute a block from rows to rows."""
    products = sum(
        (2 * degree + 1) * inputs * width for degree, (inputs, width) in enumerate(form.plan.weight_shapes)
    )
    parts = part_count(batch, _LEAST_PRODUCTS // products)
    return apply(_BlockRows, _Call(form, batch, parts, torch.is_grad_enabled()), rows, *form.parameters)
