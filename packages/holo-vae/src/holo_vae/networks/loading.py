"""The only loader of models: a model that comes with holo-vae, from a folder, or from an MLflow registry."""

from pathlib import Path
from typing import Any, overload

import attrs

from holo_types import FormatError
from holo_types.extras import extra

from .classifier import TrainedClassifier
from .model import Model
from .storage import TrainedNetwork, TrainedT, read_folder

__all__ = ["Located", "load", "locate", "shipped_models"]

_SHIPPED = Path(__file__).parents[1] / "shipped" / "models"


@attrs.frozen
class Located:
    """The location of a model.

    Parameters
    ----------
    folder
        The folder that holo-vae wrote.
    name, version
        Name and version in the registry; None for a model that is not from a registry.
    """

    folder: Path
    name: str | None = None
    version: str | None = None


def shipped_models() -> list[str]:
    """Return the names of the models that come with holo-vae; each has a model card, ``CARD.md``, beside its weights.

    Examples
    --------
    >>> shipped_models()
    ['microenvironment-fill-z128', 'microenvironment-z128', 'spherical-mnist-z16']
    """
    return sorted(path.parent.name for path in _SHIPPED.glob("*/model.json"))


@overload
def load(source: Path | str) -> Model | TrainedClassifier: ...


@overload
def load(source: Path | str, kind: type[TrainedT]) -> TrainedT: ...


def load(source: Path | str, kind: type[TrainedNetwork[Any]] | None = None) -> Any:
    """Load an autoencoder or a classifier.

    Parameters
    ----------
    source
        The name of a model that comes with holo-vae (see `shipped_models`); a folder that holo-vae wrote; or
        ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` in the registry that ``MLFLOW_TRACKING_URI`` names
        (extra ``mlflow``).
    kind
        `Model` or `TrainedClassifier`, for callers that can use only one of them; by default either is loaded.

    Raises
    ------
    FormatError
        If there is no such folder, or it holds no readable model.
    HoloError
        If the model is of another kind, the registry has no such model, or mlflow is not installed.

    Examples
    --------
    >>> load("spherical-mnist-z16").config.latent_dim
    16
    """
    kinds = (Model, TrainedClassifier) if kind is None else (kind,)
    found = locate(source)
    model = read_folder(found.folder, kinds)
    if found.name is None or found.version is None:
        return model
    return attrs.evolve(model, name=found.name, version=found.version)


def locate(source: Path | str) -> Located:
    """Find the folder of a model; a model in a registry is fetched first.

    Parameters
    ----------
    source
        As for `load`.

    Raises
    ------
    FormatError
        If there is no such folder.
    HoloError
        If the registry has no such model, or mlflow is not installed.

    Examples
    --------
    >>> locate("spherical-mnist-z16").folder.name
    'spherical-mnist-z16'
    """
    text = str(source)
    if text.startswith("models:/"):
        with extra("holo-vae[mlflow]"):
            from .registry import fetch_registered  # noqa: PLC0415
        found = fetch_registered(text)
        return Located(found.folder, found.name, found.version)
    folder = _SHIPPED / text if text in shipped_models() else Path(source)
    if not folder.is_dir():
        raise FormatError(
            f"{source}: no such model; name a folder that holo-vae wrote, models:/NAME@ALIAS, or one of "
            f"{', '.join(shipped_models())}"
        )
    return Located(folder)
