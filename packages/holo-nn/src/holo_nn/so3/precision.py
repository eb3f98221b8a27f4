"""Computations that stay in full precision under autocast."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["autocasts", "full_precision", "widened"]


def autocasts(device: torch.device) -> bool:
    """Return whether autocast is on for a device."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Disable autocast: Clebsch-Gordan coefficients and rotations that are rounded to eight bits are no longer valid.

    Examples
    --------
    >>> x = torch.ones(2, 2)
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     rounded = x @ x
    ...     with full_precision(x.device):
    ...         exact = x @ x
    >>> rounded.dtype, exact.dtype
    (torch.bfloat16, torch.float32)
    """
    return torch.autocast(device.type, enabled=False) if autocasts(device) else nullcontext()


def widened(tensor: Tensor) -> Tensor:
    """Return a half-precision tensor as float32 under autocast, where an earlier layer may have produced it.

    Examples
    --------
    >>> half = torch.ones(2, dtype=torch.bfloat16)
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     widened(half).dtype
    torch.float32
    >>> widened(half).dtype
    torch.bfloat16
    """
    halves = (torch.float16, torch.bfloat16)
    return tensor.float() if tensor.dtype in halves and autocasts(tensor.device) else tensor
