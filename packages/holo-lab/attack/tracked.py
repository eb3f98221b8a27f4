"""A tracking server for the trainings that are killed, and the contents of a tracking store."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow

__all__ = ["TIMES", "serving", "tracked"]

TIMES = ("seconds", "samples_per_second")  # metrics that no two runs share
_SERVER = Path(__file__).resolve().parents[3] / "services" / "tracking" / "server.py"
_STARTED = 240.0  # seconds that the server may take to start on a busy machine


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Start the tracking server of services/tracking on a free port, yield its address, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, str(_SERVER), "--folder", str(folder), "--port", str(port))
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(os.environ), stdout=log, stderr=log)
        try:
            _wait_for(f"{address}/health")
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait_for(page: str) -> None:
    end = time.monotonic() + _STARTED
    while True:
        try:
            with urllib.request.urlopen(page, timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def tracked(store: str, experiment: str | None = None) -> Any:
    """Return the contents of a store, for one experiment or all, without ids, times and system metrics."""
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [
        each.experiment_id for each in client.search_experiments() if experiment in (None, each.name)
    ]
    models = client.search_logged_models(experiments)
    return {
        "runs": [_tracked_run(client, run) for run in client.search_runs(experiments)],
        "models": [(model.name, str(model.status)) for model in models],
    }


def _tracked_run(client: mlflow.MlflowClient, run: mlflow.entities.Run) -> Any:
    points = {}
    for name in sorted(run.data.metrics):
        history = client.get_metric_history(run.info.run_id, name)
        if name.rpartition("/")[2] in TIMES:
            points[name] = [(point.step, 0.0) for point in history]
        elif not name.startswith("system/"):
            points[name] = [(point.step, point.value) for point in history]
    return {
        "status": run.info.status,
        "parameters": run.data.params,
        "points": points,
        "data": sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs),
        "artifacts": sorted(_artifacts(client, run.info.run_id, None)),
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
    }


def _artifacts(client: mlflow.MlflowClient, run: str, folder: str | None) -> Iterator[tuple[str, int]]:
    for each in client.list_artifacts(run, folder):
        if each.is_dir:
            yield from _artifacts(client, run, each.path)
        else:
            yield each.path, each.file_size
