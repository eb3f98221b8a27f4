"""A search for pockets in other families that bind the same ligand, a table of docs/results/search.md.

    python docs/results/search/same_ligand.py DIR --out results/

DIR contains labels.csv (id, protein, ligand, ligand_name, smiles) and the files that it names. A pocket consists of the
20 residues whose Cα are nearest to the center of the ligand, so that its size gives nothing away; the ligand is
removed. Ligands are the same if they have the same SMILES or belong to one family of the list below, which was written
before anything was scored. Each pocket is a query for those of the same family in other sequence clusters, among the
pockets of all other clusters. How each row compares pockets (cosine or Euclidean, standardized or not) is chosen on
half of the clusters and scored on the other half. Existing results are not computed again.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from pocket_scores import Pair, Task, Values, summary
from scipy.optimize import linear_sum_assignment

import holo_types
from holo_downstream import full_power_spectrum, scalar_coefficients
from holo_features import alpha_carbons, neighborhoods, read_ligand, read_structure, zernike_transform
from holo_features.structures.alignment import one_letter_sequence
from holo_types import Embeddings, Holograms, NamedArrays, concatenate
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

MODEL = "microenvironment-z128"
Z = "z, residues one to one"
CHAINS = Path(__file__).parents[1] / "split" / "chains.csv"
RESIDUES = 20
FAMILIES = {
    "adenosine and its phosphates": "ATP ADP AMP ANP ACP ADN CMP AR6 DTP A3P APR",
    "guanosine phosphates": "GTP GDP GMP GSP MGP MGT",
    "pyrimidine nucleotides": "UDP UD1 CDP UDP-BGC",
    "S-adenosyl": "SAM SAH SFG",
    "folates": "MTX FOL THG",
    "iminosugars": "NOJ DGJ IFL GOX CTS KIF MVL GIM NOK",
    "inositol phosphates": "I3P 4IP IHP",
    "sialic acids": "DAN SLB",
    "hexose phosphates": "F6P G6P BG6",
    "polyamines": "PUT SPM SPD",
    "quaternary amines": "CHT BET ACH",
    "2-oxo acids": "AKG OGA",
}
_KIND = "PocketSimilarities"
_AROUND = 8.0  # Å from the ligand's center, within which atoms are counted
_DISTANCES = np.arange(3.0, 25.0)  # Å, between two Cα


@attrs.frozen(eq=False)
class Pockets:
    """The pockets.

    Parameters
    ----------
    ids
        The ids of the complexes.
    task
        The ligands and clusters of the pockets.
    trained
        Whether the model has seen structures of the cluster.
    holograms, embeddings
        The holograms and embeddings of their residues, 20 for each pocket.
    """

    ids: NDArray[np.str_]
    task: Task
    trained: NDArray[np.bool_]
    holograms: Holograms
    embeddings: Embeddings

    @property
    def types(self) -> NDArray[np.str_]:
        """The residue types of each pocket."""
        return self.embeddings.index.column("residue_name").reshape(-1, RESIDUES)


def read_pockets(folder: Path, out: Path) -> Pockets:
    """Read and embed the pockets, and find those of the same family."""
    rows = {row["id"]: row for row in csv.DictReader(csv_text(folder / "labels.csv"))}
    model = load(MODEL, Model)
    if not (out / "pockets.h5").exists():
        holo_types.save(concatenate(list(encoded(folder, rows, model))), out / "pockets.h5")
    holograms = holo_types.load(out / "pockets.h5", kind=Holograms)
    if not (out / "pockets_z.h5").exists():
        holo_types.save(model.encode(holograms), out / "pockets_z.h5")
    embeddings = holo_types.load(out / "pockets_z.h5", kind=Embeddings)
    ids = holograms.index.column("complex")[::RESIDUES]
    chains = {
        row["structure"]: row for row in csv.DictReader(csv_text(CHAINS)) if row["archive"] == "refined"
    }
    families = {name: family for family, names in FAMILIES.items() for name in names.split()}
    family = np.array([families.get(rows[name]["ligand_name"], rows[name]["smiles"]) for name in ids])
    clusters = np.array([chains[name]["cluster"] for name in ids])
    seen = {row["cluster"] for row in csv.DictReader(csv_text(CHAINS)) if row["use"] == "train"}
    several = {name for name in set(family.tolist()) if len(set(clusters[family == name].tolist())) > 1}
    queries = np.flatnonzero(np.isin(family, list(several)))
    sizes = holograms.index.column("ligand_atoms")[::RESIDUES]
    trained = np.isin(clusters, list(seen))
    return Pockets(ids, Task(family, clusters, sizes, queries), trained, holograms, embeddings)


def encoded(folder: Path, rows: dict[str, dict[str, str]], model: Model) -> Iterator[Holograms]:
    """Encode the residues of each pocket, and leave out pockets with fewer than 20."""
    basis = model.config.basis
    assert basis.radial is not None
    for name, row in rows.items():
        structure, ligand = read_structure(folder / row["protein"]), read_ligand(folder / row["ligand"])
        carbons = alpha_carbons(structure)
        apart = np.linalg.norm(carbons.positions - ligand.atoms.coord.mean(axis=0), axis=1)
        nearest = np.sort(np.argsort(apart, kind="stable")[:RESIDUES])
        clouds = neighborhoods(structure, basis.radial.cutoff, basis.channels, centers=carbons[nearest])
        if len(clouds) == RESIDUES:
            holograms = zernike_transform(clouds, basis)
            near = np.linalg.norm(structure.atoms.coord - ligand.atoms.coord.mean(axis=0), axis=1) < _AROUND
            about = holograms.index.assign(
                complex=[name] * RESIDUES,
                ligand_atoms=[len(ligand.atoms)] * RESIDUES,
                pocket_atoms=[int(near.sum())] * RESIDUES,
            )
            yield attrs.evolve(holograms, index=about)


# Vectors to compare


def vectors(pockets: Pockets) -> dict[str, Values]:
    """Return the vector of each pocket for each row that compares vectors."""
    types = pockets.types
    names, codes = np.unique(types, return_inverse=True)
    codes = codes.reshape(types.shape)
    counts = np.stack([(codes == number).sum(axis=1) for number in range(len(names))], axis=1)
    places = pockets.embeddings.centers
    assert places is not None
    centers = places.reshape(-1, RESIDUES, 3)
    spread = np.sqrt(centers.var(axis=1).sum(axis=1))
    atoms = pockets.holograms.index.column("pocket_atoms")[::RESIDUES].astype(np.float64)
    count = len(types)

    def mean_of(values: NDArray[np.floating]) -> Values:
        found: Values = values.reshape(count, RESIDUES, -1).mean(axis=1, dtype=np.float64)
        return found

    blocks = [pockets.holograms[start : start + 1000] for start in range(0, len(pockets.holograms), 1000)]
    return {
        "size: spread of the residues, atoms near the center": np.stack([spread, atoms], axis=1),
        "residue counts": counts.astype(np.float64),
        "l = 0": mean_of(np.concatenate([scalar_coefficients(block) for block in blocks])),
        "power spectrum": mean_of(np.concatenate([full_power_spectrum(block) for block in blocks])),
        "geometry: residue types at distances": _distance_histograms(codes, centers, len(names)),
        "z, mean": mean_of(pockets.embeddings.invariants),
    }


def _distance_histograms(codes: NDArray[np.int64], centers: Values, types: int) -> Values:
    """Return how many pairs of each two residue types are at each distance, smoothed over one Å."""
    first, second = np.triu_indices(RESIDUES, 1)
    low, high = np.sort([codes[:, first], codes[:, second]], axis=0)
    apart = np.linalg.norm(centers[:, first] - centers[:, second], axis=2)
    near = np.exp(-((apart[..., None] - _DISTANCES) ** 2) / 2)
    found = np.zeros((len(codes), types * types, len(_DISTANCES)))
    for pocket, (kinds, values) in enumerate(zip(low * types + high, near, strict=True)):
        np.add.at(found[pocket], kinds, values)
    used = found.any(axis=(0, 2))
    return found[:, used].reshape(len(codes), -1)


def similarities(values: Values, queries: NDArray[np.int64]) -> dict[str, Values]:
    """Return the similarities of vectors in four ways."""
    found = {}
    scale = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(scale > 0, scale, 1)
    for way, rows in (("", values), (", standardized", standard)):
        lengths = np.linalg.norm(rows, axis=1)
        products = rows[queries] @ rows.T
        found[f"cosine{way}"] = products / np.maximum(np.outer(lengths[queries], lengths), 1e-12)
        found[f"Euclidean{way}"] = -np.sqrt(
            np.maximum(lengths[queries, None] ** 2 + lengths**2 - 2 * products, 0)
        )
    return found


def one_to_one(pockets: Pockets) -> Values:
    """Return the mean distance in standardized z of optimally assigned residues."""
    z = pockets.embeddings.invariants.astype(np.float64)
    z = ((z - z.mean(axis=0)) / z.std(axis=0)).reshape(-1, RESIDUES, z.shape[1])
    squares = (z**2).sum(axis=2)
    found = np.empty((len(pockets.task.queries), len(z)))
    for place, query in enumerate(pockets.task.queries):
        products = np.einsum("id,tjd->tij", z[query], z, optimize=True)
        apart = np.sqrt(np.maximum(squares[query][None, :, None] + squares[:, None] - 2 * products, 0))
        for other, matrix in enumerate(apart):
            rows, columns = linear_sum_assignment(matrix)
            found[place, other] = -matrix[rows, columns].mean()
    return found


def aligned(pockets: Pockets) -> Values:
    """Return the scores of global alignments of the pockets' sequences, in the order of the chain."""
    from biotite.sequence import ProteinSequence  # noqa: PLC0415 - of this row alone
    from biotite.sequence.align import SubstitutionMatrix, align_optimal  # noqa: PLC0415

    blosum = SubstitutionMatrix.std_protein_matrix()
    sequences = [ProteinSequence(one_letter_sequence(row.tolist())) for row in pockets.types]

    def score(one: ProteinSequence, other: ProteinSequence) -> float:
        found = align_optimal(one, other, blosum, gap_penalty=(-10, -1), max_number=1)[0].score
        return float(found)

    own = [score(sequence, sequence) for sequence in sequences]
    found = np.empty((len(pockets.task.queries), len(sequences)))
    for place, query in enumerate(pockets.task.queries):
        for other, sequence in enumerate(sequences):
            found[place, other] = score(sequences[query], sequence) / np.sqrt(own[query] * own[other])
    return found


