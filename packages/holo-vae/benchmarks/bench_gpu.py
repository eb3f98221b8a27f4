"""Training steps and encoding of the published autoencoders on a GPU, compared with the authors' implementation.

Run it with ``nox -s bench -- holo-vae --reference DIR``, where DIR is a checkout of github gvisani/Holographic-VAE.
Without a GPU it only says so. Both run alternately in one process, and the median of several calls is taken; first,
they must agree on the CPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import torch
from bench_network import CASES, Case, Ours, Theirs, holograms, make

BATCHES = (512, 4096)


def on_gpu(case: Case, reference: Path | None) -> dict[str, Ours | Theirs]:
    """Make both networks, which must agree on the CPU, on the GPU."""
    sides: dict[str, Ours | Theirs] = {"holo": Ours(case, make(case, reference)["holo"].network.cuda())}
    return sides if reference is None else sides | {"reference": Theirs(case, reference, "cuda")}


def seconds(call: Callable[[], object]) -> float:
    """Time a call until the GPU has finished it."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def table(case: Case, sides: dict[str, Ours | Theirs], batch: int, rounds: int) -> None:
    """Print the rates for one batch."""
    x = holograms(attrs.evolve(case, batch=batch)).cuda()

    def encode(side: Ours | Theirs) -> None:
        with torch.inference_mode():
            side.encode(x)

    for what, function, training in (
        ("encode", encode, False),
        ("training step", lambda side: side.step(x), True),
    ):
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(rounds + 2):
            for name, side in sides.items():
                side.network.train(training)
                took = seconds(lambda side=side, function=function: function(side))  # type: ignore[misc]
                if turn > 1:  # the first calls compile and select kernels
                    taken[name].append(took)
        rates = {name: batch / statistics.median(values) for name, values in taken.items()}
        words = "   ".join(f"{name} {rate:10,.0f}" for name, rate in rates.items())
        ratio = f"   ratio {rates['holo'] / rates['reference']:.1f}" if "reference" in rates else ""
        print(f"{case.name:16} batch {batch:5}  {what:14} {words} samples/s{ratio}", flush=True)


def main() -> None:
    """Print two lines for each configuration and batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, metavar="DIR", help="a checkout of gvisani/Holographic-VAE")
    parser.add_argument("--rounds", type=int, default=7)
    arguments, _ = parser.parse_known_args()  # other arguments are for the other benchmarks of the package
    if not torch.cuda.is_available():
        print("training steps on a GPU: there is none here")
        return
    print(f"{torch.cuda.get_device_name()}, median of {arguments.rounds}")
    for case in CASES:
        sides = on_gpu(case, arguments.reference)
        for batch in BATCHES:
            table(case, sides, batch, arguments.rounds)


if __name__ == "__main__":
    main()
