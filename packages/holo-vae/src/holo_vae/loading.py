"""The only loader of models: a folder, or a model in an MLflow registry."""

from pathlib import Path

import attrs

from holo_types import FormatError, HoloError

from .model import Model, read_model

__all__ = ["load"]


def load(source: Path | str) -> Model:
    """Load a model.

    Parameters
    ----------
    source
        A folder that holo-vae wrote, or ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` in the registry
        that ``MLFLOW_TRACKING_URI`` names (extra ``mlflow``).

    Raises
    ------
    FormatError
        If there is no such folder, or it holds no readable model.
    HoloError
        If the registry has no such model, or mlflow is not installed.
    """
    text = str(source)
    if text.startswith("models:/"):
        return _load_registered(text)
    folder = Path(source)
    if not folder.is_dir():
        raise FormatError(
            f"{source}: no such model; give a folder that holo-vae wrote, or models:/NAME@ALIAS"
        )
    return read_model(folder)


def _load_registered(uri: str) -> Model:
    try:
        from .tracking import download_model  # noqa: PLC0415  (mlflow is an extra)
    except ModuleNotFoundError as error:
        if error.name != "mlflow":
            raise
        raise HoloError(f"{uri}: needs mlflow; pip install 'holo-vae[mlflow]'") from None
    folder, name, version = download_model(uri)
    return attrs.evolve(read_model(folder), name=name, version=version)
