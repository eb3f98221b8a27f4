"""A service that has no index, and how a request says which neighbors it wants."""

import asyncio
import json
from typing import Any

import pytest

from holo_types import ModelReference
from holo_vae.serving.limits import RefusedRequest
from holo_vae.web.app import App
from holo_vae.web.crew import Crew
from holo_vae.web.metrics import Metrics
from holo_vae.web.neighbors import Asked
from holo_vae.web.settings import Settings


class Idle(Crew):
    """Processes that nobody asks for anything."""

    def __init__(self) -> None:
        self.reference = ModelReference("demo", "1", "0" * 64, "0" * 64)
        self.together = self.training_z = False

    def engage(self) -> bool:
        return True

    def release(self) -> None:
        pass


def test_a_service_without_an_index_has_no_neighbors() -> None:
    crew = Idle()
    app = App(Settings(), Metrics(), lambda: crew)
    app.use(crew)
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/neighbors",
        "query_string": b"count=1",
        "headers": [(b"content-type", b"application/json")],
    }

    async def ask() -> None:
        messages = iter([{"type": "http.request", "body": b"{}", "more_body": False}])

        async def receive() -> Any:
            return next(messages, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 404
    assert json.loads(sent[1]["body"])["message"] == "the service has no index, so there are no neighbors"


@pytest.mark.parametrize("query", [b"count=%31%30", b"count=10&other=structure&any_type=false", b""])
def test_what_is_not_said_is_the_default(query: bytes) -> None:
    assert Asked.parse(query) == Asked(10, "structure", False)


@pytest.mark.parametrize(
    "query", [b"&" * 2000 + b"a=1", b"=", b"count", b"count=\xb2", b"count=-1", b"other=", b"\xff=\xff"]
)
def test_anything_else_is_refused(query: bytes) -> None:
    with pytest.raises(RefusedRequest):
        Asked.parse(query)
