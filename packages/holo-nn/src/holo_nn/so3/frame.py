"""Orthonormal frames from pairs of vectors."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Frame", "gram_schmidt"]


class Frame(NamedTuple):
    """Orthonormal axes, and which of them the input defines.

    Attributes
    ----------
    axes
        Shape ``[..., 3, 3]``; the rows are x, y and z, right-handed. A row that is not defined is zero.
    defined
        Shape ``[..., 3]``: whether each axis is defined.
    """

    axes: Float[Tensor, "*rows 3 3"]
    defined: Bool[Tensor, "*rows 3"]

    @property
    def degenerate(self) -> Bool[Tensor, "*rows"]:
        """Whether any axis is not defined, ``[...]``."""
        return ~self.defined.all(-1)


def gram_schmidt(
    x: Float[Tensor, "*rows 3"], p: Float[Tensor, "*rows 3"], scale: Float[Tensor, "*rows"] | None = None
) -> Frame:
    """Compute `holo_nn.orthonormal_frame` in PyTorch."""
    with torch.no_grad():
        tolerance = torch.finfo(x.dtype).eps ** 0.5
        length_x, length_p = torch.linalg.vector_norm(x, dim=-1), torch.linalg.vector_norm(p, dim=-1)
        threshold = tolerance * (torch.maximum(length_x, length_p) if scale is None else scale)
        has_x, has_p = length_x > threshold, length_p > threshold
        area = torch.linalg.vector_norm(torch.linalg.cross(x, p), dim=-1)
        has_first = has_x | has_p
        has_plane = has_x & has_p & (area > tolerance * length_x * length_p)
        defined = torch.stack([has_first, has_plane, has_plane], dim=-1)
    # Where an axis is not defined, constants take part in the divisions instead, and the result is set to zero: a
    # division by zero would put NaN into the gradient of the other rows.
    unit = torch.eye(3, dtype=x.dtype, device=x.device)
    first = torch.where(has_first[..., None], torch.where(has_x[..., None], x, p), unit[0])
    first = first / torch.linalg.vector_norm(first, dim=-1, keepdim=True)
    plane = has_plane[..., None]
    base = torch.where(plane, first, unit[0])
    second = torch.where(plane, p, unit[1])
    # Twice: if the vectors are almost parallel, one step leaves rounding errors of eps / sine along x.
    for _ in range(2):
        second = second - (second * base).sum(-1, keepdim=True) * base
        second = second / torch.linalg.vector_norm(second, dim=-1, keepdim=True)
    third = torch.linalg.cross(base, second)
    axes = torch.stack([first, second, third], dim=-2)
    return Frame(torch.where(defined[..., None], axes, 0.0), defined)
