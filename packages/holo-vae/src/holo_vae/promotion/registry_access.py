"""The requests of promotions to a registry, which must answer soon."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from holo_types import HoloError
from holo_vae.networks.registry import open_registry
from holo_vae.networks.stores import brief_requests, reason, shown

__all__ = ["alias_version", "asked", "check_alias", "check_version", "current_version", "registered_model"]

_ALIAS = re.compile(r"[\w-]{1,255}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)
_VERSION = re.compile(r"[1-9]\d*")


def check_alias(alias: str) -> None:
    """Refuse a name that cannot be an alias, before anything is trained or measured for it.

    Raises
    ------
    HoloError
        If it cannot; the message says what an alias must be.

    Examples
    --------
    >>> check_alias("champion")
    """
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise HoloError(
            f"the alias is {alias!r}; it must be letters, digits, - and _, and neither 'latest' nor like 'v1'"
        )


def check_version(version: str) -> None:
    """Refuse text that is not the number of a version."""
    if not _VERSION.fullmatch(version):
        raise HoloError(f"the version is {version!r}; it must be a number, such as 3")


def alias_version(name: str, alias: str, *, store: str | None = None) -> str | None:
    """Return the version that an alias points at; None if there is no such alias.

    Parameters
    ----------
    name, alias
        The registered model, and its alias.
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.

    Raises
    ------
    HoloError
        If the registry does not answer or lacks the model.
    """
    with asked(f"models:/{name}@{alias}", store) as (client, _):
        return current_version(client, name, alias)


@contextmanager
def asked(what: str, store: str | None) -> Iterator[tuple[mlflow.MlflowClient, str]]:
    """Connect to a registry that must answer soon, and reword its errors."""
    client, uri = open_registry(store)
    with brief_requests():
        try:
            yield client, uri
        except MlflowException as error:
            raise HoloError(f"{what}: the registry at {shown(uri)} refuses ({reason(error)})") from None


def registered_model(client: mlflow.MlflowClient, name: str) -> RegisteredModel:
    """Return a registered model, with its aliases and tags."""
    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        raise HoloError(f"models:/{name}: not found in the registry ({reason(error)})") from None


def current_version(client: mlflow.MlflowClient, name: str, alias: str) -> str | None:
    """Return the version that an alias points at; None if there is no such alias."""
    version = registered_model(client, name).aliases.get(alias)
    return None if version is None else str(version)
