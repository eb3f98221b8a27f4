"""Residues per second of ``holo-vae embed``, from structure files to a table, and the time of each part.

Run it with ``nox -s bench -- holo-vae``, on several copies of the example structures, or with ``--structures DIR``. It
uses the model that comes with holo-vae. The command runs in its own process, including its start. The median of several
runs is printed, as wall time and as processor time (user and system) of the process. If other work runs at the same
time, only the processor time is meaningful. Of the start, the import of torch is reported separately.

The parts are then measured in this process, on one thread, one after the other, as processor time. For parts that run
in several threads, the command takes less wall time than their sum.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import torch

import holo_types
from holo_features import encode_structures, read_structure
from holo_features.datasets import example_structures
from holo_features.encoding.files import structure_files
from holo_types import Embeddings, Writer
from holo_vae import Model, load
from holo_vae.embedding import embed_holograms
from holo_vae.networks.row_losses import row_cosine_losses

MODEL = "microenvironment-z128"


@attrs.frozen
class Run:
    """The duration of a process in seconds, and the number of rows that it wrote."""

    rows: int
    wall: float
    processor: float


def repeated_examples(folder: Path, count: int) -> None:
    """Fill a folder with several copies of the example structures."""
    examples = example_structures()
    for number in range(count):
        example = examples[number % len(examples)]
        shutil.copy(example, folder / f"{number:03d}-{example.name}")


def run_process(command: list[str], threads: int) -> Run:
    """Run a process whose number of rows is not known here."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)}
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(0, wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def run(structures: Path, out: Path, threads: int) -> Run:
    """Run the command once."""
    program = shutil.which("holo-vae", path=Path(sys.executable).parent)
    if program is None:
        raise RuntimeError(f"holo-vae is not installed beside {sys.executable}")
    done = run_process([program, "embed", str(structures), "--out", str(out)], threads)
    with holo_types.open(out) as rows:
        return attrs.evolve(done, rows=len(rows))


@contextmanager
def timed(parts: dict[str, float], name: str) -> Iterator[None]:
    """Record the processor time of the context."""
    started = time.process_time()
    yield
    parts[name] = time.process_time() - started


def parts_of(structures: Path, out: Path) -> dict[str, float]:
    """Return the processor seconds of each part of the work, on one thread."""
    torch.set_num_threads(1)
    paths, _ = structure_files([structures])
    model = load(MODEL, Model)
    (warm,) = encode_structures(paths[:1], model.config.basis)
    if warm.holograms is None:
        raise warm.error or RuntimeError(f"{paths[0]} gave nothing")
    embed_holograms(model, warm.holograms)  # what is computed only once belongs to the start
    parts: dict[str, float] = {}
    with timed(parts, "reading files"):
        for path in paths:
            read_structure(path)
    with timed(parts, "neighborhoods and Zernike transform"):
        encoded = [found.holograms for found in encode_structures(paths, model.config.basis)]
    parts["neighborhoods and Zernike transform"] -= parts["reading files"]  # it includes reading them
    holograms = [each for each in encoded if each is not None]
    network, scale = model.network, model.network.scale
    inputs = [torch.from_numpy(each.coefficients) for each in holograms]
    with torch.inference_mode():
        with timed(parts, "encoder"):
            codes = [network.encode(rows) for rows in inputs]
        with timed(parts, "decoder"):
            decoded = [(network.decode(code.mean, code.frame) * scale).numpy() for code in codes]
    with timed(parts, "cosine of the reconstruction"):
        for each, rows in zip(holograms, decoded, strict=True):
            row_cosine_losses(each, attrs.evolve(each, coefficients=rows))
    embeddings = [
        Embeddings(code.mean.numpy(), code.frame.numpy(), model.reference, each.index)
        for code, each in zip(codes, holograms, strict=True)
    ]
    with timed(parts, "writing"), Writer(out) as writer:
        for each in embeddings:
            writer.append(each)
    return parts


def main() -> None:
    """Print the rate, and one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=Path, help="folder of structure files")
    parser.add_argument("--copies", type=int, default=100, help="how many files of the examples")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    arguments, _ = parser.parse_known_args()  # other arguments are for the other benchmarks of the package
    with tempfile.TemporaryDirectory() as folder:
        out, structures = Path(folder, "embeddings.h5"), arguments.structures
        few = Path(folder, "one")
        few.mkdir()
        if structures is None:
            structures = Path(folder, "structures")
            structures.mkdir()
            repeated_examples(structures, arguments.copies)
        repeated_examples(few, 1)
        runs, starts, imports = [], [], []
        for _ in range(arguments.rounds):
            runs.append(run(structures, out, arguments.threads))
            starts.append(run(few, out, arguments.threads))
            imports.append(run_process([sys.executable, "-c", "import torch"], arguments.threads))
        for name, each in (
            (f"{runs[0].rows:,} residues", runs),
            ("one structure, so the start", starts),
            ("import of torch alone", imports),
        ):
            wall, processor = (
                statistics.median(getattr(one, field) for one in each) for field in ("wall", "processor")
            )
            rate = f", {each[0].rows / wall:7,.0f} residues/s" if each[0].rows else ""
            print(
                f"{name:36} {arguments.threads} thread(s): {wall:7.2f} s, processor {processor:7.2f} s{rate}",
                flush=True,
            )
        parts = parts_of(structures, out)
        parts["start of the process"] = statistics.median(start.processor for start in starts)
        whole = sum(parts.values())
        for name, seconds in sorted(parts.items(), key=lambda part: -part[1]):
            print(f"{name:36} {seconds:7.2f} s of one processor, {seconds / whole:5.1%}", flush=True)


if __name__ == "__main__":
    main()
