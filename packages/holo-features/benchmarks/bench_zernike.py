"""Time the Zernike transform from coordinates in memory to coefficients, for 100 neighborhoods of 213 atoms.

``nox -s bench -- holo-features --reference DIR`` also runs the reference, a checkout of gvisani/Holographic-VAE, whose
projection is imported unchanged. It also times the numpy form, e3nn's harmonics with scipy's Jacobi polynomials, and,
if it is installed, featomic's spherical expansion (another basis, including the neighbor search). First, a check makes
sure that all forms of one encoding agree. Then all take turns. One thread is timed by processor time, which other load
on the machine hardly affects; two threads are timed by the clock, where only those turns count in which a probe ran at
about its best rate. Peak memory is the memory beyond what was held before (Linux). ``--levels v3 v4`` compares the
kernels' instruction sets instead, as far as the processor supports them.
"""

import argparse
import ctypes
import importlib
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_jacobi

from holo_features import datasets, neighborhoods, read_structure, zernike_transform
from holo_features.transforms.zernike import _pure_transform
from holo_types import Basis, PointClouds, Zernike

ATOMS, CLOUDS, LMAX, NMAX, CUTOFF = 213, 100, 6, 20, 10.0
CHANNELS = ("C", "N", "O", "S")
MEGAFLOP = 0.27  # for each neighborhood, moments first
TURNS, SECONDS, SHORTEST = 7, 90.0, 0.03
SLOW = 1.15  # a turn counts if the probe takes at most this many times its best

Transform = Callable[[], Any]


def basis_of(radial: str, angular: str, point: str) -> Basis:
    """Return the basis of one encoding."""
    return Basis(LMAX, Zernike(NMAX, CUTOFF, radial), CHANNELS, angular, point)  # type: ignore[arg-type]


OURS = basis_of("orthonormal", "orthonormal", "none")
PUBLISHED = basis_of("floor", "component", "unit")
PUBLISHED_PLAIN = basis_of("floor", "component", "none")
CASES = {
    "float32": (OURS, np.float32),
    "float32, unit": (PUBLISHED, np.float32),
    "float64": (OURS, np.float64),
    "float32, lmax 14, nmax 40": (Basis(14, Zernike(40, CUTOFF), CHANNELS), np.float32),
}


def example_clouds() -> PointClouds:
    """Return clouds of the nearest atoms from large neighborhoods of the example structures, taken in turn."""
    coordinates, weights = [], []
    for path in datasets.example_structures():
        clouds = neighborhoods(read_structure(path), CUTOFF, CHANNELS)
        for start, stop in zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True):
            if stop - start >= ATOMS:
                nearest = np.argsort(np.linalg.norm(clouds.coordinates[start:stop], axis=1))[:ATOMS]
                chosen = start + np.sort(nearest)
                coordinates.append(clouds.coordinates[chosen])
                weights.append(clouds.weights[chosen])
    turns = np.arange(CLOUDS) % len(coordinates)
    coordinates, weights = [coordinates[i] for i in turns], [weights[i] for i in turns]
    offsets = np.arange(CLOUDS + 1) * ATOMS
    return PointClouds(np.concatenate(coordinates), np.concatenate(weights), offsets, CHANNELS)


# --- other implementations ---------------------------------------------------------------------------------


