"""The embedding service as its clients and its operators have it: a real one, and good, bad and rude clients."""

import base64
import contextlib
import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any

import attrs
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import ipc, parquet

import holo_features
from holo_downstream import build_search_index, search_residues, write_search_index
from holo_downstream.search import calibration
from holo_types import Basis, Embeddings, Holograms, Zernike, to_table
from holo_vae.client import Service
from holo_vae.embedding import embed, embed_holograms
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.networks.training_z import write_training_z
from holo_vae.recipes.model import ModelConfig
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.serving.service import encode_content, input_example, signature

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="services run where there are signals")

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
STRUCTURE = holo_features.datasets.example_structures()[0]
SECRET = "hunter2"  # in what is sent; never in what is answered or logged
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
PATIENCE = 300  # seconds, however busy the machine is


def tiny_model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    config = ModelConfig(basis=BASIS, latent_dim=16, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    return Model(HolographicAutoencoder(config).eval(), "small")


def holograms(rows: int, seed: int = 1) -> Holograms:
    values = np.random.default_rng(seed).normal(size=(rows, BASIS.dim))
    return Holograms(values.astype(np.float32), BASIS)


def of_holograms(rows: Holograms) -> bytes:
    row = {"holograms": encode_coefficients(rows.coefficients), "basis": rows.basis.digest}
    return records([row])


def of_structure(**more: str) -> bytes:
    return records([{"name": STRUCTURE.name, "content": encode_content(STRUCTURE), **more}])


def records(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"dataframe_records": rows}).encode()


