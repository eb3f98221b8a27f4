"""How the precision that a recipe names is implemented."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

__all__ = ["Precision", "forward_precision", "weights_dtype"]

Precision = Literal["float32", "float64", "mixed"]


def weights_dtype(precision: Precision) -> torch.dtype:
    """Return the dtype of the weights, of their gradients and of the data.

    Examples
    --------
    >>> weights_dtype("mixed"), weights_dtype("float64")
    (torch.float32, torch.float64)
    """
    return torch.float64 if precision == "float64" else torch.float32


def forward_precision(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context for the forward pass and the losses of a training step; the backward pass follows by itself.

    ``"mixed"`` rounds the operands of the blocks' linear maps to bfloat16. Clebsch-Gordan products, norms, the
    frame, z and the losses stay in float32 (see `holo_nn.full_precision`). Weights and gradients are float32, so that
    small steps are not lost. bfloat16 has the range of float32: no gradient underflows, and the loss needs no scaling.

    Examples
    --------
    >>> x = torch.ones(2, 2)
    >>> with forward_precision("mixed", x.device):
    ...     (x @ x).dtype
    torch.bfloat16
    >>> with forward_precision("float32", x.device):
    ...     (x @ x).dtype
    torch.float32
    """
    return torch.autocast(device.type, torch.bfloat16) if precision == "mixed" else nullcontext()
