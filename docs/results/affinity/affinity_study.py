"""The tables of docs/results/affinity.md on 2,211 complexes.

    python docs/results/affinity/affinity_study.py DIR --out results/ --atoms MODEL

DIR contains labels.csv (id, label, protein, ligand) and the files that it names; MODEL is that of `protein_atoms.py`,
without which the rows that need it are left out. `folds.csv` beside this script has the sequence cluster of each
complex, and its fold in three draws of five folds of whole clusters. Each complex is predicted once in each draw,
by a predictor fitted to the other folds. Estimators are the forest and the boosting of `affinity_rows`, and the
ensemble of `holo affinity fit`, the same for all rows. Existing results are not computed again, so that a
call that was stopped can be continued.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from affinity_learned import ligand_atoms, log_odds
from affinity_numbers import Counted, counted
from affinity_rows import ALL, CONTACTS, LEARNED, LOG_ODDS, ROWS, SHELLS, WITH_RF_SCORE, Row, predicted
from affinity_scores import Scored, score, table, tests
from numpy.typing import NDArray

from holo_downstream.affinity.cross_fit import MOST_OF_A_GROUP
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

Values = NDArray[np.float64]

DRAWS = ("draw1", "draw2", "draw3")
FOLDS = Path(__file__).with_name("folds.csv")
_SIZES = (100, 200, 500, 1000)  # complexes at the points of the learning curve, before that of all


@attrs.frozen(eq=False)
class Study:
    """The complexes of the study, their features, and the folder of predictions.

    Parameters
    ----------
    counted
        The features of the complexes.
    scored
        Labels and clusters, row by row.
    folds
        The folds of each draw.
    out
        The folder of predictions.
    """

    counted: Counted
    scored: Scored
    folds: dict[str, NDArray[np.int64]]
    out: Path

    def predictions(self, row: Row, estimator: str) -> Values:
        """Return the predictions of each draw, from a file if they were computed before."""
        path = self.out / (_file_name(f"{row.name} {estimator}") + ".npy")
        if not path.exists():
            start = time.perf_counter()
            vectors = self.counted.of(row.groups)
            found = np.empty((len(DRAWS), len(vectors)))
            for number, draw in enumerate(DRAWS):
                for fold in np.unique(self.folds[draw]):
                    test = self.folds[draw] == fold
                    found[number, test] = predicted(
                        estimator, vectors[~test], self.scored.labels[~test], vectors[test]
                    )
            np.save(path, found)
            with (self.out / "seconds.tsv").open("a", encoding="utf-8") as log:
                log.write(f"{time.perf_counter() - start:.0f}\t{row.name}\t{estimator}\n")
        loaded: Values = np.load(path)
        return loaded

    def curve(self, row: Row, estimator: str) -> list[float]:
        """Return the capped RMSE after training on few complexes and on all, as means over the draws."""
        path = self.out / (_file_name(f"curve {row.name} {estimator}") + ".npy")
        if not path.exists():
            vectors, labels = self.counted.of(row.groups), self.scored.labels
            found = np.empty((len(_SIZES), len(DRAWS), len(vectors)))
            for place, draw in enumerate(DRAWS):
                folds = self.folds[draw]
                for fold in np.unique(folds):
                    test = np.flatnonzero(folds == fold)
                    drawn = np.random.default_rng(int(fold)).permutation(np.flatnonzero(folds != fold))
                    for number, size in enumerate(_SIZES):
                        some = drawn[:size]
                        found[number, place, test] = predicted(
                            estimator, vectors[some], labels[some], vectors[test]
                        )
            np.save(path, found)
        parts = [*np.load(path), self.predictions(row, estimator)]
        return [
            float(np.mean([score(self.scored, "rmsd", draw, MOST_OF_A_GROUP) for draw in part]))
            for part in parts
        ]


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder for numbers, predictions and tables")
    parser.add_argument("--atoms", help="a model with a head that names the kinds of atoms")
    parser.add_argument("--workers", type=int, default=1, help="processes that compute numbers")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = read_study(given.data, given.out, given.workers)
    if given.atoms:
        look_at_atoms(
            study.counted, given.data / "labels.csv", load(given.atoms, Model), given.out / "atoms.h5"
        )
    rows = (*ROWS, *(LEARNED if given.atoms else ()))
    pairs = [(row, estimator) for row in rows for estimator in row.estimators]
    found = [(row.name, estimator, study.predictions(row, estimator)) for row, estimator in pairs]
    best = study.predictions(ALL, "ensemble")
    against = [
        (f"{ALL.name}, ensemble - {row.name}, {estimator}", best, study.predictions(row, estimator))
        for row, estimator in ((CONTACTS, "forest"), (SHELLS, "boosting"), (ALL, "boosting"))
    ]
    boosted = [study.predictions(row, "boosting") for row in (WITH_RF_SCORE, ALL)]
    against.append((f"{WITH_RF_SCORE.name} - {ALL.name}, boosting", boosted[0], boosted[1]))
    lines = table(study.scored, found)
    for most, what in ((MOST_OF_A_GROUP, "capped"), (None, "plain")):
        lines += ["", f"Paired by cluster, {what}:", "", *tests(study.scored, against, most=most)]
    lines += ["", *curves(study, rows)]
    if given.atoms:
        candidates = [
            (
                f"{estimator}, with - without",
                study.predictions(LEARNED[0], estimator),
                study.predictions(ALL, estimator),
            )
            for estimator in LEARNED[0].estimators
        ]
        for most, what in ((MOST_OF_A_GROUP, "capped"), (None, "plain")):
            lines += ["", f"{LEARNED[0].name}, {what}:", "", *tests(study.scored, candidates, most=most)]
    (given.out / "affinity.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def read_study(data: Path, out: Path, workers: int) -> Study:
    """Read labels and folds, and compute the features."""
    numbers = counted(data / "labels.csv", out / "numbers.h5", workers)
    labels = {row["id"]: float(row["label"]) for row in csv.DictReader(csv_text(data / "labels.csv"))}
    folds = {row["id"]: row for row in csv.DictReader(csv_text(FOLDS))}
    scored = Scored(
        np.array([labels[name] for name in numbers.ids]),
        np.array([folds[name]["cluster30"] for name in numbers.ids]),
    )
    return Study(
        numbers,
        scored,
        {draw: np.array([int(folds[name][draw]) for name in numbers.ids]) for draw in DRAWS},
        out,
    )


def look_at_atoms(counted_: Counted, table: Path, model: Model, kept: Path) -> None:
    """Add the predictions of a model for the atoms of the ligands to the features."""
    atoms = ligand_atoms(table, model, kept)
    place = {name: row for row, name in enumerate(atoms.ids)}
    counted_.groups[LOG_ODDS] = log_odds(atoms)[[place[name] for name in counted_.ids]]


def curves(study: Study, rows: Sequence[Row]) -> list[str]:
    """Return the learning curves of rows with boosting, and with the ensemble if a row has it."""
    most = round(len(study.scored.labels) * 0.8)
    lines = [
        "| features | learns | " + " | ".join(f"{size:,}" for size in (*_SIZES, most)) + " |",
        "| --- | --- |" + " ---: |" * (len(_SIZES) + 1),
    ]
    for row in rows:
        for estimator in row.estimators:
            if estimator != "forest":
                cells = " | ".join(f"{value:.3f}" for value in study.curve(row, estimator))
                lines.append(f"| {row.name} | {estimator} | {cells} |")
    return lines


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)


if __name__ == "__main__":
    main()