@attrs.frozen
class Running:
    """A service under test."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def get(self, page: str) -> tuple[int, bytes]:
        return ask(f"{self.url}{page}")[:2]

    def post(self, body: bytes, page: str = "/invocations", **headers: str) -> tuple[int, bytes, Message]:
        return ask(f"{self.url}{page}", body, {"Content-Type": "application/json", **headers})

    def metric(self, name: str) -> float:
        page = self.get("/metrics")[1].decode()
        return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", page, re.M))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def children(self) -> list[int]:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(line) for line in found.stdout.split()]


def ask(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, Message]:
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def until(happened: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(folder: Path, model: str, **settings: str) -> Iterator[Running]:
    """Run ``holo-vae serve`` until it is ready."""
    port = free_port()
    log = folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "holo_vae", "serve", "--model", model],
            env={**os.environ, "HOLO_SERVING_PORT": str(port), **settings},
            stdout=output,
            stderr=output,
        )
    service = Running(f"http://127.0.0.1:{port}", process, log)

    def answers(page: str) -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return service.get(page)[0] == 200
        return False

    try:
        until(lambda: answers("/health"), "it lives")
        until(lambda: answers("/ready"), "it is ready")
        yield service
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


def small_set(model: Model) -> Embeddings:
    """Embed the smallest structures that come with holo-features."""
    paths = sorted(holo_features.datasets.example_structures(), key=lambda path: path.stat().st_size)
    return embed(paths[:4], model)


def index_of(model: Model, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(calibration, "_SITES", 5)  # it is not for sites
        write_search_index(small_set(model), folder)
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    write_model(model, folder / "model")
    write_training_z(model, holograms(300, seed=5), folder / "model")
    settings = {
        "HOLO_SERVING_INDEX": str(index_of(model, folder / "index")),
        "HOLO_SERVING_WORKERS": "2",
        "HOLO_SERVING_MAX_BYTES": "500000",
        "HOLO_SERVING_MAX_RESIDUES": "1100",
        "HOLO_SERVING_HEADER_SECONDS": "2",
        "HOLO_SERVING_MAX_CONNECTIONS": "200",
    }
    with running(folder, str(folder / "model"), **settings) as found:
        yield found


def table_of(body: bytes) -> pa.Table:
    return ipc.open_stream(io.BytesIO(body)).read_all()


# What it gives


def test_neighbors_are_those_that_all_distances_give(service: Running, model: Model) -> None:
    query, indexed = embed([STRUCTURE], model), small_set(model)
    z = indexed.invariants.astype(float)
    mean, spread = z.mean(axis=0), z.std(axis=0)
    apart = np.linalg.norm(((query.invariants - mean) / spread)[:, None] - (z - mean) / spread, axis=2)
    same = query.index["residue_name"][:, None] == indexed.index["residue_name"]
    apart[~same] = np.inf
    expected = np.argsort(apart, axis=1)[:, :3]
    nearest = np.take_along_axis(apart, expected, 1)
    asked, place = np.nonzero(np.isfinite(nearest))  # of a type that is rare there are fewer than three
    found = Service(service.url).neighbors([STRUCTURE], count=3)
    assert (found["rank"] == place + 1).all()
    for name in ("structure", "chain", "residue_number"):
        assert (found[f"neighbor_{name}"] == indexed.index[name][expected[asked, place]]).all()
        assert (found[name] == query.index[name][asked]).all()
    np.testing.assert_allclose(found["distance"], nearest[asked, place], rtol=1e-3)
    here = search_residues(build_search_index(attrs.evolve(indexed, centers=None)), query, count=3)
    np.testing.assert_allclose(found["p_value"], here.p_values[asked, place], rtol=1e-3)
    np.testing.assert_allclose(found["expected"], here.expected[asked, place], rtol=1e-3)


def test_all_forms_of_neighbors_say_the_same(service: Running, model: Model) -> None:
    page, one = "/neighbors?count=2&other=none&any_type=true", of_structure(residues="A:10-12")
    rows = json.loads(service.post(one, page)[1])["predictions"]
    arrow = table_of(service.post(one, page, Accept=ARROW)[1])
    assert arrow.equals(parquet.read_table(io.BytesIO(service.post(one, page, Accept=PARQUET)[1])))
    assert arrow.to_pylist() == rows
    assert json.loads(arrow.schema.metadata[b"holo.model"])["digest"] == model.digest
    assert [(row["residue_number"], row["rank"]) for row in rows] == [
        (n, r) for n in (10, 11, 12) for r in (1, 2)
    ]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("count=0", "count must be a number from 1 to 100"),
        ("count=101", "count must be a number from 1 to 100"),
        ("count=hunter2", "count must be a number from 1 to 100"),
        ("count=1&count=2", "the parameters of neighbors are count, other and any_type, each once at most"),
        ("hunter2=1", "the parameters of neighbors are count, other and any_type, each once at most"),
        ("other=hunter2", "other must be one of structure, cluster, none"),
        ("any_type=1", "any_type must be true or false"),
        (
            "other=cluster",
            "the cluster of a structure is not known to the index; other must be structure or none",
        ),
    ],
)
def test_neighbors_that_cannot_be_asked_for_get_one_line(service: Running, query: str, line: str) -> None:
    status, body, _ = service.post(of_structure(residues="A:10"), f"/neighbors?{query}")
    assert status == 400
    assert json.loads(body)["message"] == line
    assert SECRET not in body.decode()


def test_neighbors_are_those_of_residues(service: Running) -> None:
    status, body, _ = service.post(of_holograms(holograms(1)), "/neighbors")
    assert (status, json.loads(body)["message"]) == (
        400,
        "only residues have neighbors; the request must hold structures",
    )


def test_structures_give_what_embed_gives(service: Running, model: Model) -> None:
    status, body, _ = service.post(of_structure(), Accept=ARROW)
    assert status == 200
    expected = to_table(embed([STRUCTURE], model))
    table = table_of(body)
    pd.testing.assert_frame_equal(table.to_pandas(), expected, atol=1e-6)
    assert json.loads(table.schema.metadata[b"holo.model"])["digest"] == model.digest


def test_the_client_gives_what_embed_gives(service: Running, model: Model) -> None:
    paths = holo_features.datasets.example_structures()[:2]
    there, here = Service(service.url).embed(paths), embed(paths, model)
    pd.testing.assert_frame_equal(to_table(there), to_table(here), atol=1e-6)
    assert there.model == here.model
    assert there.index == here.index


def test_all_forms_of_an_answer_say_the_same(service: Running, model: Model) -> None:
    rows = holograms(1000)  # more than a batch
    expected = to_table(embed_holograms(model, attrs.evolve(rows, index={"hologram": np.arange(1000)})))
    plain = service.post(of_holograms(rows))
    packed = service.post(of_holograms(rows), **{"Accept-Encoding": "gzip"})
    assert packed[2]["Content-Encoding"] == "gzip"
    assert len(packed[1]) < 0.6 * len(plain[1])
    assert gzip.decompress(packed[1]) == plain[1]
    values = json.loads(plain[1])["predictions"]
    assert [row["hologram"] for row in values] == list(range(1000))
    assert [row["z_3"] for row in values] == pytest.approx(expected["z_3"].tolist(), abs=1e-6)
    arrow = table_of(service.post(of_holograms(rows), Accept=ARROW)[1])
    as_file = parquet.read_table(io.BytesIO(service.post(of_holograms(rows), Accept=PARQUET)[1]))
    assert arrow.equals(as_file)
    pd.testing.assert_series_equal(arrow.to_pandas()["z_3"], expected["z_3"], atol=1e-6)


@pytest.mark.parametrize("form", ["dataframe_records", "dataframe_split", "inputs", "instances"])
def test_the_forms_of_mlflow_are_taken(service: Running, form: str) -> None:
    (row,) = json.loads(of_holograms(holograms(2)))["dataframe_records"]
    content = {
        "dataframe_split": {"columns": list(row), "data": [list(row.values())]},
        "inputs": {name: [value] for name, value in row.items()},
    }.get(form, [row])
    status, body, _ = service.post(json.dumps({form: content}).encode())
    assert (status, len(json.loads(body)["predictions"])) == (200, 2)


def test_requests_that_come_together_have_the_bits_of_lone_ones(service: Running) -> None:
    bodies = [of_holograms(holograms(1 + i % 3, seed=i)) for i in range(24)]
    bad = holograms(2)
    bad.coefficients[1, 4] = 3e38
    lone = [service.post(body, Accept=ARROW)[1] for body in bodies]
    counts = ("holo_batch_requests_sum", "holo_batch_requests_count")
    before = [service.metric(name) for name in counts]
    with ThreadPoolExecutor(30) as pool:
        busy = [pool.submit(service.post, of_holograms(holograms(1100))) for _ in range(4)]
        spoilt = pool.submit(service.post, of_holograms(bad))
        together = list(pool.map(lambda body: service.post(body, Accept=ARROW)[:2], bodies * 3))
    assert together == [(200, body) for body in lone * 3]
    assert {each.result()[0] for each in busy} == {200}
    assert spoilt.result()[0] == 400
    assert b"not all of rows 0 to 1 of the answer would be finite" in spoilt.result()[1]
    requests, batches = (service.metric(name) - was for name, was in zip(counts, before, strict=True))
    (said,) = [line for line in service.lines() if line["event"] == "model"]
    assert (requests > batches) == (
        said["batches"] == "true"
    )  # some were in one batch, where that is possible


def test_each_answer_says_which_model_gave_it(service: Running, model: Model) -> None:
    status, body, headers = service.post(of_structure(residues="A:30"))
    assert status == 200
    assert (headers["Holo-Model-Name"], headers["Holo-Model-Version"]) == ("small", "0")
    assert headers["Holo-Model-Digest"] == model.digest
    said = json.loads(service.get("/version")[1])
    assert said["model"]["digest"] == model.digest
    (line,) = [each for each in service.lines() if each.get("id") == headers["X-Request-Id"]]
    assert (line["status"], line["rows"], line["digest"]) == (200, 1, model.digest)
    assert line["bytes"] == len(body)


def test_metrics_sum_what_all_processes_did(service: Running) -> None:
    names = ("holo_residues_total", "holo_training_distance_count", "holo_reconstruction_cosine_loss_count")
    before = [service.metric(name) for name in names]
    answered = service.metric("holo_requests_total")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(service.post, [of_holograms(holograms(200, seed=i)) for i in range(8)]))
    assert [service.metric(name) - was for name, was in zip(names, before, strict=True)] == [1600] * 3
    assert service.metric("holo_requests_total") - answered == 8
    until(lambda: service.metric("holo_workers") == 2, "both processes are there")
    # Rows of the training's distribution are as far from it as training rows are from each other.
    below = (
        service.metric('holo_training_distance_bucket{le="0.25"}'),
        service.metric('holo_training_distance_bucket{le="4.0"}'),
    )
    assert below[0] < 0.1 * service.metric("holo_training_distance_count")
    assert below[1] > 0.9 * service.metric("holo_training_distance_count")


# What it refuses

GOOD = json.loads(of_holograms(holograms(1)))["dataframe_records"]
MALFORMED = {
    "no JSON": SECRET.encode(),
    "cut JSON": records(GOOD)[:-9],
    "not UTF-8": b'{"dataframe_records": "\xff"}',
    "NaN": b'{"dataframe_records": [{"name": NaN}]}',
    "deep": b'{"dataframe_records": ' + b"[" * 200_000,
    "long number": b'{"dataframe_records": ' + b"1" * 9999 + b"}",
    "list": json.dumps(GOOD).encode(),
    "no form": json.dumps({SECRET: GOOD}).encode(),
    "two forms": json.dumps({"dataframe_records": GOOD, "inputs": SECRET}).encode(),
    "an unknown key": json.dumps({"dataframe_records": GOOD, SECRET: 1}).encode(),
    "params": json.dumps({"dataframe_records": GOOD, "params": {SECRET: 1}}).encode(),
    "records that are none": json.dumps({"dataframe_records": SECRET}).encode(),
    "a table that is none": json.dumps({"dataframe_split": {"columns": [SECRET]}}).encode(),
    "ragged columns": json.dumps({"inputs": {"name": [SECRET], "content": ["x", "y"]}}).encode(),
    "ragged instances": json.dumps({"instances": [{"name": [[SECRET], 1]}, 5]}).encode(),
    "half a surrogate": b'{"dataframe_records": [{"name": "hunter2.pdb", "content": "\\ud800"}]}',
    "an unknown column": records([{**GOOD[0], SECRET: "x"}]),
    "an unknown column of much text": records([{**GOOD[0], SECRET * 50_000: "x"}]),
    "rubbish": records([{"name": f"{SECRET}.pdb", "content": SECRET}]),
    "another format": records([{"name": f"a.{SECRET}", "content": SECRET}]),
    "too long": b" " * 500_001,
    "too many rows": of_holograms(holograms(1101)),
    "nothing": b"",
    "many empty values": b'{"inputs": {"name": ["hunter2"' + b',""' * 150_000 + b"]}}",
    "many empty rows": b'{"dataframe_split": {"columns": [], "data": [[]' + b",[]" * 150_000 + b"]}}",
    "more rows than residues": records([{"name": f"{SECRET}.pdb", "content": ""}] * 1101),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_bad_request_gets_one_line(service: Running, kind: str) -> None:
    status, body, _ = service.post(MALFORMED[kind])
    answer = json.loads(body)
    assert status == 400
    assert set(answer) == {"error_code", "message"}
    assert answer["message"].isprintable()
    assert len(answer["message"]) < 250
    assert SECRET not in answer["message"]


def test_only_json_is_taken(service: Running) -> None:
    status, body, _ = ask(f"{service.url}/invocations", b"name,content", {"Content-Type": "text/csv"})
    assert (status, b"must be application/json" in body) == (400, True)
    other = service.post(of_holograms(holograms(1)), **{"Content-Type": "application/json;charset=utf-16"})
    assert (other[0], json.loads(other[1])["message"]) == (415, "the request's character set must be utf-8")
    assert service.get(f"/{SECRET}")[0] == 404
    assert ask(f"{service.url}/version", b"x")[0] == 404


def port_of(service: Running) -> int:
    return int(service.url.rpartition(":")[2])


def test_half_open_clients_are_closed_and_silence_nobody(service: Running) -> None:
    """400 of them once kept every good request waiting and filled the log."""
    size = service.log.stat().st_size
    rude = []
    for number in range(400):
        client = socket.create_connection(("127.0.0.1", port_of(service)))
        with contextlib.suppress(OSError):
            client.sendall(b"POST /invocations HTTP/1.1\r\n" if number % 2 else b"")
        rude.append(client)
    started = time.monotonic()
    statuses = [service.post(of_holograms(holograms(1)))[0] for _ in range(20)]
    assert statuses == [200] * 20  # none is without a connection, though they have all
    assert time.monotonic() - started < PATIENCE / 2
    for client in rude:
        client.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        client.close()
    assert service.metric('holo_connections_closed_total{reason="headers"}') > 0
    assert service.metric('holo_connections_closed_total{reason="too many"}') >= 200
    assert service.log.stat().st_size - size < 20_000


def good(service: Running) -> bool:
    with contextlib.suppress(OSError):
        return service.post(of_holograms(holograms(1)))[0] == 200
    return False


BODY = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


HALFWAY = BODY + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n{"
IDLE = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("start", [HALFWAY, IDLE], ids=["halfway", "idle"])
def test_clients_that_stop_halfway_or_stay_keep_nobody_out(service: Running, start: bytes) -> None:
    """560 incomplete bodies once had all connections, and whoever came later was closed."""
    statuses = []
    with contextlib.ExitStack() as kept:
        for number in range(300):
            client = kept.enter_context(socket.create_connection(("127.0.0.1", port_of(service)), PATIENCE))
            with contextlib.suppress(OSError):
                client.sendall(start)
                client.recv(12)  # its headers have been read
            if number > 250:
                statuses.append(service.post(of_holograms(holograms(1)))[0])
    assert statuses == [200] * len(statuses)


def answer_to(service: Running, content: bytes) -> bytes:
    """Send something that is no complete request, and return what comes until the connection is closed."""
    answer = b""
    client = socket.create_connection(("127.0.0.1", port_of(service)), timeout=PATIENCE)
    with client, contextlib.suppress(ConnectionError):
        client.sendall(content)
        while part := client.recv(2**16):
            answer += part
    return answer


def test_a_body_that_stands_still_is_not_waited_for(service: Running) -> None:
    started = time.monotonic()
    answer = answer_to(service, BODY + b"Content-Length: 1000\r\n\r\n{")
    assert time.monotonic() - started < 40  # its time is 50 s, and connections are kept open for another 20
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"the request comes too slowly" in answer


def chunked(content: bytes, size: int) -> bytes:
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return (
        BODY + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    )


def test_tiny_chunks_end_a_connection(service: Running) -> None:
    """Whoever sent one byte in each chunk once had the service to himself."""
    body = of_holograms(holograms(50))
    assert answer_to(service, chunked(body, 1)) == b""
    assert service.metric('holo_connections_closed_total{reason="tiny chunks"}') > 0
    with socket.create_connection(("127.0.0.1", port_of(service)), timeout=PATIENCE) as client:
        client.sendall(chunked(body, 60) + b"0\r\n\r\n")  # as long as the lines of a file
        assert client.recv(12) == b"HTTP/1.1 200"
    trailers = b"0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"
    headers = BODY + b"a: b\r\n" * 20_000 + b"\r\n"
    for content in (headers, chunked(b"x", 1) + trailers, chunked(b"x", 1) + b"0\r\n\r\n" + headers):
        assert re.match(
            b"$|HTTP/1.1 400 .*Invalid HTTP request received", answer_to(service, content), re.DOTALL
        )
    assert good(service)


def test_headers_that_drip_are_no_excuse(service: Running) -> None:
    with socket.create_connection(("127.0.0.1", port_of(service))) as client:
        client.settimeout(0.2)
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < PATIENCE:
                client.sendall(b"X")
                with contextlib.suppress(TimeoutError):
                    if client.recv(1) == b"":
                        break
        assert time.monotonic() - started < PATIENCE


def test_a_process_that_dies_is_replaced(service: Running) -> None:
    body = of_holograms(holograms(3))
    expected = service.post(body, Accept=ARROW)[:2]
    for child in service.children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    found = [service.post(body, Accept=ARROW)[:2] for _ in range(4)]
    assert {status for status, _ in found} <= {200, 500}  # what was under way there has nobody to finish it
    assert found[-1] == expected
    until(lambda: service.metric("holo_workers") == 2, "both are there again")


def test_nothing_of_a_request_reaches_the_log(service: Running) -> None:
    text = service.log.read_text()
    for line in text.splitlines():
        json.loads(line)
    assert SECRET not in text
    assert "Traceback" not in text
    assert base64.b64encode(b"ATOM")[:6].decode() not in text
    assert "1ubq" not in text.lower()


# A full service, an alias that moves, and the end


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Register two models under one name, of which the first is the champion; return the address of the store."""
    folder = tmp_path_factory.mktemp("registry")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        mlflow.set_tracking_uri(store)
        mlflow.create_experiment("served", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("served")
        for seed in (1, 2):
            small = tiny_model(seed)
            write_model(small, folder / f"small{seed}")
            with mlflow.start_run():
                mlflow.pyfunc.log_model(
                    name="model",
                    loader_module="holo_vae.serving",
                    data_path=str(folder / f"small{seed}"),
                    signature=signature(small),
                    input_example=input_example(small),
                    pip_requirements=["holo-vae"],
                    registered_model_name="small",
                )
        mlflow.MlflowClient().set_registered_model_alias("small", "champion", "1")
        yield store
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # forgets it


def test_an_alias_moves_the_service_is_full_and_ends(registry: str, tmp_path: Path) -> None:
    settings = {
        "MLFLOW_TRACKING_URI": registry,
        "HOLO_SERVING_INDEX": str(index_of(tiny_model(1), tmp_path / "index")),
        "HOLO_SERVING_WORKERS": "1",
        "HOLO_SERVING_MAX_QUEUE": "2",
        "HOLO_SERVING_REFRESH_SECONDS": "0.3",
    }
    with running(tmp_path, "models:/small@champion", **settings) as service:

        def answering() -> str:
            return str(json.loads(service.get("/version")[1])["model"]["version"])

        assert answering() == "1"
        assert service.post(of_structure(residues="A:30"), "/neighbors")[0] == 200
        mlflow.MlflowClient().set_registered_model_alias("small", "champion", "2")
        until(lambda: answering() == "2", "the other version answers")
        status, _, headers = service.post(of_structure(residues="A:30"))
        assert (status, headers["Holo-Model-Version"]) == (200, "2")
        assert headers["Holo-Model-Digest"] == tiny_model(2).digest
        status, body, _ = service.post(of_structure(residues="A:30"), "/neighbors")
        assert status == 400
        assert re.match(
            r"the index is of small 0 \(\w+\); the model that answers is small 2", json.loads(body)["message"]
        )

        long = of_holograms(holograms(4000))
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(service.post, [long] * 6))
        full = [each for each in answers if each[0] == 429]
        assert {status for status, *_ in answers} == {200, 429}
        assert all(int(headers["Retry-After"]) >= 1 for *_, headers in full)
        assert b"too many requests are under way" in full[0][1]
        assert good(service)

        children = service.children()
        with ThreadPoolExecutor(2) as pool:
            under_way = [pool.submit(service.post, long) for _ in range(2)]
            until(lambda: service.metric("holo_queue_requests") == 2, "they are under way")
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(PATIENCE) == 0
            assert [len(json.loads(each.result()[1])["predictions"]) for each in under_way] == [4000] * 2
        for child in children:
            with pytest.raises(ProcessLookupError):
                os.kill(child, 0)
        assert service.lines()[-1]["event"] == "stop"


