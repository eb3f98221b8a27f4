"""How exactly a model is equivariant."""

from collections.abc import Callable

import attrs
import numpy as np
from jaxtyping import Float
from torch import Tensor

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Holograms, turn_frame
from holo_vae.networks.chunks import in_double
from holo_vae.networks.model import Model

__all__ = ["EquivarianceErrors", "equivariance_errors"]


@attrs.frozen(kw_only=True)
class EquivarianceErrors:
    """The largest deviations from exact equivariance, over rows and random rotations.

    `invariants` and `reconstruction` are relative to the largest value, `frame` is absolute (its axes have length 1).
    The frame and the reconstruction depend on conditioning; for them, `_p99` is the 99th percentile over rows.
    """

    invariants: float
    frame: float
    frame_p99: float
    reconstruction: float
    reconstruction_p99: float


def equivariance_errors(
    model: Model,
    holograms: Holograms,
    rotations: int = 8,
    seed: int = 0,
    turned: Callable[[Float[Tensor, "3 3"]], Holograms] | None = None,
) -> EquivarianceErrors:
    """Rotate the input, encode and decode it again, and compare the result with the rotated original results.

    Rotations and Wigner D matrices are float64, so that the check adds no error of its own; the network runs in its
    own precision.

    Parameters
    ----------
    model, holograms
        The model that is checked, and the holograms to check it on.
    rotations, seed
        The number of random rotations, and their seed.
    turned
        Returns the holograms of the rotated input, row by row, such as those of rotated atoms, so that the check is
        end to end. By default the coefficients are rotated by D.
    """
    irreps = str(holograms.basis.irreps)
    first = model.encode(holograms)
    categories = model.categories(holograms.index)
    decoded = in_double(model.decode(first, categories))
    original = in_double(holograms)
    frames = first.frames.astype(np.float64)
    invariants, frame, reconstructed = [], [], []
    for rotation in random_rotations(rotations, seed=seed):
        if turned is not None:
            second = model.encode(turned(rotation))
        else:
            coefficients = rotate(original, irreps, rotation).numpy().astype(holograms.coefficients.dtype)
            second = model.encode(Holograms(coefficients, holograms.basis, holograms.index))
        redecoded = in_double(model.decode(second, categories))
        invariants.append(np.abs(second.invariants - first.invariants).max(axis=1))
        frame.append(np.abs(second.frames - turn_frame(frames, rotation.numpy())).max(axis=(1, 2)))
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
