"""Access to a few rows at a time in float64, for comparisons to rounding error."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from holo_types import Holograms

__all__ = ["in_double", "row_chunks"]

# The amount that is compared in float64 at once: 64 MiB of coefficients, and a few copies of them.
_CHUNK_VALUES = 1 << 23


def in_double(holograms: Holograms) -> Float[Tensor, "n dim"]:
    """Return the coefficients in float64."""
    return torch.from_numpy(holograms.coefficients.astype(np.float64))


def row_chunks(rows: int, dim: int) -> Iterator[slice]:
    """Return the slices of rows that are compared at once."""
    size = max(1, _CHUNK_VALUES // dim)
    for start in range(0, rows, size):
        yield slice(start, start + size)
