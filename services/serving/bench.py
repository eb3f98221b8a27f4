"""Measure requests per second and latency of the embedding service, and the same embedding in this process.

The model is the published network for proteins, untrained (2 million weights; the time does not depend on their
values), in a registry of its own, or the model that is named. Requests are sent to ``holo-vae serve`` and to
``mlflow models serve`` over open connections: first by one client, alternating with the embedding in this process so
that both meet the same conditions, then by 4 and 16 clients at once. Each server has one process that embeds in one
thread, so the figures are for one processor, and apply to each of several.
"""

import argparse
import contextlib
import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import mlflow
import numpy as np
import torch
from check import body_of, command, free_port, mlflow_command, serving

import holo_features
import holo_vae
from holo_features import Encoding, ResidueId, encode_structures
from holo_types import Basis, Holograms, Zernike
from holo_vae import HolographicAutoencoder, Model, ModelConfig, embed_holograms, write_model
from holo_vae.embedding import unchanging
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.serving.service import encode_content, input_example, signature

PROTEIN = ModelConfig(
    basis=Basis(
        lmax=6,
        radial=Zernike(20, 10.0, "floor"),
        channels=("C", "N", "O", "S"),
        angular_normalization="component",
        point_normalization="unit",
    ),
    latent_dim=128,
    lmax=(6, 6, 6, 4, 2, 1),
    channels=(60, 60, 60, 90, 128, 128),
    initial_projection=44,
    variational=True,
)
BATCH = 512
CLIENTS = (1, 4, 16)


@attrs.frozen
class Case:
    """A request: its body, the number of rows of the answer, and the same embedding as a call in this process."""

    name: str
    body: bytes
    rows: int
    local: Callable[[], object]


@contextlib.contextmanager
def untrained() -> Iterator[str]:
    """Register an untrained model in a store of its own, and return its address in the registry."""
    torch.manual_seed(0)
    model = Model(HolographicAutoencoder(PROTEIN).eval(), "bench")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = f"sqlite:///{folder / 'mlflow.db'}"
        os.environ["MLFLOW_TRACKING_URI"] = store
        mlflow.set_tracking_uri(store)
        mlflow.create_experiment("bench", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("bench")
        write_model(model, folder / "bench")
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                name="model",
                loader_module="holo_vae.serving",
                data_path=str(folder / "bench"),
                signature=signature(model),
                input_example=input_example(model),
                pip_requirements=["holo-vae[mlflow,structures]"],
                registered_model_name="bench",
            )
        yield "models:/bench/1"


def cases(model: Model) -> list[Case]:
    """Return the requests for a shipped structure of 153 residues."""
    path = holo_features.datasets.example_structures()[0]
    basis = model.config.basis
    record = {"name": path.name, "content": encode_content(path)}
    (whole,) = encode_structures([path], basis)
    assert whole.holograms is not None
    chain, numbers = str(whole.holograms.index["chain"][0]), whole.holograms.index["residue_number"][:1]
    few = Encoding(residues=tuple(ResidueId(chain, int(number)) for number in numbers))

    def embed_few() -> None:
        (encoded,) = encode_structures([path], basis, encoding=few)
        assert encoded.holograms is not None
        embed_holograms(model, encoded.holograms)

    rows = np.resize(whole.holograms.coefficients, (BATCH, basis.dim))
    one, batch = Holograms(rows[:1], basis), Holograms(rows, basis)
    residues = {"residues": f"{chain}:{numbers[0]}"}
    return [
        Case(
            f"a structure of {len(whole.holograms)} residues",
            body_of([record]),
            len(whole.holograms),
            lambda: holo_vae.embed([path], model),
        ),
        Case("1 residue of it", body_of([record | residues]), 1, embed_few),
        *(
            Case(
                f"{len(holograms)} hologram{'s' if len(holograms) > 1 else ''}",
                body_of(
                    [
                        {
                            "holograms": encode_coefficients(holograms.coefficients),
                            "basis": basis.digest,
                        }
                    ]
                ),
                len(holograms),
                lambda holograms=holograms: embed_holograms(model, holograms),
            )
            for holograms in (one, batch)
        ),
    ]


