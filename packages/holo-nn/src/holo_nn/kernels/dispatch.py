"""Which form of a layer computes, here and now: compiled loops, Triton, or plain PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from threading import local

import torch
from torch import Tensor
from torch.autograd import forward_ad

from holo_kernels.tensor_square import Functions, functions

__all__ = ["compiled_functions", "compiled_serves", "is_batched", "is_plain", "pure_form", "triton_serves"]

_state = local()


@contextmanager
def pure_form() -> Iterator[None]:
    """Let layers take their pure PyTorch form in place of compiled loops, in this thread.

    The numbers are the same but for rounding, and take longer: the page of the package says how much. It is for looking
    into what is computed, operation by operation, and for tests. What compiled loops cannot do (export, compilation,
    transforms, other devices) needs no switch: there layers take the pure form by themselves. A backward takes the form
    of its forward.

    Examples
    --------
    >>> from holo_nn import TensorSquare
    >>> square, x = TensorSquare("4x0e+4x1e").double(), torch.randn(5, 16, dtype=torch.float64)
    >>> with pure_form():
    ...     pure = square(x)
    >>> torch.allclose(square(x), pure, atol=1e-12)
    True
    """
    before = getattr(_state, "pure", False)
    _state.pure = True
    try:
        yield
    finally:
        _state.pure = before


def compiled_functions(dtype: torch.dtype) -> Functions | None:
    """Return the compiled functions of float32 or float64; None where no library serves this processor."""
    return functions("float32" if dtype == torch.float32 else "float64")


def _is_traced() -> bool:
    """Say whether something looks into operations: export, compilation, transforms, forward derivatives."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or forward_ad._current_level >= 0
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def is_plain(tensor: Tensor) -> bool:
    """Say whether a tensor is numbers in memory, and nothing looks into what is computed of it."""
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and not _is_traced()
        and not torch._C._len_torch_dispatch_stack()
        and not is_batched(tensor)
    )


def is_batched(gradient: Tensor) -> bool:
    """Say whether a gradient is many in one, or otherwise without memory of its own.

    A graph may have been built of plain tensors and be differentiated within `torch.vmap`, or by
    `torch.autograd.grad` with ``is_grads_batched``: compiled loops then serve forward and not backward.
    """
    functorch = torch._C._functorch
    return functorch.is_legacy_batchedtensor(gradient) or functorch.is_functorch_wrapped_tensor(gradient)


def compiled_serves(*tensors: Tensor | None) -> bool:
    """Say whether compiled loops may compute with these tensors, the first of them features, here and now.

    They know plain CPU tensors of one precision, float32 or float64. Whatever looks into operations or changes
    what they do (export, compilation, transforms, autocast) gets the pure form.
    """
    if getattr(_state, "pure", False) or _is_traced():
        return False
    dtype = tensors[0].dtype if tensors[0] is not None else None
    if dtype not in (torch.float32, torch.float64):
        return False
    for tensor in tensors:
        if tensor is not None and (
            type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.dtype != dtype or not tensor.is_cpu
        ):
            return False
    return compiled_functions(dtype) is not None and not (
        torch.is_autocast_enabled("cpu") or torch._C._len_torch_dispatch_stack()
    )


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def triton_serves(features: Tensor) -> bool:
    """Say whether features may be squared by the Triton kernel here and now.

    It knows plain CUDA tensors in float32 or float64, and derivatives in reverse. What looks into the
    operations of a module (export, compilation, transforms, forward derivatives) gets the pure form.

    Examples
    --------
    >>> triton_serves(torch.zeros(2, 4))
    False
    """
    return (
        features.is_cuda
        and features.dtype in (torch.float32, torch.float64)
        and type(features) in (Tensor, torch.nn.Parameter)
        and not _is_traced()
        and _has_triton()
    )
