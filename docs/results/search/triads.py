"""The tables of docs/results/search.md on catalytic triads and on the correctness of E.

    python docs/results/search/triads.py DIR --out results/

DIR contains chains/ and index.tsv of the protein chains (columns file and cluster30). The triads of chymotrypsin and
elastase are searched for in all chains outside their own 30 % clusters; subtilisin has the same triad in another fold.
In these files residues are numbered from 1, so that 55, 100 and 191 of 1acb_E are His57, Asp102 and Ser195 of
chymotrypsin.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import attrs
import numpy as np

import holo_types
from holo_downstream import (
    SearchIndex,
    read_search_index,
    search_residues,
    search_sites,
    with_clusters,
    write_search_index,
)
from holo_downstream.search.calibration import random_sites, site_of
from holo_downstream.search.matching import match_site
from holo_types import Embeddings, concatenate
from holo_types.files.csv_files import write_csv
from holo_types.files.json_files import write_json
from holo_vae import embed_structures

MODEL = "microenvironment-z128"
QUERIES = {"1acb_E": "E:55,100,191", "1ppf_E": "E:41,88,173"}
SOUGHT, TRIAD = "1cse_E", ("E:63 HIS", "E:32 ASP", "E:220 SER")
SITES, RESIDUES = 200, 300
MOST = 100  # matches of a site
SIZES = (3, 12, 20)  # of which 12 is between two that E was measured for


@attrs.frozen
class Found:
    """How a triad finds that of subtilisin.

    Parameters
    ----------
    query
        The chain of the triad.
    rank
        The rank of subtilisin's triad among all hits.
    expected
        The E of this hit.
    rmsd
        The RMSD of the three Cα, in Å.
    alone
        The rank by RMSD alone, and by z alone (the product of the three shares).
    hits
        The numbers of hits with E < 1 and with E < .01, and of all hits.
    best
        The first twelve hits.
    """

    query: str
    rank: int
    expected: float
    rmsd: float
    alone: tuple[int, int]
    hits: tuple[int, int, int]
    best: tuple[str, ...]


def clustered(embeddings: Embeddings, folder: Path, out: Path) -> Embeddings:
    """Return the embeddings with the cluster of each chain."""
    with (folder / "index.tsv").open(encoding="utf-8") as file:
        rows = [
            (row["file"].removesuffix(".pdb"), row["cluster30"])
            for row in csv.DictReader(file, delimiter="\t")
        ]
    write_csv(out / "clusters.csv", ("structure", "cluster"), rows)
    return with_clusters(embeddings, out / "clusters.csv")


def look_for_triads(index: SearchIndex, embeddings: Embeddings) -> list[Found]:
    """Search for each triad outside its own cluster."""
    names = {name[:6]: name for name in embeddings.index["structure"].tolist()}
    found = []
    for query, residues in QUERIES.items():
        hits = search_sites(
            index, embeddings, residues, structure=names[query], other="cluster", count=1000
        ).hits
        places = [n for n, hit in enumerate(hits) if hit.structure == names[SOUGHT] and hit.residues == TRIAD]
        if not places:
            raise SystemExit(f"{query}: the triad of {SOUGHT} is not among {len(hits)} hits")
        sought = hits[places[0]]
        in_z = [float(np.log(hit.p_values).sum()) for hit in hits]
        alone = (
            1 + sum(hit.rmsd < sought.rmsd for hit in hits),
            1 + sum(value < in_z[places[0]] for value in in_z),
        )
        good = (sum(hit.expected < 1 for hit in hits), sum(hit.expected < 0.01 for hit in hits), len(hits))
        best = tuple(map(str, hits[:12]))
        found.append(Found(query, places[0] + 1, sought.expected, sought.rmsd, alone, good, best))
    return found


Rates = tuple[float, float, float]


def calibration(index: SearchIndex, embeddings: Embeddings) -> dict[str, Rates]:
    """Return how many hits new random queries have with E < 1 and E < .01, and how many of them have any with E < .01.

    For sites, it is the number of clusters with such a hit.
    """
    return {**residue_calibration(index, embeddings), **site_calibration(index)}


def residue_calibration(index: SearchIndex, embeddings: Embeddings) -> dict[str, Rates]:
    """Look for random residues."""
    generator = np.random.default_rng(2026)
    measured = {}
    rows = np.sort(generator.choice(len(embeddings), RESIDUES, replace=False))
    for any_type in (False, True):
        found = search_residues(index, embeddings[rows], count=50, other="cluster", any_type=any_type)
        counts = [((each < 1).sum(), (each < 0.01).sum()) for each in found.expected]
        measured[f"residues of {'any type' if any_type else 'one type'}"] = _rates(counts)
    return measured


def site_calibration(index: SearchIndex) -> dict[str, Rates]:
    """Look for random sites, others than those by which E was measured."""
    assert index.site_chance is not None
    generator, measured = np.random.default_rng(2026), {}
    for size in SIZES:
        sites = random_sites(index, size, SITES, generator)
        for any_type in (False, True):
            counts = []
            for site in sites:
                unrelated = index.groups != index.groups[site[0]]
                matches = match_site(index, site_of(index, site), unrelated, MOST, any_type=any_type)
                expected = index.site_chance.expected(size, matches.scores, any_type=any_type)
                clusters = index.groups[matches.rows.max(axis=1)]
                few, rare = (len(np.unique(clusters[expected < limit])) for limit in (1, 0.01))
                counts.append((few, rare))
            kind = "any type" if any_type else "one type"
            measured[f"sites of {size} residues, {kind}"] = _rates(counts)
    return measured


def _rates(counts: list[tuple[int, int]]) -> Rates:
    few, rare = np.array(counts).T
    return float(few.mean()), float(rare.mean()), float((rare > 0).mean())


def main() -> None:
    """Embed, index, search, and write figures.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with chains/ and index.tsv")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the embeddings, the index and figures.json"
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kept = given.out / "chains.h5"
    if not kept.exists():
        results = embed_structures(sorted((given.folder / "chains").glob("*.pdb")), MODEL)
        # Two of the files contain several superposed models and are refused.
        parts = [result.embeddings for result in results if result.embeddings is not None]
        holo_types.save(concatenate(parts), kept)
    embeddings = clustered(holo_types.load(kept, kind=Embeddings), given.folder, given.out)
    started = time.perf_counter()
    if not (given.out / "index").exists():
        write_search_index(embeddings, given.out / "index")
    built, index = time.perf_counter() - started, read_search_index(given.out / "index")
    started = time.perf_counter()
    triads = look_for_triads(index, embeddings)
    searched = (time.perf_counter() - started) / len(triads)
    figures = {
        "residues": len(index),
        "chains": int(index.structures.max()) + 1,
        "seconds to build": built,
        "seconds to search": searched,
        "triads": [attrs.asdict(each) for each in triads],
        "calibration": calibration(index, embeddings),
    }
    write_json(given.out / "figures.json", figures)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