def all_similarities(pockets: Pockets, out: Path) -> dict[str, dict[str, Values]]:
    """Return the ways to compare pockets for each row."""
    path = out / "pocket_similarities.h5"
    if not path.exists():
        found = {
            name: similarities(values, pockets.task.queries) for name, values in vectors(pockets).items()
        }
        found["aligned sequence of the pocket"] = {"BLOSUM62": aligned(pockets)}
        found[Z] = {"Euclidean, standardized": one_to_one(pockets)}
        arrays = {f"{row}|{way}": values for row, ways in found.items() for way, values in ways.items()}
        holo_types.save(NamedArrays(_KIND, arrays, {}), path)
    loaded: dict[str, dict[str, Values]] = {}
    for name, stored in holo_types.load(path, kind=NamedArrays).arrays.items():
        row, way = name.split("|")
        loaded.setdefault(row, {})[way] = stored
    z = next(iter(loaded[Z].values()))
    loaded["z and geometry"] = {
        f"z and {way}": _unit(z) + _unit(values)
        for way, values in loaded["geometry: residue types at distances"].items()
    }
    return loaded


def _unit(scores: Values) -> Values:
    spread: Values = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    return spread


# Scores


PARTS = ("held out", "all", "ligands of like size", "clusters not seen in training")


def choose_and_score(
    pockets: Pockets, ways: dict[str, Values], half: NDArray[np.bool_]
) -> tuple[str, dict[str, list[Pair]]]:
    """Choose the way to compare on half of the clusters, and score it on the other half and on all."""
    task = pockets.task

    def on_half(way: str) -> float:
        return float(summary(list(task.pairs(ways[way], half)))[0, 0])

    best = max(ways, key=on_half)
    scores, everything = ways[best], np.ones(len(half), dtype=bool)
    return best, {
        PARTS[0]: list(task.pairs(scores, ~half)),
        PARTS[1]: list(task.pairs(scores, everything)),
        PARTS[2]: list(task.pairs(scores, everything, alike_in_size=True)),
        PARTS[3]: list(task.pairs(scores, ~pockets.trained)),
    }


