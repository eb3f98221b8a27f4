"""Frames: three orthonormal axes, which are the rows of a matrix.

Every product with a frame is computed here, so that no other module has to know which side to multiply on.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["in_frame", "rotation_between", "turn_frame"]


def in_frame(
    vectors: Float[np.ndarray, "*#rows n 3"], frame: Float[np.ndarray, "*#rows 3 3"]
) -> Float[np.ndarray, "... n 3"]:
    """Return the components of vectors along the axes of a frame: x' = x frameᵀ.

    Parameters
    ----------
    vectors
        ``[..., n, 3]``, in any unit; positions are relative to the frame's origin.
    frame
        The axes as rows, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        The components, with the shape of `vectors`, ``[..., n, 3]``.

    Examples
    --------
    >>> frame = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # its first axis is y
    >>> in_frame(np.array([[7.0, 8.0, 9.0]]), frame)
    array([[8., 9., 7.]])
    """
    components: NDArray[Any] = vectors @ np.swapaxes(frame, -1, -2)
    return components


def turn_frame(
    frame: Float[np.ndarray, "*#rows 3 3"], rotation: Float[np.ndarray, "*#rows 3 3"]
) -> Float[np.ndarray, "... 3 3"]:
    """Rotate the axes of a frame: frame' = frame Rᵀ.

    Parameters
    ----------
    frame
        The axes as rows, ``[..., 3, 3]``.
    rotation
        The matrix R of the rotation x' = R x, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        The frame of the rotated object, ``[..., 3, 3]``.

    Examples
    --------
    >>> quarter_turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> turn_frame(np.eye(3), quarter_turn)[0]  # the axis x is where y was
    array([0., 1., 0.])
    """
    turned: NDArray[Any] = frame @ np.swapaxes(rotation, -1, -2)
    return turned


def rotation_between(
    start: Float[np.ndarray, "*#rows 3 3"], end: Float[np.ndarray, "*#rows 3 3"]
) -> Float[np.ndarray, "... 3 3"]:
    """Return the rotation that takes one frame to another: R = endᵀ start.

    Parameters
    ----------
    start, end
        The axes of each frame as rows, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        The matrix R of x' = R x, ``[..., 3, 3]``; ``turn_frame(start, R)`` is the end.

    Examples
    --------
    The rotation from a frame to the canonical frame, whose axes are x, y and z, is the frame itself.

    >>> frame = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    >>> np.array_equal(rotation_between(frame, np.eye(3)), frame)
    True
    """
    rotation: NDArray[Any] = np.swapaxes(end, -1, -2) @ start
    return rotation
