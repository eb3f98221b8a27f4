"""The choice of the form in which a layer computes: compiled loops, Triton, or plain PyTorch."""

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
    """Make layers use their pure PyTorch form in place of compiled loops, in this thread.

    The results are the same to rounding error, but slower: the page of the package has the factor. Use it to inspect
    the computation operation by operation, and in tests. Export, compilation, transforms and other devices, which
    compiled loops do not support, need no switch: layers use the pure form there automatically. A backward uses the
    form of its forward.

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
    """Return the compiled functions of float32 or float64, or None if there is no library for this processor."""
    return functions("float32" if dtype == torch.float32 else "float64")


def _is_traced() -> bool:
    """Return whether operations are being traced or transformed: export, compilation, transforms, forward mode."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or forward_ad._current_level >= 0
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor consists of numbers in memory, and no operation on it is traced."""
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and not _is_traced()
        and not torch._C._len_torch_dispatch_stack()
        and not is_batched(tensor)
    )


def is_batched(gradient: Tensor) -> bool:
    """Return whether a gradient is batched, or has no memory of its own for another reason.

    A graph may have been built from plain tensors and then be differentiated within `torch.vmap`, or by
    `torch.autograd.grad` with ``is_grads_batched``: then compiled loops can do the forward but not the backward.
    """
    functorch = torch._C._functorch
    return functorch.is_legacy_batchedtensor(gradient) or functorch.is_functorch_wrapped_tensor(gradient)


def compiled_serves(*tensors: Tensor | None) -> bool:
    """Return whether compiled loops can compute with these tensors, of which the first is the features, here and now.

    They support plain CPU tensors of one precision, float32 or float64. If operations are traced or changed (export,
    compilation, transforms, autocast), layers use the pure form.
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
    """Return whether the Triton kernel can square features here and now.

    It supports plain CUDA tensors in float32 or float64, and reverse-mode derivatives. If the operations of a module
    are traced (export, compilation, transforms, forward-mode derivatives), it uses the pure form.

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
