"""Holographic (variational) autoencoders: models, training, evaluation, embedding."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .batches import Rows, Split, data_scale, dataset_digest, open_rows, split_by_group
    from .classifier import Classifier, TrainedClassifier
    from .clusters import ClusterColumns
    from .config import (
        ClassifierConfig,
        Condition,
        ModelConfig,
        Recipe,
        TrainingConfig,
        read_recipe,
        write_recipe,
    )
    from .description import Description, describe
    from .embedding import EmbeddedStructure, embed, embed_complexes, embed_holograms, embed_structures
    from .evaluation import (
        EquivarianceErrors,
        Evaluation,
        LatentScores,
        Reconstruction,
        SampleScores,
        equivariance_errors,
        evaluate,
        latent_scores,
        mean_hologram_cosine,
        reconstruction,
        score_samples,
    )
    from .loading import load, load_model, shipped_models
    from .model import Model, read_model, write_model
    from .network import Encoding, HolographicAutoencoder
    from .recipes import find_recipe, recipe_names
    from .reference import import_reference
    from .report import write_report
    from .run import (
        TrainingRun,
        default_recipe,
        initial_classifier,
        initial_model,
        read_holograms,
        run_training,
    )
    from .sampling import (
        canonical,
        interpolate,
        sample_posterior,
        sample_prior,
        to_canonical_frame,
        traverse,
    )
    from .training import Epoch, Step, train

__all__ = [
    "Classifier",
    "ClassifierConfig",
    "ClusterColumns",
    "Condition",
    "Description",
    "EmbeddedStructure",
    "Encoding",
    "Epoch",
    "EquivarianceErrors",
    "Evaluation",
    "HolographicAutoencoder",
    "LatentScores",
    "Model",
    "ModelConfig",
    "Recipe",
    "Reconstruction",
    "Rows",
    "SampleScores",
    "Split",
    "Step",
    "TrainedClassifier",
    "TrainingConfig",
    "TrainingRun",
    "__version__",
    "canonical",
    "data_scale",
    "dataset_digest",
    "default_recipe",
    "describe",
    "embed",
    "embed_complexes",
    "embed_holograms",
    "embed_structures",
    "equivariance_errors",
    "evaluate",
    "find_recipe",
    "import_reference",
    "initial_classifier",
    "initial_model",
    "interpolate",
    "latent_scores",
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
    "sample_posterior",
    "sample_prior",
    "score_samples",
    "shipped_models",
    "split_by_group",
    "to_canonical_frame",
    "train",
    "traverse",
    "write_model",
    "write_recipe",
    "write_report",
]

# torch takes seconds to import, so each name brings its module when it is first used.
_HOMES = {
    "Classifier": "classifier",
    "ClassifierConfig": "config",
    "ClusterColumns": "clusters",
    "Condition": "config",
    "Description": "description",
    "EmbeddedStructure": "embedding",
    "Encoding": "network",
    "Epoch": "training",
    "EquivarianceErrors": "evaluation",
    "Evaluation": "evaluation",
    "HolographicAutoencoder": "network",
    "LatentScores": "evaluation",
    "Model": "model",
    "ModelConfig": "config",
    "Recipe": "config",
    "Reconstruction": "evaluation",
    "Rows": "batches",
    "SampleScores": "evaluation",
    "Split": "batches",
    "Step": "training",
    "TrainedClassifier": "classifier",
    "TrainingConfig": "config",
    "TrainingRun": "run",
    "canonical": "sampling",
    "data_scale": "batches",
    "dataset_digest": "batches",
    "default_recipe": "run",
    "describe": "description",
    "embed": "embedding",
    "embed_complexes": "embedding",
    "embed_holograms": "embedding",
    "embed_structures": "embedding",
    "equivariance_errors": "evaluation",
    "evaluate": "evaluation",
    "find_recipe": "recipes",
    "import_reference": "reference",
    "initial_classifier": "run",
    "initial_model": "run",
    "interpolate": "sampling",
    "latent_scores": "evaluation",
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
    "sample_posterior": "sampling",
    "sample_prior": "sampling",
    "score_samples": "evaluation",
    "shipped_models": "loading",
    "split_by_group": "batches",
    "to_canonical_frame": "sampling",
    "train": "training",
    "traverse": "sampling",
    "write_model": "model",
    "write_recipe": "config",
    "write_report": "report",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
