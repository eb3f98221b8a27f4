"""The block as compiled loops: one autograd function from rows to rows.

Rows are features as ``[(degree, order), batch, channels]``, laid out flat in one tensor ``[batch × dim]``: for
each degree and order all samples, for each sample its channels. One conversion at each edge of a network
serves all blocks between.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple, cast, no_type_check

import torch
from e3nn import o3
from torch import Tensor
from torch.autograd import forward_ad

from ._plan import BlockPlan, block_plan, compiled_functions
from ._threads import in_parts, part_count
from .global_batch import global_statistics, sum_over_processes

if TYPE_CHECKING:
    from .block import Block
    from .tensor_square import TensorSquare

__all__ = [
    "CompiledBlock",
    "block_rows",
    "from_rows",
    "has_hooks",
    "pure_form",
    "serves",
    "to_rows",
    "widths_of",
]

# A part of fewer samples, or of a block's linear map of fewer products (some 2 ms), is not worth a thread of its own:
# OpenMP's threads, which torch's operations have just used, still spin where the second part could run.
_LEAST = 8
_LEAST_PRODUCTS = 1 << 26

_state = local()
_work: list[Tensor] = []


class CompiledBlock(NamedTuple):
    """How compiled loops compute a block: the plan, and the parameters.

    The parameters are weight and bias of the batch norm and of the signal norm, then the linear map's weights,
    degrees ascending; None where there is none.
    """

    plan: BlockPlan
    parameters: tuple[Tensor | None, ...]


@contextmanager
def pure_form() -> Iterator[None]:
    """Let layers take their pure PyTorch form, in this thread."""
    before = getattr(_state, "pure", False)
    _state.pure = True
    try:
        yield
    finally:
        _state.pure = before


def serves(*tensors: Tensor | None) -> bool:
    """Say whether compiled loops may compute with these tensors, the first of them features, here and now.

    They know plain CPU tensors of one precision, float32 or float64. Whatever looks into operations or changes
    what they do (export, compilation, transforms, autocast) gets the pure form.
    """
    if (
        getattr(_state, "pure", False)
        or torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
    ):
        return False
    dtype = tensors[0].dtype if tensors[0] is not None else None
    if dtype not in (torch.float32, torch.float64):
        return False
    for tensor in tensors:
        if tensor is not None and (
            type(tensor) not in (Tensor, torch.nn.Parameter)
            or tensor.dtype != dtype
            or tensor.device.type != "cpu"
        ):
            return False
    return compiled_functions(dtype) is not None and not (
        torch.is_autocast_enabled("cpu")
        or forward_ad._current_level >= 0
        or torch._C._len_torch_dispatch_stack()
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def has_hooks(module: torch.nn.Module) -> bool:
    """Say whether somebody wants to see, or change, what goes through a module."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


@contextmanager
def _workspace(size: int) -> Iterator[int]:
    """Lend the address of so many bytes: memory that was used before needs no fresh pages."""
    try:
        work = _work.pop()
    except IndexError:
        work = torch.empty(0, dtype=torch.uint8)
    if len(work) < size:
        work = torch.empty(size, dtype=torch.uint8)
    try:
        yield work.data_ptr()
    finally:
        _work.append(work)


def _pointers_of(normalization: "_Normalization") -> tuple[int, int, int]:
    return normalization.scale.data_ptr(), normalization.mean.data_ptr(), normalization.shift.data_ptr()


