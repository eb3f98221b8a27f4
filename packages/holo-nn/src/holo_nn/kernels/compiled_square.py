"""The tensor square as compiled loops: one autograd function from flat features to flat features."""

import ctypes
from collections.abc import Callable
from math import isqrt
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from holo_kernels.tensor_square import Square
from holo_kernels.threads import in_parts
from holo_nn.so3.connectivity import Path

from .autograd import apply
from .dispatch import is_batched, pure_form
from .plan import BlockPlan, block_plan
from .threads import part_count, workspace

__all__ = ["compiled_square"]

_Pure: TypeAlias = Callable[[Tensor], Tensor]

# A part with fewer products (some 20 µs) is not worth a thread of its own.
_LEAST_PRODUCTS = 1 << 20


class _Square(torch.autograd.Function):
    """A tensor square, channel by channel, from flat features to flat features."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plan: BlockPlan, dim_out: int, pure: _Pure) -> Tensor:
        ctx.save_for_backward(x)
        ctx.call = plan, pure
        x = x.contiguous()
        y = x.new_empty(len(x), dim_out)
        _run(plan.functions.square_forward, plan, x, y=y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        plan, pure = ctx.call
        again = torch.is_grad_enabled()  # whether the gradient itself is to be differentiated
        if again or is_batched(gradient):
            with torch.enable_grad(), pure_form():
                y = pure(x)
            return torch.autograd.grad(y, x, gradient, create_graph=again)[0], None, None, None
        x, gradient = x.contiguous(), gradient.contiguous()
        dx = torch.empty_like(x)
        _run(plan.functions.square_backward, plan, x, gradient=gradient, dx=dx)
        return dx, None, None, None


def _run(function: int, plan: BlockPlan, x: Tensor, **others: Tensor) -> None:
    parts, size = part_count(len(x), _LEAST_PRODUCTS // plan.products), plan.work_numbers * x.itemsize
    addresses = {name: tensor.data_ptr() for name, tensor in others.items()}
    with workspace(parts * size) as work:
        call = Square(
            plan.address,
            len(x),
            x.data_ptr(),
            work=work,
            work_numbers=plan.work_numbers,
            **addresses,
        )
        in_parts([(function, ctypes.addressof(call), parts)])


def compiled_square(
    features: Float[Tensor, "batch dim_in"], channels: int, paths: tuple[Path, ...], pure: _Pure
) -> Float[Tensor, "batch dim_out"]:
    """Square features channel by channel: Σ_mn C[m, n, M] x_l1[c, m] x_l2[c, n] for each path (l1, l2, l3).

    Parameters
    ----------
    features
        ``[batch, channels (lmax + 1)²]``: every degree from 0 to lmax, each with that many channels. `compiled_serves`
        must be true for them, and they must not be empty.
    channels
        The number of channels of each degree.
    paths
        The paths, in ascending order of l3, which is their order in the result.
    pure
        The square in plain PyTorch, for second derivatives; it is called within `pure_form`.

    Returns
    -------
    Tensor
        The result of `holo_nn.TensorSquare` with these paths, ``[batch, Σ channels (2 l3 + 1)]``.
    """
    no_linear = (0,) * (paths[-1][2] + 1)
    plan = block_plan(paths, channels, isqrt(features.shape[1] // channels), no_linear, features.dtype)
    dim_out = channels * sum(2 * degree + 1 for _, _, degree in paths)
    return apply(_Square, features, plan, dim_out, pure)
