"""How well a model reconstructs, and a baseline that needs no model."""

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_nn import cosine_loss, cosine_loss_per_degree
from holo_types import Embeddings, HoloError, Holograms
from holo_vae.networks.chunks import in_double, row_chunks
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses

__all__ = ["Reconstruction", "mean_hologram_cosine_loss", "power_spectra", "reconstruction"]


@attrs.frozen(kw_only=True)
class Reconstruction:
    """How well holograms are reconstructed, as means over the rows.

    Parameters
    ----------
    mse
        Mean squared error, of holograms divided by the model's scale.
    cosine_loss
        The cosine loss with s = +1; 0 is perfect, about 1 is chance.
    cosine_loss_per_degree
        The plain cosine loss of each degree l separately.
    power_correlation
        Pearson correlation, within a row, between the powers of each (channel, degree) of the input and of
        the reconstruction; 1 is perfect.
    total_power_correlation
        Pearson correlation, over the rows, between the total power of inputs and reconstructions.
    """

    mse: float
    cosine_loss: float
    cosine_loss_per_degree: tuple[float, ...]
    power_correlation: float
    total_power_correlation: float


def power_spectra(holograms: Holograms) -> Float[np.ndarray, "n channels degrees"]:
    """Return the power of each channel and degree: the sum over radial orders and m of x² / (2l + 1).

    Examples
    --------
    >>> from holo_types import Basis
    >>> holograms = Holograms(np.array([[2.0, 1.0, 1.0, 1.0]]), Basis(lmax=1, radial=None, channels=("image",)))
    >>> power_spectra(holograms).tolist()
    [[[4.0, 1.0]]]
    """
    basis = holograms.basis
    powers = np.empty((len(holograms), len(basis.channels), basis.lmax + 1))
    for rows in row_chunks(len(holograms), basis.dim):
        chunk = holograms[rows]
        for degree in range(basis.lmax + 1):
            squares = np.square(chunk.degree(degree), dtype=np.float64).sum(axis=2) / (2 * degree + 1)
            powers[rows, :, degree] = squares.reshape(len(chunk), len(basis.channels), -1).sum(axis=2)
    return powers


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate along the last axis; 0 where either does not vary."""
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    norms = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    products = (x * y).sum(axis=-1)
    correlations: NDArray[np.float64] = np.divide(
        products, norms, out=np.zeros_like(products), where=norms > 0
    )
    return correlations


def reconstruction(
    model: Model, holograms: Holograms, embeddings: Embeddings | None = None
) -> Reconstruction:
    """Measure how well a model reconstructs holograms.

    Parameters
    ----------
    model, holograms
        The model, and the holograms to reconstruct; for a conditional model, with the column that its condition names.
    embeddings
        The embeddings of the holograms, if they have already been computed.

    Raises
    ------
    HoloError
        If the basis is not that of the model, there are no rows, or the column of a conditional model is missing.
    """
    if not len(holograms):
        raise HoloError("there are no holograms to evaluate on")
    if embeddings is None:
        embeddings = model.encode(holograms)
    irreps, scale = str(holograms.basis.irreps), float(model.network.scale)
    squares, losses, per_degree = 0.0, 0.0, np.zeros(holograms.basis.lmax + 1)
    powers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for rows in row_chunks(len(holograms), holograms.basis.dim):
        given, known = holograms[rows], embeddings[rows]
        decoded = model.decode(known, model.categories(known.index))
        x, y = in_double(given), in_double(decoded)
        squares += float((y - x).square().sum()) / scale**2
        losses += float(cosine_loss(x, y, irreps).sum())
        per_degree += cosine_loss_per_degree(x, y, irreps).sum(dim=0).numpy()
        powers.append((power_spectra(given), power_spectra(decoded)))
    true, again = (np.concatenate(parts) for parts in zip(*powers, strict=True))
    count = len(holograms)
    return Reconstruction(
        mse=squares / holograms.coefficients.size,
        cosine_loss=losses / count,
        cosine_loss_per_degree=tuple((per_degree / count).tolist()),
        power_correlation=float(_pearson(true.reshape(count, -1), again.reshape(count, -1)).mean()),
        total_power_correlation=float(_pearson(true.sum(axis=(1, 2)), again.sum(axis=(1, 2)))),
    )


def mean_hologram_cosine_loss(training: Holograms, holograms: Holograms) -> float:
    """Return the cosine loss of predicting the mean hologram of the training set for every row."""
    mean = training.coefficients.mean(axis=0, dtype=np.float64)
    guess = Holograms(np.broadcast_to(mean, holograms.coefficients.shape).copy(), holograms.basis)
    return float(row_cosine_losses(holograms, guess).mean())
