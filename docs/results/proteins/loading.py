"""Models that the programs can measure."""

import holo_vae
from holo_types import HoloError
from holo_vae import Model

__all__ = ["load_surroundings_model"]


def load_surroundings_model(name: str) -> Model:
    """Load a model by folder, name or URI like `holo_vae.load`, and refuse models of images on a sphere."""
    model = holo_vae.load(name, holo_vae.Model)
    if model.config.basis.radial is None:
        raise HoloError(f"{name}: its basis is of a sphere; a model of surroundings is needed")
    return model
