"""Search by inverted lists compared with exact search: recall, build time, memory, and time per query.

Run it with ``nox -s bench -- holo-downstream``, on random vectors in sixteen dimensions, or with ``--embeddings
chains.h5`` on real z. The residues of every twentieth structure are queries and are not in the index. Rows are drawn
from the others, each at most once: if there are fewer than requested, all of them. Each size is measured in its own
process, for its peak memory.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

import holo_types
from holo_downstream import standardization
from holo_downstream.search.inverted_lists import build_inverted_lists
from holo_types import Embeddings

QUERIES = 300
_EVERY = 20  # one structure out of this many provides queries


def rows_and_queries(path: Path | None, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scaled rows to search among, and scaled queries."""
    generator = np.random.default_rng(0)
    if path is None:
        seen = generator.normal(size=(count + QUERIES, 16)) @ generator.normal(size=(16, 128))
        z = seen.astype(np.float32)
        rows, queries = np.arange(count), np.arange(count, count + QUERIES)
    else:
        embeddings = holo_types.load(path, kind=Embeddings)
        z = embeddings.invariants.astype(np.float32, copy=False)
        structures = np.unique(embeddings.index.column("structure"), return_inverse=True)[1].ravel()
        rows = generator.permutation(np.flatnonzero(structures % _EVERY != 0))[:count]
        queries = generator.permutation(np.flatnonzero(structures % _EVERY == 0))[:QUERIES]
    scaling = standardization(z[rows[:200_000]])
    return scaling.of(z[rows]), scaling.of(z[queries])


def measure(path: Path | None, count: int) -> None:
    """Measure one size, and print its row."""
    rows, queries = rows_and_queries(path, count)
    allowed = np.ones(len(rows), bool)
    started = time.process_time()
    lists = build_inverted_lists(rows)
    built = time.process_time() - started
    lists.nearest(queries[:1], allowed, 1)  # passes the vectors to faiss
    started = time.process_time()
    found = lists.nearest(queries, allowed, 100)
    quick = (time.process_time() - started) / len(queries)
    started = time.process_time()
    exact = NearestNeighbors(n_neighbors=100, algorithm="brute").fit(rows).kneighbors(queries)[1]
    slow = (time.process_time() - started) / len(queries)
    recalls = [
        np.mean(
            [len(set(a[:k]) & set(b[:k])) / k for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
        )
        for k in (10, 100)
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    cells = (f"{len(rows):,}", str(len(lists.centroids)), *(f"{recall:.3f}" for recall in recalls))
    times = (f"{built:.1f}", f"{memory:.2f}", f"{1000 * quick:.2f}", f"{1000 * slow:.2f}")
    print(f"| {' | '.join((*cells, *times))} |")


def main() -> None:
    """Measure all sizes, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embeddings", type=Path, help="HDF5 file of real z")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="sizes")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone is not None:
        measure(given.embeddings, given.alone)
        return
    print("| rows | lists | recall at 10 | at 100 | build, s | peak memory, GB | query, ms | exact, ms |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    of = [] if given.embeddings is None else ["--embeddings", str(given.embeddings)]
    for count in given.rows:
        subprocess.run([sys.executable, __file__, "--alone", str(count), *of], check=True)


if __name__ == "__main__":
    main()
