"""The tables of docs/results/mutations.md.

    python docs/results/mutations.py DIR --out results/

DIR contains mutations.csv (file, chain, residue, wild_type, mutant, ddg, family, set, pair, ssym_relative) and the
files that it names; `--model` predicts the type of a residue from its surroundings. The features of each structure are
computed once. Each row is then what `holo mutations fit` and `predict --table` compute, with and without
`--filling-model`.
"""

import argparse
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from holo_downstream import (
    Columns,
    StabilityFit,
    Substitutions,
    fit_stability,
    paired_test,
    score_by_group,
)
from holo_downstream.stability.fitting import SETTINGS
from holo_downstream.validation.cross_validation import group_folds
from holo_downstream.validation.statistics import metric_of
from holo_features import blosum62, residue_name_of
from holo_lab.mutations.learning import DescribedTable, describe_table
from holo_lab.mutations.tables import read_mutations
from holo_vae import Model, load

Values = NDArray[np.float64]
HAND, SCORE, FILLED = "counted", "counted, log-probability", "counted, log-probability and z"
ROWS = (HAND, SCORE, FILLED)
TREES = "counted, extra trees"
EXPECTED = "log-probability without imprint"  # the last column of the changes


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with mutations.csv")
    parser.add_argument(
        "--model", default="microenvironment-fill-z128", help="a model with a head on residue_name"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = read_mutations(given.data / "mutations.csv", measured=True)
    described = describe_table(given.data, table, load(given.model, Model))
    lines = [f"{len(described.rows)} of {len(table.rows)} rows", "", *described.skipped, ""]
    for tables in (trained(described), zero_shot(described), antisymmetry(described)):
        lines += [*tables, ""]
    (given.out / "mutations.md").write_text("\n".join(lines), encoding="utf-8")


def cells(described: DescribedTable, name: str) -> NDArray[np.str_]:
    """Return a column of the table."""
    return np.array([row.cells[name] for row in described.rows])


def measured(described: DescribedTable) -> Values:
    """Return the measured values."""
    return np.array([row.ddg for row in described.rows], dtype=float)


def seen_by(row: str, exchanges: Substitutions) -> Substitutions:
    """Return the features that a row of the results uses."""
    if row != HAND:
        return exchanges
    changes = exchanges.changes
    return attrs.evolve(exchanges, changes=Columns(changes.names[:-1], changes.values[:, :-1]))


def fitted(row: str, described: DescribedTable, rows: NDArray[np.int64]) -> StabilityFit:
    """Fit some rows of the table with the features that a row of the results uses."""
    some = seen_by(row, described.exchanges.take(rows))
    sharpness = {**SETTINGS.sharpness, "z": 0.3} if row == FILLED else SETTINGS.sharpness
    settings = attrs.evolve(SETTINGS, sharpness=sharpness)
    return fit_stability(some, measured(described)[rows], cells(described, "family")[rows], settings)


def trained(described: DescribedTable) -> list[str]:
    """Score the fitted rows of the results by ten folds of families, and test their differences."""
    rows = np.flatnonzero(cells(described, "set") == "train")
    ddg, proteins = measured(described)[rows], cells(described, "file")[rows]
    families = cells(described, "family")[rows]
    fits = {row: fitted(row, described, rows) for row in ROWS}
    predicted = {TREES: by_extra_trees(seen_by(HAND, described.exchanges.take(rows)), ddg, families)}
    predicted |= {row: fit.predicted for row, fit in fits.items()}
    predicted |= {f"{row}, odd part alone": fit.odd for row, fit in fits.items()}
    lines = [f"{len(rows)} mutations, ten folds by family", "", *scored(predicted, ddg, proteins)]
    compared = (
        (SCORE, HAND),
        (SCORE, TREES),
        (HAND, TREES),
        (SCORE, FILLED),
        (SCORE, f"{SCORE}, odd part alone"),
    )
    return [*lines, "", *differences(predicted, ddg, proteins, compared, ("pearson", "rmsd"))]


def by_extra_trees(exchanges: Substitutions, ddg: Values, families: NDArray[np.str_]) -> Values:
    """Predict each fold of families from the others by extra trees, the usual method for such features."""
    sites = [exchanges.sites[name] for name in SETTINGS.sharpness]
    parts = (*sites, exchanges.wild_types, exchanges.mutants, exchanges.changes)
    numbers = np.concatenate([part.values for part in parts], axis=1).astype(np.float32)
    predicted = np.empty(len(ddg))
    for fold in group_folds(families, 10):
        trees = ExtraTreesRegressor(200, min_samples_leaf=2, max_features=0.33, random_state=0)
        trees.fit(numbers[fold.training], ddg[fold.training])
        predicted[fold.test] = trees.predict(numbers[fold.test])
    return predicted


def zero_shot(described: DescribedTable) -> list[str]:
    """Score the predictions that use no measured stability."""
    rows = np.flatnonzero(cells(described, "set") == "train")
    some = described.exchanges.take(rows)
    ddg, proteins = measured(described)[rows], cells(described, "file")[rows]
    names = [
        [residue_name_of(letter) for letter in cells(described, column)[rows].tolist()]
        for column in ("wild_type", "mutant")
    ]
    change = dict(zip(some.changes.names, some.changes.values.T, strict=True))
    expected, buried = change[EXPECTED], change["hydrophobicity times burial"]
    both = "log-probability plus hydrophobicity times burial"
    scores = {
        both: expected / expected.std() + buried / buried.std(),
        "log-probability": expected,
        "hydrophobicity times burial": buried,
        "BLOSUM62": blosum62(*names).astype(float),
    }
    lines = ["| no label | Pearson | Spearman |", "| --- | ---: | ---: |"]
    for name, values in scores.items():
        found = (score_by_group(metric, values, ddg, proteins) for metric in ("pearson", "spearman"))
        lines.append(f"| {name} | {' | '.join(map(str, found))} |")
    compared = tuple(
        (ours, theirs)
        for ours in (both, "log-probability")
        for theirs in ("hydrophobicity times burial", "BLOSUM62")
    )
    return [*lines, "", *differences(scores, ddg, proteins, compared, ("pearson", "spearman"))]


def antisymmetry(described: DescribedTable) -> list[str]:
    """Score the odd part on Ssym, fitted to proteins without relatives in it."""
    sets, relatives = cells(described, "set"), cells(described, "ssym_relative")
    learned = np.flatnonzero((sets == "train") & (relatives != "1"))
    ddg, pair = measured(described), cells(described, "pair")
    direct = np.flatnonzero(sets == "ssym_direct")
    reverse_of = {pair[row]: row for row in np.flatnonzero(sets == "ssym_reverse").tolist()}
    reverse = np.array([reverse_of[pair[row]] for row in direct.tolist()])
    there, back = described.exchanges.take(direct), described.exchanges.take(reverse)
    predicted: dict[str, tuple[Values, Values]] = {"-1 and +1": (-np.ones(len(direct)), np.ones(len(direct)))}
    score = there.changes.names.index(EXPECTED)
    predicted["log-probability, no label"] = (there.changes.values[:, score], back.changes.values[:, score])
    for row in ROWS:
        predictor = fitted(row, described, learned).predictor
        one, other = (predictor.predict(seen_by(row, each), natural=False).values for each in (there, back))
        predicted[row] = (one, other)
    lines = [
        f"{len(direct)} mutations and their reverses, {len(learned)} to learn from",
        "",
        "| odd part | direct | reverse | direct to reverse | bias | all: Pearson | all: RMSE |",
        "| --- |" + " ---: |" * 6,
    ]
    both = np.concatenate([ddg[direct], ddg[reverse]])
    for name, (one, other) in predicted.items():
        together = np.concatenate([one, other])
        flat = one.std() == 0
        figures = (
            np.nan if flat else metric_of("pearson", one, ddg[direct]),
            np.nan if flat else metric_of("pearson", other, ddg[reverse]),
            np.nan if flat else metric_of("pearson", one, other),
            float((one + other).mean() / 2),
            metric_of("pearson", together, both),
            metric_of("rmsd", together, both),
        )
        shown = ("" if np.isnan(figure) else f"{figure:.3f}" for figure in figures)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return lines


def scored(predicted: dict[str, Values], ddg: Values, proteins: NDArray[np.str_]) -> list[str]:
    """Make a table of scores with intervals over proteins."""
    lines = ["| | Pearson | RMSE | Spearman |", "| --- | ---: | ---: | ---: |"]
    for name, values in predicted.items():
        found = (score_by_group(metric, values, ddg, proteins) for metric in ("pearson", "rmsd", "spearman"))
        lines.append(f"| {name} | {' | '.join(map(str, found))} |")
    return lines


def differences(
    predicted: dict[str, Values],
    ddg: Values,
    proteins: NDArray[np.str_],
    compared: tuple[tuple[str, str], ...],
    metrics: tuple[str, ...],
) -> list[str]:
    """Make a table of paired tests, whole proteins resampled and swapped."""
    lines = ["| difference | score | [95 %] | p, permutation | |", "| --- | --- | ---: | ---: | --- |"]
    for ours, theirs in compared:
        for metric in metrics:
            one, other = predicted[ours], predicted[theirs]
            if (
                "rmsd" not in metrics
            ):  # of scores in different units, which must have the same spread to be swapped
                one, other = one / one.std(), other / other.std()
            test = paired_test(one[None], other[None], ddg, metric, groups=proteins)  # type: ignore[arg-type]
            verdict = "real" if test.is_real else "not distinguishable"
            lines.append(
                f"| {ours} - {theirs} | {metric} | {test.difference} | {test.p_value:.4f} | {verdict} |"
            )
    return lines


if __name__ == "__main__":
    main()
