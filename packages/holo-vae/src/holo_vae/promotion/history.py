"""The history of an alias: tags of the registered model, one for each event, which are never overwritten."""

import getpass
import json
import socket
import time
import uuid
from collections.abc import Mapping
from typing import Literal

import attrs
import cattrs
import mlflow

__all__ = ["Event", "Happening", "events_of", "note_event"]

_TAG = "promotion.history."
_MOST = 5000  # characters of a tag, in some of the registry's databases
Happening = Literal["promoted", "refused", "rolled back", "overtaken"]


@attrs.frozen(kw_only=True)
class Event:
    """An event in the history of an alias.

    Parameters
    ----------
    time
        The time in UTC, as ``2026-01-31T12:00:00.000000Z``.
    happening
        ``"promoted"`` or ``"rolled back"``, which move the alias; ``"refused"``, which does not; or ``"overtaken"`` by
        a promotion at the same time, which does not move it for long.
    alias, version
        The alias, and the version that was to get it.
    previous
        The version that had the alias before; None for the first one.
    by
        The user and the machine.
    data
        The data that was measured on, and the number of rows.
    figures
        The measured figures, by the names of the checks.
    """

    time: str
    happening: Happening
    alias: str
    version: str
    previous: str | None
    by: str
    data: str = ""
    figures: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def moved(self) -> bool:
        """Whether the alias was moved."""
        return self.happening in ("promoted", "rolled back")


_converter = cattrs.Converter()


def note_event(
    client: mlflow.MlflowClient,
    name: str,
    happening: Happening,
    *,
    alias: str,
    version: str,
    previous: str | None,
    data: str = "",
    figures: Mapping[str, str] | None = None,
) -> Event:
    """Add an event with the current time to the history of a registered model."""
    now = time.time_ns()
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    event = Event(
        time=f"{second}.{now % 10**9 // 1000:06d}Z",
        happening=happening,
        alias=alias,
        version=version,
        previous=previous,
        by=_who(),
        data=data,
        figures=figures or {},
    )
    key = f"{_TAG}{event.time.replace(':', '')}-{uuid.uuid4().hex[:8]}"
    client.set_registered_model_tag(name, key, _text(event))
    return event


def events_of(tags: Mapping[str, str], alias: str) -> tuple[Event, ...]:
    """Return the events of an alias, the oldest first, from the tags of a registered model.

    Examples
    --------
    >>> events_of({"promotion.history.1": "{}", "owner": "us"}, "champion")
    ()
    """
    found = []
    for key, value in tags.items():
        if key.startswith(_TAG):
            try:
                event = _converter.structure(json.loads(value), Event)
            except (ValueError, cattrs.BaseValidationError):
                continue  # not one of our tags
            if event.alias == alias:
                found.append(event)
    return tuple(sorted(found, key=lambda event: event.time))


def _text(event: Event) -> str:
    """Write an event as text, with as many of its figures as a tag holds."""
    plain = _converter.unstructure(event)
    figures = list(event.figures.items())
    while len(text := json.dumps(plain | {"figures": dict(figures)}, ensure_ascii=False)) > _MOST and figures:
        figures.pop()
    return text


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
