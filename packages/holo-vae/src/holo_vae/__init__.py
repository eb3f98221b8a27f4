"""Holographic (variational) autoencoders: models, training, evaluation, embedding."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .batches import Rows, Split, data_scale, dataset_digest, open_rows, split_by_group
    from .classifier import Classifier, TrainedClassifier
    from .config import (
        ClassifierConfig,
        Condition,
        ModelConfig,
        Recipe,
        TrainingConfig,
        read_recipe,
        write_recipe,
    )
    from .describe import Description, describe
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
    from .loading import load, load_model
    from .model import Model, read_model, write_model
    from .network import Encoding, HolographicAutoencoder
    from .recipes import find_recipe, recipe_names
    from .reference import import_reference
    from .run import (
        TrainingRun,
        default_recipe,
        initial_classifier,
        initial_model,
        read_holograms,
        run_training,
    )
    from .training import Epoch, Step, train

__all__ = [
    "Classifier",
    "ClassifierConfig",
    "Condition",
    "Description",
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
    "Rows",
    "Split",
    "Step",
    "TrainedClassifier",
    "TrainingConfig",
    "TrainingRun",
    "__version__",
    "data_scale",
    "dataset_digest",
    "default_recipe",
    "describe",
    "embed",
    "embed_holograms",
    "embed_structures",
    "equivariance_errors",
    "evaluate",
    "find_recipe",
    "import_reference",
    "initial_classifier",
    "initial_model",
    "load",
    "load_model",
    "mean_hologram_cosine",
    "open_rows",
    "read_holograms",
    "read_model",
    "read_recipe",
    "recipe_names",
    "reconstruction",
    "run_training",
    "split_by_group",
    "train",
    "write_model",
    "write_recipe",
]

# torch takes seconds to import, so each name brings its module when it is first used.
_HOMES = {
    "Classifier": "classifier",
    "ClassifierConfig": "config",
    "Condition": "config",
    "Description": "describe",
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
    "Rows": "batches",
    "Split": "batches",
    "Step": "training",
    "TrainedClassifier": "classifier",
    "TrainingConfig": "config",
    "TrainingRun": "run",
    "data_scale": "batches",
    "dataset_digest": "batches",
    "default_recipe": "run",
    "describe": "describe",
    "embed": "embedding",
    "embed_holograms": "embedding",
    "embed_structures": "embedding",
    "equivariance_errors": "evaluation",
    "evaluate": "evaluation",
    "find_recipe": "recipes",
    "import_reference": "reference",
    "initial_classifier": "run",
    "initial_model": "run",
    "load": "loading",
    "load_model": "loading",
    "mean_hologram_cosine": "evaluation",
    "open_rows": "batches",
    "read_holograms": "run",
    "read_model": "model",
    "read_recipe": "config",
    "recipe_names": "recipes",
    "reconstruction": "evaluation",
    "run_training": "run",
    "split_by_group": "batches",
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
