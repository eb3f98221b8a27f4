"""Build a fresh environment from a logged model alone, and predict there in MLflow's three ways.

Run it with ``nox -s rebuild``. A model that comes with holo-vae, or the one named by ``--model``, is written in
MLflow's format. A new environment then gets only the requirements in its ``requirements.txt``, and none of Holo's
packages is installed from an index.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from check import answers, body_of, free_port, wait_until_ready

import holo_features
from holo_types import to_table
from holo_vae import Model, embed, load
from holo_vae.serving.logged import write_served
from holo_vae.serving.service import encode_content

TOLERANCE = 1e-5
LOADED = """
import json, sys
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(pd.DataFrame(json.load(open(sys.argv[2]))["dataframe_records"]))
answer.to_json(sys.argv[3], orient="records")
import holo_vae
print(type(model.unwrap_python_model()).__name__, holo_vae.__file__)
"""


def build(model: Path, environment: Path, variables: dict[str, str]) -> Path:
    """Create an environment with the requirements of the model, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    subprocess.run([*pip, "--requirement", "requirements.txt"], cwd=model, env=variables, check=True)
    return python


def same(answer: Path, expected: pd.DataFrame, what: str) -> str:
    """Compare an answer in a file with local embeddings; return a line, or exit and name the difference."""
    found = json.loads(answer.read_text(encoding="utf-8"))
    served = pd.DataFrame(found["predictions"] if isinstance(found, dict) else found)
    if list(served) != list(expected) or len(served) != len(expected):
        sys.exit(f"{what}: gave {served.shape} values, a local embed {expected.shape}")
    numbers = [name for name in expected if expected[name].dtype.kind == "f"]
    worst = float((served[numbers] - expected[numbers]).abs().max().max())
    if not worst <= TOLERANCE:
        sys.exit(f"{what}: differs from a local embed by {worst:.1e}")
    return f"{what}: {len(served)} rows, equal to a local embed to {worst:.0e}"


def check(python: Path, model: Path, local: Model, folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """Predict with the model in the environment, and yield a line for each way."""
    structure = holo_features.datasets.example_structures()[0]
    records = [{"name": structure.name, "content": encode_content(structure)}]
    request, answer = folder / "request.json", folder / "answer.json"
    request.write_bytes(body_of(records))
    expected = to_table(embed([structure], local))

    script = [str(python), "-I", "-c", LOADED, str(model), str(request), str(answer)]
    done = subprocess.run(script, cwd=folder, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    kind, where = done.stdout.split()[-2:]
    if kind != "Model" or not Path(where).is_relative_to(python.parents[1]):
        sys.exit(f"unwrap_python_model gives a {kind} of {where}; it must be the environment's own Model")
    yield same(answer, expected, "mlflow.pyfunc.load_model")

    mlflow = (str(python), "-m", "mlflow", "models")
    options = ("--model-uri", str(model), "--env-manager", "local")
    files = ("--input-path", str(request), "--content-type", "json", "--output-path", str(answer))
    subprocess.run([*mlflow, "predict", *options, *files], cwd=folder, env=variables, check=True)
    yield same(answer, expected, "mlflow models predict")

    port, log = free_port(), folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*mlflow, "serve", *options, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{url}/health", server, log)
            yield answers(url, records, expected, "mlflow models serve")
        finally:
            stop(server)


def stop(server: "subprocess.Popen[bytes]") -> None:
    """End a server and the processes that it has started."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def main() -> None:
    """Build the environment, do the checks, and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="microenvironment-z128", help="name, folder or models:/ URI (default: %(default)s)"
    )
    source: str = parser.parse_args().model
    local = load(source, Model)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_served(local, folder / "logged")
        model = Path(
            shutil.move(folder / "logged", folder / "model")
        )  # the model must not depend on where it was written
        programs = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin")
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables["PATH"] = f"{programs}{os.pathsep}{variables.get('PATH', '')}"
        started = time.monotonic()
        python = build(model, folder / "environment", variables)
        sys.stdout.write(f"{source}: an environment of its own in {time.monotonic() - started:.0f} s\n")
        for line in check(python, model, local, folder, variables):
            sys.stdout.write(f"  {line}\n")


if __name__ == "__main__":
    main()
