"""Holographic (variational) autoencoders: models, training, evaluation, embedding."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .config import ModelConfig, Recipe, TrainingConfig, read_recipe, write_recipe
    from .embedding import EmbeddedStructure, embed, embed_holograms, embed_structures
    from .evaluation import (
        EquivarianceErrors,
        Evaluation,
        Reconstruction,
        equivariance_errors,
        evaluate,
        mean_hologram_cosine,
        reconstruction,
    )
    from .loading import load
    from .model import Model, read_model, write_model
    from .network import Encoding, HolographicAutoencoder
    from .reference import import_reference
    from .run import TrainingRun, default_recipe, read_holograms, run_training
    from .training import Epoch, Split, data_scale, initial_model, split_rows, train

__all__ = [
    "EmbeddedStructure",
    "Encoding",
    "Epoch",
    "EquivarianceErrors",
    "Evaluation",
    "HolographicAutoencoder",
    "Model",
    "ModelConfig",
    "Recipe",
    "Reconstruction",
    "Split",
    "TrainingConfig",
    "TrainingRun",
    "__version__",
    "data_scale",
    "default_recipe",
    "embed",
    "embed_holograms",
    "embed_structures",
    "equivariance_errors",
    "evaluate",
    "import_reference",
    "initial_model",
    "load",
    "mean_hologram_cosine",
    "read_holograms",
    "read_model",
    "read_recipe",
    "reconstruction",
    "run_training",
    "split_rows",
    "train",
    "write_model",
    "write_recipe",
]

# torch takes seconds to import, so each name brings its module when it is first used.
_HOMES = {
    "EmbeddedStructure": "embedding",
    "Encoding": "network",
    "Epoch": "training",
    "EquivarianceErrors": "evaluation",
    "Evaluation": "evaluation",
    "HolographicAutoencoder": "network",
    "Model": "model",
    "ModelConfig": "config",
    "Recipe": "config",
    "Reconstruction": "evaluation",
    "Split": "training",
    "TrainingConfig": "config",
    "TrainingRun": "run",
    "data_scale": "training",
    "default_recipe": "run",
    "embed": "embedding",
    "embed_holograms": "embedding",
    "embed_structures": "embedding",
    "equivariance_errors": "evaluation",
    "evaluate": "evaluation",
    "import_reference": "reference",
    "initial_model": "training",
    "load": "loading",
    "mean_hologram_cosine": "evaluation",
    "read_holograms": "run",
    "read_model": "model",
    "read_recipe": "config",
    "reconstruction": "evaluation",
    "run_training": "run",
    "split_rows": "training",
    "train": "training",
    "write_model": "model",
    "write_recipe": "config",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
