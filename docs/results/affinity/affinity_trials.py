"""Ways of pooling z of ligand atoms, each beside the row of docs/results/affinity.md that needs no network.

    python docs/results/affinity/affinity_trials.py DIR --out results/ --atoms MODEL

The arguments are those of `affinity_study.py`, whose files in `--out` are used, and made where they are missing.
Principal components, quantiles and mixtures are fitted to the training complexes alone. Settings are chosen inside
the training folds: for each test fold, each of the other four is predicted by what learned from the other three, and
the setting with the lowest capped error is kept.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs
import numpy as np
from affinity_learned import Atoms, ligand_atoms
from affinity_pooling import (
    FisherVectors,
    HistogramsByElement,
    Mask,
    Pooling,
    SumsByElement,
    Values,
    set_kernel,
)
from affinity_rows import ALL, predicted
from affinity_scores import Scored, differences, score, table
from affinity_study import DRAWS, Study, read_study
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from holo_downstream.affinity.cross_fit import MOST_OF_A_GROUP
from holo_downstream.affinity.regressors import ENSEMBLE, SupportVectors
from holo_vae import Model, load

POOLINGS: dict[str, tuple[Pooling, ...]] = {
    "sums and counts by element": (SumsByElement(4), SumsByElement(16)),
    "histograms by element": (HistogramsByElement(4, 4), HistogramsByElement(8, 8)),
    "Fisher vectors": tuple(
        FisherVectors(components, gaussians, root)
        for components, gaussians in ((8, 4), (16, 8))
        for root in (False, True)
    ),
}
_SHARPNESS = (2.0, 8.0)  # of the kernel between atoms
_SHARES = (0.1, 0.3)  # of the atoms' kernel beside that of the numbers
_NOISE = (0.1, 0.3, 1.0)  # variance, in units of the kernel's mean diagonal
_VECTORS = next(each for each in ENSEMBLE.members if isinstance(each, SupportVectors))
_PROCESS, _VECTOR_MACHINE = "Gaussian process", "support vectors"
_MEAN, _ENSEMBLE = "mean of process and ensemble", "ensemble, z in its support vectors alone"
_NONE, _BESIDE, _ALONE = "no z", "kernel of atoms, and of the numbers", "kernel of atoms alone"

Rows = dict[tuple[str, str], Values]
Setting = TypeVar("Setting")


@attrs.frozen
class Process:
    """Settings of a Gaussian process.

    Parameters
    ----------
    kernel
        Name of the kernel of atoms.
    share
        The weight of that kernel; the rest is that of the kernel of numbers.
    noise
        Variance of the noise.
    """

    kernel: str
    share: float
    noise: float


def nested(
    settings: Sequence[Setting],
    predict: Callable[[Sequence[Setting], Mask], list[Values]],
    folds: NDArray[np.int64],
    scored: Scored,
) -> tuple[Values, dict[int, Setting]]:
    """Predict each fold with the setting that is best on the other folds, and return which it was.

    Parameters
    ----------
    settings
        The settings that are chosen from.
    predict
        From settings and the complexes that are learned from to a prediction for every complex by each setting.
    folds
        The fold of each complex.
    scored
        Labels and clusters.
    """
    valid = validated(settings, predict, folds)
    predictions, chosen = np.empty(len(folds)), {}
    for place, fold in enumerate(np.unique(folds)):
        known = folds != fold
        chosen[int(fold)] = settings[best(valid[:, place], known, scored)]
        predictions[~known] = predict([chosen[int(fold)]], known)[0][~known]
    return predictions, chosen


def validated(
    settings: Sequence[Setting],
    predict: Callable[[Sequence[Setting], Mask], list[Values]],
    folds: NDArray[np.int64],
) -> Values:
    """Return the predictions, by setting and test fold, of each other fold by what learned from the remaining three."""
    numbers = np.unique(folds)
    valid = np.full((len(settings), len(numbers), len(folds)), np.nan)
    for first, one in enumerate(numbers):
        for second, other in enumerate(numbers[:first]):
            found = np.stack(predict(settings, (folds != one) & (folds != other)))
            valid[:, first, folds == other] = found[:, folds == other]
            valid[:, second, folds == one] = found[:, folds == one]
    return valid


def best(valid: Values, known: Mask, scored: Scored) -> int:
    """Return which setting has the lowest capped error on the complexes that are not in the test fold."""
    of_known = Scored(scored.labels[known], scored.clusters[known])
    return int(np.argmin([score(of_known, "rmsd", each[known], MOST_OF_A_GROUP) for each in valid]))


def number_kernel(numbers: Values, train: Mask) -> Values:
    """Return the Gaussian kernel of the support vectors of `holo affinity fit`, on numbers clipped and scaled alike."""
    varied = numbers[:, np.ptp(numbers[train], axis=0) > 0]
    clipped = np.clip(varied, *np.quantile(varied[train], [_VECTORS.clipped, 1 - _VECTORS.clipped], axis=0))
    scaled = StandardScaler().fit(clipped[train]).transform(clipped)
    return np.asarray(rbf_kernel(scaled, gamma=_VECTORS.sharpness / scaled.shape[1]))


def process_mean(kernel: Values, labels: Values, train: Mask, noise: float) -> Values:
    """Return the mean of a Gaussian process for every complex, which is kernel ridge regression."""
    mean = labels[train].mean()
    ridge = KernelRidge(alpha=noise, kernel="precomputed")
    ridge.fit(kernel[np.ix_(train, train)], labels[train] - mean)
    return np.asarray(mean + ridge.predict(kernel[:, train]))


def by_support_vectors(kernel: Values, labels: Values, train: Mask) -> Values:
    """Return what the support vectors of `holo affinity fit` predict for every complex, of any kernel."""
    vectors = SVR(kernel="precomputed", C=_VECTORS.penalty, epsilon=_VECTORS.tube)
    vectors.fit(kernel[np.ix_(train, train)], labels[train])
    return np.asarray(vectors.predict(kernel[:, train]))


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder of affinity_study.py")
    parser.add_argument("--atoms", required=True, help="a model with a head that names the kinds of atoms")
    parser.add_argument("--workers", type=int, default=1, help="processes that compute numbers")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    study = read_study(given.data, given.out, given.workers)
    atoms = ligand_atoms(given.data / "labels.csv", load(given.atoms, Model), given.out / "atoms.h5")
    if atoms.ids != study.counted.ids:
        raise SystemExit(f"{given.out}: atoms.h5 and numbers.h5 must be of the same complexes")
    ensemble = study.predictions(ALL, "ensemble")
    found = {
        (_NONE, "ensemble"): ensemble,
        (_NONE, "boosting"): study.predictions(ALL, "boosting"),
        **process_rows(study, atoms),
        **pooled_rows(study, atoms),
    }
    plain = found[_NONE, _VECTOR_MACHINE]
    for (name, estimator), draws in list(found.items()):
        if estimator == _PROCESS and name != _ALONE:
            found[name, _MEAN] = (draws + ensemble) / 2
        elif estimator == _VECTOR_MACHINE and name != _NONE:
            found[name, _ENSEMBLE] = ensemble + (draws - plain) / len(ENSEMBLE.members)
    (given.out / "trials.md").write_text("\n".join([*tables(study.scored, found), ""]), encoding="utf-8")


def process_rows(study: Study, atoms: Atoms) -> Rows:
    """Return the predictions of Gaussian processes: on numbers, on atoms, and on both."""
    numbers, labels = study.counted.of(ALL.groups), study.scored.labels
    kernels: dict[str, Values] = {}
    for sharpness in _SHARPNESS:
        sums = set_kernel(atoms, sharpness)
        sizes = np.sqrt(np.diag(sums))
        kernels[f"sum {sharpness:g}"] = sums / np.diag(sums).mean()
        kernels[f"cosine {sharpness:g}"] = sums / sizes[:, None] / sizes

    def predict(settings: Sequence[Process], train: Mask) -> list[Values]:
        of_numbers = number_kernel(numbers, train)
        return [
            process_mean(
                each.share * kernels[each.kernel] + (1 - each.share) * of_numbers, labels, train, each.noise
            )
            for each in settings
        ]

    some = {_NONE: (0.0,), _BESIDE: _SHARES, _ALONE: (1.0,)}
    found = {}
    for name, shares in some.items():
        names = list(kernels) if name != _NONE else list(kernels)[:1]
        settings = tuple(
            Process(kernel, share, noise) for kernel in names for share in shares for noise in _NOISE
        )
        found[name, _PROCESS] = _chosen(study, f"process {name}", settings, predict)[0]
    return found


def pooled_rows(study: Study, atoms: Atoms) -> Rows:
    """Return the predictions of each pooling, with settings that are chosen with support vectors."""
    numbers, labels = study.counted.of(ALL.groups), study.scored.labels

    def vectors(pooling: Pooling, train: Mask) -> Values:
        return np.concatenate([numbers, pooling(atoms, train)], axis=1)

    def predict(settings: Sequence[Pooling], train: Mask) -> list[Values]:
        return [
            by_support_vectors(number_kernel(vectors(each, train), train), labels, train) for each in settings
        ]

    found: Rows = {}
    path = study.out / "trial support vectors.npy"
    if not path.exists():
        plain = np.empty((len(DRAWS), len(labels)))
        for place, test in _tests(study):
            plain[place, test] = by_support_vectors(number_kernel(numbers, ~test), labels, ~test)[test]
        np.save(path, plain)
    found[_NONE, _VECTOR_MACHINE] = np.load(path)
    for name, settings in POOLINGS.items():
        found[name, _VECTOR_MACHINE], chosen = _chosen(study, name, settings, predict)
        path = study.out / f"trial {name} boosting.npy"
        if not path.exists():
            boosted = np.empty((len(DRAWS), len(labels)))
            by_text = {str(each): each for each in settings}
            for (place, test), text in zip(_tests(study), chosen, strict=True):
                both = vectors(by_text[text], ~test)
                boosted[place, test] = predicted("boosting", both[~test], labels[~test], both[test])
            np.save(path, boosted)
        found[name, "boosting"] = np.load(path)
    return found


def _tests(study: Study) -> list[tuple[int, Mask]]:
    """Return the test complexes of each fold of each draw, with the number of the draw."""
    return [
        (place, study.folds[draw] == fold)
        for place, draw in enumerate(DRAWS)
        for fold in np.unique(study.folds[draw])
    ]


def _chosen(
    study: Study,
    name: str,
    settings: Sequence[Setting],
    predict: Callable[[Sequence[Setting], Mask], list[Values]],
) -> tuple[Values, list[str]]:
    """Return the predictions of each draw and what was chosen for each fold, from files if they are there."""
    path, notes = study.out / f"trial {name}.npy", study.out / f"trial {name}.txt"
    if not path.exists():
        found, lines = [], []
        for draw in DRAWS:
            predictions, chosen = nested(settings, predict, study.folds[draw], study.scored)
            found.append(predictions)
            lines += [f"{each}\n" for each in chosen.values()]
        notes.write_text("".join(lines), encoding="utf-8")
        np.save(path, np.stack(found))
    loaded: Values = np.load(path)
    return loaded, notes.read_text(encoding="utf-8").splitlines()


def tables(scored: Scored, found: Rows) -> list[str]:
    """Return the rows, then what each differs by from the best row without z and from the same without z."""
    lines = table(scored, [(name, estimator, draws) for (name, estimator), draws in found.items()])
    rows = [key for key in found if key[0] != _NONE]
    alike = [key for key in rows if (_NONE, key[1]) in found and key[0] != _ALONE]
    for most, what in ((MOST_OF_A_GROUP, "capped"), (None, "plain")):
        best = found[_NONE, "ensemble"]
        beside_best = differences(scored, [(found[key], best) for key in rows], most=most)
        pairs = [(found[key], found[_NONE, key[1]]) for key in alike]
        beside_like = dict(zip(alike, differences(scored, pairs, most=most), strict=True))
        lines += ["", f"Differences in RMSE, paired by cluster, {what}:", ""]
        lines += [
            "| pooling | learns | less the ensemble without z | p, Holm | less the same without z | p, Holm |"
        ]
        lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
        for key, first in zip(rows, beside_best, strict=True):
            cells = [
                f"{test[0]} | {test[2]:.3f}" if test else " | " for test in (first, beside_like.get(key))
            ]
            lines.append(f"| {' | '.join((*key, *cells))} |")
    return lines


if __name__ == "__main__":
    main()
