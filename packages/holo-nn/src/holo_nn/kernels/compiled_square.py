"""The tensor square as compiled loops: one autograd function from flat features to flat features."""

from collections.abc import Callable
from math import isqrt
from typing import Any, TypeAlias, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from holo_nn.so3.connectivity import Path

from .autograd import apply
from .dispatch import pure_form
from .plan import BlockPlan, block_plan
from .threads import in_parts, part_count, workspace

__all__ = ["compiled_square"]

_Pure: TypeAlias = Callable[[Tensor], Tensor]


class _Square(torch.autograd.Function):
    """A tensor square, channel by channel, from flat features to flat features."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plan: BlockPlan, dim_out: int, pure: _Pure) -> Tensor:
        ctx.save_for_backward(x)
        ctx.call = plan, pure
        x, batch = x.contiguous(), len(x)
        y = x.new_empty(batch, dim_out)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with workspace(plan.work_numbers * x.itemsize) as work:
                plan.functions.square_forward(
                    plan.structure, x.data_ptr(), begin, end, plan.tile, y.data_ptr(), work
                )

        in_parts(compute, batch, part_count(batch))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        plan, pure = ctx.call
        if torch.is_grad_enabled():
            with pure_form():
                y = pure(x)
            return torch.autograd.grad(y, x, gradient, create_graph=True)[0], None, None, None
        x, gradient, batch = x.contiguous(), gradient.contiguous(), len(x)
        dx = torch.empty_like(x)

        @no_type_check
        def compute(_part: int, begin: int, end: int) -> None:
            with workspace(plan.work_numbers * x.itemsize) as work:
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

        in_parts(compute, batch, part_count(batch))
        return dx, None, None, None


def compiled_square(
    features: Float[Tensor, "batch dim_in"], channels: int, paths: tuple[Path, ...], pure: _Pure
) -> Float[Tensor, "batch dim_out"]:
    """Square features channel by channel: Σ_mn C[m, n, M] x_l1[c, m] x_l2[c, n] for each path (l1, l2, l3).

    Parameters
    ----------
    features
        ``[batch, channels (lmax + 1)²]``: every degree from 0 to lmax, with as many channels each; where
        `compiled_serves` says yes, and not empty.
    channels
        Of each degree.
    paths
        In ascending order of l3, the order of what comes out.
    pure
        The same in plain PyTorch, of which second derivatives are taken; called within `pure_form`.

    Returns
    -------
    Tensor
        What `holo_nn.TensorSquare` with these paths gives, ``[batch, Σ channels (2 l3 + 1)]``.
    """
    no_linear = (0,) * (paths[-1][2] + 1)
    plan = block_plan(paths, channels, isqrt(features.shape[1] // channels), no_linear, features.dtype)
    dim_out = channels * sum(2 * degree + 1 for _, _, degree in paths)
    return apply(_Square, features, plan, dim_out, pure)