def _addresses(tensors: list[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


# A function that is made at each call is one for @no_type_check: the tests' checker of shapes would wrap it each time.


class _Layout(NamedTuple):
    """Which conversion of flat features and rows: how many channels each degree has, and the way."""

    widths: tuple[int, ...]
    batch: int
    to_rows: bool


class _Transpose(torch.autograd.Function):
    """Flat features to rows, or back: each is the other's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layout: _Layout) -> Tensor:
        widths, batch, to_rows = ctx.layout = layout
        x = x.contiguous()
        result = x.new_empty(x.numel() if to_rows else (batch, x.numel() // batch))
        functions = compiled_functions(x.dtype)
        assert functions is not None  # else there would be no rows
        function = functions.to_rows if to_rows else functions.from_rows
        array = (ctypes.c_int64 * len(widths))(*widths)
        source, target = x.data_ptr(), result.data_ptr()
        in_parts(
            lambda _part, begin, end: function(len(widths), array, source, target, batch, begin, end),
            batch,
            part_count(batch, _LEAST),
        )
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        back = ctx.layout._replace(to_rows=not ctx.layout.to_rows)
        return _apply(_Transpose, gradient, back), None


def _apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result


def to_rows(features: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Turn flat features ``[batch, dim]`` into rows ``[batch × dim]``; ``widths`` are the channels of each degree."""
    return _apply(_Transpose, features, _Layout(widths, len(features), True))


def from_rows(rows: Tensor, widths: tuple[int, ...], batch: int) -> Tensor:
    """Turn rows into flat features."""
    return _apply(_Transpose, rows, _Layout(widths, batch, False))


def widths_of(irreps: o3.Irreps) -> tuple[int, ...]:
    """Give the channels of each degree from 0 to the highest, 0 for those that are not there.

    Examples
    --------
    >>> widths_of(o3.Irreps("4x0e+2x2e"))
    (4, 0, 2)
    """
    counts = {term.ir.l: term.mul for term in irreps}
    return tuple(counts.get(degree, 0) for degree in range(max(counts) + 1))


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

    block: "Block"
    plan: BlockPlan
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
        block, plan, batch, parts, differentiable = call
        normalization = _normalization(call, x, *parameters[:2])
        degree_weight, degree_bias, *weights = cast("tuple[Tensor, ...]", parameters[2:])
        packed = _pack(plan, weights, degree_weight, differentiable)
        bias = degree_bias * weights[0].sum(0)
        out = x.new_empty(batch * plan.dim_out)
        mapped = torch.empty_like(out) if differentiable else None
        factor = x.new_empty(batch)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with _workspace(plan.work_numbers * x.itemsize) as work:
                plan.functions.block_forward(
                    plan.structure,
                    x.data_ptr(),
                    *_pointers_of(normalization),
                    packed.data_ptr(),
                    bias.data_ptr(),
                    block.signal_norm.eps,
                    block.skip,
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
    block, plan, batch, parts, _ = call
    norm_weight, norm_bias = parameters[:2]
    degree_weight, degree_bias, *weights = cast("list[Tensor]", parameters[2:])
    channels = plan.structure.channels
    sizes = [len(normalization.scale), channels, weights[0].shape[1]]
    dx = torch.empty_like(x)
    found = [x.new_zeros(plan.gradient_numbers) for _ in range(parts)]
    sums = torch.zeros(parts, sum(sizes), dtype=torch.float64)

    @no_type_check
    def compute(part: int, begin: int, end: int) -> None:
        inner, total, dbias = (piece.data_ptr() for piece in torch.split(sums[part], sizes))
        with _workspace(plan.work_numbers * x.itemsize) as work:
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
    dfactors = torch.zeros(parts, len(weights), dtype=torch.float64)
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
            block.skip,
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
    block, plan, batch, _, _ = saved.call
    normalization = saved.normalization
    names = [
        *("batch_norm.weight", "batch_norm.bias", "signal_norm.weight", "signal_norm.bias"),
        *(f"linear.weights.{degree}" for degree in range(plan.structure.degrees_out)),
    ]
    state = {name: tensor for name, tensor in zip(names, parameters, strict=True) if tensor is not None}
    norm = block.batch_norm
    if norm is not None:
        # Statistics as they were, and clones: a batch must not count twice.
        state["batch_norm.running_mean"] = normalization.mean.clone()
        state["batch_norm.running_var"] = normalization.variance.clone()
    modes = [module.training for module in block.modules()]
    block.train(normalization.samples is not None)
    try:
        with torch.enable_grad(), pure_form():
            flat = from_rows(x, widths_of(block.irreps_in), batch)
            result = torch.func.functional_call(block, state, (flat,))
            rows = to_rows(result, widths_of(block.irreps_out))
    finally:
        for module, mode in zip(block.modules(), modes, strict=True):
            module.training = mode
    inputs = [tensor for tensor in (x, *parameters) if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(rows, inputs, gradient, create_graph=True))
    return [
        next(found) if tensor is not None and tensor.requires_grad else None for tensor in (x, *parameters)
    ]


def _normalization(call: _Call, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> _Normalization:
    """Take the statistics of a block's batch norm, and remember them in training."""
    norm, structure = call.block.batch_norm, call.plan.structure
    if norm is None:
        zeros, ones = x.new_zeros(structure.channels), x.new_ones(structure.degrees_in * structure.channels)
        return _Normalization(None, False, zeros, ones, ones, ones, zeros)
    samples: float | None = None
    if norm.training:
        samples, mean, variance = _statistics(call, x, norm._sizes, synchronized=norm.synchronized)
        norm._remember(mean, variance)
    else:
        mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    inverse = (variance + norm.eps).rsqrt()
    scale = inverse if weight is None else inverse * weight
    shift = torch.zeros_like(mean) if bias is None else bias
    return _Normalization(samples, norm.synchronized, mean, variance, inverse, scale, shift)


def _statistics(call: _Call, x: Tensor, sizes: Tensor, *, synchronized: bool) -> tuple[float, Tensor, Tensor]:
    """Count the samples, and give the mean of degree 0 and the variance of each channel of each degree."""
    _, plan, batch, parts, _ = call
    functions, structure = plan.functions, plan.structure
    total = torch.zeros(structure.channels, dtype=torch.float64)
    functions.sums(structure, x.data_ptr(), 0, batch, total.data_ptr())
    mean = (total / batch).to(x.dtype)
    squares = torch.zeros(parts, len(sizes), dtype=torch.float64)
    in_parts(
        lambda part, begin, end: functions.squares(
            structure, x.data_ptr(), mean.data_ptr(), batch, begin, end, squares[part].data_ptr()
        ),
        batch,
        parts,
    )
    variance = squares.sum(0) / (batch * sizes)
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
    orders = torch.arange(plan.structure.degrees_in).mul_(2).add_(1).repeat_interleave(channels)
    scale, inverse = normalization.scale.double(), normalization.inverse.double()
    slope = -inner * scale * inverse.square() / (samples * orders)
    offset = -slope[:channels] * normalization.mean - scale[:channels] * total / samples
    return slope.to(normalization.scale.dtype), offset.to(normalization.scale.dtype)


def _pack(plan: BlockPlan, weights: list[Tensor], factors: Tensor, backward: bool) -> Tensor:
    """Put the weights, times the factors of their degrees, into the order in which they are used."""
    packed = factors.new_empty(plan.packed_numbers)
    plan.functions.pack(plan.structure, _addresses(weights), factors.data_ptr(), backward, packed.data_ptr())
    return packed


class _Square(torch.autograd.Function):
    """A tensor square, channel by channel, from flat features to flat features."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, square: "TensorSquare", plan: BlockPlan) -> Tensor:
        ctx.save_for_backward(x)
        ctx.call = square, plan
        x, batch = x.contiguous(), len(x)
        y = x.new_empty(batch, square.irreps_out.dim)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with _workspace(plan.work_numbers * x.itemsize) as work:
                plan.functions.square_forward(
                    plan.structure, x.data_ptr(), begin, end, plan.tile, y.data_ptr(), work
                )

        in_parts(compute, batch, part_count(batch, _LEAST))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        square, plan = ctx.call
        if torch.is_grad_enabled():
            with pure_form():
                y = square(x)
            return torch.autograd.grad(y, x, gradient, create_graph=True)[0], None, None
        x, gradient, batch = x.contiguous(), gradient.contiguous(), len(x)
        dx = torch.empty_like(x)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with _workspace(plan.work_numbers * x.itemsize) as work:
                plan.functions.square_backward(
                    plan.structure,
                    x.data_ptr(),
                    gradient.data_ptr(),
                    begin,
                    end,
                    plan.tile,
                    dx.data_ptr(),
                    work,
                )

        in_parts(compute, batch, part_count(batch, _LEAST))
        return dx, None, None


def compiled_square(square: "TensorSquare", features: Tensor) -> Tensor:
    """Compute a tensor square, channel by channel, of flat features that `serves` has passed."""
    widths = widths_of(square.irreps_in)
    no_linear = (0,) * (square.irreps_out.lmax + 1)
    plan = block_plan(square.paths, widths[0], len(widths), no_linear, features.dtype)
    return _apply(_Square, features, square, plan)


def block_rows(block: "Block", form: CompiledBlock, rows: Tensor, batch: int) -> Tensor:
    """Compute a block from rows to rows."""
    plan, parameters = form
    products = sum(
        (2 * degree + 1) * inputs * width for degree, (inputs, width) in enumerate(plan.weight_shapes)
    )
    least = max(_LEAST, _LEAST_PRODUCTS // products)
    call = _Call(block, plan, batch, part_count(batch, least), torch.is_grad_enabled())
    return _apply(_BlockRows, call, rows, *parameters)
