"""Parts of the service by themselves: whose turn it is, and how much of a body is kept."""

import asyncio
import gc
import json
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import orjson
import pytest

from holo_vae.serving.forms import given_rows
from holo_vae.serving.limits import Limits, RefusedRequest
from holo_vae.web.app import App
from holo_vae.web.bodies import STEP, BodyReader, Gone, SlowBody, check_content_type
from holo_vae.web.connections import possible_connections
from holo_vae.web.crew import Crew
from holo_vae.web.metrics import Metrics
from holo_vae.web.records import records_of
from holo_vae.web.requests import Done, Request
from holo_vae.web.settings import Settings
from holo_vae.web.waiting import MOST_ROWS, Waiting


def rows(count: int, dtype: str = "<f4") -> np.ndarray:
    return np.zeros((count, 2), dtype)


def sizes(waiting: Waiting) -> list[int]:
    return [len(job.coefficients) for job in waiting.take()]


def test_small_jobs_that_wait_are_one_batch() -> None:
    waiting = Waiting(together=True)
    for count in (3, 5, MOST_ROWS, 100, 30):
        waiting.put(rows(count))
    assert sizes(waiting) == [
        3,
        5,
        100,
    ]  # 30 more would be too many, and the large one has a batch of its own
    assert sizes(waiting) == [MOST_ROWS]
    assert sizes(waiting) == [30]


def test_jobs_are_not_put_together_where_bits_would_change() -> None:
    waiting = Waiting(together=False)
    waiting.put(rows(3))
    waiting.put(rows(4))
    assert [sizes(waiting), sizes(waiting)] == [[3], [4]]
    waiting = Waiting(together=True)
    waiting.put(rows(3))
    waiting.put(rows(4, "<f8"))  # rounding them first would change their loss
    assert [sizes(waiting), sizes(waiting)] == [[3], [4]]


def test_a_long_request_lets_short_ones_pass_and_is_not_left_behind() -> None:
    waiting = Waiting(together=True)
    for block in range(20):
        waiting.put(rows(512), before=512 * block)
    waiting.put(rows(1))
    assert [sizes(waiting), sizes(waiting)] == [[512], [1]]
    later = waiting.put(rows(1), before=512 * 30)  # as if it came when all of it has had its turn
    order = [waiting.take() for _ in range(20)]
    assert order[-1] == [later]


def test_who_left_is_not_waited_for() -> None:
    waiting = Waiting(together=True)
    waiting.put(rows(1)).future.cancel()
    left = waiting.put(rows(2))
    assert waiting.take() == [left]
    threading.Timer(0.05, waiting.close).start()
    assert waiting.take() == []


def test_a_job_of_a_lost_batch_comes_again_alone() -> None:
    waiting = Waiting(together=True)
    waiting.put(rows(1))
    (lost,) = waiting.take()
    waiting.put_back(lost)
    waiting.put(rows(2))
    assert [sizes(waiting), sizes(waiting)] == [[1], [2]]


Pieces = list[bytes | float | None]


