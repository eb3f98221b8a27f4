"""Batches from memory and from HDF5 files, compared with the training of the published networks.

Run it with ``nox -s bench -- holo-vae``; it writes data sets to a temporary folder. Loader and training run alternately
in one process, and the ratio of their rates is the result: its inverse is the share of one core that loading takes from
training.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from bench_network import CASES, Case, Ours

import holo_types
from holo_types import Holograms
from holo_vae.data.batches import Batch, Rows, open_rows
from holo_vae.networks.network import HolographicAutoencoder

ROWS = {"spherical MNIST": 60_000, "protein": 12_000}
STEPS = {"spherical MNIST": 24, "protein": 4}  # of training, per round
WINDOWS = 4  # in the streamed data set


def write(case: Case, path: Path) -> None:
    """Write random holograms whose coefficients decrease with the degree, as those of real data do."""
    basis, rng = case.config.basis, np.random.default_rng(0)
    sizes = np.empty(basis.dim, np.float32)
    for (_, degree), where in zip(basis.irreps, basis.irreps.slices, strict=True):
        sizes[where] = 1 / (degree + 1)
    with holo_types.Writer(path) as writer:
        for start in range(0, ROWS[case.name], 1000):
            coefficients = rng.standard_normal((1000, basis.dim), np.float32) * sizes
            structures = [f"structure {row // 200}" for row in range(start, start + 1000)]
            writer.append(Holograms(coefficients, basis, {"structure": structures}))


def opened(case: Case, path: Path, *, streamed: bool, workers: int) -> Rows:
    """Open the data set, to be streamed in several windows or to be held in memory."""
    count = ROWS[case.name]
    return open_rows(path, shuffle_rows=count // WINDOWS if streamed else count, workers=workers)


def rate(rows: Iterable[int]) -> float:
    """Return the rows per second of an iterator that yields their numbers."""
    start = time.perf_counter()
    total = sum(rows)
    return total / (time.perf_counter() - start)


def loaded(batches: Iterable[Batch]) -> Iterable[int]:
    """Iterate over batches without using them."""
    return (len(batch.rows) for batch in batches)


def trained(side: Ours, batch: Batch, steps: int) -> Iterable[int]:
    """Take training steps on one batch."""
    for _ in range(steps):
        side.step(batch.coefficients)
        yield len(batch.rows)


def table(case: Case, path: Path, rounds: int, workers: int) -> None:
    """Print the rates of a case."""
    torch.manual_seed(0)
    side = Ours(case, HolographicAutoencoder(case.config))
    memory, streamed = (opened(case, path, streamed=each, workers=workers) for each in (False, True))
    fixed = next(memory.epoch(0, 0, case.batch))
    side.step(fixed.coefficients)
    ways: dict[str, Callable[[int], Iterable[int]]] = {
        "memory": lambda epoch: loaded(memory.epoch(0, epoch, case.batch)),
        "streamed": lambda epoch: loaded(streamed.epoch(0, epoch, case.batch)),
        "training": lambda _: trained(side, fixed, STEPS[case.name]),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for epoch in range(rounds):
        for name, way in ways.items():
            rates[name].append(rate(way(epoch)))
    median = {name: statistics.median(values) for name, values in rates.items()}
    width = 4 * case.config.basis.dim / 1e6
    head = f"{case.name:16} {workers} worker(s)  "
    for name in ("memory", "streamed"):
        print(
            f"{head}{name:9} {median[name]:11,.0f} rows/s {median[name] * width:7,.0f} MB/s   "
            f"loader / training {median[name] / median['training']:8,.0f}",
            flush=True,
        )
    print(f"{head}training  {median['training']:11,.0f} rows/s", flush=True)


def peak(case: Case, path: Path, workers: int) -> float:
    """Return by how many MiB streaming an epoch raises the peak memory of this process."""
    rows = opened(case, path, streamed=True, workers=workers)
    start = _memory("VmRSS")
    rate(loaded(rows.epoch(0, 0, case.batch)))
    return _memory("VmHWM") - start


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return float(line.split()[1]) / 1024


def memory(case: Case, path: Path, workers: int) -> None:
    """Print the memory of streaming, measured in a fresh process."""
    command = [sys.executable, __file__, "--peak-of", case.name, str(path), "--workers", str(workers)]
    rise = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    window = ROWS[case.name] // WINDOWS * 4 * case.config.basis.dim / 2**20
    print(
        f"{case.name:16} {workers} worker(s)  peak memory of streaming above the start: {rise:,.0f} MiB, "
        f"{rise / window:.1f} windows of {window:,.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--case", choices=[case.name for case in CASES])
    parser.add_argument("--peak-of", nargs=2, metavar=("CASE", "FILE"), help=argparse.SUPPRESS)
    arguments, _ = parser.parse_known_args()  # other arguments are for the other benchmarks of the package
    if arguments.peak_of:
        name, file = arguments.peak_of
        (case,) = (case for case in CASES if case.name == name)
        print(peak(case, Path(file), arguments.workers[0]))
        return
    for case in CASES:
        if arguments.case in (None, case.name):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "data.h5")
                write(case, path)
                for workers in arguments.workers:
                    table(case, path, arguments.rounds, workers)
                    memory(case, path, workers)


if __name__ == "__main__":
    main()
