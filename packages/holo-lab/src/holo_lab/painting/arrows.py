"""Frames as arrows in the BILD format of ChimeraX."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from holo_types.files.atomic import replacing

__all__ = ["write_arrows"]

_AXES = ("red", "green", "blue")
_LENGTH = 2.0  # Å
_SHAFT, _HEAD = 0.08, 0.2  # Å, radii
_SHAFT_SHARE = 0.7  # of the length


def write_arrows(path: Path, centers: Float[np.ndarray, "n 3"], frames: Float[np.ndarray, "n 3 3"]) -> int:
    """Write each frame as three arrows from its center: the first axis red, the second green, the third blue.

    Parameters
    ----------
    path
        The ``.bild`` file, which is written atomically.
    centers : Float[ndarray, "n 3"]
        The origins of the frames, in Å.
    frames : Float[ndarray, "n 3 3"]
        The axes of each frame as rows. Axes of length 0, which the surroundings do not define, are left out.

    Returns
    -------
    int
        The number of arrows.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "frames.bild")
    >>> write_arrows(path, np.zeros((1, 3)), np.diag([1.0, 1.0, 0.0])[None])
    2
    >>> print(path.read_text().splitlines()[2])
    .arrow 0.000 0.000 0.000 2.000 0.000 0.000 0.08 0.2 0.7
    """
    lines = list(_lines(centers.astype(np.float64), frames.astype(np.float64)))
    with replacing(path) as new:
        new.write_text("\n".join([".comment frames of residues", *lines, ""]), encoding="ascii", newline="\n")
    return sum(line.startswith(".arrow") for line in lines)


def _lines(centers: Float[np.ndarray, "n 3"], frames: Float[np.ndarray, "n 3 3"]) -> Iterator[str]:
    for axis, color in enumerate(_AXES):
        yield f".color {color}"
        for center, direction in zip(centers, frames[:, axis], strict=True):
            if direction.any():
                ends = " ".join(f"{place:.3f}" for place in (*center, *(center + _LENGTH * direction)))
                yield f".arrow {ends} {_SHAFT} {_HEAD} {_SHAFT_SHARE}"
