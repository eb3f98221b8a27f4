"""Limits on connections that uvicorn would let wait forever, or that would let all others wait."""

import asyncio
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .bodies import STEP
from .metrics import Metrics

__all__ = ["connection_class", "possible_connections"]

_LONGEST_HEADERS = 2**14  # bytes; there would be time for little else than parsing thousands of headers
_LONGEST_AHEAD = 2**16  # bytes of further requests that may come before the answer to one
_PIECE = 2**16  # bytes that are parsed at once of a body that is not chunked
_SPARE = 128  # file descriptors that are not connections: pipes of processes, libraries
_UNREAD_SECONDS = 30.0  # within which a client must read some of its answer
_FREE_CHUNKS = 1000  # chunks of a body that may be of any length
_LEAST_CHUNK = 32  # bytes of the chunks after them, on average; a line of a structure file has more


def possible_connections(most: int) -> int:
    """Return the number of connections to allow, limited by the files that the system lets this process open.

    Beyond this number, Python would log thousands of lines for each connection.
    """
    if sys.platform == "win32":
        return most
    import resource  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _SPARE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(most, soft - _SPARE))


class _Parser(h11.Connection):
    """h11's parser, which gives up on a body in tiny chunks.

    Each chunk takes as long as kilobytes in one piece, and nothing else is done until all that were read are parsed.
    """

    def __init__(self, give_up: Callable[[], None]) -> None:
        super().__init__(h11.SERVER, _LONGEST_HEADERS)
        self._give_up = give_up
        self._chunks = self._size = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._size = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._size += len(event.data)
            if _LEAST_CHUNK * (self._chunks - _FREE_CHUNKS) > self._size:
                self._give_up()
                return h11.NEED_DATA
        return event


def connection_class(most: int, header_seconds: float, metrics: Metrics) -> type[H11Protocol]:
    """Return uvicorn's protocol with limits.

    If there are too many connections, one is closed whose request is not complete: that which has waited longest for
    its headers, or else that whose body has stood still longest. Many clients that send no complete request thus cannot
    keep out those that do.

    Parameters
    ----------
    most
        The number of connections that may be open at once.
    header_seconds
        The seconds within which the headers must arrive, from the connection or from the first byte after another
        request.
    metrics
        Counts the connections, and those that were closed.
    """
    waiting: dict[Connection, None] = {}  # those without a request, the one that has waited longest first
    arriving: dict[
        Connection, None
    ] = {}  # those with an incomplete body, the one that has stood still longest first

    class Connection(H11Protocol):
        _headers_due: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None
        _came = 0  # bytes since the last step of a body
        _ahead = 0  # bytes since the end of a request without an answer

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.conn = _Parser(lambda: self._close("tiny chunks"))
            super().connection_made(transport)  # type: ignore[arg-type]
            metrics.connections.set(len(self.connections))
            if len(self.connections) > most:
                next(chain(waiting, arriving, [self]))._close("too many")
            if not self.transport.is_closing():
                self._expect_headers()

        def data_received(self, data: bytes) -> None:
            # In one piece, headers and trailers would be parsed however long they are.
            start = 0
            while start < len(data) and not self.transport.is_closing():
                if self.conn.their_state is h11.DONE:  # this is kept until there is an answer
                    self._ahead += len(data) - start
                    if self._ahead > _LONGEST_AHEAD:
                        self._close("sent ahead")
                        return
                end = start + (_PIECE if self._in_plain_body() else _LONGEST_HEADERS)
                super().data_received(data[start:end])
                start = end
            if self.transport.is_closing():
                return
            self._came += len(data)
            self._sort()
            if self._between_requests():
                self._expect_headers()

        def on_response_complete(self) -> None:
            self._ahead = 0
            super().on_response_complete()
            self._forget_headers()
            if self.transport.is_closing():
                return
            self._sort()
            if self._unread is None and self.transport.get_write_buffer_size():
                self._watch_reading(self.transport.get_write_buffer_size())

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            if self._unread is not None:
                self._unread.cancel()
            super().connection_lost(exc)
            metrics.connections.set(len(self.connections))

        def _in_plain_body(self) -> bool:
            chunked = any(name == b"transfer-encoding" for name, _ in self.headers or ())
            return self.conn.their_state is h11.SEND_BODY and not chunked

        def _between_requests(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _sort(self) -> None:
            """Note what the connection waits for."""
            if self._between_requests():
                arriving.pop(self, None)
                waiting.setdefault(self)
                return
            self._forget_headers()
            if not self.cycle.more_body:
                arriving.pop(self, None)
            elif self not in arriving or self._came >= STEP:
                arriving.pop(self, None)
                arriving[self] = None
                self._came = 0

        def _expect_headers(self) -> None:
            if self._headers_due is None:
                self._headers_due = self.loop.call_later(header_seconds, self._close, "headers")
                waiting.setdefault(self)

        def _forget_headers(self) -> None:
            waiting.pop(self, None)
            if self._headers_due is not None:
                self._headers_due.cancel()
                self._headers_due = None

        def _forget(self) -> None:
            self._forget_headers()
            arriving.pop(self, None)

        def _watch_reading(self, left: int) -> None:
            self._unread = self.loop.call_later(_UNREAD_SECONDS, self._check_reading, left)

        def _check_reading(self, left: int) -> None:
            self._unread = None
            now = self.transport.get_write_buffer_size()
            if now >= left > 0:
                self._close("unread")
            elif now:
                self._watch_reading(now)

        def _close(self, reason: str) -> None:
            metrics.closed.labels(reason).inc()
            self._forget()
            self.transport.abort()

    return Connection