def body(*pieces: bytes | float | None) -> Callable[[], Coroutine[Any, Any, dict[str, Any]]]:
    """Return a receiver of pieces; a number waits that many seconds, None ends the connection."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = left.pop(0)
        if isinstance(piece, float):
            await asyncio.sleep(piece)
            piece = left.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return receive


async def read(reader: BodyReader, receive: Callable[[], Coroutine[Any, Any, dict[str, Any]]]) -> bytes:
    async with reader.reading(receive) as found:
        await asyncio.sleep(0.1)
        return bytes(found)


def test_a_body_comes_in_pieces() -> None:
    assert asyncio.run(read(BodyReader(10, 60.0, 60.0, 100), body(b"abc", b"", b"defg"))) == b"abcdefg"


@pytest.mark.parametrize(
    ("pieces", "reason", "status"),
    [
        ([b"x" * 6, b"x" * 5, b"x"], "more than 10 bytes", 400),
        ([b"x", 30.0, b"x"], "comes too slowly", 504),
    ],
)
@pytest.mark.parametrize("times", [(0.05, 60.0), (60.0, 0.05)])
def test_a_body_is_refused(pieces: Pieces, reason: str, status: int, times: tuple[float, float]) -> None:
    with pytest.raises(RefusedRequest, match=reason) as refused:
        asyncio.run(read(BodyReader(10, *times, 100), body(*pieces)))
    assert refused.value.get_http_status_code() == status


def test_a_body_may_take_long_while_its_steps_come() -> None:
    steps = [part for _ in range(8) for part in (0.1, b"x" * STEP)]
    assert len(asyncio.run(read(BodyReader(10 * STEP, 60.0, 0.5, 10), body(*steps)))) == 8 * STEP
    drops = [part for _ in range(8) for part in (0.1, b"x")]
    with pytest.raises(RefusedRequest, match="comes too slowly"):
        asyncio.run(read(BodyReader(10 * STEP, 60.0, 0.5, 10), body(*drops)))


def test_a_body_in_tiny_parts_takes_no_more_memory() -> None:
    count = 100_000

    async def receive() -> dict[str, Any]:
        nonlocal count
        count -= 1
        return {"type": "http.request", "body": b"x", "more_body": count > 0}

    tracemalloc.start()
    try:
        assert len(asyncio.run(read(BodyReader(10**6, 60.0, 60.0, 10**6), receive))) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_client_that_left_is_no_fault() -> None:
    with pytest.raises(Gone):
        asyncio.run(read(BodyReader(10, 60.0, 60.0, 100), body(b"x", None)))


LONG = 2**19  # bytes of a body of which half counts
HALF = b"x" * (LONG // 2)


async def all_of(reader: BodyReader, *bodies: Pieces) -> list[bytes | BaseException]:
    return await asyncio.gather(*(read(reader, body(*each)) for each in bodies), return_exceptions=True)


def test_bodies_together_are_bounded() -> None:
    reader = BodyReader(LONG, 60.0, 60.0, LONG)
    found = asyncio.run(all_of(reader, *([HALF, HALF],) * 3, [HALF]))  # each is whole before the next begins
    assert [each for each in found[:2] if isinstance(each, Exception)] == []
    assert isinstance(found[2], RefusedRequest)
    assert found[2].get_http_status_code() == 429
    assert found[3] == HALF  # a small one always has room
    assert asyncio.run(read(reader, body(HALF, HALF))) == HALF + HALF  # what was kept is forgotten


def test_bodies_that_stand_still_make_room() -> None:
    reader = BodyReader(LONG, 60.0, 60.0, LONG)
    stalled: Pieces = [HALF, HALF[:-1], 30.0, b"x"]
    began = time.monotonic()
    found = asyncio.run(all_of(reader, stalled, stalled, [HALF, 2.0, HALF], [HALF, 2.1, HALF]))
    assert time.monotonic() - began < 20
    assert [len(each) for each in found[2:] if not isinstance(each, BaseException)] == [LONG, LONG]
    for each in found[:2]:
        assert isinstance(each, SlowBody)
        assert each.get_http_status_code() == 429
    assert reader._kept == 0


# What is in a body


def many(start: bytes, value: bytes, end: bytes) -> bytes:
    return start + b",".join([value] * (2**22 // (len(value) + 1))) + end


BOMBS = {
    "empty strings": many(b'{"inputs":{"name":[', b'""', b"]}}"),
    "numbers": many(b'{"inputs":{"name":[', b"1", b"]}}"),
    "empty rows": many(b'{"dataframe_split":{"columns":[],"data":[', b"[]", b"]}}"),
    "rows of nothing": many(b'{"dataframe_records":[', b'{"name":null}', b"]}"),
    "objects": many(b'{"dataframe_records":[', b"{}", b"]}"),
    "keys": many(b'{"dataframe_records":[{', b'"a":1', b"}]}"),
    "distinct keys": b'{"inputs":{' + b",".join(b'"%x":1' % number for number in range(400_000)) + b"}}",
    "strings of quotes": many(b'{"inputs":{"name":[', rb'"\\\""', b"]}}"),
    "behind a string of backslashes": many(rb'{"inputs":{"a":"\\\\","name":[', b'""', b"]}}"),
    "cut": many(b'{"inputs":{"name":[', b'""', b""),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_body_of_many_values_is_not_parsed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orjson, "loads", lambda content: pytest.fail("it is parsed"))
    with pytest.raises(RefusedRequest, match="more JSON values than 10000 rows") as refused:
        records_of(BOMBS[kind], Limits())
    assert refused.value.get_http_status_code() == 400


TEXTS = [",[{:" * 10**6, r"\"", r"\," * 10**6, '\\"' * 10**6, '",' * 10**6, '\\\\":,[{"\\']


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_not_counted(text: str) -> None:
    row = {"name": "a.pdb", "content": text, "residues": "A,B:7"}
    content = {"columns": list(row), "data": [list(row.values())], "index": [0]}
    for request in ({"dataframe_records": [row]}, {"dataframe_split": content}):
        assert records_of(json.dumps(request).encode(), Limits(max_residues=1)) == [row]


def test_as_many_rows_as_residues_are_taken() -> None:
    row = {"name": "a", "content": "b", "residues": None, "holograms": None, "basis": None}
    table = {"columns": list(row), "data": [list(row.values())] * 500, "index": list(range(500))}
    limits = Limits(max_residues=500)
    for request in ({"dataframe_records": [row] * 500}, {"dataframe_split": table}):
        records = records_of(json.dumps(request, indent=1).encode(), limits)
        assert given_rows(records, limits) == [{"name": "a", "content": "b"}] * 500
        with pytest.raises(RefusedRequest, match="more than 499 rows"):
            given_rows(records, Limits(max_residues=499))


@pytest.mark.parametrize("given", ["utf-8", '"UTF-8"', "us-ascii", ""])
def test_content_types(given: str) -> None:
    charset = f"; charset={given}" if given else ""
    check_content_type({"headers": [(b"content-type", f"Application/JSON{charset}".encode())]})


@pytest.mark.parametrize(
    "given", ["; charset=utf-16", ";charset=latin-1", '; x=y;  Charset = "utf-32"', ";charset="]
)
def test_other_character_sets_are_refused(given: str) -> None:
    with pytest.raises(RefusedRequest, match="the request's character set must be utf-8") as refused:
        check_content_type({"headers": [(b"content-type", f"application/json{given}".encode())]})
    assert refused.value.get_http_status_code() == 415


def test_the_content_of_a_refused_request_is_freed_at_once() -> None:
    """Errors and frames that refer to each other once kept gigabytes."""
    kept: list[weakref.ref[Any]] = []

    def work(request: Request) -> tuple[Done, bytes]:
        content = rows(1)
        kept.append(weakref.ref(content))
        raise RefusedRequest("it is refused")

    async def ask(app: App) -> None:
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await never.wait()
            raise AssertionError("nothing more comes")

        with pytest.raises(RefusedRequest):
            await app._finished(Crew.__new__(Crew), work, receive)  # nothing asks it

    gc.disable()
    try:
        asyncio.run(ask(App(Settings(), Metrics(), lambda: pytest.fail("nothing loads a model here"))))
        assert [each() for each in kept] == [None]
    finally:
        gc.enable()


def test_connections_are_fewer_than_files() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        assert possible_connections(300) == 300  # the limit is raised where that is allowed
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_asks_before_there_is_a_model_is_told_to_wait_for_it() -> None:
    def load() -> Crew:
        raise AssertionError("nothing loads a model here")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    headers = [(b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "query_string": b"",
        "headers": headers,
    }
    asyncio.run(App(Settings(), Metrics(), load)(scope, receive, send))
    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"5"
