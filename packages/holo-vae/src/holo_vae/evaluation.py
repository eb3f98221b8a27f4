"""What a model is worth: reconstruction beside baselines, and how exactly it is equivariant."""

from collections.abc import Callable

import attrs
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from holo_nn import cosine_loss, cosine_loss_per_degree, rotate
from holo_nn.testing import random_rotations
from holo_types import HoloError, Holograms

from .model import Model

__all__ = [
    "EquivarianceErrors",
    "Evaluation",
    "Reconstruction",
    "equivariance_errors",
    "evaluate",
    "mean_hologram_cosine",
    "reconstruction",
    "row_cosines",
]


@attrs.frozen(kw_only=True)
class Reconstruction:
    """How well holograms are reconstructed: means over the rows.

    Parameters
    ----------
    mse
        Mean squared error in the divided scale.
    cosine
        Cosine loss with s = +1; 0 is perfect, about 1 is chance.
    cosine_per_degree
        Plain cosine loss of each degree l by itself.
    """

    mse: float
    cosine: float
    cosine_per_degree: tuple[float, ...]


@attrs.frozen(kw_only=True)
class EquivarianceErrors:
    """Largest deviation from exact equivariance, over rows and random rotations.

    `invariants` and `reconstruction` relative to the largest value, `frame` absolute (its axes have length 1).
    Of the frame and the reconstruction, which depend on conditioning, `_p99` is the 99th percentile of rows.
    """

    invariants: float
    frame: float
    frame_p99: float
    reconstruction: float
    reconstruction_p99: float


@attrs.frozen(kw_only=True)
class Evaluation:
    """All of a model's figures on one set of holograms."""

    rows: int
    reconstruction: Reconstruction
    equivariance: EquivarianceErrors


def _double(holograms: Holograms) -> Float[Tensor, "n dim"]:
    return torch.from_numpy(holograms.coefficients).double()


def row_cosines(holograms: Holograms, reconstructed: Holograms) -> NDArray[np.float64]:
    """Give the cosine loss (s = +1) of each row; 1 where either is zero."""
    losses = cosine_loss(_double(holograms), _double(reconstructed), str(holograms.basis.irreps))
    array: NDArray[np.float64] = losses.numpy()
    return array


def reconstruction(model: Model, holograms: Holograms) -> Reconstruction:
    """Encode, decode and compare.

    Raises
    ------
    HoloError
        If the basis is not the model's, or there are no rows.
    """
    if not len(holograms):
        raise HoloError("there are no holograms to evaluate on")
    decoded = model.decode(model.encode(holograms))
    scale = float(model.network.scale)
    difference = (decoded.coefficients - holograms.coefficients).astype(np.float64) / scale
    per_degree = cosine_loss_per_degree(_double(holograms), _double(decoded), str(holograms.basis.irreps))
    return Reconstruction(
        mse=float(np.square(difference).mean()),
        cosine=float(row_cosines(holograms, decoded).mean()),
        cosine_per_degree=tuple(per_degree.mean(dim=0).tolist()),
    )


def mean_hologram_cosine(training: Holograms, holograms: Holograms) -> float:
    """Give the cosine loss of guessing the training set's mean hologram for every row."""
    mean = training.coefficients.mean(axis=0, dtype=np.float64)
    guess = Holograms(np.broadcast_to(mean, holograms.coefficients.shape).copy(), holograms.basis)
    return float(row_cosines(holograms, guess).mean())


def equivariance_errors(
    model: Model,
    holograms: Holograms,
    rotations: int = 8,
    seed: int = 0,
    turned: Callable[[Float[Tensor, "3 3"]], Holograms] | None = None,
) -> EquivarianceErrors:
    """Rotate the input, encode and decode again, and compare with rotating the results.

    Rotations and Wigner D are float64, so that the check adds no error of its own; the network runs in its
    own precision.

    Parameters
    ----------
    model, holograms
        What is checked, and on what.
    rotations, seed
        How many random rotations, and which.
    turned
        Gives the holograms of the rotated input, row by row, such as those of rotated atoms: the check then
        goes from end to end. By default the coefficients are rotated by D.
    """
    irreps = str(holograms.basis.irreps)
    first = model.encode(holograms)
    decoded = _double(model.decode(first))
    original = _double(holograms)
    frames = torch.from_numpy(first.frames).double()
    invariants, frame, reconstructed = [], [], []
    for rotation in random_rotations(rotations, seed=seed):
        if turned is not None:
            second = model.encode(turned(rotation))
        else:
            coefficients = rotate(original, irreps, rotation).numpy().astype(holograms.coefficients.dtype)
            second = model.encode(Holograms(coefficients, holograms.basis, holograms.index))
        redecoded = _double(model.decode(second))
        invariants.append(np.abs(second.invariants - first.invariants).max(axis=1))
        expected_frames = frames @ rotation.T
        frame.append((torch.from_numpy(second.frames).double() - expected_frames).abs().amax((1, 2)).numpy())
        difference = redecoded - rotate(decoded, irreps, rotation)
        reconstructed.append(difference.abs().amax(1).numpy())
    largest_z, largest_x = np.abs(first.invariants).max(), float(decoded.abs().max())
    return EquivarianceErrors(
        invariants=float(np.max(invariants) / largest_z),
        frame=float(np.max(frame)),
        frame_p99=float(np.percentile(frame, 99)),
        reconstruction=float(np.max(reconstructed) / largest_x),
        reconstruction_p99=float(np.percentile(reconstructed, 99) / largest_x),
    )


def evaluate(model: Model, holograms: Holograms) -> Evaluation:
    """Give a model's reconstruction and equivariance on holograms (at most 1,000 rows for the latter)."""
    return Evaluation(
        rows=len(holograms),
        reconstruction=reconstruction(model, holograms),
        equivariance=equivariance_errors(model, holograms[:1000]),
    )
