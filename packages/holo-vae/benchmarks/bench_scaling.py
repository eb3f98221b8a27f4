"""Scaling with threads: training, encoding and projection in one process, and in as many single-threaded processes.

Run it with ``nox -s bench -- holo-vae``, or by itself with ``--threads 1 2 4 8 16`` and ``--batch N``. The same number
of single-threaded processes side by side is the upper bound: nothing in them waits for anything else, so what they lack
of a multiple is due to the machine's memory and clock. All run alternately; rates are medians. A bar ends at the bound,
and its filled part is what one process with that many threads reaches. ``--levels v3 v4`` compares instruction sets in
the same way.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import attrs
import torch
from bench_network import CASES, Case, Ours, holograms

from holo_features import datasets, neighborhoods, read_structure, zernike_transform
from holo_types import PointClouds, concatenate
from holo_vae.networks.network import HolographicAutoencoder

BAR = 40  # characters that represent perfect scaling: as many times one thread as there are threads
DIGITS, PROTEIN = CASES


def _encoding(case: Case) -> Callable[[], None]:
    network, x = HolographicAutoencoder(case.config).eval(), holograms(case)

    def call() -> None:
        with torch.inference_mode():
            network.encode(x)

    return call


def _training(case: Case) -> Callable[[], None]:
    side, x = Ours(case, HolographicAutoencoder(case.config)), holograms(case)
    return partial(side.step, x)


def _projection(case: Case) -> Callable[[], None]:
    clouds: list[PointClouds] = []
    for path in datasets.example_structures():
        clouds.append(neighborhoods(read_structure(path), 10.0, case.config.basis.channels))
        if sum(map(len, clouds)) >= case.batch:
            break
    together = concatenate(clouds)[: case.batch]
    threads = torch.get_num_threads()

    def call() -> None:
        zernike_transform(together, case.config.basis, workers=threads)

    return call


# Name, configuration, and a function that makes a call which computes a batch.
WORKLOADS: dict[str, tuple[Case, Callable[[Case], Callable[[], None]]]] = {
    "training, digits": (DIGITS, _training),
    "training, protein": (PROTEIN, _training),
    "encoding, digits": (DIGITS, _encoding),
    "encoding, protein": (PROTEIN, _encoding),
    "projection": (attrs.evolve(PROTEIN, batch=100), _projection),
}


def work(name: str, threads: int, batch: int | None) -> None:
    """Compute for as many seconds as each line of the input says, and answer with the rate (in a child process)."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    case, make = WORKLOADS[name]
    case = case if batch is None else attrs.evolve(case, batch=batch)
    call = make(case)
    for _ in range(3):
        call()
    print("ready", flush=True)
    for line in sys.stdin:
        call()  # another process has filled the caches meanwhile
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            call()
            calls += 1
        print(json.dumps(calls * case.batch / (time.perf_counter() - start)), flush=True)


class Worker:
    """A child process that computes."""

    def __init__(self, name: str, threads: int, batch: int | None, level: str | None = None) -> None:
        command = [sys.executable, __file__, "--work", name, "--threads", str(threads)]
        command += [] if batch is None else ["--batch", str(batch)]
        # OpenMP's threads go to sleep soon, as in the programs of Holo.
        environment = {"GOMP_SPINCOUNT": "10000"} | os.environ
        environment |= {} if level is None else {"HOLO_KERNELS_LEVEL": level}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def wait(self) -> None:
        """Wait until it is ready."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"a worker ended: {self.process.args}")

    def begin(self, seconds: float) -> None:
        """Start the computation."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def rate(self) -> float:
        """Wait for its answer."""
        assert self.process.stdout is not None
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(
    name: str, counts: list[int], batch: int | None, levels: list[str], plan: tuple[int, float]
) -> None:
    """Print the rates of a workload, measured in several rounds of several seconds."""
    rounds, seconds = plan
    alone = [Worker(name, 1, batch) for _ in range(max(counts))]
    together = {count: Worker(name, count, batch) for count in counts if count > 1}
    forms = {level: Worker(name, 1, batch, level) for level in levels}
    everyone = [*alone, *together.values(), *forms.values()]
    for worker in everyone:
        worker.wait()

    def rate(workers: list[Worker]) -> float:
        for worker in workers:
            worker.begin(seconds)
        return sum(worker.rate() for worker in workers)

    turns: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for count in counts:
            turns.setdefault(("processes", count), []).append(rate(alone[:count]))
            if count > 1:
                turns.setdefault(("threads", count), []).append(rate([together[count]]))
        for level, worker in forms.items():
            turns.setdefault((level, 1), []).append(rate([worker]))
    for worker in everyone:
        worker.end()
    rates = {key: statistics.median(values) for key, values in turns.items()}
    one = rates["processes", 1]
    print(f"{name:18}  1 thread  {one:10,.0f} samples/s", flush=True)
    for level in levels:
        form = rates[level, 1]
        print(f"{'':18}  {level:8}  {form:10,.0f}   {form / one:5.2f} times the form that suits", flush=True)
    for count in counts[1:]:
        threads, processes = rates["threads", count] / one, rates["processes", count] / one
        full, whole = (round(BAR * value / count) for value in (threads, processes))
        bar = "█" * full + "░" * max(0, whole - full)
        print(
            f"{'':18} {count:2} threads {rates['threads', count]:10,.0f}   {threads:5.2f} times; {count} processes "
            f"{processes:5.2f}; share {threads / processes:4.2f}  {bar}",
            flush=True,
        )


def main() -> None:
    """Print a few lines for each workload."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    powers = [1 << power for power in range(cpus.bit_length())]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=powers, help="1, 2, 4, ... by default")
    parser.add_argument("--batch", type=int, help="in place of each workload's own: 100, 512, 100, 512, 100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--only", choices=list(WORKLOADS), nargs="+", default=list(WORKLOADS))
    parser.add_argument("--levels", nargs="+", default=[], help="instruction sets, v3 or v4, to compare")
    parser.add_argument("--work", choices=list(WORKLOADS), help=argparse.SUPPRESS)
    arguments, _ = parser.parse_known_args()  # other arguments are for the other benchmarks of the package
    if arguments.work:
        work(arguments.work, arguments.threads[0], arguments.batch)
        return
    for name in arguments.only:
        counts, plan = sorted({1, *arguments.threads}), (arguments.rounds, arguments.seconds)
        measure(name, counts, arguments.batch, arguments.levels, plan)


if __name__ == "__main__":
    main()
