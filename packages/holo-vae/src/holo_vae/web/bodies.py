"""Reading the body of a request, within limits on its speed and on the memory of all bodies together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import attrs

from holo_vae.serving.limits import RefusedRequest
from holo_vae.serving.memory import MemoryReturn

from .answers import JSON

__all__ = [
    "STEP",
    "BodyReader",
    "Gone",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "SlowBody",
    "check_content_type",
]

# The terms of the protocol, ASGI 3.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STEP = 2**14  # bytes; whether a body stands still is judged by the time since the last of its steps
_FREE = 2**18  # bytes of a body that count for no limit on all: connections are few enough
_STALLED = 1.0  # seconds without a step after which a body must make room for others
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")


class Gone(Exception):
    """The client has disconnected."""


class SlowBody(RefusedRequest):
    """A body that arrives too slowly; the rest of it is not waited for."""


@attrs.define(eq=False)
class _Arriving:
    """A body of which more is to come."""

    body: bytearray
    patience: asyncio.Timeout
    stepped: float  # when its last step was complete
    size: int = 0
    refused: RefusedRequest | None = None


class BodyReader:
    """A reader of bodies that keeps a limited number of bytes at once.

    The first 256 KiB of each body are always kept, so that large requests cannot keep out small ones. If there is no
    room for more, the body that has stood still longest is dropped.

    Parameters
    ----------
    max_bytes
        The maximum length of a body.
    max_seconds
        The seconds within which a body must arrive.
    step_seconds
        The seconds within which each 16 KiB of a body must arrive.
    kept_bytes
        The maximum total length of bodies that have not been answered yet, without the first 256 KiB of each.
    """

    def __init__(self, max_bytes: int, max_seconds: float, step_seconds: float, kept_bytes: int) -> None:
        self._max_bytes, self._kept_bytes = max_bytes, kept_bytes
        self._max_seconds, self._step_seconds = max_seconds, step_seconds
        self._kept = 0
        self._memory = MemoryReturn()
        self._arriving: dict[_Arriving, None] = {}  # the one whose last step is longest ago comes first

    @contextlib.asynccontextmanager
    async def reading(self, receive: Receive) -> AsyncIterator[bytearray]:
        """Read a body, and keep it while it is used.

        A body that is too long is read to its end without keeping it; otherwise the client would not see the answer.

        Raises
        ------
        RefusedRequest
            If the body is too long, arrives too slowly, or (status 429) others fill the memory.
        Gone
            If the client has disconnected.
        """
        body = bytearray()
        try:
            await self._read(receive, body)
            yield body
        finally:
            self._kept -= _counted(len(body))
            if len(body) > _FREE:
                with contextlib.suppress(
                    BufferError
                ):  # at its end, the service does not wait for those who use it
                    body.clear()
                self._memory.soon()

    async def _read(self, receive: Receive, body: bytearray) -> None:
        began = _now()
        arriving = None
        try:
            async with asyncio.timeout(min(self._max_seconds, self._step_seconds)) as patience:
                arriving = _Arriving(body, patience, began)
                self._arriving[arriving] = None
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    self._add(arriving, message.get("body", b""), began + self._max_seconds)
                    more = message.get("more_body", False)
        except TimeoutError:
            if arriving is not None and isinstance(arriving.refused, SlowBody):
                raise arriving.refused from None
            raise SlowBody("the request comes too slowly", "DEADLINE_EXCEEDED") from None
        finally:
            if arriving is not None:
                self._arriving.pop(arriving, None)
        if arriving.refused is not None:
            raise arriving.refused

    def _add(self, arriving: _Arriving, part: bytes, end: float) -> None:
        """Keep a part of a body, if there is room for it."""
        size, arriving.size = arriving.size, arriving.size + len(part)
        if size // STEP < arriving.size // STEP and arriving in self._arriving:
            arriving.stepped = _now()
            arriving.patience.reschedule(min(end, arriving.stepped + self._step_seconds))
            del self._arriving[arriving]
            self._arriving[arriving] = None
        if arriving.refused is not None:
            return
        if arriving.size > self._max_bytes:
            arriving.refused = RefusedRequest(f"the request has more than {self._max_bytes} bytes")
        elif not self._has_room(_counted(arriving.size) - _counted(size)):
            arriving.refused = RefusedRequest("too many requests are under way", "RESOURCE_EXHAUSTED")
        if arriving.refused is None:
            arriving.body += part
            self._kept += _counted(arriving.size) - _counted(size)
        else:
            self._forget(arriving)

    def _has_room(self, more: int) -> bool:
        """Return whether there is room, if need be after dropping bodies that stand still."""
        late = _now() - _STALLED
        for other in list(self._arriving) if self._kept + more > self._kept_bytes else []:
            if self._kept + more <= self._kept_bytes or other.stepped > late:
                break
            if _counted(len(other.body)):
                self._forget(other)
                del self._arriving[other]
                other.refused = SlowBody("too many requests are under way", "RESOURCE_EXHAUSTED")
                if not other.patience.expired():
                    other.patience.reschedule(_now())
        return self._kept + more <= self._kept_bytes

    def _forget(self, arriving: _Arriving) -> None:
        self._kept -= _counted(len(arriving.body))
        arriving.body.clear()


def _counted(size: int) -> int:
    return max(0, size - _FREE)


def _now() -> float:
    return asyncio.get_running_loop().time()


def check_content_type(scope: Scope) -> None:
    """Refuse a request whose content is not JSON in UTF-8.

    Raises
    ------
    RefusedRequest
        If the content type is missing or different (status 400), or names another character set (status 415).

    Examples
    --------
    >>> check_content_type({"headers": [(b"content-type", b"application/json; charset=latin-1")]})
    Traceback (most recent call last):
    holo_vae.serving.limits.RefusedRequest: the request's character set must be utf-8
    """
    found = [text for name, text in scope["headers"] if name.lower() == b"content-type"]
    media_type, *parameters = (part.strip().lower() for part in b"".join(found).split(b";"))
    if len(found) != 1 or media_type != JSON.encode():
        raise RefusedRequest(f"the request's content type must be {JSON}", "BAD_REQUEST")
    for name, _, value in (parameter.partition(b"=") for parameter in parameters):
        if name.strip() == b"charset" and value.strip(b' "\t') not in _CHARSETS:
            raise RefusedRequest("the request's character set must be utf-8", "UNSUPPORTED_MEDIA_TYPE")
