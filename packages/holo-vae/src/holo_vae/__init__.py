"""Holographic (variational) autoencoders: models, training, evaluation, embedding."""

from ._version import __version__
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
