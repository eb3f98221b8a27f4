"""Measure the embedding service: requests per second and latency, beside the same embedding in this process.

The model is the published network for proteins, untrained (2 million weights; time does not depend on them), in a
registry of its own, or the one that is named. Requests go to the service as services/serving/serve.py starts it,
and to ``mlflow models serve`` alone, over connections that stay open: one client, in turns with the embedding
here, so that both see the same machine; then several at once. Each process computes in one thread: those of two
processes that wait for each other would otherwise be in each other's way.
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
from check import body_of, free_port, mlflow_command, serving
from serve import command

import holo_features
import holo_vae
from holo_features import Encoding, ResidueId, encode_structures
from holo_types import Basis, Holograms, Zernike
from holo_vae import HolographicAutoencoder, Model, ModelConfig, embed_holograms, write_model
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
FEW, BATCH = 20, 512


@attrs.frozen
class Case:
    """What is asked: a request's body, how many rows answer it, and the same by a call in this process."""

    name: str
    body: bytes
    rows: int
    local: Callable[[], object]


@contextlib.contextmanager
def untrained() -> Iterator[str]:
    """Register an untrained model in a store of its own; gives its address in the registry."""
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
    """Make the requests, of a shipped structure of 153 residues."""
    path = holo_features.datasets.example_structures()[0]
    basis = model.config.basis
    record = {"name": path.name, "content": encode_content(path)}
    (whole,) = encode_structures([path], basis)
    assert whole.holograms is not None
    chain, numbers = str(whole.holograms.index["chain"][0]), whole.holograms.index["residue_number"][:FEW]
    few = Encoding(residues=tuple(ResidueId(chain, int(number)) for number in numbers))

    def embed_few() -> None:
        (encoded,) = encode_structures([path], basis, encoding=few)
        assert encoded.holograms is not None
        embed_holograms(model, encoded.holograms)

    rows = np.resize(whole.holograms.coefficients, (BATCH, basis.dim))
    one, batch = Holograms(rows[:1], basis), Holograms(rows, basis)
    residues = {"residues": f"{chain}:{numbers[0]}-{numbers[-1]}"}
    return [
        Case(
            f"a structure of {len(whole.holograms)} residues",
            body_of([record]),
            len(whole.holograms),
            lambda: holo_vae.embed([path], model),
        ),
        Case(f"{FEW} residues of it", body_of([record | residues]), FEW, embed_few),
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
    """Send a request and read the answer; gives the seconds."""
    started = time.perf_counter()
    connection.request("POST", "/invocations", case.body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200 or len(json.loads(content)["predictions"]) != case.rows:
        raise RuntimeError(f"{case.name}: status {answer.status}, {content[:300]!r}")
    return seconds


def alternate(address: str, case: Case, seconds: float) -> tuple[list[float], list[float]]:
    """Ask and embed here in turns; gives the seconds of each."""
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


def at_once(address: str, case: Case, seconds: float, clients: int) -> tuple[list[float], float]:
    """Ask from several clients; gives the seconds of each request, and requests per second."""

    def client(_: int) -> list[float]:
        connection = http.client.HTTPConnection(address, timeout=120)
        taken = []
        while time.perf_counter() < until or not taken:
            taken.append(ask(connection, case))
        connection.close()
        return taken

    started = time.perf_counter()
    until = started + seconds
    with ThreadPoolExecutor(clients) as pool:
        taken = [time for times in pool.map(client, range(clients)) for time in times]
    return taken, len(taken) / (time.perf_counter() - started)


def percentiles(seconds: list[float]) -> str:
    """Return median, 95th and 99th percentile in ms."""
    return " ".join(f"{1000 * value:8.1f}" for value in np.percentile(seconds, [50, 95, 99]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", help="of the registry at MLFLOW_TRACKING_URI, in place of the untrained one"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line of the table")
    parser.add_argument("--clients", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    named = contextlib.nullcontext(arguments.model) if arguments.model else untrained()
    with named as uri:
        asked = cases(holo_vae.load(uri, Model))
        for guarded in (True, False):
            port = free_port()
            started = command("127.0.0.1", port) if guarded else mlflow_command(uri, port)
            with serving(started, {**os.environ, "HOLO_MODEL": uri, "OMP_NUM_THREADS": "1"}, port) as url:
                print(f"\n{'the service' if guarded else 'mlflow models serve'}", end="")
                print("            clients  requests/s  rows/s   median      p95      p99 ms   to local")
                for case in asked:
                    address = url.removeprefix("http://")
                    served, local = alternate(address, case, arguments.seconds)
                    rate, ratio = 1 / np.mean(served), np.median(served) / np.median(local)
                    line = f"{rate:10.2f} {rate * case.rows:8.1f} {percentiles(served)}   {ratio:8.2f}"
                    print(f"{case.name:32s}{1:6d}  {line}", flush=True)
                    taken, rate = at_once(address, case, arguments.seconds, arguments.clients)
                    line = f"{rate:10.2f} {rate * case.rows:8.1f} {percentiles(taken)}"
                    print(f"{'':32s}{arguments.clients:6d}  {line}", flush=True)


if __name__ == "__main__":
    main()
