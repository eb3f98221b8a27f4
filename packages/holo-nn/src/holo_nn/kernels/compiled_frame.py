"""Frames by compiled loops: one autograd function from two vectors to the axes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from holo_kernels.tensor_square import Frames
from holo_nn.so3.frame import Frame, gram_schmidt

from .autograd import apply
from .dispatch import compiled_functions, is_batched

__all__ = ["compiled_frame"]


class _Axes(torch.autograd.Function):
    """The axes of pairs of vectors ``[..., 3]``; the mask of those that are defined is written into ``[..., 3]``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: Tensor, scale: Tensor | None, defined: Tensor) -> Tensor:
        ctx.save_for_backward(x, p, scale)
        axes = x.new_empty(*x.shape, 3)
        functions = compiled_functions(x.dtype)
        assert functions is not None
        x, p = x.contiguous(), p.contiguous()
        functions.frames_forward(_call(x, p, scale, axes=axes, defined=defined))
        return axes

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, p, scale = ctx.saved_tensors
        again = torch.is_grad_enabled()  # whether the gradient itself is to be differentiated
        if again or is_batched(gradient):
            wanted = [vector for vector in (x, p) if vector.requires_grad]
            with torch.enable_grad():
                axes = gram_schmidt(x, p, scale).axes
            found = iter(torch.autograd.grad(axes, wanted, gradient, create_graph=again))
            return *(next(found) if vector.requires_grad else None for vector in (x, p)), None, None
        dx, dp = x.new_empty(x.shape), x.new_empty(x.shape)
        functions = compiled_functions(x.dtype)
        assert functions is not None
        x, p, gradient = x.contiguous(), p.contiguous(), gradient.contiguous()
        functions.frames_backward(_call(x, p, scale, gradient=gradient, dx=dx, dp=dp))
        return dx, dp, None, None


def _call(x: Tensor, p: Tensor, scale: Tensor | None, **others: Tensor) -> Frames:
    addresses = {name: tensor.data_ptr() for name, tensor in others.items()}
    return Frames(
        count=x.numel() // 3,
        tolerance=torch.finfo(x.dtype).eps ** 0.5,
        x=x.data_ptr(),
        p=p.data_ptr(),
        scale=None if scale is None else scale.data_ptr(),
        **addresses,
    )


def compiled_frame(
    x: Float[Tensor, "*rows 3"], p: Float[Tensor, "*rows 3"], scale: Float[Tensor, "*rows"] | None
) -> Frame:
    """Compute `holo_nn.orthonormal_frame` by compiled loops, if `compiled_serves` allows it.

    Second derivatives are those of `holo_nn.so3.frame.gram_schmidt`.
    """
    defined = torch.empty(x.shape, dtype=torch.bool, device="cpu")
    size = None if scale is None else scale.detach().expand(x.shape[:-1]).contiguous()
    return Frame(apply(_Axes, x, p, size, defined), defined)
