"""Autograd functions, called with a type."""

import torch
from torch import Tensor

__all__ = ["apply"]


def apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """Call a function that gives one tensor; torch's own `apply` is without types."""
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result
