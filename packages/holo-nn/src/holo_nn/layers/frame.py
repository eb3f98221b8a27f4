"""Frames from two vectors of a feature."""

from jaxtyping import Float
from torch import Tensor

from holo_nn.kernels.compiled_frame import compiled_frame
from holo_nn.kernels.dispatch import compiled_serves
from holo_nn.so3.frame import Frame, gram_schmidt

__all__ = ["orthonormal_frame"]


def orthonormal_frame(
    x: Float[Tensor, "*rows 3"], p: Float[Tensor, "*rows 3"], scale: Float[Tensor, "*rows"] | None = None
) -> Frame:
    """Return the right-handed frame of two vectors by Gram-Schmidt: x, then p in their plane, then x × p.

    Axes that the vectors do not define are zero vectors, the only value that is equivariant:

    - a vector no longer than sqrt(eps) × scale counts as missing: without x, p defines the first axis; without both,
      all axes are zero;
    - if the vectors define only one direction (one is missing, or the sine of the angle between them is at most
      sqrt(eps)), the second and third axes are zero.

    Parameters
    ----------
    x, p
        Vectors, ``[..., 3]``.
    scale
        The size of the features from which the vectors of each row were computed, ``[...]``, which sets the scale of
        rounding errors. None: the longer of the two vectors.

    Returns
    -------
    Frame
        Axes, and whether each is defined. Values and gradients are finite everywhere.

    Examples
    --------
    >>> import torch
    >>> frame = orthonormal_frame(torch.tensor([2.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 0.0]))
    >>> frame.axes
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    >>> orthonormal_frame(torch.tensor([0.0, 0.0, 2.0]), torch.zeros(3)).defined
    tensor([ True, False, False])
    """
    if x.numel() and x.shape == p.shape and compiled_serves(x, p, scale):
        return compiled_frame(x, p, scale)
    return gram_schmidt(x, p, scale)