def e3nn_and_scipy(clouds: PointClouds) -> Transform:
    """Evaluate every function at every point, as in the definition: e3nn's harmonics, scipy's polynomials."""
    import torch  # noqa: PLC0415 - holo-features itself has no torch
    from e3nn import o3  # noqa: PLC0415

    def transform() -> NDArray[np.float64]:
        points = torch.from_numpy(clouds.coordinates)
        degrees_wanted = list(range(LMAX + 1))
        harmonics = o3.spherical_harmonics(degrees_wanted, points, True, normalization="integral").numpy()
        rho = np.linalg.norm(clouds.coordinates, axis=1) / CUTOFF
        degrees = []
        for degree in range(LMAX + 1):
            radial = np.stack(
                [
                    np.sqrt(2 * n + 3)
                    * rho**degree
                    * eval_jacobi((n - degree) // 2, 0, degree + 0.5, 2 * rho**2 - 1)
                    for n in range(degree, NMAX + 1, 2)
                ]
            )
            block = harmonics[:, degree**2 : (degree + 1) ** 2]
            terms = np.einsum("pc,np,pm->pcnm", clouds.weights, radial, block)
            degrees.append(np.add.reduceat(terms.reshape(len(rho), -1), clouds.offsets[:-1]))
        return np.concatenate(degrees, axis=1)

    return transform


def reference(clouds: PointClouds, folder: Path, normalization: str | None) -> Transform:
    """Import the reference's projection from a checkout, and pass it a batch in its own form."""
    sys.path.insert(0, str(folder))
    encoding = importlib.import_module("holographic_vae.nn.encoding")
    import torch  # noqa: PLC0415

    radial = {"rcut": CUTOFF, "number_of_basis": NMAX + 1, "lmax": LMAX}
    encoder = encoding.SphericalFourierEncoding(
        LMAX, list(CHANNELS), radial_bases_kwargs=radial, rst_normalization=normalization
    )
    names = np.array(CHANNELS)[clouds.weights.argmax(axis=1)]
    bounds = list(zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True))
    points = [torch.from_numpy(clouds.coordinates[a:b]).float() for a, b in bounds]
    elements = [list(names[a:b]) for a, b in bounds]
    return lambda: encoder(points, elements).numpy()


def featomic(clouds: PointClouds) -> Transform:
    """Return featomic's spherical expansion about the same centers, 10 radial functions."""
    ase, calculators = importlib.import_module("ase"), importlib.import_module("featomic")
    labels = importlib.import_module("metatensor").Labels
    calculator = calculators.SphericalExpansion(
        cutoff={"radius": CUTOFF, "smoothing": {"type": "Step"}},
        density={"type": "Gaussian", "width": 0.5},
        basis={
            "type": "TensorProduct",
            "max_angular": LMAX,
            "radial": {"type": "Gto", "max_radial": NMAX // 2 - 1},
        },
    )
    names = np.array(CHANNELS)[clouds.weights.argmax(axis=1)]
    systems = [
        ase.Atoms(["H", *names[a:b]], np.vstack([np.zeros((1, 3)), clouds.coordinates[a:b]]))
        for a, b in zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True)
    ]
    centers = labels(["system", "atom"], np.array([[i, 0] for i in range(len(systems))]))
    return lambda: calculator.compute(systems, selected_samples=centers)


# --- measuring ---------------------------------------------------------------------------------------------


def check_agreement(clouds: PointClouds, folder: Path | None) -> None:
    """Stop unless all implementations of the same encoding yield the same numbers."""
    pairs = {"e3nn + scipy": (e3nn_and_scipy(clouds)(), OURS)}
    pairs["numpy form"] = (_pure_transform(clouds, OURS, np.dtype(np.float64)), OURS)
    if folder is not None:
        pairs["reference, unit"] = (reference(clouds, folder, "square")(), PUBLISHED)
        pairs["reference, none"] = (reference(clouds, folder, None)(), PUBLISHED_PLAIN)
    print("largest difference to holo-features (float32), of the largest coefficient:")
    for name, (theirs, basis) in pairs.items():
        ours = zernike_transform(clouds, basis).coefficients
        difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f"  {name:44}{difference:.1e}")
        assert difference < 2e-5, f"{name} does not agree"


