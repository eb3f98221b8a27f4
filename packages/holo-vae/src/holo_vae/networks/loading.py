"""The only loaders of models: one that comes with holo-vae, a folder, or a model in an MLflow registry."""

from pathlib import Path

import attrs

from holo_types import FormatError
from holo_types.extras import extra

from .classifier import TrainedClassifier
from .model import Model
from .storage import TrainedT, read_folder

__all__ = ["load", "load_model", "shipped_models"]

_SHIPPED = Path(__file__).parents[1] / "shipped" / "models"


def shipped_models() -> list[str]:
    """Name the models that come with holo-vae; each has a model card, ``CARD.md``, beside its weights.

    Examples
    --------
    >>> shipped_models()
    ['microenvironment-z128', 'spherical-mnist-z16']
    """
    return sorted(path.parent.name for path in _SHIPPED.glob("*/model.json"))


def load(source: Path | str) -> Model | TrainedClassifier:
    """Load an autoencoder or a classifier.

    Parameters
    ----------
    source
        The name of a model that comes with holo-vae (see `shipped_models`); a folder that holo-vae wrote; or
        ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` in the registry that ``MLFLOW_TRACKING_URI`` names
        (extra ``mlflow``).

    Raises
    ------
    FormatError
        If there is no such folder, or it holds no readable model.
    HoloError
        If the registry has no such model, or mlflow is not installed.

    Examples
    --------
    >>> load("spherical-mnist-z16").config.latent_dim
    16
    """
    kinds: tuple[type[Model | TrainedClassifier], ...] = (Model, TrainedClassifier)
    return _load(source, kinds)


def load_model(source: Path | str) -> Model:
    """Load an autoencoder; the same as `load` for who can use nothing else.

    Parameters
    ----------
    source
        As of `load`.

    Raises
    ------
    FormatError, HoloError
        As of `load`; a HoloError also if the source holds a classifier.
    """
    return _load(source, (Model,))


def _load(source: Path | str, kinds: tuple[type[TrainedT], ...]) -> TrainedT:
    text = str(source)
    if text.startswith("models:/"):
        folder, name, version = _download(text)
        return attrs.evolve(read_folder(folder, kinds), name=name, version=version)
    folder = _SHIPPED / text if text in shipped_models() else Path(source)
    if not folder.is_dir():
        raise FormatError(
            f"{source}: no such model; give a folder that holo-vae wrote, models:/NAME@ALIAS, or one of "
            f"{', '.join(shipped_models())}"
        )
    return read_folder(folder, kinds)


def _download(uri: str) -> tuple[Path, str, str]:
    with extra("holo-vae[mlflow]"):
        from .registry import download_model  # noqa: PLC0415
    return download_model(uri)
