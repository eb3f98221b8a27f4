"""The embedding service: MLflow's scoring server, and before it what it does not check by itself.

MLflow reads a request of any size, and answers one that it cannot parse with a copy of it. The guard reads no
more than the limit, takes nothing but JSON of MLflow's forms, and words every refusal in one line.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
from mlflow.pyfunc import PyFuncModel, scoring_server

from holo_vae.networks.loading import load
from holo_vae.networks.model import Model

from .limits import Limits, RefusedRequest
from .logged import write_served

__all__ = ["Guard", "create_app"]

# The protocol's own words, of ASGI 3.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")
_JSON = "application/json"


class Guard:
    """An ASGI application before MLflow's scoring server.

    Parameters
    ----------
    app
        The scoring server.
    limits
        What one request may ask for.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI's entry point)."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            body = await self._body(receive)
            _check_content_type(scope)
            await asyncio.to_thread(_check_form, body)
        except RefusedRequest as refused:
            await _answer(send, refused.get_http_status_code(), refused.serialize_as_json().encode())
        else:
            await self.app(scope, _replay(body, receive), _one_line_errors(send))

    async def _body(self, receive: Receive) -> bytes:
        """Read a body; one that is too long to its end, without keeping it, as else the caller hears nothing."""
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self.limits.max_seconds):
                while more:
                    message = await receive()
                    part = message.get("body", b"")
                    size += len(part)
                    if size <= self.limits.max_bytes:
                        parts.append(part)
                    else:
                        parts.clear()
                    more = message.get("more_body", False)
        except TimeoutError:
            raise RefusedRequest("the request comes too slowly", "DEADLINE_EXCEEDED") from None
        if size > self.limits.max_bytes:
            raise RefusedRequest(f"the request has more than {self.limits.max_bytes} bytes")
        return b"".join(parts)


def create_app() -> Guard:
    """Make the service of the model that ``HOLO_MODEL`` names; its limits are environment variables too.

    The name is one that `holo_vae.load` takes.

    Raises
    ------
    HoloError
        If a limit is no number, or there is no such model.
    """
    limits = Limits.from_environment(os.environ)
    return Guard(scoring_server.init(_served(os.environ["HOLO_MODEL"])), limits)


def _served(source: str) -> PyFuncModel:
    """Load a model of the registry, or put another into MLflow's form first."""
    with TemporaryDirectory() as folder:
        written = source
        if not source.startswith("models:/"):
            written = str(Path(folder, "model"))
            write_served(load(source, Model), Path(written))
        served: PyFuncModel = mlflow.pyfunc.load_model(written)
    return served


def _check_content_type(scope: Scope) -> None:
    found = [text for name, text in scope["headers"] if name.lower() == b"content-type"]
    if len(found) != 1 or found[0].split(b";")[0].strip().lower() != _JSON.encode():
        raise RefusedRequest(f"the request's content type must be {_JSON}", "BAD_REQUEST")


def _check_form(body: bytes) -> None:
    """Refuse what MLflow would quote, or would not notice."""
    try:
        request = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedRequest(
            "the request is no JSON, or one that is nested too deeply", "BAD_REQUEST"
        ) from None
    if not isinstance(request, dict) or len(request) != 1 or next(iter(request)) not in _FORMS:
        raise RefusedRequest(
            f"the request must be a JSON object with one key, which is one of {', '.join(_FORMS)}",
            "BAD_REQUEST",
        )


def _refuse_constant(name: str) -> None:
    raise RefusedRequest(f"the request holds {name}, which is no JSON", "BAD_REQUEST")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a body that was read once more, and then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _one_line_errors(send: Send) -> Send:
    """Put a line of ours in place of an error that MLflow words itself."""
    held: list[Message] = []

    async def checked(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            held.append(message)
        elif held:
            held.append(message)
            if not message.get("more_body", False):
                status = held[0]["status"]
                await _answer(send, status, _worded(status, b"".join(m.get("body", b"") for m in held)))
        else:
            await send(message)

    return checked


def _worded(status: int, body: bytes) -> bytes:
    try:
        if set(json.loads(body)) == {"error_code", "message"}:  # ours: MLflow's have a class too
            return body
    except ValueError:
        pass  # such as that of a request which took too long
    reason = {
        504: "the request takes too long; send fewer residues at a time",
        500: "the service failed; its log says why",
    }.get(status, "the rows of the request are not in the form that its key says")
    return RefusedRequest(reason, "BAD_REQUEST").serialize_as_json().encode()


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", _JSON.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
