"""Further tables of docs/results/affinity.md: ranking within the series of PL-REX and FEP, and the older split.

    python docs/results/affinity/affinity_series.py DIR --plrex DIR --fep DIR --out results/ --atoms MODEL

The first folder is that of `affinity_study.py`. That of PL-REX contains labels.csv (id, source, pK, protein, ligand),
and that of FEP folders of NAME_protein.pdb and NAME_ligands.sdf, whose tag r_exp_dg has free energies in kcal/mol.
The predictors are fitted without complexes of their sequence clusters (docs/results/split/chains.csv).
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from affinity_numbers import Counted, counted
from affinity_rows import ALL, CONTACTS, LEARNED, MEAN, SHELLS, predicted
from affinity_study import look_at_atoms, read_study
from numpy.typing import NDArray
from scipy.stats import permutation_test, spearmanr

from holo_downstream import bootstrap_mean
from holo_downstream.validation.statistics import holm_adjusted, metric_of
from holo_types.files.csv_files import csv_text, write_csv
from holo_vae import Model, load

Values = NDArray[np.float64]

CHAINS = Path(__file__).parents[1] / "split" / "chains.csv"
# The last is compared with the others.
RANKING = ((CONTACTS, "forest"), (SHELLS, "boosting"), (LEARNED[0], "ensemble"), (ALL, "ensemble"))
_LEAST = 5  # ligands, the smallest series whose ranking is informative
_SIZE = "ligand size: heavy atoms"
_COLUMNS = ("id", "series", "label", "protein", "ligand", "molecule")


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.csv and the complexes to learn from")
    parser.add_argument(
        "--plrex", type=Path, required=True, help="folder of the older split, also with PL-REX"
    )
    parser.add_argument("--fep", type=Path, required=True, help="folder with folders of series")
    parser.add_argument("--atoms", required=True, help="a model with a head that names the kinds of atoms")
    parser.add_argument("--out", type=Path, required=True, help="folder for numbers and tables")
    parser.add_argument("--workers", type=int, default=1, help="processes that compute numbers")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = read_study(given.data, given.out, given.workers)
    model = load(given.atoms, Model)
    look_at_atoms(study.counted, given.data / "labels.csv", model, given.out / "atoms.h5")
    chains = list(csv.DictReader(csv_text(CHAINS)))
    ranked = {row["cluster"] for row in chains if row["archive"] == "fep"} | plrex_clusters(
        given.plrex, chains
    )
    clusters: dict[str, set[str]] = {}
    for chain in chains:
        if chain["archive"] == "refined":
            clusters.setdefault(chain["structure"], set()).add(chain["cluster"])
    kept = np.array([not clusters.get(name, set()) & ranked for name in study.counted.ids])
    lines = [f"{kept.sum()} of {len(kept)} complexes are of other clusters, and are learned from.", ""]
    for name, rows in (("PL-REX", plrex(given.plrex, chains)), ("FEP", fep(given.fep))):
        listed = list(rows)
        path = given.out / f"{name}.csv"
        write_csv(path, _COLUMNS, listed)
        numbers = counted(path, given.out / f"{name}.h5", given.workers)
        look_at_atoms(numbers, path, model, given.out / f"{name} atoms.h5")
        of = {str(row[0]): row for row in listed}
        labels = np.array([float(str(of[complex_][2])) for complex_ in numbers.ids])
        series = np.array([str(of[complex_][1]) for complex_ in numbers.ids])
        scores = {_SIZE: numbers.groups["elements"][:, 0]}
        for row, estimator in RANKING:
            train = study.counted.of(row.groups)[kept]
            measured = study.scored.labels[kept]
            scores[f"{row.name}, {estimator}"] = predicted(estimator, train, measured, numbers.of(row.groups))
        lines += [*table(name, numbers, scores, labels, series), ""]
    lines += older(given.plrex, given.out, given.workers)
    (given.out / "series.md").write_text("\n".join(lines), encoding="utf-8")


def older(folder: Path, out: Path, workers: int) -> list[str]:
    """Score the test complexes of the older split, without ligands whose file has no bonds."""
    listed = {row["id"]: row for row in csv.DictReader(csv_text(folder / "labels.csv"))}
    numbers = counted(folder / "labels.csv", out / "older.h5", workers)
    labels = np.array([float(listed[name]["pK"]) for name in numbers.ids])
    splits = np.array([listed[name]["split"] for name in numbers.ids])
    train, test = np.isin(splits, ("train", "val")), splits == "test"
    lines = [
        f"The older split: {train.sum()} complexes learned from, {test.sum()} tested:",
        "",
        "| features | learns | RMSE | Pearson |",
        "| --- | --- | ---: | ---: |",
    ]
    for row, estimator in ((MEAN, "mean"), (CONTACTS, "forest"), (SHELLS, "boosting"), (ALL, "ensemble")):
        vectors = numbers.of(row.groups)
        found = predicted(estimator, vectors[train], labels[train], vectors[test])
        cells = [f"{metric_of(metric, found, labels[test]):.2f}" for metric in ("rmsd", "pearson")]
        lines.append(f"| {row.name} | {estimator} | {' | '.join(cells)} |")
    return [*lines, ""]


def table(
    name: str, numbers: Counted, scores: dict[str, Values], labels: Values, series: NDArray[np.str_]
) -> list[str]:
    """Return the mean Spearman correlation of each score, and of the last one less each other, paired by series."""
    inside = {score: in_series(values, labels, series) for score, values in scores.items()}
    ours, last = list(inside.values())[-1], list(inside)[-1]
    count = len(ours)
    lines = [
        f"{name}, {len(numbers.ids)} ligands in {count} series of at least {_LEAST}:",
        "",
        f"| ranks by | Spearman | {last}, less it | p, permutation | p, Holm |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    others = [values for score, values in inside.items() if score != last]
    p_values = [
        float(
            permutation_test(
                (ours, values), _mean_difference, permutation_type="samples", n_resamples=9999, rng=0
            ).pvalue
        )
        for values in others
    ]
    adjusted = holm_adjusted(p_values)
    groups = np.arange(count)
    for number, (score, values) in enumerate(inside.items()):
        cells = [score, str(bootstrap_mean(values, groups))]
        if score != last:
            cells += [
                str(bootstrap_mean(ours - values, groups)),
                f"{p_values[number]:.4f}",
                f"{adjusted[number]:.4f}",
            ]
        lines.append("| " + " | ".join([*cells, "", "", ""][:5]) + " |")
    return lines


def _mean_difference(ours: Values, theirs: Values) -> float:
    return float(np.mean(ours - theirs))


def in_series(values: Values, labels: Values, series: NDArray[np.str_]) -> Values:
    """Return Spearman's correlation within each series, or 0 if all values are equal."""
    found = []
    for name in np.unique(series):
        there = series == name
        if there.sum() >= _LEAST:
            varied = np.ptp(values[there]) > 0
            found.append(float(spearmanr(values[there], labels[there]).statistic) if varied else 0.0)
    return np.array(found)


