"""The layout of the compiled loops.

Rows are features as ``[(degree, order), batch, channels]``, laid out flat in one tensor ``[batch × dim]``: for
each degree and order all samples, for each sample its channels. One conversion at each edge of a network
serves all blocks between.
"""

import ctypes
from typing import Any, NamedTuple

import torch
from torch import Tensor

from holo_kernels.tensor_square import Layout
from holo_kernels.threads import in_parts
from holo_nn.so3.representation import Irreps

from .autograd import apply
from .dispatch import compiled_functions
from .threads import part_count

__all__ = ["from_rows", "to_rows", "widths_of"]


class _Layout(NamedTuple):
    """Which conversion of flat features and rows: how many channels each degree has, and the way."""

    widths: tuple[int, ...]
    batch: int
    to_rows: bool


class _Relayout(torch.autograd.Function):
    """Flat features to rows, or back: each is the other's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layout: _Layout) -> Tensor:
        widths, batch, to_rows = ctx.layout = layout
        x = x.contiguous()
        result = x.new_empty(x.numel() if to_rows else (batch, x.numel() // batch))
        functions = compiled_functions(x.dtype)
        assert functions is not None  # else there would be no rows
        array = (ctypes.c_int64 * len(widths))(*widths)
        flat, rows = (x, result) if to_rows else (result, x)
        call = Layout(len(widths), ctypes.addressof(array), batch, flat.data_ptr(), rows.data_ptr())
        in_parts(
            functions.to_rows if to_rows else functions.from_rows, ctypes.addressof(call), part_count(batch)
        )
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        back = ctx.layout._replace(to_rows=not ctx.layout.to_rows)
        return apply(_Relayout, gradient, back), None


def to_rows(features: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Lay flat features ``[batch, dim]`` out as rows ``[batch × dim]``; ``widths`` are the channels of each degree."""
    return apply(_Relayout, features, _Layout(widths, len(features), True))


def from_rows(rows: Tensor, widths: tuple[int, ...], batch: int) -> Tensor:
    """Lay rows out as flat features."""
    return apply(_Relayout, rows, _Layout(widths, batch, False))


def widths_of(irreps: Irreps) -> tuple[int, ...]:
    """Give the channels of each degree from 0 to the highest, 0 for those that are not there.

    Examples
    --------
    >>> widths_of(Irreps("4x0e+2x2e"))
    (4, 0, 2)
    """
    counts = {term.ir.l: term.mul for term in irreps}
    return tuple(counts.get(degree, 0) for degree in range(max(counts) + 1))
