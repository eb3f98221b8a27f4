"""The distance of each row of holograms from its reconstruction."""

import numpy as np
from numpy.typing import NDArray

from holo_nn import cosine_loss
from holo_types import Holograms

from .chunks import in_double, row_chunks

__all__ = ["row_cosine_losses", "row_squared_errors"]


def row_cosine_losses(holograms: Holograms, reconstructed: Holograms) -> NDArray[np.float64]:
    """Return the cosine loss (s = +1) of each row: 0 is perfect; 1 where either is zero."""
    irreps = str(holograms.basis.irreps)
    losses = np.empty(len(holograms))
    for rows in row_chunks(len(holograms), holograms.basis.dim):
        pair = in_double(holograms[rows]), in_double(reconstructed[rows])
        losses[rows] = cosine_loss(*pair, irreps).numpy()
    return losses


def row_squared_errors(holograms: Holograms, reconstructed: Holograms) -> NDArray[np.float64]:
    """Return the mean squared error of each row's coefficients in the data's own scale, to which the cosine is blind.

    Examples
    --------
    >>> from holo_types import Basis
    >>> row = Holograms(np.array([[1.0, 0.0, 0.0, 2.0]]), Basis(lmax=1, radial=None, channels=("image",)))
    >>> twice = Holograms(2 * row.coefficients, row.basis)
    >>> row_squared_errors(row, twice).tolist(), row_cosine_losses(row, twice).round(12).tolist()
    ([1.25], [0.0])
    """
    errors = np.empty(len(holograms))
    for rows in row_chunks(len(holograms), holograms.basis.dim):
        x, y = in_double(holograms[rows]), in_double(reconstructed[rows])
        errors[rows] = (y - x).square().mean(dim=1).numpy()
    return errors