def plrex_clusters(folder: Path, chains: list[dict[str, str]]) -> set[str]:
    """Return the clusters of PL-REX's proteins."""
    names = {row["id"] for row in csv.DictReader(csv_text(folder / "labels.csv")) if row["source"] == "plrex"}
    return {row["cluster"] for row in chains if row["archive"] == "affinity" and row["structure"] in names}


def plrex(folder: Path, chains: list[dict[str, str]]) -> Iterator[tuple[object, ...]]:
    """Return the complexes of PL-REX; a series is a protein."""
    proteins = {row["structure"]: row["protein"] for row in chains if row["archive"] == "affinity"}
    place = folder.resolve()
    for row in csv.DictReader(csv_text(folder / "labels.csv")):
        if row["source"] == "plrex":
            files = (str(place / row["protein"]), str(place / row["ligand"]))
            yield (row["id"], proteins[row["id"]], row["pK"], *files, "")


def fep(folder: Path) -> Iterator[tuple[object, ...]]:
    """Return the ligands of FEP's series that have a free energy; the lower it is, the higher the label."""
    for ligands in sorted(folder.resolve().glob("**/*_ligands.sdf")):
        stem = ligands.name.removesuffix("_ligands.sdf")
        series = f"{ligands.parent.name}/{stem}"
        for record in ligands.read_text(encoding="utf-8").split("$$$$\n"):
            lines = record.splitlines()
            tags = [
                number for number, line in enumerate(lines) if line.startswith(">") and "<r_exp_dg>" in line
            ]
            if tags:
                molecule, energy = lines[0].strip(), float(lines[tags[0] + 1])
                files = (str(ligands.with_name(f"{stem}_protein.pdb")), str(ligands))
                yield (f"{series}/{molecule}", series, -energy, *files, molecule)


if __name__ == "__main__":
    main()
