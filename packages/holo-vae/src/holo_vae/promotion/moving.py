"""Moving an alias that others may move too: MLflow has no compare-and-set, so promotions exclude each other by tags.

Every promotion of a model writes one tag while it measures, and another while it moves the alias. A process that wants
to move the alias writes its own tag first and then reads those of others. Of two that do so at the same time, at least
one sees the other, and a process that sees another withdraws and tries again. The alias is therefore read and moved by
one process at a time. A tag that stays unchanged for `STALE` seconds belongs to a process that was killed, and is
removed.
"""

import contextlib
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from holo_types import HoloError

__all__ = ["STALE", "Move", "alias_of", "promoting"]

STALE = 30.0  # seconds
_HOLD = STALE / 3  # seconds after which a mover that has stalled no longer moves
_PATIENCE = 10.0  # seconds that a promotion waits for others to finish
_FORGOTTEN = 3600.0  # seconds after which a promotion that is still marked as measuring counts as killed
_MOMENT = 1.0  # second within which those that began at the same time have written their tags
_LOOK = 0.1
_MEASURING, _MOVING = "promotion.measuring.", "promotion.moving."


def alias_of(model: RegisteredModel, alias: str) -> str | None:
    """Return the version that an alias points at."""
    version = model.aliases.get(alias)
    return None if version is None else str(version)


class Move:
    """A promotion in progress, made by `promoting`.

    Parameters
    ----------
    client, name, alias, version
        The client, the registered model, the alias, and the version that is to get the alias.
    """

    def __init__(self, client: mlflow.MlflowClient, name: str, alias: str, version: str) -> None:
        self._client, self._name, self._alias, self._version = client, name, alias, version
        self._key = f"{alias}.{uuid.uuid4().hex}"

    def current(self) -> str | None:
        """Return the version that the alias points at now."""
        return alias_of(self._model(), self._alias)

    def move(self, expected: str | None) -> bool:
        """Move the alias if it still points at the expected version; return whether it was moved.

        Parameters
        ----------
        expected
            The version that the candidate was compared with.

        Raises
        ------
        HoloError
            If other processes keep it from moving.
        """
        with self._alone() as since:
            if self.current() != expected:
                return False
            if time.monotonic() - since > _HOLD:
                raise HoloError(
                    f"models:/{self._name}: the registry takes more than {_HOLD:g} s to answer; nothing was moved"
                )
            self._client.set_registered_model_alias(self._name, self._alias, self._version)
        return True

    def settled(self) -> tuple[str | None, tuple[str, ...]]:
        """Wait for other promotions; return the version that the alias points at and those still being measured."""
        end = time.monotonic() + _PATIENCE
        time.sleep(_MOMENT)
        while (others := self._others(_MEASURING)) and time.monotonic() < end:
            time.sleep(_LOOK)
        return self.current(), tuple(sorted(others.values()))

    @contextmanager
    def _alone(self) -> Iterator[float]:
        """Keep others from moving the alias; yield the time at which this began."""
        key = _MOVING + self._key
        seen: dict[str, float] = {}
        while True:
            since = time.monotonic()
            self._client.set_registered_model_tag(self._name, key, f"{self._version} {time.time():.0f}")
            others = self._others(_MOVING)
            if not others:
                break
            self._forget(key)
            seen = {other: seen.get(other, since) for other in others}
            for other, first in seen.items():
                if since - first > STALE:
                    self._forget(other)
            time.sleep(random.uniform(_LOOK / 4, 2 * _LOOK))  # nosec B311 # who withdraws first is no secret
        try:
            yield since
        finally:
            self._forget(key)

    def _others(self, kind: str) -> dict[str, str]:
        """Return the tags of other promotions of this alias, with the versions that they promote."""
        found = {}
        for key, value in self._model().tags.items():
            if key.startswith(f"{kind}{self._alias}.") and not key.endswith(self._key):
                version, _, since = value.partition(" ")
                if kind == _MOVING or time.time() - float(since or 0) < _FORGOTTEN:
                    found[key] = version
        return found

    def _forget(self, key: str) -> None:
        with contextlib.suppress(MlflowException):  # another process may have removed it
            self._client.delete_registered_model_tag(self._name, key)

    def _model(self) -> RegisteredModel:
        return self._client.get_registered_model(self._name)


@contextmanager
def promoting(client: mlflow.MlflowClient, name: str, alias: str, version: str) -> Iterator[Move]:
    """Announce that a version is being measured for an alias, so that others that end meanwhile check once more."""
    move = Move(client, name, alias, version)
    key = _MEASURING + move._key
    client.set_registered_model_tag(name, key, f"{version} {time.time():.0f}")
    try:
        yield move
    finally:
        move._forget(key)
