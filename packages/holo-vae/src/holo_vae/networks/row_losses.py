"""How far each row of holograms is from its reconstruction."""

import numpy as np
from numpy.typing import NDArray

from holo_nn import cosine_loss
from holo_types import Holograms

from .chunks import in_double, row_chunks

__all__ = ["row_cosine_losses"]


def row_cosine_losses(holograms: Holograms, reconstructed: Holograms) -> NDArray[np.float64]:
    """Return the cosine loss (s = +1) of each row: 0 is perfect; 1 where either is zero."""
    irreps = str(holograms.basis.irreps)
    losses = np.empty(len(holograms))
    for rows in row_chunks(len(holograms), holograms.basis.dim):
        pair = in_double(holograms[rows]), in_double(reconstructed[rows])
        losses[rows] = cosine_loss(*pair, irreps).numpy()
    return losses