def small_loop_rate() -> float | None:
    """Return the GFLOP/s of one processor in a loop of the transform's shape, from `small_loops.c`."""
    if find_spec("ziglang") is None:
        return None
    source = Path(__file__).with_name("small_loops.c")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        library = str(Path(folder, "small_loops.so"))
        compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-O3", "-ffp-contract=fast"]
        if platform.machine() in ("x86_64", "AMD64"):
            compiler.append("-mprefer-vector-width=512")  # on processors with such registers
        subprocess.run([*compiler, "-o", library, str(source)], check=True)
        loop = ctypes.CDLL(library).small_loop
        points, times = 128, 200  # so long that the call itself takes a negligible share
        rows, columns, sums = (np.ones(size, dtype=np.float32) for size in (32 * points, 6 * points, 192))
        address, number = ctypes.c_void_p, ctypes.c_int64
        loop.argtypes = (address, address, number, number, address)
        arguments = (rows.ctypes.data, columns.ctypes.data, points, times, sums.ctypes.data)
        best = 0.0
        for _ in range(200):
            start = time.process_time()
            lanes = loop(*arguments)
            best = max(best, 24 * lanes * points * times / (time.process_time() - start) / 1e9)
    return best


def probe() -> float:
    """Return the seconds of a small fixed workload, as the median of a few runs."""
    a = np.ones((160, 160), dtype=np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(20):
            a @ a
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def rate(threads: int, function: Transform) -> float:
    """Return the neighborhoods per second of some calls."""
    clock = time.process_time if threads == 1 else time.perf_counter
    start, calls = clock(), 0
    while calls == 0 or clock() - start < SHORTEST:
        function()
        calls += 1
    return calls * CLOUDS / (clock() - start)


def rates(functions: dict[str, tuple[int, Transform]]) -> dict[str, list[float]]:
    """Run functions in turns until each has enough turns that count, or time is up."""
    import torch  # noqa: PLC0415

    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _, function in functions.values():
        function()
    best, begin = probe(), time.perf_counter()
    enough = False
    while not enough and time.perf_counter() - begin < SECONDS:
        for name, (threads, function) in functions.items():
            torch.set_num_threads(threads)
            before = probe()
            measured = rate(threads, function)
            after = probe()
            best = min(best, before, after)
            turns[name].append((max(before, after), measured))
        enough = all(sum(took < SLOW * best for took, _ in some) >= TURNS for some in turns.values())
    # If the machine was never quiet, the quietest turns have to do.
    return {name: [measured for _, measured in sorted(some)[:TURNS]] for name, some in turns.items()}


def use_level(level: str) -> None:
    """Make this process load the kernels of one instruction set."""
    os.environ["HOLO_KERNELS_LEVEL"] = level


@cache
def function_of(case: str) -> Transform:
    """Return a transform by name, in a separate process."""
    basis, dtype = CASES[case]
    clouds = example_clouds()
    return lambda: zernike_transform(clouds, basis, dtype)


def rate_of(case: str) -> float:
    """Return the neighborhoods per second of a transform by name, on one thread."""
    return rate(1, function_of(case))


def compare_levels(levels: list[str]) -> None:
    """Print the rates of instruction sets, each in its own process, in turns."""
    with ExitStack() as stack:
        processes = {
            level: stack.enter_context(
                ProcessPoolExecutor(1, get_context("spawn"), initializer=use_level, initargs=(level,))
            )
            for level in levels
        }
        print(f"{'neighborhoods/s, 1 thread':36}" + "".join(f"{level:>12}" for level in levels))
        for case in CASES:
            turns: dict[str, list[float]] = {level: [] for level in levels}
            for _ in range(3 * TURNS):
                for level, process in processes.items():
                    turns[level].append(process.submit(rate_of, case).result())
            medians = [statistics.median(turns[level]) for level in levels]
            print(f"{case:36}" + "".join(f"{median:12,.0f}" for median in medians))


def peak(function: Transform) -> str:
    """Return the largest memory of a call in MiB, beyond what was held before."""
    if sys.platform != "linux":
        return ""

    def held(line: str) -> int:
        return int(re.findall(rf"{line}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])

    Path("/proc/self/clear_refs").write_text("5")  # resets the peak so far
    before = held("VmRSS")
    function()
    return f"{max(held('VmHWM') - before, 0) / 1024:10.1f}"


def transforms(clouds: PointClouds, folder: Path | None) -> dict[str, tuple[int, Transform]]:
    """Return everything that is timed, by name, each with its number of threads."""
    found: dict[str, tuple[int, Transform]] = {
        "holo-features, 1 thread": (1, lambda: zernike_transform(clouds, OURS)),
        "holo-features, 2 threads": (2, lambda: zernike_transform(clouds, OURS, workers=2)),
        "holo-features, unit, 1 thread": (1, lambda: zernike_transform(clouds, PUBLISHED)),
        "holo-features, unit, 2 threads": (2, lambda: zernike_transform(clouds, PUBLISHED, workers=2)),
        "holo-features, float64, 1 thread": (1, lambda: zernike_transform(clouds, OURS, np.float64)),
        "holo-features, numpy form": (1, lambda: _pure_transform(clouds, OURS, np.dtype(np.float32))),
        "e3nn + scipy, 2 threads": (2, e3nn_and_scipy(clouds)),
    }
    if folder is not None:
        for threads in (1, 2):
            plural = "s" if threads > 1 else ""
            found[f"reference, {threads} thread{plural}"] = (threads, reference(clouds, folder, None))
            found[f"reference, unit, {threads} thread{plural}"] = (
                threads,
                reference(clouds, folder, "square"),
            )
    if all(find_spec(module) for module in ("featomic", "metatensor", "ase")):
        found["featomic (another basis)"] = (1, featomic(clouds))
    return found


def main() -> None:
    """Print the agreement, and a table of the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="a checkout of gvisani/Holographic-VAE")
    parser.add_argument("--levels", nargs="+", help="instruction sets to compare instead, such as v3 v4")
    options, _ = parser.parse_known_args()  # the rest belongs to the package's other benchmarks
    if options.levels is not None:
        compare_levels(options.levels)
        return
    warnings.simplefilter("ignore")  # of the reference's old torch
    clouds = example_clouds()
    check_agreement(clouds, options.reference)
    functions = transforms(clouds, options.reference)
    measured = rates(functions)
    medians = {name: statistics.median(values) for name, values in measured.items()}
    baselines = ["e3nn + scipy, 2 threads"]
    if options.reference is not None:  # at its best: on a busy machine, its two threads wait for each other
        baselines.append(
            max((name for name in medians if name.startswith("reference")), key=medians.__getitem__)
        )
    print(
        f"\n{CLOUDS} neighborhoods of {ATOMS} atoms, lmax {LMAX}, nmax {NMAX}, {', '.join(CHANNELS)}; median of"
    )
    print(f"the {len(next(iter(measured.values())))} quietest turns of each (least and most of them)")
    ratios = "".join(f"{'/ ' + name.split(',')[0]:>18}" for name in baselines)
    print(f"{'':36}{'neighborhoods/s':>17}{'':22}{ratios}{'peak MiB':>10}")
    for name, values in measured.items():
        ratios = "".join(f"{medians[name] / medians[baseline]:18,.1f}" for baseline in baselines)
        spread = f"({min(values):,.0f} to {max(values):,.0f})"
        print(f"{name:36}{medians[name]:17,.0f}{spread:>22}{ratios}{peak(functions[name][1])}")
    loop = small_loop_rate()
    if loop is not None:
        bound = loop * 1e3 / MEGAFLOP
        share = medians["holo-features, 1 thread"] / bound
        print(
            f"a loop of this shape runs at {loop:.0f} GFLOP/s: {bound:,.0f} a second at {MEGAFLOP} MFLOP each;"
        )
        print(f"one thread reaches {share:.0%} of it")


if __name__ == "__main__":
    main()
