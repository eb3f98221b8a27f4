"""The layout of features in the compiled loops.

Rows are features as ``[(term, order), batch, channels]``, stored flat in one tensor ``[batch × dim]``: for each order
of each term of the irreps, all samples, and for each sample its channels. One conversion at the start and one at the
end of a network serve all blocks in between.
"""

import ctypes
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from holo_kernels.tensor_square import Layout
from holo_kernels.threads import in_parts
from holo_nn.so3.irreps import Terms

from .autograd import apply
from .dispatch import compiled_functions, is_batched
from .threads import part_count

__all__ = ["from_rows", "layout", "to_rows"]


class _Conversion(NamedTuple):
    """A conversion between flat features and rows, and its direction."""

    terms: Terms
    batch: int
    to_rows: bool


class _Relayout(torch.autograd.Function):
    """The conversion from flat features to rows, or back; each direction is the gradient of the other."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conversion: _Conversion) -> Tensor:
        terms, batch, to_rows = ctx.conversion = conversion
        x = x.contiguous()
        result = x.new_empty(x.numel() if to_rows else (batch, x.numel() // batch))
        functions = compiled_functions(x.dtype)
        assert functions is not None  # otherwise there would be no rows
        call = layout(terms, batch, *((x, result) if to_rows else (result, x)))
        function = functions.to_rows if to_rows else functions.from_rows
        in_parts([(function, ctypes.addressof(call), part_count(batch))])
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        back = ctx.conversion._replace(to_rows=not ctx.conversion.to_rows)
        return _pure(gradient, back) if is_batched(gradient) else apply(_Relayout, gradient, back), None


def _pure(x: Tensor, conversion: _Conversion) -> Tensor:
    """Do the conversion in plain PyTorch."""
    terms, batch, to_rows = conversion
    sizes = [width * (2 * degree + 1) for width, degree in terms]
    if to_rows:
        pieces = zip(torch.split(x, sizes, dim=1), terms, strict=True)
        rows = [piece.reshape(batch, width, 2 * degree + 1) for piece, (width, degree) in pieces]
        return torch.cat([row.permute(2, 0, 1).reshape(row.numel()) for row in rows])
    pieces = zip(torch.split(x, [batch * size for size in sizes]), terms, strict=True)
    flat = [piece.reshape(2 * degree + 1, batch, width) for piece, (width, degree) in pieces]
    return torch.cat([piece.permute(1, 2, 0).reshape(batch, -1) for piece in flat], dim=1)


@lru_cache(maxsize=256)
def _columns(terms: Terms) -> tuple["ctypes.Array[ctypes.c_int64]", ...]:
    """Return the widths and degrees of the terms in the form that the compiled functions read."""
    return tuple((ctypes.c_int64 * len(terms))(*column) for column in zip(*terms, strict=True))


def layout(terms: Terms, batch: int, flat: Tensor, rows: Tensor) -> Layout:
    """Return the arguments of a conversion by compiled functions; the tensors must outlive them."""
    widths, degrees = _columns(terms)
    return Layout(
        len(terms),
        ctypes.addressof(widths),
        ctypes.addressof(degrees),
        batch,
        flat.data_ptr(),
        rows.data_ptr(),
    )


def to_rows(features: Tensor, terms: Terms) -> Tensor:
    """Convert flat features ``[batch, dim]`` to rows ``[batch × dim]``."""
    return apply(_Relayout, features, _Conversion(terms, len(features), True))


def from_rows(rows: Tensor, terms: Terms, batch: int) -> Tensor:
    """Convert rows to flat features."""
    return apply(_Relayout, rows, _Conversion(terms, batch, False))
