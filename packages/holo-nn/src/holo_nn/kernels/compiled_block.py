"""A sequence of blocks as compiled loops: one autograd function from flat features to flat features.

Between the blocks, features are rows (see `holo_nn.kernels.rows`). The gradients are computed by hand; their derivation
is in ``csrc/tensor_square/block.h`` of holo-kernels.
"""

import ctypes
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from holo_kernels.tensor_square import Block
from holo_kernels.threads import in_parts
from holo_nn.so3.irreps import Terms

from .autograd import apply, places_of_gradients
from .dispatch import is_batched, pure_form
from .global_batch import global_statistics, sum_over_processes
from .plan import BlockPlan
from .rows import layout
from .threads import part_count, workspace

__all__ = ["CompiledBatchNorm", "CompiledBlock", "PureBlock", "compute_blocks"]

# A part of fewer products (some 20 µs) is not worth a thread of its own.
_LEAST_PRODUCTS = 1 << 20


class PureBlock(Protocol):
    """A block in plain PyTorch, called with given parameters and statistics in place of its own."""

    def __call__(
        self,
        features: Tensor,
        parameters: Sequence[Tensor | None],
        statistics: tuple[Tensor, Tensor],
        *,
        training: bool,
    ) -> Tensor:
        """Compute the block for flat features; the statistics (mean, variance) of a batch norm are not changed."""


class CompiledBatchNorm(NamedTuple):
    """The settings of a batch norm for the compiled loops, beside its parameters.

    Attributes
    ----------
    mean, variance
        The running mean and variance.
    eps, momentum
        As in `holo_nn.BatchNorm`.
    training
        Whether the batch's own statistics are used, and update the running ones.
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
    """A block as the compiled loops compute it.

    Attributes
    ----------
    plan
        The plan of its tensor square and linear map.
    parameters
        Weight and bias of the batch norm and of the signal norm, then the weights of the linear map in ascending order
        of the degrees; None for those that do not exist.
    batch_norm
        Its batch norm, or None.
    eps
        The eps of the signal norm.
    skip
        Whether the input is added to the output.
    terms_in, terms_out
        The terms of the input and output, with every degree from 0 to the highest.
    pure
        The block in plain PyTorch, for second derivatives; it is called within `pure_form`.
    """

    plan: BlockPlan
    parameters: tuple[Tensor | None, ...]
    batch_norm: CompiledBatchNorm | None
    eps: float
    skip: bool
    terms_in: Terms
    terms_out: Terms
    pure: PureBlock

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """All tensors that it reads or writes, except features."""
        norm = self.batch_norm
        return self.parameters if norm is None else (*self.parameters, norm.mean, norm.variance)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _addresses(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*map(_address, tensors))


class _Memory:
    """Memory that is handed out piece by piece."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor, self._size = tensor, tensor.itemsize
        self._start = self._next = tensor.data_ptr()

    def take(self, numbers: int) -> int:
        """Return the address of the next free piece, of a given size."""
        address = self._next
        self._next += numbers * self._size
        return address

    def at(self, address: int, numbers: int) -> Tensor:
        """Return the numbers at an address."""
        place = (address - self._start) // self._size
        return self._tensor[place : place + numbers]


