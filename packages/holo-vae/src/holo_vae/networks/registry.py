"""Models fetched from an MLflow registry (extra ``mlflow``)."""

from pathlib import Path

import attrs
import mlflow
from mlflow.exceptions import MlflowException

from holo_types import HoloError

__all__ = ["Registered", "fetch_registered", "reason"]


@attrs.frozen
class Registered:
    """A model fetched from a registry.

    Parameters
    ----------
    root
        Folder of what was logged with it.
    folder
        The model's own, in `root`.
    name, version
        In the registry.
    """

    root: Path
    folder: Path
    name: str
    version: str


def fetch_registered(uri: str, store: str | None = None) -> Registered:
    """Fetch a registered model.

    Parameters
    ----------
    uri
        ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.

    Raises
    ------
    HoloError
        If the registry has no such model, or it is none of ours.
    """
    store = store or mlflow.get_tracking_uri()
    try:
        reference = uri.removeprefix("models:/")
        if "@" in reference:
            name, alias = reference.split("@", 1)
            version = mlflow.MlflowClient(store).get_model_version_by_alias(name, alias).version
        else:
            name, _, version = reference.partition("/")
        root = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", tracking_uri=store))
    except (MlflowException, OSError) as error:
        raise HoloError(f"{uri}: not found in the registry at {store} ({reason(error)})") from None
    found = sorted(root.glob("data/*/model.json"))
    if len(found) != 1:
        raise HoloError(f"{uri}: is no holo-vae model")
    return Registered(root, found[0].parent, name, str(version))


def reason(error: Exception) -> str:
    """Return the beginning of what a store's error says."""
    first = (str(error).splitlines() or [""])[0]
    return first if len(first) <= 160 else f"{first[:160]}…"
