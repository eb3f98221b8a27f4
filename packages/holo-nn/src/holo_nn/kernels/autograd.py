"""Autograd functions, called with a type."""

import torch
from torch import Tensor

__all__ = ["apply"]


class _Unused:
    """In the place of an autograd function's context where nothing is to be differentiated."""

    def save_for_backward(self, *_tensors: Tensor | None) -> None:
        """Save nothing."""


def apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """Call a function that gives one tensor; torch's own `apply` is without types.

    Where no gradients are wanted, its forward is called as it is: torch's way there takes 20 µs.
    """
    if torch.is_grad_enabled():
        result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    else:
        result = function.forward(_Unused(), *arguments)
    return result
