"""Whitening of z by the differences between views of one thing: a linear map of z that the decoder undoes."""

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from holo_types import HoloError
from holo_vae.data.batches import Rows
from holo_vae.networks.network import HolographicAutoencoder

__all__ = ["whiten_within"]

_SHRINKAGE = 0.001  # share of the mean variance, added to each, so that no direction dominates z


def whiten_within(network: HolographicAutoencoder, rows: Rows, column: str) -> None:
    """Transform z to mean 0, and to covariance 1 within rows that are views of one another.

    Distances in z then measure how much more two things differ than views of one thing do, regardless of the directions
    in which reconstruction has arranged them. The map is linear and invertible. It is absorbed into the last layer
    before z, and its inverse into the first layer after z, so that decoded holograms do not change.

    Parameters
    ----------
    network
        An H-AE, which is changed in place.
    rows
        The training rows.
    column
        The index column in which views of one another have the same value.

    Raises
    ------
    HoloError
        If no two rows are views of one another, or there is no such column.

    Notes
    -----
    Hatch, Kajarekar, Stolcke, *Within-class covariance normalization for SVM-based speaker recognition*, Interspeech
    (2006). Here, the classes are the things that have several views, not labels.
    """
    _, members = np.unique(rows.column(column), return_inverse=True)
    counts = np.bincount(members)
    if counts.max() < 2:
        raise HoloError(
            f"no two rows have the same {column}; z can be whitened only if some are views of the same thing"
        )
    network.eval()
    with torch.inference_mode():
        scale = next(network.parameters())
        parts = [
            network.encode(batch.coefficients.to(scale)).mean.double().cpu() for batch in rows.in_order(256)
        ]
    z = torch.cat(parts).numpy()
    means = np.stack([np.bincount(members, values) for values in z.T], axis=1) / counts[:, None]
    apart = z - means[members]
    covariance = apart.T @ apart / (len(z) - len(counts))
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    variances, directions = np.linalg.eigh(covariance)
    there = torch.from_numpy((directions / np.sqrt(variances)) @ directions.T)
    back = torch.from_numpy((directions * np.sqrt(variances)) @ directions.T)
    _map_z(network, torch.from_numpy(z.mean(axis=0)), there, back)


def _map_z(
    network: HolographicAutoencoder,
    mean: Float[torch.Tensor, "d"],
    there: Float[torch.Tensor, "d d"],
    back: Float[torch.Tensor, "d d"],
) -> None:
    """Replace z by there (z - mean), and undo this in all layers that take z."""
    after = network.bottleneck[0] if isinstance(network.bottleneck, nn.Sequential) else network.bottleneck
    with torch.no_grad():
        weight, bias = network.mean.weight, network.mean.bias
        bias.copy_(there @ (bias.double() - mean))
        weight.copy_(there @ weight.double())
        for layer in (after, *network.heads):
            assert isinstance(layer, nn.Linear)
            taken = layer.weight.double()
            layer.bias.copy_(layer.bias.double() + taken @ mean)
            layer.weight.copy_(taken @ back)
