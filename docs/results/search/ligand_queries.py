"""The table of docs/results/search.md on how many residues of a pocket should be searched for.

    python docs/results/search/ligand_queries.py DIR --out results/

DIR contains labels.csv (columns id, cluster30, ligand_name, protein and ligand, both relative to it) and the files that
it names. Queries are pockets whose ligand occurs in another cluster; a hit is right if its structure, which is of
another cluster, has the same ligand, with a residue of the hit within 8 Å.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

import holo_types
from holo_downstream import SearchIndex, read_search_index, search_sites, write_search_index
from holo_features import Complex, Ligand, pocket, read_ligand, read_structure
from holo_types import Embeddings, HoloError
from holo_types.files.json_files import write_json
from holo_vae import embed

MODEL = "microenvironment-z128"
QUERIES, OTHERS = 60, 120
WITHIN, ON_LIGAND = 10.0, 8.0  # Å
VARIANTS = tuple(
    (what, most, within, any_type)
    for what, most, within in (
        *((f"{most} nearest", most, WITHIN) for most in (3, 4, 6, 10, 20)),
        ("all within 4 Å, 20 at most", 20, 4.0),
    )
    for any_type in (False, True)
)
Row = Mapping[str, str]


def chosen(labels: Path) -> list[Row]:
    """Return one complex for each cluster of ligands in several clusters, then some of other clusters."""
    with labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clusters = defaultdict(set)
    for row in rows:
        clusters[row["ligand_name"]].add(row["cluster30"])
    # Peptides are named by their length, which does not identify them.
    first = {
        (row["ligand_name"], row["cluster30"]): row
        for row in reversed(rows)
        if len(clusters[row["ligand_name"]]) > 1 and not row["ligand_name"].endswith("-mer")
    }
    once = {row["id"]: row for row in first.values()}
    rest = {row["cluster30"]: row for row in rows if row["cluster30"] not in {c for _, c in first}}
    return [*once.values(), *list(rest.values())[:OTHERS]]


def site(row: Row, folder: Path, there: set[tuple[str, ...]]) -> dict[str, float]:
    """Return how far residues with embeddings are from the ligand, by name, the nearest first."""
    protein, ligand = read_structure(folder / row["protein"]), read_ligand(folder / row["ligand"])
    atoms = protein.atoms[pocket(Complex(row["id"], protein, ligand), WITHIN)]
    apart = np.linalg.norm(atoms.coord[:, None] - ligand.atoms.coord, axis=2).min(axis=1)
    names = zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True)
    nearest: dict[str, float] = {}
    for (chain, number, code), each in zip(names, apart.tolist(), strict=True):
        if (row["id"], chain, str(number), code) in there:
            nearest[f"{chain}:{number}{code}"] = min(each, nearest.get(f"{chain}:{number}{code}", each))
    return dict(sorted(nearest.items(), key=lambda item: item[1]))


@attrs.frozen
class Searched:
    """The structures that are searched, by name.

    Parameters
    ----------
    index, embeddings
        The index and the embeddings of all structures.
    rows
        The rows of labels.csv.
    ligands
        The ligands as molecules.
    """

    index: SearchIndex
    embeddings: Embeddings
    rows: Mapping[str, Row]
    ligands: Mapping[str, Ligand]

    def right(self, query: str, residues: Sequence[str], *, any_type: bool) -> list[bool]:
        """Return whether each of the first five hits is right."""
        found = search_sites(
            self.index,
            self.embeddings,
            *residues,
            structure=query,
            other="cluster",
            count=5,
            any_type=any_type,
        )
        return [
            self.rows[hit.structure]["ligand_name"] == self.rows[query]["ligand_name"]
            and self._apart(hit.structure, hit.rows[hit.rows >= 0]) <= ON_LIGAND
            for hit in found.hits
        ]

    def share(self, query: str) -> float:
        """Return the share of structures of other clusters with the query's ligand, which is the rate by chance."""
        mine = self.rows[query]
        others = [row for row in self.rows.values() if row["cluster30"] != mine["cluster30"]]
        return sum(row["ligand_name"] == mine["ligand_name"] for row in others) / len(others)

    def _apart(self, structure: str, rows: NDArray[np.int64]) -> float:
        centers, ligand = self.index.centers, self.ligands[structure].atoms.coord
        return (
            float("inf")
            if centers is None
            else float(np.linalg.norm(centers[rows][:, None] - ligand, axis=2).min())
        )


def searched(folder: Path, out: Path) -> Searched:
    """Embed the chosen proteins and make an index, unless an earlier run did."""
    rows = {row["id"]: row for row in chosen(folder / "labels.csv")}
    if not (out / "index").exists():
        parts = [embed([folder / row["protein"]], MODEL) for row in rows.values()]
        together = holo_types.concatenate(
            [
                attrs.evolve(
                    part,
                    index=part.index.assign(
                        structure=[name] * len(part), cluster=[row["cluster30"]] * len(part)
                    ),
                )
                for part, (name, row) in zip(parts, rows.items(), strict=True)
            ]
        )
        write_search_index(together, out / "index")
    ligands = {name: read_ligand(folder / row["ligand"]) for name, row in rows.items()}
    embeddings = holo_types.load(out / "index" / "embeddings.h5", kind=Embeddings)
    return Searched(read_search_index(out / "index"), embeddings, rows, ligands)


def main() -> None:
    """Search with parts of pockets, and print how often the first hits are right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    among = searched(asked.folder, asked.out)
    columns = ("structure", "chain", "residue_number", "insertion_code")
    there = set(zip(*(among.embeddings.index[name].astype(str).tolist() for name in columns), strict=True))
    ligands = defaultdict(set)
    for row in among.rows.values():
        ligands[row["ligand_name"]].add(row["cluster30"])
    several = [name for name, row in among.rows.items() if len(ligands[row["ligand_name"]]) > 1]
    queries = np.random.default_rng(0).permutation(several)[:QUERIES].tolist()
    sites = {name: site(among.rows[name], asked.folder, there) for name in queries}
    print(f"{len(queries)} pockets among {len(among.rows)} structures, {len(among.index)} residues")
    print(
        f"a structure drawn at random has the ligand in {np.mean(list(map(among.share, queries))):.1%} of cases"
    )
    print("| searched for | residues of | first hit right | one of five right | no hit | s a query |")
    figures = []
    for what, most, within, any_type in VARIANTS:
        started, found = time.process_time(), []
        for name in queries:
            try:
                asked_for = [residue for residue, apart in sites[name].items() if apart <= within]
                found.append(among.right(name, asked_for[:most], any_type=any_type))
            except HoloError:  # a pocket of one residue
                found.append([])
        first, five, none = sum(each[:1] == [True] for each in found), sum(map(any, found)), found.count([])
        seconds = (time.process_time() - started) / len(queries)
        print(
            f"| {what} | {'any type' if any_type else 'the same type'} | {first} | {five} | {none} | {seconds:.2f} |",
            flush=True,
        )
        figures.append({"what": what, "any_type": any_type, "first": first, "five": five, "none": none})
    write_json(asked.out / "ligand_queries.json", {"queries": len(queries), "figures": figures}, indent=2)


if __name__ == "__main__":
    main()
