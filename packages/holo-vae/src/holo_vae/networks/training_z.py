"""z of training rows, stored beside a model, and the distance of new rows from them."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import Embeddings, FormatError, HoloError, Holograms, load, save
from holo_types.files.atomic import owned

from .model import Model

__all__ = ["NAME", "ROWS", "TrainingDistance", "write_training_z"]

NAME, ROWS = "training_z.h5", 2000
_BLOCK = 256  # rows whose distances are computed at once


def write_training_z(model: Model, holograms: Holograms, folder: Path) -> None:
    """Write z of training rows into a model's folder.

    Parameters
    ----------
    model
        The model in that folder.
    holograms
        Rows that the model was trained on; if there are more than 2,000, that many of them are drawn at random.
    folder
        The folder of the model.
    """
    if len(holograms) > ROWS:
        chosen = np.random.default_rng(0).choice(len(holograms), ROWS, replace=False)
        holograms = holograms[np.sort(chosen)]
    z = model.encode(holograms)
    with owned(folder):
        save(Embeddings(z.invariants, z.frames, z.model), folder / NAME)


class TrainingDistance:
    """The distance of z from the z of training rows.

    Parameters
    ----------
    training
        z of at least two training rows.

    Examples
    --------
    >>> near = TrainingDistance(np.array([[0.0], [1.0], [2.0]]))
    >>> near(np.array([[0.5], [5.0]])).tolist()
    [0.5, 3.0]
    """

    def __init__(self, training: Float[np.ndarray, "m d"]) -> None:
        self._training = training.astype(np.float64)
        self._squares = (self._training**2).sum(axis=1)
        apart = self._nearest(self._training, second=True)
        self._scale = float(np.median(apart)) or 1.0

    @classmethod
    def of(cls, folder: Path, digest: str) -> "TrainingDistance | None":
        """Read what `write_training_z` wrote; return None if there is no such file, or it belongs to another model."""
        path = folder / NAME
        if not path.exists():
            return None
        try:
            training = load(path, kind=Embeddings)
        except (FormatError, HoloError):
            return None
        return cls(training.invariants) if training.model.digest == digest and len(training) > 1 else None

    def __call__(self, z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Return the distance of each row to the nearest training row.

        The unit is the median distance of a training row to its nearest other training row.
        """
        nearest: NDArray[Any] = self._nearest(z.astype(np.float64), second=False) / self._scale
        return nearest

    def _nearest(self, z: NDArray[np.float64], *, second: bool) -> NDArray[np.float64]:
        found = [np.empty(0)]
        for start in range(0, len(z), _BLOCK):
            rows = z[start : start + _BLOCK]
            squares = (rows**2).sum(axis=1)[:, None] + self._squares - 2 * rows @ self._training.T
            if second:  # the nearest is the row itself
                squares[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
            found.append(np.sqrt(np.maximum(squares.min(axis=1), 0)))
        return np.concatenate(found)
