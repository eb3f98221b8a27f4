"""What a model generates from z: samples, interpolations, traversals, and rows in the canonical frame."""

from typing import Any, Literal

import attrs
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from holo_nn import rotate
from holo_types import Embeddings, HoloError, Holograms, Index
from holo_vae.networks.model import Model
from holo_vae.networks.storage import as_array, as_tensor

__all__ = [
    "canonical",
    "decode_canonical",
    "draw_z",
    "interpolate",
    "sample_posterior",
    "sample_prior",
    "to_canonical_frame",
    "traverse",
]

_STRAIGHT = 1e-6  # radians between two z below which their arc is a straight line, up to rounding


def _identity_frames(rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.broadcast_to(np.eye(3, dtype=dtype), (rows, 3, 3)).copy()


def _check_variational(model: Model, what: str) -> None:
    if not model.config.variational:
        raise HoloError(f"model {model.name!r} is not variational: it has no {what} to draw z from")


def _dtype(model: Model) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(str(model.network.scale.dtype).removeprefix("torch."))
    return dtype


def _normal(shape: tuple[int, ...], seed: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def sample_prior(
    model: Model, count: int, condition: NDArray[Any] | int | str | None = None, seed: int = 0
) -> Holograms:
    """Draw z from the prior, and decode it in the canonical frame.

    The prior is the standard normal distribution or, where the configuration has `prior_components`, the mixture
    that the model learned, of a conditional model that of the category.

    Parameters
    ----------
    model
        An H-VAE.
    count
        The number of samples.
    condition
        For a conditional model, the category of each sample ``[count]``, or one for all.
    seed
        The seed of the random numbers: the same seed gives the same samples.

    Returns
    -------
    Holograms
        Samples in the scale of the data, with the identity as frame; for a conditional model, with the column of its
        condition.

    Raises
    ------
    HoloError
        If the model is not variational; or as for `Model.decode`, if the condition is not valid.

    Examples
    --------
    >>> from holo_types import Basis
    >>> from holo_vae import HolographicAutoencoder, ModelConfig
    >>> config = ModelConfig(
    ...     basis=Basis(lmax=2, radial=None, channels=("image",)), latent_dim=4, lmax=(2, 1), channels=(6, 6),
    ...     variational=True)
    >>> len(sample_prior(Model(HolographicAutoencoder(config), "untrained"), 3))
    3
    """
    _check_variational(model, "prior")
    return decode_canonical(model, _draw_prior(model, count, condition, seed), condition)


def _draw_prior(
    model: Model, count: int, condition: NDArray[Any] | int | str | None, seed: int
) -> Float[np.ndarray, "n d"]:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((count, model.config.latent_dim)).astype(_dtype(model))
    prior = model.network.prior
    if prior is None or (condition is None) != (model.config.condition is None):
        return noise  # decoding says what is wrong with a condition, or without one
    numbers = np.zeros(count, dtype=np.int64)
    if condition is not None:
        numbers = model.category_numbers(condition, count)
    with torch.inference_mode():
        drawn = prior.draw(
            torch.tensor(numbers, device=model.network.scale.device),
            as_tensor(rng.random(count), model.network),
            as_tensor(noise, model.network),
        )
    return as_array(drawn)


def decode_canonical(
    model: Model, z: Float[np.ndarray, "n d"], condition: NDArray[Any] | int | str | None = None
) -> Holograms:
    """Decode z without rows in the canonical frame; for a conditional model, add the column of its condition.

    Raises
    ------
    HoloError
        As for `Model.decode`, if the condition is not valid.
    """
    settings, index = model.config.condition, Index()
    if settings is not None and condition is not None:
        index = Index({settings.column: np.broadcast_to(np.asarray(condition), (len(z),))})
    return model.decode(Embeddings(z, _identity_frames(len(z), z.dtype), model.reference, index), condition)


def draw_z(encoded: Embeddings, seed: int) -> Float[np.ndarray, "n d"]:
    """Draw z for each row from the encoder's distribution N(mean, variance); for an H-AE return z itself."""
    means = encoded.invariants
    if encoded.log_variances is None:
        return means
    drawn: NDArray[Any] = means + np.exp(0.5 * encoded.log_variances) * _normal(
        means.shape, seed, means.dtype
    )
    return drawn


def sample_posterior(
    model: Model,
    holograms: Holograms,
    draws: int = 1,
    seed: int = 0,
    frames: Literal["own", "canonical"] = "own",
) -> Holograms:
    """Draw z for each row from the encoder's distribution N(mean, variance), and decode it.

    Parameters
    ----------
    model
        An H-VAE.
    holograms
        The rows; for a conditional model, with the column that its condition names.
    draws
        The number of samples for each row; the samples of a row are consecutive.
    seed
        The seed of the random numbers: the same seed gives the same samples.
    frames
        Decode in the frame of the row, so that samples have the row's pose, or in the canonical frame.

    Returns
    -------
    Holograms
        ``[n × draws]``, in the scale of the data, with the index of the rows.

    Raises
    ------
    HoloError
        If the model is not variational; or as for `Model.encode` and `Model.categories`.
    """
    _check_variational(model, "posterior")
    encoded = model.encode(holograms)
    repeated = encoded[np.repeat(np.arange(len(encoded)), draws)]
    z = draw_z(repeated, seed)
    own = repeated.frames if frames == "own" else _identity_frames(len(z), z.dtype)
    samples = Embeddings(z, own, repeated.model, repeated.index)
    return model.decode(samples, model.categories(samples.index))


def canonical(model: Model, embeddings: Embeddings) -> Holograms:
    """Decode z in the identity frame, which aligns the reconstructions of rows in any pose.

    Two rows that differ by a rotation have the same z, and therefore the same canonical reconstruction.

    Raises
    ------
    HoloError
        As for `Model.decode` and `Model.categories`.
    """
    frames = _identity_frames(len(embeddings), embeddings.frames.dtype)
    return model.decode(attrs.evolve(embeddings, frames=frames), model.categories(embeddings.index))


def to_canonical_frame(holograms: Holograms, frames: Float[np.ndarray, "n 3 3"]) -> Holograms:
    """Rotate each row so that its frame becomes the identity: the data that `canonical` reconstructs.

    Rows whose frame is not defined, because some of its axes are zero, stay as they are.

    Parameters
    ----------
    holograms
        The holograms that were encoded.
    frames : Float[ndarray, "n 3 3"]
        The frames of their embeddings; the rows of a frame are its axes.
    """
    turns = torch.from_numpy(frames.astype(np.float64))
    undefined = (turns == 0).all(dim=2).any(dim=1)
    turns[undefined] = torch.eye(3, dtype=torch.float64, device="cpu")
    # Frames transform as frame' = frame Rᵀ, so R = frame takes an orthonormal frame to the identity. In float32 the
    # axes are orthonormal to 1e-7 only, so the nearest rotation is used.
    left, _, right = torch.linalg.svd(turns)
    coefficients = torch.from_numpy(holograms.coefficients)
    turned = rotate(coefficients, str(holograms.basis.irreps), left @ right).numpy()
    return attrs.evolve(holograms, coefficients=turned)


def interpolate(
    model: Model,
    start: Embeddings,
    end: Embeddings,
    steps: int = 8,
    *,
    path: Literal["linear", "spherical"] = "linear",
    frames: Literal["slerp", "canonical"] = "slerp",
    condition: int | str | None = None,
) -> Holograms:
    """Decode a path between two rows, in z and in the frame.

    Parameters
    ----------
    model
        The model that made the embeddings.
    start, end
        The two ends, with one row each.
    steps
        The number of holograms, including both ends.
    path
        The path of z: the straight line, or the arc in the plane of both ends, with the length interpolated linearly.
    frames
        Whether to rotate the frame uniformly by the shortest rotation (slerp of unit quaternions), or to stay in the
        canonical frame.
    condition
        For a conditional model, the category of all steps.

    Returns
    -------
    Holograms
        ``[steps]``, in the scale of the data.

    Raises
    ------
    HoloError
        If an end does not have exactly one row, there are fewer than 2 steps, or a frame that slerp needs is not
        defined; or as for `Model.decode`.

    Notes
    -----
    K. Shoemake, Animating rotation with quaternion curves, SIGGRAPH (1985).
    """
    for name, row in (("start", start), ("end", end)):
        if len(row) != 1:
            raise HoloError(f"{name} has {len(row)} rows; it must have one")
        if frames == "slerp" and (row.frames == 0).all(axis=2).any():
            raise HoloError(
                f"the frame of {name} is not defined in every axis; use frames='canonical' instead of 'slerp'"
            )
    if steps < 2:
        raise HoloError(f"steps is {steps}; it must be at least 2, both ends")
    way = np.linspace(0, 1, steps)
    z = _path(start.invariants[0].astype(np.float64), end.invariants[0].astype(np.float64), way, path)
    dtype = start.invariants.dtype
    axes = _identity_frames(steps, dtype)
    if frames == "slerp":
        ends = Rotation.from_matrix(np.concatenate([start.frames, end.frames]).astype(np.float64))
        axes = Slerp([0.0, 1.0], ends)(way).as_matrix().astype(dtype)
    return model.decode(Embeddings(z.astype(dtype), axes, start.model), condition)


def _path(
    start: NDArray[np.float64], end: NDArray[np.float64], way: NDArray[np.float64], path: str
) -> NDArray[np.float64]:
    way = way[:, None]
    line = (1 - way) * start + way * end
    lengths = float(np.linalg.norm(start)), float(np.linalg.norm(end))
    if path == "linear" or min(lengths) == 0:
        return line
    first, last = start / lengths[0], end / lengths[1]
    angle = float(np.arccos(np.clip(first @ last, -1, 1)))
    if not _STRAIGHT < angle < np.pi - _STRAIGHT:  # the same direction, or no plane that both span
        return line
    arc = (np.sin((1 - way) * angle) * first + np.sin(way * angle) * last) / np.sin(angle)
    scaled: NDArray[np.float64] = ((1 - way) * lengths[0] + way * lengths[1]) * arc
    return scaled


def traverse(
    model: Model,
    z: Float[np.ndarray, "d"],
    dimension: int,
    values: Float[np.ndarray, "steps"],
    condition: int | str | None = None,
) -> Holograms:
    """Decode z with one of its dimensions set to each of several values, in the canonical frame.

    Parameters
    ----------
    model
        The model that decodes.
    z : Float[ndarray, "d"]
        The z that is changed.
    dimension
        The dimension of z to change.
    values : Float[ndarray, "steps"]
        The values that it is set to.
    condition
        For a conditional model, the category of all rows.

    Raises
    ------
    HoloError
        If z has no such dimension; or as for `Model.decode`.
    """
    if not 0 <= dimension < len(z):
        raise HoloError(f"dimension is {dimension}; it must be from 0 to {len(z) - 1}")
    rows = np.repeat(z[None].astype(_dtype(model)), len(values), axis=0)
    rows[:, dimension] = values
    return model.decode(Embeddings(rows, _identity_frames(len(rows), rows.dtype), model.reference), condition)
