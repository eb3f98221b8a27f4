"""MLflow's stores, as they are spoken of and asked: no password is shown, and one that is gone is noticed soon."""

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
    """Return a text, such as a store's URI or an error that quotes it, with ``***`` for every password.

    Examples
    --------
    >>> shown("postgresql://holo:a:b@c@db.example.org/mlflow?sslmode=require")
    'postgresql://holo:***@db.example.org/mlflow?sslmode=require'
    >>> shown("sqlite:////runs/mlflow.db")
    'sqlite:////runs/mlflow.db'
    """
    return _PARAMETER.sub(rf"\g<1>{MASK}", _PASSWORD.sub(rf"\g<1>:{MASK}@", text))


def reason(error: Exception) -> str:
    """Return the beginning of what a store's error says, without passwords."""
    first = shown((str(error).splitlines() or [""])[0])
    return first if len(first) <= 160 else f"{first[:160]}…"


@contextmanager
def brief_requests(seconds: float = _ANSWER_SECONDS) -> Iterator[None]:
    """Let requests of MLflow fail soon, unless the user has set how often and how long it tries.

    MLflow's own retries take minutes.

    Parameters
    ----------
    seconds
        How long an answer may take.
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
    """See that a store is there, within seconds; MLflow itself tries for minutes to reach a database.

    Parameters
    ----------
    uri
        A tracking URI: of a server, a database or a file.

    Raises
    ------
    HoloError
        If nothing listens at its address or answers there, or there is no such file.
    """
    if uri.startswith(_SQLITE):
        path = Path(uri.removeprefix(_SQLITE).partition("?")[0])
        if not path.is_file():
            raise HoloError(f"{shown(uri)}: there is no such file; give the store that has the model")
        return
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    except ValueError:
        raise HoloError(f"{shown(uri)}: is no address of a store") from None
    if host is None or port is None:
        return  # a kind of MLflow's own, such as databricks
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise HoloError(f"{shown(uri)}: the store does not answer ({error})") from None
    if parts.scheme in ("http", "https"):
        _check_answers(uri)


def _check_answers(uri: str) -> None:
    """See that a server says anything at all; what it says is for MLflow."""
    import requests  # noqa: PLC0415 - it comes with mlflow

    try:
        requests.head(f"{uri.rstrip('/')}/health", timeout=_ANSWER_SECONDS)
    except requests.Timeout:
        raise HoloError(
            f"{shown(uri)}: the store does not answer (nothing came within {_ANSWER_SECONDS:g} s)"
        ) from None
    except requests.RequestException:
        pass  # such as a certificate that is not known, of which MLflow tells more
