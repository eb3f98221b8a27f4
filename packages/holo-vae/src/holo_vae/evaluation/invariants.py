"""z of a model, and invariants that need no training, as functions of surroundings (extra ``evaluation``)."""

from collections.abc import Callable

import attrs
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

import holo_downstream
import holo_features
from holo_types import Basis, Holograms, PointClouds
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder

__all__ = ["Invariants", "ZAlone", "encoded", "smooth"]

_ENVELOPE = 1.5  # Å
_BLOCK = 512  # clouds


def smooth(basis: Basis) -> Basis:
    """Return the basis with an envelope: its own if it has one, otherwise one of 1.5 Å."""
    assert basis.radial is not None
    return attrs.evolve(basis, radial=attrs.evolve(basis.radial, envelope=basis.radial.envelope or _ENVELOPE))


def encoded(clouds: PointClouds, basis: Basis) -> Holograms:
    """Encode clouds in float32 without their index."""
    bare = attrs.evolve(clouds, index={}, centers=None, point_columns={})
    return holo_features.zernike_transform(bare, basis)


class ZAlone:
    """z of a model.

    Parameters
    ----------
    model
        A model of residues' surroundings.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def cutoff(self) -> float:
        """The cutoff of the surroundings, in Å."""
        radial = self._model.config.basis.radial
        assert radial is not None
        return radial.cutoff

    def of(self, clouds: PointClouds) -> dict[str, Float[np.ndarray, "n _"]]:
        """Return ``"z"`` of surroundings."""
        return {"z": self._model.encode(encoded(clouds, self._model.config.basis)).invariants}


class Invariants:
    """z of a model together with the invariants that it is compared with.

    Parameters
    ----------
    model
        A model of residues' surroundings.
    training
        Surroundings of training residues; the principal components are fitted to their spectra.
    seed
        The seed of the untrained network's weights.
    """

    def __init__(self, model: Model, training: PointClouds, seed: int = 0) -> None:
        self._z = ZAlone(model)
        self._latent_dim = model.config.latent_dim
        self._basis = smooth(model.config.basis)
        self._untrained = _untrained(model, self._basis, seed)
        self._components = _principal_components(self._spectra(training), self._latent_dim)

    @property
    def cutoff(self) -> float:
        """The cutoff of the surroundings, in Å."""
        assert self._basis.radial is not None
        return self._basis.radial.cutoff

    def of(self, clouds: PointClouds) -> dict[str, Float[np.ndarray, "n _"]]:
        """Return all invariants of surroundings.

        Returns
        -------
        dict
            ``"z"``; ``"l = 0"``, the scalar coefficients; ``"norms"`` of each channel, order and degree; ``"power
            spectrum"``, all products within a degree; ``"PCA"`` and a number, as many principal components of the
            standardized spectrum as z has dimensions; ``"untrained"``, z of an untrained network of the same
            architecture. All but z use a basis with an envelope, which is 1.5 Å wide if the model's has none.
        """
        holograms = encoded(clouds, self._basis)
        spectra = self._spectra(clouds)
        return {
            **self._z.of(clouds),
            "l = 0": holo_downstream.scalar_coefficients(holograms),
            "norms": holo_downstream.power_spectrum(holograms),
            "power spectrum": spectra,
            f"PCA {self._latent_dim}": self._components(spectra),
            "untrained": self._untrained.encode(holograms).invariants,
        }

    def _spectra(self, clouds: PointClouds) -> NDArray[np.floating]:
        """Return the full spectra of clouds, a few at a time: before they are cut, there are twice as many products."""
        blocks = [clouds[start : start + _BLOCK] for start in range(0, max(len(clouds), 1), _BLOCK)]
        return np.concatenate(
            [holo_downstream.full_power_spectrum(encoded(block, self._basis)) for block in blocks]
        )


def _principal_components(
    spectra: Float[np.ndarray, "n m"], count: int
) -> Callable[[Float[np.ndarray, "n m"]], Float[np.ndarray, "n d"]]:
    from sklearn.decomposition import PCA as Components  # noqa: PLC0415 - it takes a second, which --help must not

    scaling = holo_downstream.standardization(spectra)
    components = Components(min(count, *spectra.shape), random_state=0).fit(scaling.of(spectra))
    return lambda rows: components.transform(scaling.of(rows))


def _untrained(model: Model, basis: Basis, seed: int) -> Model:
    """Return a network of the model's architecture as it is before training."""
    config = attrs.evolve(model.config, basis=basis)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = HolographicAutoencoder(config)
    network.scale.copy_(model.network.scale)
    return Model(network.eval(), "untrained")
