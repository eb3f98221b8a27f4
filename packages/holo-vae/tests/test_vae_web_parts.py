"""Parts of the service by themselves: whose turn it is, and how much of a body is kept."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from holo_vae.serving.limits import RefusedRequest
from holo_vae.web.app import App
from holo_vae.web.bodies import BodyReader, Gone
from holo_vae.web.connections import possible_connections
from holo_vae.web.crew import Crew
from holo_vae.web.metrics import Metrics
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
        return found


def test_a_body_comes_in_pieces() -> None:
    assert asyncio.run(read(BodyReader(10, 60.0, 100), body(b"abc", b"", b"defg"))) == b"abcdefg"


@pytest.mark.parametrize(
    ("pieces", "reason", "status"),
    [
        ([b"x" * 6, b"x" * 5, b"x"], "more than 10 bytes", 400),
        ([b"x", 30.0, b"x"], "comes too slowly", 504),
    ],
)
def test_a_body_is_refused(pieces: Pieces, reason: str, status: int) -> None:
    with pytest.raises(RefusedRequest, match=reason) as refused:
        asyncio.run(read(BodyReader(10, 0.05, 100), body(*pieces)))
    assert refused.value.get_http_status_code() == status


def test_a_client_that_left_is_no_fault() -> None:
    with pytest.raises(Gone):
        asyncio.run(read(BodyReader(10, 60.0, 100), body(b"x", None)))


def test_bodies_together_are_bounded() -> None:
    reader = BodyReader(10, 60.0, 12)

    async def three() -> list[bytes | BaseException]:
        long = (
            body(b"x" * 5, b"x" * 5) for _ in range(3)
        )  # each is whole before the next one begins, and is used
        return await asyncio.gather(*(read(reader, each) for each in long), return_exceptions=True)

    found = asyncio.run(three())
    refused = [each for each in found if isinstance(each, RefusedRequest)]
    assert refused
    assert {each.get_http_status_code() for each in refused} == {429}
    assert asyncio.run(read(reader, body(b"x" * 10))) == b"x" * 10  # what was kept is forgotten


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