def tables(found: dict[str, tuple[str, dict[str, list[Pair]]]]) -> list[str]:
    """Return the lines of two tables: AUROC for all parts, and the other scores for all pockets."""
    parts = {part: {row: summary(scored[part]) for row, (_, scored) in found.items()} for part in PARTS}
    counts = [found[Z][1][part] for part in PARTS]
    sizes = [
        f"{len(pairs)} pairs of clusters, {len({pair.family for pair in pairs})} ligands" for pairs in counts
    ]
    lines = [
        "| compared by | "
        + " | ".join(f"{part}: {size}" for part, size in zip(PARTS, sizes, strict=True))
        + " |",
        "| --- |" + " ---: |" * len(PARTS),
    ]
    for row in found:
        lines.append(f"| {row} | " + " | ".join(_told(parts[part][row][:, 0]) for part in PARTS) + " |")
    lines += [
        "",
        "| compared by | way | z one to one less it, AUROC | in the first 1 %, times chance | first rank |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    every = parts[PARTS[1]]
    for row, (way, _) in found.items():
        less = "" if row == Z else _told(every[Z][:, 0] - every[row][:, 0])
        rank = f"{np.exp(every[row][0, 2]):.0f}"
        lines.append(f"| {row} | {way} | {less} | {_told(every[row][:, 1], 1)} | {rank} |")
    return lines


def _told(values: Values, digits: int = 3) -> str:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder for pockets, similarities and tables")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pockets = read_pockets(given.folder, given.out)
    names = np.unique(pockets.task.clusters[pockets.task.queries])
    chosen = np.random.default_rng(2026).permutation(names)[: len(names) // 2]
    half = np.isin(pockets.task.clusters, chosen)
    found = {
        row: choose_and_score(pockets, ways, half)
        for row, ways in all_similarities(pockets, given.out).items()
    }
    (given.out / "pockets.md").write_text("\n".join([*tables(found), ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
