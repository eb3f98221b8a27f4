"""Models fetched from an MLflow registry (extra ``mlflow``)."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs
import mlflow
from mlflow.exceptions import MlflowException

from holo_types import HoloError

from .stores import brief_requests, check_store, reason, shown

__all__ = ["Registered", "fetch_registered", "open_registry", "place_beside", "where_now"]

_SQLITE = "sqlite:///"
_ARTIFACTS = "mlartifacts"  # folder beside a store that is a file
_VERSION = re.compile(r"[1-9]\d*")


@attrs.frozen
class Registered:
    """A model fetched from a registry.

    Parameters
    ----------
    root
        Folder of everything that was logged with the model.
    folder
        The folder of the model, inside `root`.
    name, version
        Name and version in the registry.
    """

    root: Path
    folder: Path
    name: str
    version: str


def open_registry(store: str | None = None) -> tuple[mlflow.MlflowClient, str]:
    """Connect to a registry, after checking that it answers.

    Parameters
    ----------
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.

    Returns
    -------
    tuple
        The client and the URI.

    Raises
    ------
    HoloError
        If the registry does not answer, which takes seconds to find out, or MLflow does not support such a store.
    """
    uri = store or mlflow.get_tracking_uri()
    check_store(uri)
    try:
        return mlflow.MlflowClient(uri, uri), uri
    except MlflowException as error:  # such as a plain folder, which MLflow no longer supports
        raise HoloError(f"{shown(uri)}: cannot be used as a store ({reason(error)})") from None


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
        If the registry has no such model or does not answer, or the model is not a holo-vae model.
    """
    reference = uri.removeprefix("models:/")
    name, at, alias = reference.partition("@")
    if not at:
        name, _, version = reference.partition("/")
        if not _VERSION.fullmatch(version):
            raise HoloError(f"{uri}: the version is {version!r}; it must be a number, such as 3")
    client, place = open_registry(store)
    with brief_requests():
        try:
            if at:
                version = str(client.get_model_version_by_alias(name, alias).version)
            # Not models:/NAME/VERSION, which MLflow always looks up in its own store, whatever store is named.
            source = where_now(client.get_model_version_download_uri(name, version), place)
            root = Path(mlflow.artifacts.download_artifacts(source, tracking_uri=place, registry_uri=place))
        except (MlflowException, OSError) as error:
            raise HoloError(f"{uri}: not found in the registry at {shown(place)} ({reason(error)})") from None
    found = sorted(root.glob("data/*/model.json"))
    if len(found) != 1:
        raise HoloError(f"{uri}: is not a holo-vae model")
    return Registered(root, found[0].parent, name, version)


def where_now(source: str, store: str) -> str:
    """Return the current location of artifacts beside a store that is a file, since its folder may have been moved.

    MLflow keeps absolute paths. Artifacts in the folder that holds the store now take precedence: the folder that it
    was copied from may still exist, with other content.

    Parameters
    ----------
    source
        URI of the artifacts as recorded in the store.
    store
        URI of the store.
    """
    here = place_beside(source, store)
    return here.as_uri() if here is not None and here.exists() else source


def place_beside(source: str, store: str) -> Path | None:
    """Return where artifacts lie that MLflow keeps beside a store that is a file, wherever the two were before.

    Parameters
    ----------
    source
        URI of the artifacts as recorded in the store.
    store
        URI of the store.

    Returns
    -------
    Path or None
        None if the store is not a file, or its artifacts are kept elsewhere.

    Examples
    --------
    >>> place_beside("file:///old/run/mlartifacts/1/f00/artifacts", "sqlite:////new/mlflow.db").as_posix()
    '/new/mlartifacts/1/f00/artifacts'
    >>> place_beside("file:///etc", "sqlite:////new/mlflow.db") is None
    True
    """
    parts = urlsplit(source)
    if not store.startswith(_SQLITE) or parts.scheme not in ("", "file"):
        return None
    path = Path(url2pathname(parts.path))
    if _ARTIFACTS not in path.parts or ".." in path.parts:
        return None
    inside = path.parts[path.parts.index(_ARTIFACTS) :]
    return Path(store.removeprefix(_SQLITE)).resolve().parent.joinpath(*inside)
