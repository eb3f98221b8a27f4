"""The settings of the service: each is an environment variable and an option of ``holo-vae serve``."""

import difflib
import os
from collections.abc import Mapping
from typing import Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types import HoloError
from holo_vae.serving.limits import Limits

__all__ = ["PREFIX", "Settings", "check_variables", "variable_of"]

PREFIX = "HOLO_SERVING_"
_MODEL = "HOLO_MODEL"
_DAY = 86_400
_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def variable_of(setting: str) -> str:
    """Return the environment variable of a setting.

    Examples
    --------
    >>> variable_of("max_bytes"), variable_of("model")
    ('HOLO_SERVING_MAX_BYTES', 'HOLO_MODEL')
    """
    return _MODEL if setting == "model" else PREFIX + setting.upper()


def _given(setting: str, least: int = 0, most: int | None = None, above: int | None = None) -> Parameter:
    low = Number(gte=least, lte=most) if above is None else Number(gt=above, lte=most)
    return Parameter(env_var=variable_of(setting), validator=low)


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of the embedding service.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    host
        The address to listen on.
    port
        The port to listen on.
    workers
        Number of processes that share the work.
    max_bytes
        Bytes of a request, and of its structures after they are unpacked.
    max_residues
        Rows of an answer: residues or holograms.
    max_seconds
        Seconds that a request may take, not counting the time that it waits for others.
    max_memory
        Bytes of memory that decoding a request's structures may take (Linux).
    max_queue
        Requests that are being answered or are waiting; further ones get status 429 and the time to try again.
    max_connections
        Connections that are open at once; beyond that, those whose requests have been incomplete longest are closed.
    header_seconds
        Seconds within which the headers of a request must arrive, and each 16 KiB of its body.
    stop_seconds
        Seconds that requests in progress have after a SIGTERM.
    refresh_seconds
        Seconds between checks whether the alias in the registry points at another version.
    index
        Folder of a search index of the model, in which neighbors are searched for; by default there is none.

    Examples
    --------
    >>> Settings(max_residues=500).limits.max_residues
    500
    """

    model: Annotated[str, Parameter(env_var=_MODEL)] = "microenvironment-z128"
    host: Annotated[str, Parameter(env_var=variable_of("host"))] = "127.0.0.1"
    port: Annotated[int, _given("port", 1, 65_535)] = 5001
    workers: Annotated[int, _given("workers", 1, 1024)] = _PROCESSORS
    max_bytes: Annotated[int, _given("max_bytes", 1)] = 2**24
    max_residues: Annotated[int, _given("max_residues", 1)] = 10_000
    max_seconds: Annotated[float, _given("max_seconds", above=0, most=_DAY)] = 50.0
    max_memory: Annotated[int, _given("max_memory", 1)] = 2**30
    max_queue: Annotated[int, _given("max_queue", 1, 10_000)] = 64
    max_connections: Annotated[int, _given("max_connections", 1)] = 512
    header_seconds: Annotated[float, _given("header_seconds", above=0, most=_DAY)] = 10.0
    stop_seconds: Annotated[float, _given("stop_seconds", above=0, most=_DAY)] = 60.0
    refresh_seconds: Annotated[float, _given("refresh_seconds", above=0, most=_DAY)] = 30.0
    index: Annotated[str, Parameter(env_var=variable_of("index"))] = ""

    @property
    def limits(self) -> Limits:
        """The limits of one request."""
        return Limits(
            max_bytes=self.max_bytes,
            max_residues=self.max_residues,
            max_seconds=self.max_seconds,
            max_memory=self.max_memory,
        )


def check_variables(variables: Mapping[str, str]) -> None:
    """Refuse an environment variable that looks like a setting but is not.

    Raises
    ------
    HoloError
        If there is one; the message names the setting that may be meant.

    Examples
    --------
    >>> check_variables({"HOLO_SERVING_WORKER": "4"})
    Traceback (most recent call last):
    holo_types.errors.HoloError: HOLO_SERVING_WORKER is not a setting of the service; HOLO_SERVING_WORKERS is
    """
    known = [variable_of(field.name) for field in attrs.fields(Settings)]
    for name in variables:
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, 1, cutoff=0)
            raise HoloError(f"{name} is not a setting of the service; {close[0]} is")
