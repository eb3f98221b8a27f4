"""The client, against a service that is full, fails, lies or is gone; `test_vae_web` asks a real one."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import holo_features
from holo_types import Embeddings, HoloError, ModelReference
from holo_vae import Service
from holo_vae.web.answers import ARROW, body_of

STRUCTURE = holo_features.datasets.example_structures()[0]
Answer = tuple[int, bytes, dict[str, str]]


def embeddings(count: int = 3) -> Embeddings:
    rng = np.random.default_rng(0)
    return Embeddings(
        rng.normal(size=(count, 12)).astype(np.float32),
        np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
        ModelReference("small", "1", "0" * 64, "1" * 64),
        {
            "structure": ["s"] * count,
            "residue_number": np.arange(count),
            "b_factor": [1.5, np.nan, 2.5][:count],
        },
        log_variances=rng.normal(size=(count, 12)).astype(np.float32),
        degenerate=np.zeros(count, bool),
        reconstruction_cosine_loss=np.full(count, 0.1, np.float32),
        centers=rng.normal(size=(count, 3)).astype(np.float32),
    )


@pytest.fixture
def serve() -> Iterator[Callable[[list[Answer]], str]]:
    """Return a function that starts a server with given answers, one after the other, and returns its address."""
    servers = []

    def start(answers: list[Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert asked["dataframe_records"][0]["name"] == STRUCTURE.name
                status, body, headers = answers.pop(0)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_service_that_is_full_is_asked_again(serve: Callable[[list[Answer]], str]) -> None:
    good: Answer = 200, body_of(embeddings(), ARROW), {}
    answers: list[Answer] = [(429, b"{}", {"Retry-After": "0"}), (503, b"{}", {"Retry-After": "0"}), good]
    assert Service(serve(answers)).embed([STRUCTURE]) == embeddings()
    assert not answers


def test_a_refusal_is_told_once(serve: Callable[[list[Answer]], str]) -> None:
    answers: list[Answer] = [
        (400, b'{"error_code": "BAD_REQUEST", "message": "row 0: content is empty"}', {})
    ]
    with pytest.raises(HoloError, match=r"refused by .* with status 400: row 0: content is empty"):
        Service(serve(answers)).embed([STRUCTURE])


@pytest.mark.parametrize("body", [b"", b"<html>", body_of(embeddings(), ARROW)[:200]])
def test_an_answer_that_is_none_is_told(serve: Callable[[list[Answer]], str], body: bytes) -> None:
    with pytest.raises(HoloError, match="its answer is not a table of embeddings"):
        Service(serve([(200, body, {})])).embed([STRUCTURE])


def test_what_cannot_be_asked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holo_vae.client._PAUSE", 0.0)
    service = Service("http://127.0.0.1:9")
    with pytest.raises(HoloError, match=r"none.pdb: cannot be read"):
        service.embed([tmp_path / "none.pdb"])
    with pytest.raises(HoloError, match=r"127.0.0.1:9 does not answer"):
        service.embed([STRUCTURE])
    with pytest.raises(HoloError, match="paths is empty"):
        service.embed([])
