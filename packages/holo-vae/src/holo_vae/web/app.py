"""The service as an ASGI application: its pages, its admission of requests, and its answers."""

import asyncio
import contextlib
import json
import math
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

import attrs

from holo_types import ModelReference
from holo_vae._version import __version__
from holo_vae.serving.faults import where
from holo_vae.serving.limits import RefusedRequest

from .answers import JSON, accepts_gzip, body_of, chosen_type, packed, table_body
from .bodies import BodyReader, Gone, Receive, Scope, Send, SlowBody, check_content_type
from .crew import Crew
from .logs import complain, say
from .metrics import Metrics
from .neighbors import Asked, IndexSearch
from .requests import Abandoned, Done, Request
from .settings import Settings

__all__ = ["App"]

_LOADING = 5  # seconds that a client is asked to wait while there is no model; ours asks eight times
_Headers = list[tuple[bytes, bytes]]
_ASKED = ("/invocations", "/neighbors")
_KEPT_BODIES = 16  # number of long bodies of the maximum length that may be in memory at once
_LONGEST_WAIT = 60  # seconds that a client is asked to wait


@attrs.define
class _Answer:
    """An answer, and what is logged about it."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: _Headers = attrs.field(factory=list)
    rows: int | None = None
    waited: float | None = None
    model: ModelReference | None = None


class App:
    """The ASGI application of the service.

    Parameters
    ----------
    settings
        The settings of the service.
    metrics
        The metrics that it updates.
    load
        Returns the processes of the model; called in a thread once the service listens.
    failed
        Called with the error if loading fails.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        load: Callable[[], Crew],
        failed: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._settings, self._metrics, self._load, self._failed = settings, metrics, load, failed
        self._bodies = BodyReader(
            settings.max_bytes,
            settings.max_seconds,
            settings.header_seconds,
            _KEPT_BODIES * settings.max_bytes,
        )
        self._threads = ThreadPoolExecutor(settings.max_queue, "request")
        self._parsing, self._decoding = threading.Lock(), threading.Semaphore(settings.workers)
        self._requests: set[Request] = set()
        self._crew: Crew | None = None
        self._search: IndexSearch | None = None
        self._begun = threading.Event()
        self._stopping = False
        self._under_way = 0
        self._usual = 0.1  # estimated seconds of work per request

    # Called by the server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or handle the server's start and end (ASGI's entry point)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer_one(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # A thread that nobody waits for: a registry that is gone may block it for minutes.
        threading.Thread(target=self._begin, daemon=True).start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stopping = True
        for request in self._requests:
            request.abandon()
        if self._crew is not None:
            await asyncio.to_thread(self._crew.close)
        self._threads.shutdown(cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    def _begin(self) -> None:
        try:
            self.use(self._load())
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has no model and must report it
            self._failed(error)
        finally:
            self._begun.set()

    def search_in(self, search: IndexSearch) -> None:
        """Enable requests for neighbors in an index."""
        self._search = search
        say("index", rows=len(search.index))

    def version_in_use(self) -> str | None:
        """Return the version of the model in use, once the first is loaded; None if loading failed."""
        self._begun.wait()
        return None if self._crew is None else self._crew.reference.version

    def use(self, crew: Crew) -> None:
        """Use a model from now on; requests that another model has begun are finished by that one."""
        before, self._crew = self._crew, crew
        self._metrics.use(crew.reference)
        say("model", **_said(crew.reference), batches=str(crew.together).lower())
        if before is not None:
            threading.Thread(target=before.close, daemon=True).start()

    # Pages

    async def _answer_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, number = time.monotonic(), uuid.uuid4().hex
        path, method = scope["path"], scope["method"]
        asked = path in _ASKED
        try:
            if asked and method == "POST":
                answer = await self._invocations(scope, receive)
            elif method in ("GET", "HEAD"):
                answer = await self._page(path)
            else:
                answer = _refusal(RefusedRequest("there is no such page", "ENDPOINT_NOT_FOUND"))
        except Gone:
            self._metrics.answered(499, time.monotonic() - started)
            return
        except Exception as error:  # noqa: BLE001 - a bug in the service: it is logged, and the service continues
            complain("fault", id=number, fault=where(error))
            answer = _refusal(RefusedRequest("the service failed; its log says why", "INTERNAL_ERROR"))
        seconds = time.monotonic() - started
        if asked:
            self._metrics.answered(answer.status, seconds)
            model = {} if answer.model is None else _said(answer.model)
            waited = None if answer.waited is None else round(answer.waited, 4)
            say("request", id=number, status=answer.status, seconds=round(seconds, 4), waited=waited,
                rows=answer.rows, bytes=len(answer.body), **model)  # fmt: skip
        await _send(send, answer, number, head=method == "HEAD")

    async def _page(self, path: str) -> _Answer:
        crew = self._crew
        if path in ("/health", "/ping"):
            return _Answer(200, b'{"status":"alive"}')
        if path == "/ready":
            ready = crew is not None and crew.ready > 0 and not self._stopping
            return _Answer(
                200 if ready else 503, b'{"status":"ready"}' if ready else b'{"status":"not ready"}'
            )
        if path == "/version":
            model = None if crew is None else {**attrs.asdict(crew.reference), "source": crew.source}
            return _Answer(200, json.dumps({"holo_vae": __version__, "model": model}).encode())
        if path == "/metrics":
            self._metrics.workers.set(0 if crew is None else crew.ready)
            self._metrics.queue.set(self._under_way)
            return _Answer(200, self._metrics.page(), "text/plain; version=0.0.4; charset=utf-8")
        return _refusal(RefusedRequest("there is no such page", "ENDPOINT_NOT_FOUND"))

    async def _invocations(self, scope: Scope, receive: Receive) -> _Answer:
        media_type = chosen_type(scope["headers"])
        try:
            asked = Asked.parse(scope["query_string"]) if scope["path"] == "/neighbors" else None
            async with self._bodies.reading(receive) as body:
                check_content_type(scope)
                if self._under_way >= self._settings.max_queue:
                    raise RefusedRequest("too many requests are under way", "RESOURCE_EXHAUSTED")
                crew = self._engaged()
                self._under_way += 1
                try:
                    work = partial(self._work, crew, body, media_type, asked)
                    done, answered = await self._finished(crew, work, receive)
                finally:
                    self._under_way -= 1
                    crew.release()
        except RefusedRequest as refused:
            answer = _refusal(refused)
            if answer.status in (429, 503):
                wait = _LOADING if self._crew is None else self._wait()
                answer.headers.append((b"retry-after", str(wait).encode()))
            if isinstance(refused, SlowBody):
                answer.headers.append((b"connection", b"close"))
            answer.model = None if self._crew is None else self._crew.reference
            return answer
        self._metrics.residues.inc(len(done.embeddings))
        self._metrics.waited.observe(done.waited)
        self._metrics.embedded(done.embeddings.reconstruction_cosine_loss, done.distances)
        answer = _Answer(200, answered, media_type, rows=len(done.embeddings), waited=done.waited)
        answer.model = done.embeddings.model
        answer.headers.append((b"vary", b"accept, accept-encoding"))
        if (
            accepts_gzip(scope["headers"])
            and (shorter := await asyncio.to_thread(packed, answered)) is not None
        ):
            answer.body = shorter
            answer.headers.append((b"content-encoding", b"gzip"))
        return answer

    def _engaged(self) -> Crew:
        """Return the processes of the model in use; they are kept until they are released."""
        while (crew := self._crew) is not None:
            if crew.engage():
                return crew
            if crew is self._crew:
                raise RefusedRequest("the service is ending", "TEMPORARILY_UNAVAILABLE")
        raise RefusedRequest("the service has no model yet", "TEMPORARILY_UNAVAILABLE")

    def _work(
        self, crew: Crew, body: bytearray, media_type: str, asked: Asked | None, request: Request
    ) -> tuple[Done, bytes]:
        """Embed the content of a request, and search for neighbors if it asks for them."""
        if asked is None:
            done = request.embed(body)
            return done, body_of(done.embeddings, media_type)
        if self._search is None:
            raise RefusedRequest("the service has no index, so there are no neighbors", "ENDPOINT_NOT_FOUND")
        self._search.check_model(crew.reference)
        done = request.embed(body)
        found = self._search.table(done.embeddings, asked, request.deadline)
        return done, table_body(found, done.embeddings.model, media_type)

    async def _finished(
        self, crew: Crew, work: Callable[[Request], tuple[Done, bytes]], receive: Receive
    ) -> tuple[Done, bytes]:
        """Work on a request until it is done or its client has disconnected."""
        request = Request(crew, self._settings.limits, self._parsing, self._decoding)
        self._requests.add(request)
        started = time.monotonic()
        working: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(
            self._threads, work, request
        )
        leaving: asyncio.Future[Any] = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                request.abandon()
                with contextlib.suppress(Abandoned, RefusedRequest):
                    await working
                raise Gone("the client is gone")
            done, answer = await working
        except Abandoned:
            raise RefusedRequest("the service is ending", "TEMPORARILY_UNAVAILABLE") from None
        finally:
            request.abandon()
            leaving.cancel()
            self._requests.discard(request)
            # Its error leads to this frame, and through others to the content of the request: a cycle would keep both.
            del working
        own = time.monotonic() - started - done.waited
        self._usual += 0.1 * (own - self._usual)
        return done, answer

    def _wait(self) -> int:
        """Return the seconds after which a client may try again."""
        return min(max(1, math.ceil(self._usual * self._under_way / self._settings.workers)), _LONGEST_WAIT)


def _said(model: ModelReference) -> dict[str, str]:
    return {"model": model.name, "version": model.version, "digest": model.digest}


def _refusal(refused: RefusedRequest) -> _Answer:
    return _Answer(refused.get_http_status_code(), refused.serialize_as_json().encode())


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, answer: _Answer, number: str, *, head: bool) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", number.encode()),
        *answer.headers,
    ]
    if answer.model is not None:
        said = {"name": answer.model.name, "version": answer.model.version, "digest": answer.model.digest}
        headers += [
            (f"holo-model-{key}".encode(), quote(value, safe=" @:+").encode()) for key, value in said.items()
        ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
