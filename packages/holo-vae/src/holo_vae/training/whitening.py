"""The last linear layer before z, fitted so that the unit of z is the variation between views of one object."""

import attrs
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import nn

from holo_types import HoloError
from holo_vae.data.batches import Rows
from holo_vae.networks.network import HolographicAutoencoder

__all__ = ["WithinMap", "whiten_within", "within_map"]

# The share of the mean variance that is added to each variance, so that no direction with little variation dominates z.
_SHRINKAGE = 3.0


@attrs.frozen(eq=False)
class WithinMap:
    """A linear map of rows whose unit is the variation between views of one object.

    Parameters
    ----------
    mean
        The mean of the rows to which the map was fitted.
    matrix
        The matrix that is applied to rows after the mean is subtracted.
    """

    mean: Float[np.ndarray, "d"]
    matrix: Float[np.ndarray, "d k"]

    def of(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Apply the map to rows."""
        mapped: Float[np.ndarray, "n k"] = (rows - self.mean) @ self.matrix
        return mapped


def within_map(rows: Float[np.ndarray, "n d"], things: Shaped[np.ndarray, "n"], width: int) -> WithinMap:
    """Return the linear map that separates objects best relative to the variation between views of one object.

    Each column is scaled to variance 1, and the covariance within objects is whitened. Then those directions are kept
    in which the means of objects differ most.

    Parameters
    ----------
    rows
        A row for each view.
    things
        The object of which each row is a view.
    width
        The number of directions to keep. If there are fewer, the others are 0.

    Returns
    -------
    WithinMap
        The map. The means of objects are uncorrelated after it, with variances in descending order.

    Raises
    ------
    HoloError
        If no two rows are views of one object.

    Notes
    -----
    Hatch, Kajarekar, Stolcke, *Within-class covariance normalization for SVM-based speaker recognition*, Interspeech
    (2006), followed by the principal components of the means. This is linear discriminant analysis whose classes are
    the objects; no labels are used.

    Examples
    --------
    >>> rows = np.array([[0.0, 1], [0, -1], [5, 1], [5, -1]])
    >>> mapped = within_map(rows, np.array(["a", "a", "b", "b"]), 1).of(rows)
    >>> bool(abs(mapped[0, 0] - mapped[1, 0]) < 1e-9 < abs(mapped[0, 0] - mapped[2, 0]))
    True
    """
    _, members = np.unique(things, return_inverse=True)
    counts = np.bincount(members)
    if counts.max() < 2:
        raise HoloError("no two rows are views of one object; there must be some")
    mean, deviations = rows.mean(axis=0), rows.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1.0)
    scaled = (rows - mean) / deviations
    means = np.stack([np.bincount(members, column) for column in scaled.T], axis=1) / counts[:, None]
    apart = scaled - means[members]
    covariance = apart.T @ apart / (len(rows) - len(counts))
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    variances, directions = np.linalg.eigh(covariance)
    there = directions / np.sqrt(variances)
    _, components = np.linalg.eigh(np.cov((means @ there).T).reshape(len(covariance), -1))
    kept = there @ components[:, ::-1][:, :width] / deviations[:, None]
    return WithinMap(mean, np.pad(kept, ((0, 0), (0, width - kept.shape[1]))))


def whiten_within(network: HolographicAutoencoder, rows: Rows, column: str) -> None:
    """Fit the last layer before z anew, so that the unit of z is the variation between views of one object.

    See `within_map`. Distances in z then show how much more two objects differ than views of one object do. The layers
    after z take the best linear prediction of the former z from the new one.

    Parameters
    ----------
    network
        An H-AE, which is changed in place.
    rows
        The training rows.
    column
        The index column that names the object of each row.

    Raises
    ------
    HoloError
        If no two rows are views of one another, or there is no such column.
    """
    things = rows.column(column)
    if len(np.unique(things)) == len(things):
        raise HoloError(
            f"no two rows have the same {column}; z can be whitened only if some are views of the same thing"
        )
    network.eval()
    with torch.inference_mode():
        scale = next(network.parameters())
        parts = [
            network.invariants(batch.coefficients.to(scale)).double().cpu() for batch in rows.in_order(256)
        ]
    told = torch.cat(parts).numpy()
    _set_z(network, told, within_map(told, things, network.config.latent_dim))


def _set_z(network: HolographicAutoencoder, told: Float[np.ndarray, "n d"], found: WithinMap) -> None:
    """Make z the result of a map, and let the layers after z predict the former z from it."""
    after = network.bottleneck[0] if isinstance(network.bottleneck, nn.Sequential) else network.bottleneck
    now = found.of(told)
    with torch.no_grad():
        weight, bias = network.mean.weight, network.mean.bias
        was = told @ weight.double().cpu().numpy().T + bias.double().cpu().numpy()
        # The new z has the mean 0, so that the mean of the former z is the constant of the prediction.
        mean = was.mean(axis=0)
        prediction, *_ = np.linalg.lstsq(now, was - mean, rcond=None)
        weight.copy_(torch.from_numpy(found.matrix.T))
        bias.copy_(torch.from_numpy(-found.mean @ found.matrix))
        back, shift = (
            torch.from_numpy(prediction.T).to(weight.device),
            torch.from_numpy(mean).to(weight.device),
        )
        for layer in (after, *network.heads):
            assert isinstance(layer, nn.Linear)
            taken = layer.weight.double()
            layer.bias.copy_(layer.bias.double() + taken @ shift)
            layer.weight.copy_(taken @ back)
