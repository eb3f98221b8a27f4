"""Start the embedding service on loopback, send it valid and invalid requests, and stop it.

Run it with ``nox -s serve``: it serves the model of proteins that comes with holo-vae, or the one that ``--model``
names, once by ``holo-vae serve``, once by ``mlflow models serve``.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import holo_features
import holo_vae
from holo_features import encode_structures
from holo_types import Holograms, to_table
from holo_vae import Model, embed_holograms, load
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.serving.logged import write_served
from holo_vae.serving.service import encode_content

START_SECONDS = 120
TOLERANCE = 1e-5  # of values of the order of 1, in float32: batches of another size are summed otherwise

Records = Sequence[Mapping[str, str]]


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def post(url: str, body: bytes) -> tuple[int, Any]:
    """Post JSON, and return the status and the parsed answer."""
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # nosec B310 # of the server that it started
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def body_of(records: Records) -> bytes:
    """Return rows as a request."""
    return json.dumps({"dataframe_records": records}).encode()


def command(model: str, port: int) -> list[str]:
    """Return the command that serves a model with one embedding process, so that figures are for one processor."""
    return [
        *(sys.executable, "-m", "holo_vae", "serve", "--model", model),
        *("--port", str(port), "--workers", "1"),
    ]


def wait_until_ready(page: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for the page of a server, and report the end of its log if it dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(page, timeout=5) as answer:  # nosec B310
            if answer.status == 200:
                return
        time.sleep(0.3)
    sys.exit(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


def mlflow_command(model: str, port: int) -> list[str]:
    """Return the command that serves a model, in a registry or a folder in MLflow's form, without the guard."""
    return [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]


@contextlib.contextmanager
def serving(arguments: Sequence[str], variables: Mapping[str, str], port: int, page: str) -> Iterator[str]:
    """Run a server on loopback, wait until its page says that it is ready, and yield its address."""
    # MLflow starts its server through the shell, which must find this Python's programs.
    programs = str(Path(sys.executable).parent)
    path = f"{programs}{os.pathsep}{variables.get('PATH', '')}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        # It gets a session of its own, because mlflow starts uvicorn as a child, which must end with it.
        with log.open("wb") as output:
            server = subprocess.Popen(
                arguments,
                env={**variables, "PATH": path},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{url}{page}", server, log)
            yield url
        finally:
            _stop(server)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def answers(url: str, records: Records, expected: pd.DataFrame, what: str) -> str:
    """Request embeddings and compare them with local ones; return a line, or exit and name the difference."""
    started = time.perf_counter()
    status, answer = post(url, body_of(records))
    seconds = time.perf_counter() - started
    if status != 200:
        sys.exit(f"{what}: refused with status {status}: {answer}")
    served = pd.DataFrame(answer["predictions"])
    if list(served) != list(expected) or len(served) != len(expected):
        sys.exit(f"{what}: the service gave {served.shape} values, a local embed {expected.shape}")
    worst = 0.0
    for column in expected.columns:
        if expected[column].dtype.kind == "f":
            difference = float((served[column] - expected[column]).abs().max())
            if not difference <= TOLERANCE:  # so that NaN is refused too
                sys.exit(f"{what}: column {column} differs from a local embed by {difference:.1e}")
            worst = max(worst, difference)
        elif (served[column] != expected[column]).any():
            sys.exit(f"{what}: column {column} differs between the service and a local embed")
    return f"{what}: {len(served)} rows in {seconds:.2f} s, equal to a local embed to {worst:.0e}"


def refuses(url: str, body: bytes, what: str) -> str:
    """Send a request that must be refused; return a line, or exit."""
    status, answer = post(url, body)
    message = answer.get("message", "")
    if status != 400 or not message or not message.isprintable():
        sys.exit(f"{what}: status {status} and message {message!r}; expected 400 and one line")
    return f"{what}: 400, {message}"


def check(url: str, model: holo_vae.Model, structure: Path, guarded: bool) -> Iterator[str]:
    """Check a server, and yield a line for each check."""
    record = {"name": structure.name, "content": encode_content(structure)}
    (encoded,) = encode_structures([structure], model.config.basis)
    if encoded.holograms is None:
        raise encoded.error or RuntimeError(f"{structure} gave no holograms")
    holograms = encoded.holograms
    batch = {"holograms": encode_coefficients(holograms.coefficients), "basis": holograms.basis.digest}
    everything = to_table(holo_vae.embed([structure], model))
    chain = str(everything["chain"][0])
    first, last = map(int, everything["residue_number"][[0, 9]])
    chosen = everything[(everything["chain"] == chain) & everything["residue_number"].between(first, last)]
    # Only coefficients are sent, without the residues of the rows and their positions.
    bare = Holograms(holograms.coefficients, holograms.basis)
    numbered = to_table(embed_holograms(model, bare))
    numbered.insert(0, "hologram", range(len(numbered)))

    yield answers(url, [record], everything, structure.name)
    few = {**record, "residues": f"{chain}:{first}-{last}"}
    yield answers(url, [few], chosen.reset_index(drop=True), "chosen residues")
    yield answers(url, [batch], numbered, "holograms")
    silly: dict[str, bytes] = {
        "a text that is not a structure": body_of([{"name": "rubbish.pdb", "content": "rubbish"}]),
        "a binary file that is not base64": body_of([{"name": "rubbish.bcif", "content": "%"}]),
        "a request without content": body_of([{"name": "rubbish.pdb"}]),
        "a column that is not known": body_of([{**record, "residue": "A:1"}]),
        "residues that are not there": body_of([{**record, "residues": "A:99999"}]),
        "holograms that are not base64": body_of([{**batch, "holograms": "rubbish"}]),
        "holograms of another width": body_of(
            [{**batch, "holograms": encode_coefficients(holograms.coefficients[:, :-1])}]
        ),
        "holograms of another basis": body_of([{**batch, "basis": "0" * 64}]),
        "parameters": json.dumps({"dataframe_records": [record], "params": {"rubbish": 1}}).encode(),
    }
    if guarded:
        silly["a request that is not JSON"] = b"rubbish"
        silly["a request that is nested deeply"] = b"[" * 100_000
        silly["a request that is too long"] = b" " * (2**24 + 1)
    for what, body in silly.items():
        yield refuses(url, body, what)


def main() -> None:
    """Do the checks and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="microenvironment-z128", help="name, folder or models:/ URI (default: %(default)s)"
    )
    parser.add_argument("--store", help="the registry (default: MLFLOW_TRACKING_URI, else the demo's)")
    arguments = parser.parse_args()
    if arguments.store:
        os.environ["MLFLOW_TRACKING_URI"] = arguments.store
    registered = arguments.model.startswith("models:/")
    if registered:
        os.environ.setdefault("MLFLOW_TRACKING_URI", "sqlite:///demo/run/mlflow.db")
    structure = holo_features.datasets.example_structures()[0]
    model = load(arguments.model, Model)
    with tempfile.TemporaryDirectory() as folder:
        alone = arguments.model
        if not registered:
            alone = str(Path(folder, "model"))
            write_served(model, Path(alone))
        for port, guarded in ((free_port(), True), (free_port(), False)):
            started = command(arguments.model, port) if guarded else mlflow_command(alone, port)
            sys.stdout.write("holo-vae serve\n" if guarded else "mlflow models serve\n")
            with serving(started, os.environ, port, "/ready" if guarded else "/health") as url:
                for line in check(url, model, structure, guarded):
                    sys.stdout.write(f"  {line}\n")


if __name__ == "__main__":
    main()
