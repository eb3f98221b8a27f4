"""Measure how long each command takes to notice that the store is unavailable, and print the times as a table.

A store is made unavailable in four ways: its address refuses connections, its server accepts them but never answers,
its PostgreSQL is down, or its file does not exist. All commands must fail in one line within ten seconds, except
`train`, which must finish and keep the data that it could not send, and which creates a missing file. Its time is the
time beyond that of the same training with an available store. All commands run in one process that has already imported
what they need. Time in which the process waited for a processor of a busy machine is not counted (Linux).
"""

import contextlib
import io
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import attrs
import mlflow
import numpy as np

import holo_types
from holo_types import Basis, Holograms, Zernike
from holo_vae import ModelConfig, Recipe, TrainingConfig, write_recipe
from holo_vae.cli.program import main

LONGEST = 10.0
BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
SMALL = ModelConfig(basis=BASIS, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6)
MODEL = "models:/small@champion"


@attrs.frozen
class Ended:
    """The result of a command.

    Parameters
    ----------
    status
        The exit status.
    seconds
        The time that it took, without the time in which it waited for a processor.
    said
        The error output, without lines of a log.
    """

    status: int
    seconds: float
    said: tuple[str, ...]


def run(store: str | None, *words: str) -> Ended:
    """Run a command of holo-vae with a store, in the current folder."""
    mlflow.set_tracking_uri(store or "")  # because it also sets the variable
    if store is None:
        del os.environ["MLFLOW_TRACKING_URI"]
    elif store.startswith("sqlite"):
        Path(store.removeprefix("sqlite:///")).unlink(missing_ok=True)
    said = io.StringIO()
    began, waited = time.monotonic(), waited_seconds()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(words)
    seconds = time.monotonic() - began - (waited_seconds() - waited)
    return Ended(
        status, seconds, tuple(line for line in said.getvalue().splitlines() if line[:1] not in ("", "{"))
    )


def waited_seconds() -> float:
    """Return the seconds that this thread has waited for a processor."""
    statistics = Path("/proc/thread-self/schedstat")
    return int(statistics.read_text().split()[1]) / 1e9 if statistics.exists() else 0.0


def prepare(folder: Path) -> None:
    """Write training data and a recipe that takes next to no time."""
    values = np.random.default_rng(0).normal(size=(80, BASIS.dim)).astype(np.float32)
    rows = Holograms(values, BASIS, {"structure": [f"s{row % 8}" for row in range(80)]})
    holo_types.save(rows, folder / "data.h5")
    training = TrainingConfig(epochs=1, batch_size=8, validation_fraction=0.25)
    write_recipe(Recipe(model=SMALL, training=training), folder / "recipe.yaml")


def train(store: str | None, out: str) -> Ended:
    """Train with the given store, or with that of the run."""
    words = ("train", "data.h5", "--recipe", "recipe.yaml", "--name", "small", "--register", "--out", out)
    return run(store, *words)


COMMANDS = {
    "promote": ("promote", "small", "1"),
    "rollback": ("rollback", "small"),
    "history": ("history", "small"),
    "serve": ("serve", "--model", MODEL, "--workers", "1"),
    "evaluate": ("evaluate", MODEL, "data.h5"),
    "embed": ("embed", "data.h5", "--model", MODEL, "--out", "embeddings.h5"),
}


def measure(store: str, out: str, alone: float) -> tuple[dict[str, float], list[str]]:
    """Run all commands with a store that is unavailable, and return their times and what is wrong."""
    seconds, wrong = {}, []
    trained = train(store, out)
    seconds["train --register"] = trained.seconds - alone
    for thread in threading.enumerate():  # what a training still tries to send would end with its process
        if thread.name == "holo-vae tracking":
            thread.join()
    if trained.status:
        wrong.append(f"train: status {trained.status}, {trained.said[-1:]}")
    for name, words in {"track": ("track", out), **COMMANDS}.items():
        ended = run(store, *words)
        seconds[name] = ended.seconds
        if ended.status == 0 or len(ended.said) != 1:
            wrong.append(f"{name}: status {ended.status}, {ended.said}")
    late = (name for name, taken in seconds.items() if taken >= LONGEST and not name.startswith("train"))
    wrong += [f"{name}: {seconds[name]:.1f} s" for name in late]
    return seconds, wrong


def measure_all() -> None:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as silent:
        folder = Path(place)
        os.chdir(folder)
        prepare(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        stores = {
            "connection refused": f"http://127.0.0.1:{free}",
            "no answer": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "PostgreSQL down": f"postgresql://holo:secret@127.0.0.1:{free}/mlflow",
            "no such file": f"sqlite:///{folder / 'gone' / 'mlflow.db'}",
        }
        train(None, "first")  # so that everything that is compiled or cached once exists
        alone = train(None, "alone").seconds
        tables, wrong = {}, []
        for number, (what, store) in enumerate(stores.items()):
            tables[what], faults = measure(store, f"run{number}", alone)
            wrong += [f"{what}: {fault}" for fault in faults]
    print(f"| seconds | {' | '.join(tables)} |\n| --- |{' ---: |' * len(tables)}")
    for name in next(iter(tables.values())):
        print(f"| `{name}` | {' | '.join(f'{table[name]:.1f}' for table in tables.values())} |")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    measure_all()
