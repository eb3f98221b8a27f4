"""Estimators on the best features without a network, each with settings chosen inside the training folds.

    python docs/results/affinity/affinity_estimators.py DIR --out results/

The arguments are those of `affinity_study.py`. For each test fold, each of the other four is predicted by what learned
from the other three. The settings of an estimator, and in the last row the estimator too, are those with the lowest
capped error there. The table is written to `estimators.md`, with the choices of the last row.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affinity_pooling import Mask, Values
from affinity_rows import ALL, BOOSTING, FOREST
from affinity_scores import differences, table
from affinity_study import DRAWS, Study, read_study
from affinity_trials import best, validated

from holo_downstream.affinity.cross_fit import MOST_OF_A_GROUP
from holo_downstream.affinity.regressors import (
    ENSEMBLE,
    Ensemble,
    KernelRidge,
    Ridge,
    Settings,
    SupportVectors,
    fit,
)

_VECTORS = next(each for each in ENSEMBLE.members if isinstance(each, SupportVectors))
_PROCESSES = tuple(
    KernelRidge(noise, sharpness) for noise in (0.1, 0.3, 1.0) for sharpness in (0.03, 0.1, 0.3)
)
ESTIMATORS: dict[str, tuple[Settings, ...]] = {
    "ridge": tuple(Ridge(10.0**power) for power in range(1, 6)),
    "kernel ridge, the mean of a Gaussian process": _PROCESSES,
    "support vectors": (_VECTORS,),
    "forest": (FOREST,),
    "boosting": (BOOSTING,),
    "mean of boosting and support vectors": (Ensemble((BOOSTING, _VECTORS)),),
    "mean of boosting and kernel ridge": (Ensemble((BOOSTING, KernelRidge(0.3, 0.1))),),
    "ensemble": (ENSEMBLE,),
}
_CHOSEN = "chosen among all of these"


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder of affinity_study.py")
    parser.add_argument("--workers", type=int, default=1, help="processes that compute numbers")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = read_study(given.data, given.out, given.workers)
    settings = [each for group in ESTIMATORS.values() for each in group]
    names = np.array([name for name, group in ESTIMATORS.items() for _ in group])
    groups = {name: np.flatnonzero(names == name) for name in ESTIMATORS}
    groups[_CHOSEN] = np.arange(len(settings))
    found = {name: np.empty((len(DRAWS), len(study.scored.labels))) for name in groups}
    choices: Counter[str] = Counter()
    for place, draw in enumerate(DRAWS):
        folds = study.folds[draw]
        valid, tested = _predictions(study, draw, settings)
        for number, fold in enumerate(np.unique(folds)):
            known = folds != fold
            for name, group in groups.items():
                which = int(group[best(valid[group, number], known, study.scored)])
                found[name][place, ~known] = tested[which, ~known]
                choices[str(names[which])] += name == _CHOSEN
    others = [name for name in groups if name != "ensemble"]
    pairs = [(found[name], found["ensemble"]) for name in others]
    lines = table(study.scored, [(ALL.name, name, draws) for name, draws in found.items()])
    lines += ["", "| estimator | less the ensemble, capped | p, Holm |", "| --- | ---: | ---: |"]
    for name, (difference, _, adjusted) in zip(
        others, differences(study.scored, pairs, most=MOST_OF_A_GROUP), strict=True
    ):
        lines.append(f"| {name} | {difference} | {adjusted:.3f} |")
    lines += ["", *(f"{name}: chosen for {count} of 15 test folds" for name, count in choices.most_common())]
    (given.out / "estimators.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _predictions(study: Study, draw: str, settings: Sequence[Settings]) -> tuple[Values, Values]:
    """Return the predictions of `validated` and those of the test folds by setting, from a file if it exists."""
    path = study.out / f"estimators {draw}.npz"
    if not path.exists():
        numbers, labels, folds = study.counted.of(ALL.groups), study.scored.labels, study.folds[draw]

        def predict(settings: Sequence[Settings], train: Mask) -> list[Values]:
            varied = np.ptp(numbers[train], axis=0) > 0
            rounded = numbers[:, varied].astype(np.float32).astype(np.float64)
            return [
                np.asarray(fit(each, rounded[train], labels[train]).predict(rounded)) for each in settings
            ]

        tested = np.empty((len(settings), len(labels)))
        for fold in np.unique(folds):
            test = folds == fold
            tested[:, test] = np.stack(predict(settings, ~test))[:, test]
        np.savez(path, valid=validated(settings, predict, folds), tested=tested)
    with np.load(path) as arrays:
        return arrays["valid"], arrays["tested"]


if __name__ == "__main__":
    main()
