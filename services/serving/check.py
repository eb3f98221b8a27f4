"""Start the embedding service on loopback, ask it something sensible and something silly, and stop it.

Run it with ``nox -s serve`` after ``nox -s demo``: it serves the model that the demo registered.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from serve import command, environment

import holo_features
import holo_vae
from holo_types import to_table
from holo_vae.serving import encode_content

START_SECONDS = 120


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def post(url: str, body: object) -> tuple[int, Any]:
    """Post JSON; give the status and the parsed answer."""
    request = urllib.request.Request(
        f"{url}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for the server's health page; tell the log's end if it dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.3)
    sys.exit(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


@contextlib.contextmanager
def serving(model: str) -> Iterator[str]:
    """Run `mlflow models serve` on a free loopback port; gives its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        # A session of its own: mlflow starts uvicorn as a child, which must end with it.
        with log.open("wb") as output:
            server = subprocess.Popen(
                command(model, "127.0.0.1", port),
                env=environment(os.environ),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, server, log)
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


def check(model: str, structure: Path) -> Sequence[str]:
    """Compare the service with a local `embed`; gives a line for each check, or exits naming the one that fails."""
    lines = []
    record = {"name": structure.name, "content": encode_content(structure)}
    with serving(model) as url:
        started = time.perf_counter()
        status, answer = post(url, {"dataframe_records": [record]})
        seconds = time.perf_counter() - started
        if status != 200:
            sys.exit(f"a real structure was refused with status {status}: {answer}")
        local = to_table(holo_vae.embed([structure], model))
        served = answer["predictions"]
        if len(served) != len(local):
            sys.exit(f"the service gave {len(served)} residues, a local embed {len(local)}")
        worst = 0.0
        for column in local.columns:
            ours, theirs = local[column].to_numpy(), np.array([row[column] for row in served])
            if ours.dtype.kind == "f":
                difference = float(np.abs(ours - theirs).max())
                if not difference <= 1e-6:  # so that NaN is refused too
                    sys.exit(
                        f"column {column} differs from a local embed by {difference:.1e}, more than 1e-6"
                    )
                worst = max(worst, difference)
            elif (ours != theirs).any():
                sys.exit(f"column {column} differs between the service and a local embed")
        lines.append(
            f"{structure.name}: {len(served)} residues in {seconds:.2f} s, equal to a local embed to {worst:.0e}"
        )
        rubbish = {
            "a text that is no structure": {
                "dataframe_records": [{"name": "rubbish.pdb", "content": "rubbish"}]
            },
            "a binary file that is not base64": {
                "dataframe_records": [{"name": "rubbish.bcif", "content": "%"}]
            },
            "a request without structures": {"dataframe_records": [{"name": "rubbish.pdb"}]},
        }
        for name, body in rubbish.items():
            status, answer = post(url, body)
            message = answer.get("message", "")
            if status != 400 or not message or (name != "a request without structures" and "\n" in message):
                sys.exit(f"{name}: status {status} and message {message!r}; expected 400 and one line")
            lines.append(f"{name}: 400, {message.splitlines()[-1]}")
    return lines


def main() -> None:
    """Do the checks and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="models:/holo-demo@champion")
    parser.add_argument("--store", help="the registry (default: MLFLOW_TRACKING_URI, else the demo's)")
    arguments = parser.parse_args()
    if arguments.store:
        os.environ["MLFLOW_TRACKING_URI"] = arguments.store
    os.environ.setdefault("MLFLOW_TRACKING_URI", "sqlite:///demo/run/mlflow.db")
    structure = holo_features.datasets.example_structures()[0]
    for line in check(arguments.model, structure):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
