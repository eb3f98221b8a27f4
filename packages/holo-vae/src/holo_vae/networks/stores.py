"""MLflow's stores: messages about them show no password, and a store that is gone is noticed soon."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from holo_types import HoloError

__all__ = ["MASK", "brief_requests", "check_store", "reason", "shown"]

MASK = "***"
_PASSWORD = re.compile(r"(://[^/:@\s]*):[^/\s]*@")
_PARAMETER = re.compile(r"([?&](?:password|passwd|token|sslpassword)=)[^&\s]*", re.IGNORECASE)
_SQLITE = "sqlite:///"
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 8.0


def shown(text: str) -> str:
    """Return a text, such as a store's URI or an error that quotes it, with ``***`` in place of every password.

    Examples
    --------
    >>> shown("postgresql://holo:a:b@c@db.example.org/mlflow?sslmode=require")
    'postgresql://holo:***@db.example.org/mlflow?sslmode=require'
    >>> shown("sqlite:////runs/mlflow.db")
    'sqlite:////runs/mlflow.db'
    """
    return _PARAMETER.sub(rf"\g<1>{MASK}", _PASSWORD.sub(rf"\g<1>:{MASK}@", text))


def reason(error: Exception) -> str:
    """Return the beginning of a store's error message, without passwords."""
    first = shown((str(error).splitlines() or [""])[0])
    return first if len(first) <= 160 else f"{first[:160]}…"


@contextmanager
def brief_requests(seconds: float = _ANSWER_SECONDS) -> Iterator[None]:
    """Make requests of MLflow fail soon, unless the user has set the number of tries or the timeout.

    MLflow's own retries take minutes.

    Parameters
    ----------
    seconds
        How long a request may take.
    """
    settings = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{seconds:g}",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    ours = [name for name in settings if name not in os.environ]
    os.environ.update({name: settings[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def check_store(uri: str) -> None:
    """Check within seconds that a store is there; MLflow itself tries for minutes to reach a database.

    Parameters
    ----------
    uri
        A tracking URI of a server, a database or a file.

    Raises
    ------
    HoloError
        If nothing answers at its address, or there is no such file.
    """
    if uri.startswith(_SQLITE):
        path = Path(uri.removeprefix(_SQLITE).partition("?")[0])
        if not path.is_file():
            raise HoloError(f"{shown(uri)}: there is no such file; name the store that has the model")
        return
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    except ValueError:
        raise HoloError(f"{shown(uri)}: is not the address of a store") from None
    if host is None or port is None:
        return  # one of MLflow's own kinds, such as databricks
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise HoloError(f"{shown(uri)}: the store does not answer ({error})") from None
    if parts.scheme in ("http", "https"):
        _check_answers(uri)


def _check_answers(uri: str) -> None:
    """Check that a server answers at all; what it answers is left to MLflow."""
    import requests  # noqa: PLC0415 - it comes with mlflow

    try:
        requests.head(f"{uri.rstrip('/')}/health", timeout=_ANSWER_SECONDS)
    except requests.Timeout:
        raise HoloError(
            f"{shown(uri)}: the store does not answer (nothing came within {_ANSWER_SECONDS:g} s)"
        ) from None
    except requests.RequestException:
        pass  # such as an unknown certificate, about which MLflow says more