# Settings


def test_an_index_of_another_model_is_refused_at_the_start(tmp_path: Path) -> None:
    write_model(tiny_model(2), tmp_path / "model")
    index = index_of(tiny_model(1), tmp_path / "index")
    asked = ["serve", "--model", str(tmp_path / "model"), "--index", str(index), "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "holo_vae", *asked],
        env={**os.environ, "HOLO_SERVING_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    (said,) = [each for each in done.stderr.splitlines() if not each.startswith("{")]
    assert done.returncode == 1
    assert (
        f"{index}: the index is of small 0 ({tiny_model(1).digest[:12]}); the model that answers is" in said
    )


@pytest.mark.parametrize(
    ("variables", "options", "line"),
    [
        ({"HOLO_SERVING_PORT": "many"}, [], 'HOLO_SERVING_PORT from env: unable to convert "many" into int'),
        ({"HOLO_SERVING_MAX_SECONDS": "nan"}, [], 'Invalid value "nan" for HOLO_SERVING_MAX_SECONDS'),
        (
            {"HOLO_SERVING_MAX_BYTE": "5"},
            [],
            "HOLO_SERVING_MAX_BYTE is not a setting .* HOLO_SERVING_MAX_BYTES is",
        ),
        ({}, ["--workers", "0"], 'Invalid value "0" for --workers. Must be >= 1'),
        ({}, ["--max-residue", "5"], "--max-residue. Did you mean --max-residues"),
        ({}, ["--model", "no-such-model"], "no-such-model: no such model"),
        ({}, ["--index", "no-such-index"], "no-such-index: is not an index"),
        ({}, ["--host", "203.0.113.1"], "203.0.113.1:5001 cannot be listened on"),
        (
            {"MLFLOW_TRACKING_URI": "postgresql://holo:secret@127.0.0.1:1/mlflow"},
            ["--model", "models:/small@champion"],
            r"postgresql://holo:\*\*\*@127.0.0.1:1/mlflow: the store does not answer",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(variables: dict[str, str], options: list[str], line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holo_vae", "serve", *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = [each for each in done.stderr.splitlines() if not each.startswith("{")]
    assert done.returncode in (1, 2)
    assert len(said) == 1
    assert re.search(line, said[0])
