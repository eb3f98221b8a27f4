"""The effect of rotations and of noise on z, frames and reconstructions."""

from collections.abc import Sequence

import attrs
import numpy as np
import torch
from chains import Protein, encode
from jaxtyping import Float
from torch import Tensor

import holo_features
from holo_types import Holograms, PointClouds, concatenate
from holo_vae import EquivarianceErrors, Model, equivariance_errors, row_cosine_losses

__all__ = ["Denoising", "measure_denoising", "measure_equivariance"]


def measure_equivariance(
    model: Model, proteins: Sequence[Protein], rotations: int, seed: int
) -> EquivarianceErrors:
    """Rotate the atoms of proteins, encode, embed and decode them again, and compare."""
    basis = model.config.basis

    def turned(rotation: Float[Tensor, "3 3"]) -> Holograms:
        return encode((protein.turned(rotation.numpy()) for protein in proteins), basis)

    still = turned(torch.eye(3, dtype=torch.float64))
    return equivariance_errors(model, still, rotations, seed, turned=turned)


@attrs.frozen
class Denoising:
    """Cosine losses against the original hologram after each atom was displaced at random.

    Parameters
    ----------
    noise
        The standard deviation of the displacements along each axis, in Å.
    noisy
        The losses of the hologram of the displaced atoms.
    reconstructed
        The losses of its reconstruction.
    """

    noise: float
    noisy: float
    reconstructed: float


def measure_denoising(
    model: Model, proteins: Sequence[Protein], clean: Holograms, noises: Sequence[float], seed: int
) -> tuple[Denoising, ...]:
    """Displace all atoms of each neighborhood around its center, and reconstruct."""
    generator = np.random.default_rng(seed)
    measured = []
    for noise in noises:
        noisy = concatenate([_noisy(protein, model, noise, generator) for protein in proteins])
        decoded = model.decode(model.encode(noisy))
        losses = (float(row_cosine_losses(clean, rows).mean()) for rows in (noisy, decoded))
        measured.append(Denoising(noise, *losses))
    return tuple(measured)


def _noisy(protein: Protein, model: Model, noise: float, generator: np.random.Generator) -> Holograms:
    basis = model.config.basis
    assert basis.radial is not None
    # Atoms beyond the cutoff may move inside; four standard deviations include practically all of them.
    clouds = protein.clouds(basis.radial.cutoff + 4 * noise, basis.channels)
    moved = clouds.coordinates + generator.normal(scale=noise, size=clouds.coordinates.shape)
    shaken: PointClouds = attrs.evolve(clouds, coordinates=moved)
    return holo_features.zernike_transform(shaken, basis, np.float32)
