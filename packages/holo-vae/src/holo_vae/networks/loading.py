"""The only loader of models: of one that comes with holo-vae, from a folder, or from an MLflow registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import attrs

from holo_types import FormatError
from holo_types.extras import extra

from .classifier import TrainedClassifier
from .model import Model
from .storage import TrainedNetwork, TrainedT, read_folder

if TYPE_CHECKING:
    from .registry import Registered

__all__ = ["load", "shipped_models"]

_SHIPPED = Path(__file__).parents[1] / "shipped" / "models"


def shipped_models() -> list[str]:
    """Name the models that come with holo-vae; each has a model card, ``CARD.md``, beside its weights.

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
        `Model` or `TrainedClassifier`, for who can use nothing else; by default whichever it is.

    Raises
    ------
    FormatError
        If there is no such folder, or it holds no readable model.
    HoloError
        If it is of another kind, the registry has no such model, or mlflow is not installed.

    Examples
    --------
    >>> load("spherical-mnist-z16").config.latent_dim
    16
    """
    kinds = (Model, TrainedClassifier) if kind is None else (kind,)
    text = str(source)
    if text.startswith("models:/"):
        found = _fetch(text)
        return attrs.evolve(read_folder(found.folder, kinds), name=found.name, version=found.version)
    folder = _SHIPPED / text if text in shipped_models() else Path(source)
    if not folder.is_dir():
        raise FormatError(
            f"{source}: no such model; give a folder that holo-vae wrote, models:/NAME@ALIAS, or one of "
            f"{', '.join(shipped_models())}"
        )
    return read_folder(folder, kinds)


def _fetch(uri: str) -> "Registered":
    with extra("holo-vae[mlflow]"):
        from .registry import fetch_registered  # noqa: PLC0415
    return fetch_registered(uri)
