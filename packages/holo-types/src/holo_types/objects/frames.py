"""Frames: three orthonormal axes, which are the rows of a matrix.

Everything that multiplies by a frame does so here, so that none has to know which side and which transpose.
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
        ``[..., n, 3]``, in any unit; positions from the frame's origin.
    frame
        Its rows are axes, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        As the vectors, ``[..., n, 3]``.

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
    """Turn the axes of a frame: frame' = frame Rᵀ.

    Parameters
    ----------
    frame
        Its rows are axes, ``[..., 3, 3]``.
    rotation
        R, x' = R x, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        The frame of what was turned by R, ``[..., 3, 3]``.

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
        Their rows are axes, ``[..., 3, 3]``.

    Returns
    -------
    ndarray
        R, x' = R x, with ``turn_frame(start, R)`` the end, ``[..., 3, 3]``.

    Examples
    --------
    To the frame of three identity axes, the canonical one, it is the frame itself.

    >>> frame = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    >>> np.array_equal(rotation_between(frame, np.eye(3)), frame)
    True
    """
    rotation: NDArray[Any] = np.swapaxes(end, -1, -2) @ start
    return rotation
