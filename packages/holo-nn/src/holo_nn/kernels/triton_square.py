"""The tensor square on GPUs: sums over the nonzero Clebsch-Gordan coefficients, as a Triton kernel.

Channels run along the lanes of the processor, and each output is a sum of products c x_i x_j. Its gradient, and the
gradient of that, are sums of the same kind in another order, so one kernel computes derivatives of every order. It uses
no tensor cores, and therefore no TF32.
"""

from collections import defaultdict
from functools import lru_cache
from itertools import groupby
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from holo_nn.so3.clebsch_gordan import clebsch_gordan
from holo_nn.so3.connectivity import Path

from .autograd import apply

__all__ = ["triton_square"]

# Lanes of a program, terms that it loads together, and number of programs that share the rows of the same lanes, so
# that small batches also fill a large GPU.
_LANES, _STEP, _SHARES = 128, 4, 16

# (parts, orders) of each degree of a feature: a part contains all channels once.
_Blocks = tuple[tuple[int, int], ...]
_Axes = tuple[int, int, int]


class _Sums(NamedTuple):
    """Terms in the form that the kernel reads, sorted by the row of the output that they belong to."""

    rows: Tensor
    first: Tensor
    second: Tensor
    coefficients: Tensor
    shares: Tensor


class _Form:
    """A bilinear form: terms (i0, i1, i2) with coefficients, y[i0] = Σ c u[i1] v[i2], read along any axis."""

    def __init__(self, indices: NDArray[np.int32], coefficients: NDArray[np.float64], sizes: _Axes) -> None:
        self._indices, self._coefficients, self.sizes = indices, coefficients, sizes
        self._sums: dict[tuple[_Axes, torch.device, torch.dtype], _Sums] = {}

    def sums(self, axes: _Axes, like: Tensor) -> _Sums:
        """Sort the terms for an output along ``axes[0]`` and factors along the two others, on a tensor's device."""
        key = (axes, like.device, like.dtype)
        if key not in self._sums:
            arrays = self._sorted(axes)
            coefficients = torch.from_numpy(arrays[3]).to(like)
            indices = (torch.from_numpy(array).to(like.device) for array in (*arrays[:3], arrays[4]))
            rows, first, second, shares = indices
            self._sums[key] = _Sums(rows, first, second, coefficients, shares)
        return self._sums[key]

    def _sorted(self, axes: _Axes) -> tuple[NDArray[Any], ...]:
        out, first, second = (self._indices[axis] for axis in axes)
        counts = np.bincount(out, minlength=self.sizes[axes[0]])
        # Each row takes whole steps; the last step is filled up with terms whose coefficients are zero.
        steps = -(-counts // _STEP) * _STEP
        rows = np.concatenate([[0], np.cumsum(steps)])
        row = np.repeat(np.arange(len(counts)), steps)
        place = np.arange(rows[-1]) - rows[row]
        before = np.cumsum(counts) - counts
        terms = np.lexsort((second, first, out))[before[row] + np.minimum(place, counts[row] - 1)]
        coefficients = np.where(place < counts[row], self._coefficients[terms], 0.0)
        # Shares of similar work: the rows at which the number of terms before them passes each fraction of the total.
        bounds = np.searchsorted(rows, np.linspace(0, rows[-1], _SHARES + 1))
        bounds[-1] = len(counts)  # includes rows without a term, which are zero
        return rows.astype(np.int32), first[terms], second[terms], coefficients, bounds.astype(np.int32)


@lru_cache(maxsize=64)
def _square_forms(paths: tuple[Path, ...], degrees: int) -> tuple[_Form, _Form]:
    """Return the form of a square, with each unordered pair once, and the form of its derivative.

    With y[i] = Σ c x[j] x[k] and the gradient g of y, dx[j] = Σ c g[i] x[k] and dx[k] = Σ c g[i] x[j]: the second form
    has each term twice, once with j and k exchanged, and the derivative is Σ c g[i0] x[i2] for x[i1].
    """
    terms: dict[tuple[int, int, int], float] = defaultdict(float)
    row = 0
    for l1, l2, l3 in paths:
        table = clebsch_gordan(l1, l2, l3).numpy()
        for m1, m2, m3 in np.argwhere(table):
            pair = sorted((l1 * l1 + int(m1), l2 * l2 + int(m2)))
            terms[row + int(m3), pair[0], pair[1]] += float(table[m1, m2, m3])
        row += 2 * l3 + 1
    sizes = (row, degrees**2, degrees**2)
    indices = np.array(list(terms), dtype=np.int32).reshape(-1, 3).T
    coefficients = np.array(list(terms.values()))
    swapped = np.concatenate([indices, indices[[0, 2, 1]]], axis=1)
    return _Form(indices, coefficients, sizes), _Form(swapped, np.tile(coefficients, 2), sizes)


def _run(form: _Form, axes: _Axes, left: Tensor, right: Tensor) -> Tensor:
    from .triton_kernel import sums  # noqa: PLC0415  (only where Triton is)

    left, right = left.contiguous(), right.contiguous()
    lanes = left.shape[1]
    out = left.new_empty(form.sizes[axes[0]], lanes)
    if lanes:
        terms = form.sums(axes, left)
        # The kernel runs on the current device, which need not be the tensors'.
        with torch.cuda.device_of(left):  # type: ignore[no-untyped-call]
            sums[-(-lanes // _LANES), _SHARES](
                left,
                right,
                out,
                terms.rows,
                terms.first,
                terms.second,
                terms.coefficients,
                terms.shares,
                lanes,
                LANES=_LANES,
                STEP=_STEP,
            )
    return out


class _Bilinear(torch.autograd.Function):
    """y[i] = Σ c u[j] v[k], with the axes of i, j, k in this order; each gradient is again such a sum."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, form: _Form, axes: _Axes) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.settings = form, axes
        return _run(form, axes, left, right)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (left, right), (form, (out, first, second)) = ctx.saved_tensors, ctx.settings
        return (
            apply(_Bilinear, gradient, right, form, (first, out, second))
            if ctx.needs_input_grad[0]
            else None,
            apply(_Bilinear, gradient, left, form, (second, out, first)) if ctx.needs_input_grad[1] else None,
            None,
            None,
        )


class _Square(torch.autograd.Function):
    """y[i] = Σ c x[j] x[k], with each unordered pair once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, square: _Form, derivative: _Form) -> Tensor:
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return _run(square, (0, 1, 2), x, x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return apply(_Bilinear, gradient, x, ctx.derivative, (1, 0, 2)), None, None


class _Relayout(torch.autograd.Function):
    """A conversion of flat features ``[batch, dim]`` to rows ``[(degree, part, m), (batch, channel)]``, or back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int], blocks: _Blocks, to_rows: bool) -> Tensor:
        ctx.settings = size, blocks, to_rows
        batch, channels = size
        height = sum(parts * orders for parts, orders in blocks)
        result = x.new_empty((height, batch * channels) if to_rows else (batch, height * channels))
        flat, rows = (x, result) if to_rows else (result, x)
        pieces = torch.split(flat, [parts * orders * channels for parts, orders in blocks], dim=1)
        heights = torch.split(rows, [parts * orders for parts, orders in blocks])
        for (parts, orders), piece, block in zip(blocks, pieces, heights, strict=True):
            one = piece.view(batch, parts, channels, orders)
            other = block.view(parts, orders, batch, channels).permute(2, 0, 3, 1)
            if to_rows:
                other.copy_(one)
            else:
                one.copy_(other)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        size, blocks, to_rows = ctx.settings
        return apply(_Relayout, gradient.contiguous(), size, blocks, not to_rows), None, None, None


def triton_square(
    features: Float[Tensor, "batch dim_in"], channels: int, paths: tuple[Path, ...]
) -> Float[Tensor, "batch dim_out"]:
    """Square features channel by channel: Σ_mn C[m, n, M] x_l1[c, m] x_l2[c, n] for each path (l1, l2, l3).

    Parameters
    ----------
    features
        ``[batch, channels (lmax + 1)²]``: every degree from 0 to lmax, each with that many channels. `triton_serves`
        must be true for them, or Triton must be in interpreter mode, on any device.
    channels
        The number of channels of each degree.
    paths
        The paths, in ascending order of l3, which is their order in the result.

    Returns
    -------
    Tensor
        The result of `holo_nn.TensorSquare` with these paths, ``[batch, Σ channels (2 l3 + 1)]``; it is differentiable
        any number of times.
    """
    batch, dim = features.shape
    degrees = isqrt(dim // channels)
    blocks_in = tuple((1, 2 * degree + 1) for degree in range(degrees))
    blocks_out = tuple(
        (len(list(members)), 2 * degree + 1) for degree, members in groupby(paths, key=lambda path: path[2])
    )
    rows = apply(_Relayout, features.contiguous(), (batch, channels), blocks_in, True)
    squared = apply(_Square, rows, *_square_forms(paths, degrees))
    return apply(_Relayout, squared, (batch, channels), blocks_out, False)
