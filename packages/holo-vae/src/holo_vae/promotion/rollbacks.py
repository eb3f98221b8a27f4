"""Rollback of an alias to its previous version, and its history (extra ``mlflow``)."""

from collections.abc import Sequence

import mlflow
from mlflow.exceptions import MlflowException

from holo_types import HoloError
from holo_vae.networks.stores import reason

from .history import Event, events_of, note_event
from .moving import promoting
from .registry_access import asked, check_alias, current_version, registered_model

__all__ = ["promotion_history", "rollback", "version_before"]


def rollback(name: str, alias: str = "champion", *, store: str | None = None) -> Event:
    """Move an alias back to the version that it pointed at before, according to its history.

    A second rollback goes back by one more promotion.

    Parameters
    ----------
    name, alias
        The registered model, and its alias.
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.

    Returns
    -------
    Event
        The event, as recorded in the history.

    Raises
    ------
    HoloError
        If the registry does not answer or lacks the model or the alias, or no earlier version of the alias is known.
    """
    check_alias(alias)
    with asked(f"models:/{name}@{alias}", store) as (client, _):
        model = registered_model(client, name)
        current = current_version(client, name, alias)
        if current is None:
            raise HoloError(f"models:/{name} has no alias {alias}; there is nothing to roll back")
        before = version_before(events_of(model.tags, alias), current)
        if before is None:
            raise HoloError(f"models:/{name}@{alias} is version {current}; its history has none before that")
        _check_there(client, name, before)
        with promoting(client, name, alias, before) as move:
            if not move.move(current):
                raise HoloError(
                    f"models:/{name}@{alias} was moved meanwhile; look at its history, and try again"
                )
            return note_event(client, name, "rolled back", alias=alias, version=before, previous=current)


def version_before(events: Sequence[Event], current: str) -> str | None:
    """Return the version that had the alias before the current one, ignoring promotions that were rolled back.

    Parameters
    ----------
    events
        The history of an alias, the oldest first.
    current
        The version that has the alias now.
    """
    held: list[str] = []
    for event in events:
        if event.happening == "promoted":
            if event.previous is not None and (not held or held[-1] != event.previous):
                held.append(event.previous)
            held.append(event.version)
        elif event.happening == "rolled back" and held:
            held.pop()
    if held and held[-1] == current:
        held.pop()
    return held[-1] if held else None


def promotion_history(name: str, alias: str = "champion", *, store: str | None = None) -> tuple[Event, ...]:
    """Return the history of an alias, the oldest event first: which versions had it when, and with which figures.

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
    with asked(f"models:/{name}", store) as (client, _):
        return events_of(registered_model(client, name).tags, alias)


def _check_there(client: mlflow.MlflowClient, name: str, version: str) -> None:
    try:
        client.get_model_version(name, version)
    except MlflowException as error:
        raise HoloError(
            f"models:/{name}/{version} had the alias before and is gone ({reason(error)})"
        ) from None
