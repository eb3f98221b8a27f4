"""Limits on connections that uvicorn would let wait forever: for headers, or for a client that does not read."""

import asyncio
import sys

from uvicorn.protocols.http.h11_impl import H11Protocol

from .metrics import Metrics

__all__ = ["connection_class", "possible_connections"]

_SPARE = 128  # file descriptors that are not connections: pipes of processes, libraries
_UNREAD_SECONDS = 30.0  # within which a client must read some of its answer


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


def connection_class(most: int, header_seconds: float, metrics: Metrics) -> type[H11Protocol]:
    """Return uvicorn's protocol with limits.

    If there are too many connections, the one that has waited longest for its headers is closed: many clients that send
    no headers thus cannot keep out those that do.

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
    waiting: dict[Connection, None] = {}  # those that wait for their headers, the longest first

    class Connection(H11Protocol):
        _headers_due: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            metrics.connections.set(len(self.connections))
            self._expect_headers()
            if len(self.connections) > most:
                next(iter(waiting))._close("too many")

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._between_requests():
                self._expect_headers()
            else:
                self._forget_headers()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._forget_headers()
            if self._unread is None and self.transport.get_write_buffer_size():
                self._watch_reading(self.transport.get_write_buffer_size())

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_headers()
            if self._unread is not None:
                self._unread.cancel()
            super().connection_lost(exc)
            metrics.connections.set(len(self.connections))

        def _between_requests(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _expect_headers(self) -> None:
            if self._headers_due is None:
                self._headers_due = self.loop.call_later(header_seconds, self._close, "headers")
                waiting[self] = None

        def _forget_headers(self) -> None:
            if self._headers_due is not None:
                self._headers_due.cancel()
                self._headers_due = None
                del waiting[self]

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
            self._forget_headers()
            self.transport.abort()

    return Connection
