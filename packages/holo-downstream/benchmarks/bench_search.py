"""Search by inverted lists compared with exact search: recall, build time, memory, and time per query.

``nox -s bench -- holo-downstream``; on numbers drawn at random in sixteen dimensions, or on real z with
``--embeddings chains.h5``, also a folder of parts. The residues of every twentieth protein are queries and not in the
index. Rows are drawn from the others, each once: where there are fewer than asked for, as many as there are. Copies of
a protein are structures with one name up to ``#``, as docs/results/search/copies.py writes them; an answer has each
residue once, whichever of its copies is nearest. Each size and number of threads is measured in a process of its own,
for its peak memory.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from holo_downstream import read_embeddings, standardization
from holo_downstream.search.inverted_lists import build_inverted_lists

QUERIES = 300
_EVERY = 20  # one structure out of this many provides queries
_AT_ONCE = 100_000  # rows that are scaled together


def prepare(path: Path | None, count: int, folder: Path) -> None:
    """Write rows to search among in random order, which residue each of them is of, and queries."""
    generator = np.random.default_rng(0)
    if path is None:
        seen = generator.normal(size=(count + QUERIES, 16)) @ generator.normal(size=(16, 128))
        z = seen.astype(np.float32)
        rows, queries = np.arange(count), np.arange(count, count + QUERIES)
        residues = np.arange(count + QUERIES)
    else:
        embeddings = read_embeddings([path])
        z = embeddings.invariants.astype(np.float32, copy=False)
        names, copies = np.char.partition(embeddings.index.column("structure"), "#").T[[0, 2]]
        proteins = np.unique(names, return_inverse=True)[1].ravel()
        residues = proteins
        for column in ("chain", "residue_number", "insertion_code"):
            codes = np.unique(embeddings.index.column(column), return_inverse=True)[1].ravel()
            residues = np.unique(residues * (codes.max() + 1) + codes, return_inverse=True)[1].ravel()
        asked = np.isin(copies, ["", "0"]) & (proteins % _EVERY == 0)
        rows = generator.permutation(np.flatnonzero(proteins % _EVERY != 0))[:count]
        queries = generator.permutation(np.flatnonzero(asked))[:QUERIES]
    z[rows].tofile(folder / "rows")
    np.save(folder / "residues.npy", residues[rows])
    np.save(folder / "queries.npy", z[queries])


def once_each(found: NDArray[np.int64], residues: NDArray[np.int64], count: int) -> list[list[int]]:
    """Return the first residues of each answer, each once."""
    return [list(dict.fromkeys(residues[answer[answer >= 0]].tolist()))[:count] for answer in found]


def measure(folder: Path, count: int, threads: int) -> None:
    """Measure one size and print its row."""
    residues, queries = np.load(folder / "residues.npy")[:count], np.load(folder / "queries.npy")
    rows = np.fromfile(folder / "rows", np.float32, len(residues) * queries.shape[1]).reshape(
        len(residues), -1
    )
    scaling = standardization(rows[:200_000])
    queries = scaling.of(queries)
    for start in range(0, len(rows), _AT_ONCE):  # in place, so that the rows are in memory once
        rows[start : start + _AT_ONCE] = scaling.of(rows[start : start + _AT_ONCE])
    copies = int(np.bincount(residues).max())
    allowed = np.ones(len(rows), bool)
    asked = min(len(rows), 100 * copies)
    started, busy = time.perf_counter(), time.process_time()
    lists = build_inverted_lists(rows)
    built, built_busy = time.perf_counter() - started, time.process_time() - busy
    lists.nearest(queries[:1], allowed, 1)  # faiss takes the vectors
    started, busy = time.perf_counter(), time.process_time()
    found = lists.nearest(queries, allowed, asked)
    waited, quick = time.perf_counter() - started, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    busy = time.process_time()
    exact = NearestNeighbors(n_neighbors=asked, algorithm="brute").fit(rows).kneighbors(queries)[1]
    slow = time.process_time() - busy
    mine, its = (once_each(each, residues, 100) for each in (found, exact))
    recalls = [
        np.mean([len(set(a[:k]) & set(b[:k])) / k for a, b in zip(mine, its, strict=True)]) for k in (10, 100)
    ]
    cells = (f"{len(rows):,}", str(copies), str(threads), str(len(lists.centroids)))
    figures = (*(f"{recall:.3f}" for recall in recalls), f"{built:.1f}", f"{built_busy:.1f}", f"{memory:.2f}")
    times = [f"{1000 * seconds / len(queries):.2f}" for seconds in (waited, quick, slow)]
    print(f"| {' | '.join((*cells, *figures, *times))} |")


def main() -> None:
    """Measure all sizes, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embeddings", type=Path, help="HDF5 file, or folder of parts, of real z")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="sizes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of threads")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone is not None:
        measure(given.alone, *given.rows, *given.threads)
        return
    with tempfile.TemporaryDirectory() as name, multiprocessing.get_context("spawn").Pool(1) as other:
        other.apply(prepare, (given.embeddings, max(given.rows), Path(name)))
        other.terminate()  # what it has read must not take the memory of those that follow
        tabulate(Path(name), given.rows, given.threads)


def tabulate(folder: Path, sizes: list[int], numbers: list[int]) -> None:
    """Measure each size with each number of threads in a process of its own, and print the table."""
    print(
        "| rows | copies | threads | lists | recall at 10 | at 100 | build, s | processor | peak memory, GB "
        "| query, ms | processor | exact, ms, processor |"
    )
    print(f"|{' ---: |' * 12}", flush=True)
    for count in sizes:
        for threads in numbers:
            alone = ("--alone", str(folder), "--rows", str(count), "--threads", str(threads))
            variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
            subprocess.run([sys.executable, __file__, *alone], check=True, env=variables)


if __name__ == "__main__":
    main()
