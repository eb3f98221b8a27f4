"""Reading the body of a request, and the rows in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from holo_vae.serving.limits import RefusedRequest

from .answers import JSON

__all__ = ["BodyReader", "Gone", "Message", "Receive", "Scope", "Send", "check_content_type", "records_of"]

# The terms of the protocol, ASGI 3.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")
_ROWS = "the rows of the request are not in the form that its key says"


class Gone(Exception):
    """The client has disconnected."""


class BodyReader:
    """A reader of bodies that keeps a limited number of bytes at once.

    Parameters
    ----------
    max_bytes
        The maximum length of a body.
    max_seconds
        The seconds within which a body must arrive.
    kept_bytes
        The maximum total length of bodies that have not been answered yet.
    """

    def __init__(self, max_bytes: int, max_seconds: float, kept_bytes: int) -> None:
        self._max_bytes, self._max_seconds, self._kept_bytes = max_bytes, max_seconds, kept_bytes
        self._kept = 0

    @contextlib.asynccontextmanager
    async def reading(self, receive: Receive) -> AsyncIterator[bytes]:
        """Read a body, and keep it while it is used.

        A body that is too long is read to its end without keeping it; otherwise the client would not see the answer.

        Raises
        ------
        RefusedRequest
            If the body is too long, arrives too slowly, or (status 429) others fill the memory.
        Gone
            If the client has disconnected.
        """
        parts: list[bytes] = []
        try:
            await self._read(receive, parts)
            parts[:] = [b"".join(parts)]
            yield parts[0]
        finally:
            self._kept -= sum(map(len, parts))

    async def _read(self, receive: Receive, parts: list[bytes]) -> None:
        size, more = 0, True
        refused: RefusedRequest | None = None
        try:
            async with asyncio.timeout(self._max_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    part = message.get("body", b"")
                    size += len(part)
                    more = message.get("more_body", False)
                    if refused is None and size > self._max_bytes:
                        refused = RefusedRequest(f"the request has more than {self._max_bytes} bytes")
                    elif refused is None and self._kept + len(part) > self._kept_bytes:
                        refused = RefusedRequest("too many requests are under way", "RESOURCE_EXHAUSTED")
                    if refused is None:
                        parts.append(part)
                        self._kept += len(part)
                    else:
                        self._kept -= sum(map(len, parts))
                        parts.clear()
        except TimeoutError:
            raise RefusedRequest("the request comes too slowly", "DEADLINE_EXCEEDED") from None
        if refused is not None:
            raise refused


def check_content_type(scope: Scope) -> None:
    """Refuse a request whose content type is not JSON.

    Raises
    ------
    RefusedRequest
        If the content type is missing or different.
    """
    found = [text for name, text in scope["headers"] if name.lower() == b"content-type"]
    if len(found) != 1 or found[0].split(b";")[0].strip().lower() != JSON.encode():
        raise RefusedRequest(f"the request's content type must be {JSON}", "BAD_REQUEST")


def records_of(body: bytes) -> list[dict[str, object]]:
    """Return the rows of a request, which must have one of the formats of MLflow's scoring server.

    Raises
    ------
    RefusedRequest
        If it has none of them; the message quotes nothing of it.

    Examples
    --------
    >>> records_of(b'{"dataframe_split": {"columns": ["name"], "data": [["a.pdb"]]}}')
    [{'name': 'a.pdb'}]
    """
    try:
        request = orjson.loads(body)
    except ValueError:
        raise RefusedRequest("the request is not JSON, or is nested too deeply", "BAD_REQUEST") from None
    if (
        isinstance(request, dict)
        and set(request) == {"params"} | (set(request) & set(_FORMS))
        and len(request) == 2
    ):
        raise RefusedRequest("the request has params, which are not supported")
    if not isinstance(request, dict) or len(request) != 1 or next(iter(request)) not in _FORMS:
        raise RefusedRequest(
            f"the request must be a JSON object with one key, which is one of {', '.join(_FORMS)}",
            "BAD_REQUEST",
        )
    ((form, content),) = request.items()
    if form == "dataframe_split":
        return _of_table(content)
    if form == "inputs" and isinstance(content, dict):
        return _of_columns(content)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise RefusedRequest(_ROWS, "BAD_REQUEST")
    return content


def _of_table(content: object) -> list[dict[str, object]]:
    if isinstance(content, dict) and {"columns", "data"} <= set(content) <= {"columns", "data", "index"}:
        names, rows = content["columns"], content["data"]
        if (
            isinstance(names, list)
            and isinstance(rows, list)
            and all(isinstance(name, str) for name in names)
            and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        ):
            return [dict(zip(names, row, strict=True)) for row in rows]
    raise RefusedRequest(_ROWS, "BAD_REQUEST")


def _of_columns(content: dict[str, object]) -> list[dict[str, object]]:
    columns = [values if isinstance(values, list) else [values] for values in content.values()]
    if len({len(values) for values in columns}) > 1:
        raise RefusedRequest(_ROWS, "BAD_REQUEST")
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]