def ask(connection: http.client.HTTPConnection, case: Case) -> float:
    """Send a request, read the answer, and return the seconds."""
    headers = {"Content-Type": "application/json"}
    started = time.perf_counter()
    try:
        connection.request("POST", "/invocations", case.body, headers)
        answer = connection.getresponse()
    except ConnectionError:  # the connection was not used for too long
        connection.close()
        connection.request("POST", "/invocations", case.body, headers)
        answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200 or len(json.loads(content)["predictions"]) != case.rows:
        raise RuntimeError(f"{case.name}: status {answer.status}, {content[:300]!r}")
    return seconds


def alternate(address: str, case: Case, seconds: float) -> tuple[list[float], list[float]]:
    """Send requests and embed in this process alternately, and return the seconds of each."""
    connection = http.client.HTTPConnection(address, timeout=120)
    served, local = [], []
    ask(connection, case)
    case.local()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(served) < 5:
        served.append(ask(connection, case))
        started = time.perf_counter()
        case.local()
        local.append(time.perf_counter() - started)
    connection.close()
    return served, local


def at_once(address: str, case: Case, seconds: float, clients: int) -> tuple[list[float], float, int]:
    """Send requests from several clients, and return the seconds of each, their rate, and how many were refused."""

    def client(_: int) -> tuple[list[float], int]:
        connection = http.client.HTTPConnection(address, timeout=120)
        taken, refused = [], 0
        while time.perf_counter() < until or not taken + [None] * refused:
            try:
                taken.append(ask(connection, case))
            except RuntimeError:
                refused += 1
        connection.close()
        return taken, refused

    started = time.perf_counter()
    until = started + seconds
    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(client, range(clients)))
    taken = [time for times, _ in done for time in times]
    return taken, len(taken) / (time.perf_counter() - started), sum(refused for _, refused in done)


def percentiles(seconds: list[float]) -> str:
    """Return median, 95th and 99th percentile in ms."""
    return " ".join(f"{1000 * value:8.1f}" for value in np.percentile(seconds or [np.nan], [50, 95, 99]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", help="of the registry at MLFLOW_TRACKING_URI, in place of the untrained one"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line of the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    named = contextlib.nullcontext(arguments.model) if arguments.model else untrained()
    rates: dict[tuple[str, int], float] = {}
    with named as uri:
        asked = cases(unchanging(holo_vae.load(uri, Model)))
        for ours in (False, True):
            port = free_port()
            started, page = (command(uri, port), "/ready") if ours else (mlflow_command(uri, port), "/health")
            variables = {**os.environ, "HOLO_MODEL": uri, "OMP_NUM_THREADS": "1"}
            with serving(started, variables, port, page) as url:
                print(f"\n{'holo-vae serve' if ours else 'mlflow models serve':32s}", end="")
                print("clients  requests/s   rows/s   median      p95      p99 ms  to local  to mlflow")
                for case in asked:
                    address = url.removeprefix("http://")
                    served, local = alternate(address, case, arguments.seconds)
                    ratio = f"{np.median(served) / np.median(local):8.2f}"
                    for clients in CLIENTS:
                        taken, rate, refused = at_once(address, case, arguments.seconds, clients)
                        line = f"{rate:10.2f} {rate * case.rows:8.1f} {percentiles(taken)}"
                        beside = f"{rate / (rates[case.name, clients] or np.nan):10.2f}" if ours else " " * 10
                        beside += f"  {refused} refused" if refused else ""
                        rates.setdefault((case.name, clients), rate)
                        alone = ratio if clients == 1 else " " * len(ratio)
                        print(f"{case.name:32s}{clients:6d}  {line}  {alone}{beside}", flush=True)


if __name__ == "__main__":
    main()