class _Work:
    """Calls of compiled functions that are collected and then done in sequence."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, int, int]] = []
        self._arguments: list[ctypes.Structure] = []  # kept alive until the calls are done

    def add(self, argument: ctypes.Structure, parts: int, *functions: int) -> None:
        """Append calls of functions, each in a number of parts."""
        address = ctypes.addressof(argument)
        self._pieces += [(function, address, parts) for function in functions]
        self._arguments.append(argument)

    def do(self) -> None:
        """Do the calls that were collected."""
        in_parts(self._pieces)
        self._pieces.clear()
        self._arguments.clear()


class _Saved(NamedTuple):
    """What the backward of blocks needs in addition to the tensors that autograd saves.

    Attributes
    ----------
    blocks
        The arguments of the compiled functions, for each block.
    parts
        The number of parts into which the batch was cut, for each block.
    reals, doubles
        The memory that the blocks point to.
    """

    blocks: Sequence[Block]
    parts: Sequence[int]
    reals: _Memory
    doubles: _Memory


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
        features = features.contiguous()
        rows = _rows(features, forms, apart=differentiable)
        mapped = [torch.empty_like(out) if differentiable else None for out in rows[1:]]
        result = features.new_empty(features.shape[0], forms[-1].plan.dim_out)
        saved = _forward(forms, features, rows, mapped, result)
        if differentiable:
            ctx.save_for_backward(features, *rows[:-1], *mapped, *parameters)
            ctx.call = forms, saved
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        forms, saved = ctx.call
        features, *tensors = ctx.saved_tensors
        kept = list(zip(tensors[: len(forms)], tensors[len(forms) : 2 * len(forms)], strict=True))
        flat = tensors[2 * len(forms) :]
        parameters = _of_each(forms, flat)
        if torch.is_grad_enabled() or is_batched(gradient):
            dx, *found = _differentiable_gradients(forms, saved, features, parameters, gradient)
            return dx, None, None, *found
        dx = torch.empty_like(features)
        places = places_of_gradients(flat)
        found = (
            [None if each is None else torch.zeros_like(each) for each in flat] if places is None else places
        )
        weights = list(zip(parameters, _of_each(forms, found), strict=True))
        _backward(forms, saved, kept, weights, (gradient.contiguous(), dx))
        return dx, None, None, *(found if places is None else [None] * len(found))


def _of_each(forms: Sequence[CompiledBlock], tensors: Sequence[Tensor | None]) -> list[list[Tensor | None]]:
    """Split a list with one item for each parameter of all blocks into one list for each block."""
    following = iter(tensors)
    return [list(islice(following, len(form.parameters))) for form in forms]


def _rows(features: Tensor, forms: Sequence[CompiledBlock], *, apart: bool) -> list[Tensor]:
    """Allocate rows for the input of each block and the output of the last; two alternate unless `apart` is true."""
    numbers = [features.numel(), *(features.shape[0] * form.plan.dim_out for form in forms)]
    if apart:
        return [features.new_empty(count) for count in numbers]
    two = [features.new_empty(max(numbers[turn::2])) for turn in range(2)]
    return [two[number % 2] for number in range(len(numbers))]


def _forward(
    forms: Sequence[CompiledBlock],
    features: Tensor,
    rows: Sequence[Tensor],
    mapped: Sequence[Tensor | None],
    result: Tensor,
) -> _Saved:
    """Compute a sequence of blocks, and keep the results of their linear maps in `mapped` where it is not None."""
    batch, functions, work = features.shape[0], forms[0].plan.functions, _Work()
    plans = [form.plan for form in forms]
    parts = [part_count(batch, _LEAST_PRODUCTS // plan.products) for plan in plans]
    several = list(zip(plans, parts, strict=True))
    reals = _Memory(
        features.new_empty(sum(p.packed_numbers + p.normalization_numbers + batch for p in plans))
    )
    doubles = _Memory(
        features.new_empty(
            sum(p.moment_numbers + n * p.partial_numbers for p, n in several), dtype=torch.float64
        )
    )
    blocks = []
    with workspace(max(n * p.work_numbers for p, n in several) * features.itemsize) as working:
        work.add(layout(forms[0].terms_in, batch, features, rows[0]), part_count(batch), functions.to_rows)
        for number, (form, (plan, cut)) in enumerate(zip(forms, several, strict=True)):
            norm_weight, norm_bias, signal_weight, signal_bias, *weights = form.parameters
            norm = form.batch_norm
            training = norm is not None and norm.training
            block = Block(
                plan=plan.address,
                batch=batch,
                skip=form.skip,
                differentiable=mapped[number] is not None,
                signal_eps=form.eps,
                samples=batch if training else 0,
                work=working,
                work_numbers=plan.work_numbers,
                norm_weight=_address(norm_weight),
                norm_bias=_address(norm_bias),
                signal_weight=_address(signal_weight),
                signal_bias=_address(signal_bias),
                weights=_addresses(weights),
                x=rows[number].data_ptr(),
                out=rows[number + 1].data_ptr(),
                mapped=_address(mapped[number]),
                packed=reals.take(plan.packed_numbers),
                normalization=reals.take(plan.normalization_numbers),
                factor=reals.take(batch),
                partial=doubles.take(cut * plan.partial_numbers),
                moments=doubles.take(plan.moment_numbers),
            )
            if norm is not None:
                block.norm_eps, block.momentum = norm.eps, norm.momentum
                block.running_mean, block.running_var = norm.mean.data_ptr(), norm.variance.data_ptr()
            work.add(block, cut, functions.block_prepare)
            if norm is not None and norm.training:
                work.add(block, cut, functions.block_moments)
                if norm.synchronized:
                    work.do()
                    moments = doubles.at(block.moments, plan.moment_numbers)
                    block.samples = _merge(batch, moments, plan.structure.channels)
                torch.autograd.graph.increment_version((norm.mean, norm.variance))
            work.add(block, cut, functions.block_normalization, functions.block_forward)
            blocks.append(block)
        work.add(layout(forms[-1].terms_out, batch, result, rows[-1]), part_count(batch), functions.from_rows)
        work.do()
    return _Saved(blocks, parts, reals, doubles)


def _merge(batch: int, moments: Tensor, channels: int) -> float:
    """Merge mean and variance with those of the other processes, in place; return the total number of samples."""
    merged = global_statistics(batch, moments[:channels], moments[channels:])
    torch.cat([merged.mean, merged.variance], out=moments)
    return merged.samples.item()


def _backward(
    forms: Sequence[CompiledBlock],
    saved: _Saved,
    kept: Sequence[tuple[Tensor, Tensor]],
    weights: Sequence[tuple[Sequence[Tensor | None], Sequence[Tensor | None]]],
    gradients: tuple[Tensor, Tensor],
) -> None:
    """Compute the gradients of a sequence of blocks.

    Parameters
    ----------
    forms, saved
        The arguments and the result of the forward.
    kept
        The input rows and the result of the linear map, for each block.
    weights
        The parameters, and the tensors to which their gradients are added, for each block.
    gradients
        The gradient of the result, and the tensor that receives the gradient of the features.
    """
    gradient, dx = gradients
    batch, size, functions, work = dx.shape[0], dx.itemsize, forms[0].plan.functions, _Work()
    several = list(zip([form.plan for form in forms], saved.parts, strict=True))
    passed = _rows(dx, forms, apart=False)
    # This memory is used by one block after the other.
    reals = dx.new_empty(max(n * p.gradient_numbers + p.through_numbers for p, n in several))
    doubles = dx.new_empty(
        max(n * p.partial_numbers + p.moment_numbers + p.dim_out for p, n in several), dtype=torch.float64
    )
    with workspace(max(n * p.work_numbers for p, n in several) * size) as working:
        work.add(
            layout(forms[-1].terms_out, batch, gradient, passed[-1]), part_count(batch), functions.to_rows
        )
        for number in reversed(range(len(forms))):
            plan, cut = several[number]
            (x, mapped), (own, found) = kept[number], weights[number]
            block = Block.from_buffer_copy(saved.blocks[number])
            block.work = working
            # Saved tensors may have been moved in the meantime.
            block.x, block.mapped = x.data_ptr(), mapped.data_ptr()
            block.norm_weight, block.norm_bias, block.signal_weight, block.signal_bias = map(
                _address, own[:4]
            )
            block.weights = _addresses(own[4:])
            block.prepared = saved.blocks[number].partial
            block.gradient, block.dx = passed[number + 1].data_ptr(), passed[number].data_ptr()
            block.found = reals.data_ptr()
            block.through = block.found + cut * plan.gradient_numbers * size
            block.partial = doubles.data_ptr()
            block.inner = block.partial + cut * plan.partial_numbers * 8
            block.dbias = block.inner + plan.moment_numbers * 8
            block.norm_weight_gradient, block.norm_bias_gradient = map(_address, found[:2])
            block.signal_weight_gradient, block.signal_bias_gradient = map(_address, found[2:4])
            block.weight_gradients = _addresses(found[4:])
            work.add(block, cut, functions.block_backward, functions.block_sums)
            norm = forms[number].batch_norm
            if block.samples and norm is not None and norm.synchronized:
                work.do()
                inner = doubles[cut * plan.partial_numbers :][: plan.moment_numbers]
                inner.copy_(sum_over_processes(inner))
            work.add(block, cut, functions.block_slopes, functions.block_finish, functions.block_signal)
        work.add(layout(forms[0].terms_in, batch, dx, passed[0]), part_count(batch), functions.from_rows)
        work.do()


def _statistics(form: CompiledBlock, block: Block, reals: _Memory) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance that the batch norm used, from where the compiled functions keep them."""
    channels = form.plan.structure.channels
    every = form.plan.structure.degrees_in * channels
    numbers = reals.at(block.normalization, 2 * (every + channels))
    _, mean, _, variance = torch.split(numbers, [every, channels, channels, every])
    return mean, variance


def _differentiable_gradients(
    forms: Sequence[CompiledBlock],
    saved: _Saved,
    features: Tensor,
    parameters: list[list[Tensor | None]],
    gradient: Tensor,
) -> list[Tensor | None]:
    """Differentiate the blocks in pure form, which allows second derivatives and batched gradients."""
    again = torch.is_grad_enabled()
    result = features
    with torch.enable_grad(), pure_form():
        for form, block, own in zip(forms, saved.blocks, parameters, strict=True):
            training = form.batch_norm is not None and form.batch_norm.training
            result = form.pure(result, own, _statistics(form, block, saved.reals), training=training)
    tensors = [features, *(tensor for own in parameters for tensor in own)]
    wanted = [tensor for tensor in tensors if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(result, wanted, gradient, create_graph=again))
    return [next(found) if tensor is not None and tensor.requires_grad else None for tensor in tensors]


def compute_blocks(forms: Sequence[CompiledBlock], features: Tensor) -> Tensor:
    """Compute a sequence of blocks, from flat features to flat features."""
    parameters = [tensor for form in forms for tensor in form.parameters]
    return apply(_Blocks, features, forms, torch.is_grad_enabled(), *parameters)
