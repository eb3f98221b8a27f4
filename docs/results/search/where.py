"""A search for the place where a ligand binds to a whole protein, a table of docs/results/search.md.

    python docs/results/search/where.py PROTEINS POCKETS --out results/

PROTEINS and POCKETS are folders with labels.csv (id, protein, ligand) and the files that it names: whole proteins, and
complexes of which only the surroundings of the ligand are needed. One complex of each sequence cluster is taken from
both. Each pocket is searched for in all proteins that have no cluster in common with it. A hit superposes the pocket
on the protein, and with it the center of its ligand. The best hit in a protein gives the place. Which residues may be
partners and by which score hits are compared is chosen on half of the proteins, row by row, and scored once on the
other half.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from holo_downstream import SearchIndex, build_search_index, full_power_spectrum, scalar_coefficients
from holo_downstream.matching.correspondences import Site
from holo_downstream.search.directions import side_directions
from holo_downstream.search.matching import match_site
from holo_features import (
    STANDARD_AMINO_ACIDS,
    Structure,
    alpha_carbons,
    neighborhoods,
    read_ligand,
    read_structure,
    zernike_transform,
)
from holo_types import Embeddings, Index, ModelReference
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

MODEL = "microenvironment-z128"
CHAINS = Path(__file__).parents[1] / "split" / "chains.csv"
WITHIN, MOST_RESIDUES = 4.0, 20  # a pocket, as `holo search --ligand` has it: Å from the ligand, residues
RIGHT = 4.0  # Å, of a place from the center of the ligand
HITS = 200  # of each pocket
COMPONENTS = 128  # of the power spectrum
SUPERPOSITION, GEOMETRY = "superposition and residue types alone", "geometry: residue types at distances"
BOTH = "z and geometry"
PARTNERS, SCORES = ("the same type", "any type"), ("score", "shares in z alone")
_AROUND = 10.0  # Å, in which residues and atoms are counted
_DISTANCES = np.arange(3.0, 20.0, 2.0)  # Å, of two Cα
_RESAMPLES = 2000
Values = NDArray[np.floating]


@attrs.frozen(eq=False)
class Described:
    """A protein with the numbers of its residues.

    Parameters
    ----------
    name
        Its id.
    clusters
        The clusters of its chains.
    index, centers
        Its residues, and their Cα in Å.
    to_ligand
        The distance in Å of each residue from the ligand.
    ligand
        The center of the ligand.
    rows
        The numbers of each residue, for each row of the table.
    """

    name: str
    clusters: frozenset[str]
    index: Index
    centers: Values
    to_ligand: Values
    ligand: Values
    rows: Mapping[str, Values]


def known_clusters(archive: str) -> dict[str, list[str]]:
    """Return the clusters of the chains of each structure of an archive, that of the longest chain first."""
    found = defaultdict(list)
    for row in csv.DictReader(csv_text(CHAINS)):
        if row["archive"] == archive:
            found[row["structure"]].append((-int(row["residues"]), row["cluster"]))
    return {name: [cluster for _, cluster in sorted(chains)] for name, chains in found.items()}


def described(folder: Path, archive: str) -> Iterator[Described]:
    """Read one complex of each cluster, without the ligand, and compute the numbers of its residues."""
    clusters, seen = known_clusters(archive), set()
    model = load(MODEL, Model)
    basis = model.config.basis
    assert basis.radial is not None
    for row in csv.DictReader(csv_text(folder / "labels.csv")):
        mine = clusters.get(row["id"])
        # The complexes of a series (`plrex`) are of few proteins.
        if mine is None or row.get("source") == "plrex" or mine[0] in seen:
            continue
        structure, ligand = read_structure(folder / row["protein"]), read_ligand(folder / row["ligand"])
        carbons = alpha_carbons(structure)
        clouds = neighborhoods(structure, basis.radial.cutoff, basis.channels, centers=carbons)
        if len(clouds) != len(carbons):
            continue
        seen.add(mine[0])
        holograms = zernike_transform(clouds, basis, np.float32)
        rows = {
            "size: atoms within 10 Å": np.diff(clouds.offsets)[:, None].astype(np.float32),
            **_counts(carbons.positions, carbons.index["residue_name"]),
            "l = 0": scalar_coefficients(holograms),
            "power spectrum": full_power_spectrum(holograms).astype(np.float16),
            SUPERPOSITION: np.zeros((len(carbons), 1), np.float32),
            "z": model.encode(holograms).invariants,
        }
        yield Described(
            row["id"],
            frozenset(mine),
            carbons.index.assign(structure=[row["id"]] * len(carbons), cluster=[mine[0]] * len(carbons)),
            carbons.positions,
            _to_ligand(structure, carbons.index, ligand.atoms.coord),
            ligand.atoms.coord.mean(axis=0),
            rows,
        )


def _to_ligand(structure: Structure, index: Index, ligand: Values) -> Values:
    """Return the distance of each residue from the ligand, between the atoms that are nearest."""
    atoms = structure.atoms
    apart = np.linalg.norm(atoms.coord[:, None] - ligand, axis=2).min(axis=1)
    columns = (index[column].tolist() for column in ("chain", "residue_number", "insertion_code"))
    nearest = dict.fromkeys(zip(*columns, strict=True), np.inf)
    names = zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True)
    for name, distance in zip(names, apart.tolist(), strict=True):
        if name in nearest:
            nearest[name] = min(nearest[name], distance)
    return np.array(list(nearest.values()))


def _counts(places: Values, names: NDArray[np.str_]) -> dict[str, Values]:
    """Count residue types around each residue, together and at distances."""
    kinds = (names[:, None] == np.array(STANDARD_AMINO_ACIDS)).astype(np.float32)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    at_distances = np.concatenate(
        [np.exp(-(((apart - distance) / 2) ** 2)) @ kinds for distance in _DISTANCES], axis=1
    )
    return {
        "counts of residue types within 10 Å": (apart <= _AROUND).astype(np.float32) @ kinds,
        GEOMETRY: at_distances.astype(np.float32),
    }


def numbers(of: Sequence[Described], row: str, reduced_by: Sequence[Described]) -> NDArray[np.float32]:
    """Return the numbers of a row for all residues; the power spectrum is reduced by that of the searched proteins."""
    if row == BOTH:
        return np.concatenate([numbers(of, each, reduced_by) for each in ("z", GEOMETRY)], axis=1)
    values = np.concatenate([each.rows[row] for each in of]).astype(np.float32)
    if row == "power spectrum":
        known = np.concatenate([each.rows[row] for each in reduced_by])
        some = known[:: max(1, len(known) // 4000)].astype(np.float32)
        values = PCA(COMPONENTS, random_state=0).fit(some).transform(values)
    return values


def index_of(proteins: Sequence[Described], vectors: NDArray[np.float32]) -> SearchIndex:
    """Return an index of the proteins without E, by which the hits of several pockets need not be compared."""
    index = Index.concatenate([each.index for each in proteins])
    frames = np.zeros((len(vectors), 3, 3), np.float32)
    found = build_search_index(Embeddings(vectors, frames, ModelReference("row", "1", "", ""), index))
    return attrs.evolve(found, centers=np.concatenate([each.centers for each in proteins]))


def best_places(
    proteins: Sequence[Described], pockets: Sequence[Described], row: str
) -> tuple[NDArray[np.bool_], Values]:
    """Search for all pockets in all proteins.

    Parameters
    ----------
    proteins, pockets
        What is searched, and what is searched for.
    row
        The numbers by which residues are compared.

    Returns
    -------
    right : Bool[ndarray, "partners scores proteins"]
        Whether the best hit in a protein is right.
    chance : Float[ndarray, "proteins"]
        The share of all hits in it that are right.
    """
    index = index_of(proteins, numbers(proteins, row, proteins))
    vectors = index.scaling.of(numbers(pockets, row, proteins))
    ends = np.cumsum([0, *(len(each.centers) for each in pockets)])
    right = np.zeros((len(PARTNERS), len(SCORES), len(proteins)), bool)
    hits = np.zeros((2, len(proteins)))
    for partners in range(len(PARTNERS)):
        if row == SUPERPOSITION and partners:
            break  # without numbers, nothing limits which residues of other types may be partners
        least = np.full((len(SCORES), len(proteins)), np.inf)
        for pocket, start in zip(pockets, ends[:-1].tolist(), strict=True):
            for protein, scores, place in _hits(index, proteins, pocket, vectors[start:], bool(partners)):
                is_right = np.linalg.norm(place - proteins[protein].ligand) <= RIGHT
                hits[:, protein] += [float(is_right), 1.0]
                for which, score in enumerate(scores):
                    if score < least[which, protein]:
                        least[which, protein] = score
                        right[partners, which, protein] = is_right
    return right, hits[0] / np.maximum(hits[1], 1)


def _hits(
    index: SearchIndex,
    proteins: Sequence[Described],
    pocket: Described,
    vectors: NDArray[np.float32],
    any_type: bool,
) -> Iterator[tuple[int, tuple[float, float], Values]]:
    """Return the protein, the scores and the place of each hit of a pocket."""
    nearest = np.argsort(pocket.to_ligand, kind="stable")[:MOST_RESIDUES]
    rows = nearest[pocket.to_ligand[nearest] <= WITHIN]
    if len(rows) < 3:
        return
    types = pocket.index["residue_name"][rows].tolist()
    site = Site(
        vectors[rows], types, pocket.centers[rows], side_directions(pocket.index, pocket.centers)[rows]
    )
    unrelated = np.array([not pocket.clusters & each.clusters for each in proteins])
    found = match_site(index, site, unrelated[index.structures], HITS, any_type=any_type)
    shares = np.nansum(np.log(found.p_values), axis=1)
    owners = index.structures[found.rows.max(axis=1)]
    for number, owner in enumerate(owners.tolist()):
        place = found.rotations[number].T @ (pocket.ligand - found.translations[number])
        yield owner, (float(found.scores[number]), float(shares[number])), place


def table(proteins: Sequence[Described], pockets: Sequence[Described], rows: Sequence[str]) -> list[str]:
    """Choose on half of the proteins, and score on the other half."""
    order = np.random.default_rng(2026).permutation(len(proteins))
    choosing, scoring = order[: len(order) // 2], order[len(order) // 2 :]
    scored: dict[str, Values] = {}
    everywhere: dict[str, float] = {}
    ways: dict[str, str] = {}
    for row in rows:
        right, by_chance = best_places(proteins, pockets, row)
        best = np.unravel_index(right[..., choosing].mean(axis=-1).argmax(), right.shape[:2])
        ways[row] = ", ".join((PARTNERS[best[0]], SCORES[best[1]]))
        scored[row], everywhere[row] = right[*best][scoring].astype(float), float(right[*best].mean())
        for place, other in product(range(len(PARTNERS)), range(len(SCORES))):
            print(row, PARTNERS[place], SCORES[other], f"{right[place, other].mean():.3f}", flush=True)
        if row == "z":
            chance = by_chance[scoring]
    draws = np.random.default_rng(1).integers(len(scoring), size=(_RESAMPLES, len(scoring)))
    residues = sum(len(each.centers) for each in proteins)
    lines = [
        f"{len(proteins)} proteins, {residues:,} residues; {len(pockets)} pockets; {len(scoring)} proteins are scored",
        "",
        "| compared by | chosen | first hit right | all proteins | z less it |",
        "| --- | --- | ---: | ---: | ---: |",
        f"| any hit of z | | {_interval(chance, draws)} | | {_interval(scored['z'] - chance, draws)} |",
    ]
    for row in rows:
        less = "" if row == "z" else _interval(scored["z"] - scored[row], draws)
        lines.append(
            f"| {row} | {ways[row]} | {_interval(scored[row], draws)} | {everywhere[row]:.3f} | {less} |"
        )
    return lines


def _interval(values: Values, draws: NDArray[np.int64]) -> str:
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("proteins", type=Path, help="folder with labels.csv and complexes of whole proteins")
    parser.add_argument("pockets", type=Path, help="folder with labels.csv and complexes for the pockets")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    # In the order of their names, as an index numbers them.
    proteins = sorted(described(given.proteins, "affinity"), key=lambda each: each.name)
    pockets = list(described(given.pockets, "refined"))
    lines = table(proteins, pockets, [*proteins[0].rows, BOTH])
    (given.out / "where.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
