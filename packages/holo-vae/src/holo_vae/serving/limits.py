"""The limits of a request to the embedding service, and the refusal of requests that exceed them."""

import json
import time
from collections.abc import Mapping

import attrs
from attrs.validators import gt

from holo_types import HoloError

__all__ = ["Deadline", "Limits", "RefusedRequest"]

_PREFIX = "HOLO_SERVING_"
_MLFLOW_SECONDS = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"
_STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
    "ENDPOINT_NOT_FOUND": 404,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RESOURCE_EXHAUSTED": 429,
    "TEMPORARILY_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL_ERROR": 500,
}


class RefusedRequest(Exception):
    """A request that gets no embeddings; the client receives a status and one line that quotes nothing of the request.

    It can be raised without MLflow, which processes that decode do not load; `ServedModel.predict` converts it to one
    of MLflow's exceptions.

    Parameters
    ----------
    reason
        The line for the client.
    error_code
        It determines the status, and is one of MLflow's codes, or `UNSUPPORTED_MEDIA_TYPE`, which MLflow lacks; by
        default that of bad input, 400.
    """

    def __init__(self, reason: str, error_code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(reason)
        self.reason = reason
        self.error_code = error_code

    def get_http_status_code(self) -> int:
        """Return the status of the response."""
        return _STATUS[self.error_code]

    def serialize_as_json(self) -> str:
        """Return the body of the response; the body that MLflow would write contains a copy of the request."""
        return json.dumps({"error_code": self.error_code, "message": self.reason})


@attrs.frozen(kw_only=True)
class Limits:
    """The limits of one request.

    Parameters
    ----------
    max_bytes
        Bytes of the request, and of its structures after they are unpacked.
    max_residues
        Rows of the answer: residues or holograms.
    max_seconds
        Seconds until the answer.
    max_memory
        Bytes that decoding the request's structures may take, beyond what the process uses while it waits (Linux).

    Raises
    ------
    ValueError
        If a limit is not > 0.

    Examples
    --------
    >>> Limits(max_residues=500)
    Limits(max_bytes=16777216, max_residues=500, max_seconds=50.0, max_memory=1073741824)
    """

    max_bytes: int = attrs.field(default=2**24, validator=gt(0))
    max_residues: int = attrs.field(default=10_000, validator=gt(0))
    max_seconds: float = attrs.field(default=50.0, validator=gt(0))
    max_memory: int = attrs.field(default=2**30, validator=gt(0))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "Limits":
        """Read ``HOLO_SERVING_MAX_BYTES``, ``..._RESIDUES``, ``..._SECONDS`` and ``..._MEMORY``.

        The time is at most the timeout of the scoring server, after which nobody waits for the answer.

        Raises
        ------
        HoloError
            If one of them is not a number > 0.

        Examples
        --------
        >>> Limits.from_environment({"HOLO_SERVING_MAX_SECONDS": "5"}).max_seconds
        5.0
        """
        limits = cls()
        for field in attrs.fields(cls):
            variable = _PREFIX + field.name.upper()
            if variable not in variables:
                continue
            number = type(field.default)
            try:
                limits = attrs.evolve(limits, **{field.name: number(variables[variable])})
            except ValueError:
                must = "an integer" if number is int else "a number"
                raise HoloError(f"{variable} is {variables[variable]!r}; it must be {must} > 0") from None
        answered = float(variables.get(_MLFLOW_SECONDS, "inf"))
        return attrs.evolve(limits, max_seconds=min(limits.max_seconds, answered))


@attrs.frozen
class Deadline:
    """The time at which a request expires.

    Parameters
    ----------
    seconds
        The seconds that it has.
    used
        How many of them are over.
    """

    seconds: float
    used: float = 0.0
    _started: float = attrs.field(factory=time.monotonic, init=False)

    @property
    def left(self) -> float:
        """The seconds that are left; negative once the time is over."""
        return self._started + self.seconds - self.used - time.monotonic()

    def check(self) -> None:
        """Give up on a request that has expired.

        Raises
        ------
        RefusedRequest
            With status 504.
        """
        if self.left < 0:
            raise RefusedRequest(
                f"the request takes more than {self.seconds:g} s; send fewer residues at a time",
                "DEADLINE_EXCEEDED",
            )
