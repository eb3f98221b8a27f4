"""A sanity check of docs/results/search.md: how often a pocket finds one of another structure of its own cluster.

    python docs/results/search/own_cluster.py DIR --out results/

DIR contains labels.csv (id, source, cluster30, protein, ligand) and the files that it names, of which the structures of
casf2016 are used. Nothing is chosen: pockets are compared by the cosine of standardized numbers, by z one to one, and
by their aligned sequences. The rows are those of same_ligand.py.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pocket_scores import Task, Values
from same_ligand import MODEL, RESIDUES, Pockets, Z, aligned, encoded, one_to_one, similarities, vectors

import holo_types
from holo_types import Holograms, concatenate
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

SOURCE = "casf2016"


def read_pockets(folder: Path, out: Path) -> Pockets:
    """Read and embed the pockets, each of which is a query."""
    labels = csv.DictReader(csv_text(folder / "labels.csv"))
    rows = {row["id"]: row for row in labels if row["source"] == SOURCE}
    model = load(MODEL, Model)
    if not (out / "own_cluster.h5").exists():
        holo_types.save(concatenate(list(encoded(folder, rows, model))), out / "own_cluster.h5")
    holograms = holo_types.load(out / "own_cluster.h5", kind=Holograms)
    ids = holograms.index.column("complex")[::RESIDUES]
    clusters = np.array([rows[name]["cluster30"] for name in ids])
    sizes = holograms.index.column("ligand_atoms")[::RESIDUES]
    task = Task(clusters, clusters, sizes, np.arange(len(ids)))
    return Pockets(ids, task, np.ones(len(ids), bool), holograms, model.encode(holograms))


def first_hits(scores: Values, clusters: NDArray[np.str_]) -> tuple[float, int]:
    """Return how often the nearest other pocket is of the query's cluster, and the number of queries with one."""
    same = clusters == clusters[:, None]
    there = same.sum(axis=1) > 1
    nearest = np.where(np.eye(len(clusters), dtype=bool), -np.inf, scores).argmax(axis=1)
    return float((clusters[nearest] == clusters)[there].mean()), int(there.sum())


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pockets and the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pockets = read_pockets(given.folder, given.out)
    compared = {
        row: similarities(values, pockets.task.queries)["cosine, standardized"]
        for row, values in vectors(pockets).items()
    }
    compared |= {"aligned sequence of the pocket": aligned(pockets), Z: one_to_one(pockets)}
    clusters = pockets.task.clusters
    count = first_hits(compared[Z], clusters)[1]
    lines = [f"| compared by | first hit right, of {count} |", "| --- | ---: |"]
    lines += [f"| {row} | {first_hits(scores, clusters)[0]:.3f} |" for row, scores in compared.items()]
    (given.out / "own_cluster.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
