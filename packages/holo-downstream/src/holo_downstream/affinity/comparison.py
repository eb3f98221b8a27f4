"""Comparison of studies of different vectors or regressors on the same complexes."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float

from holo_downstream.validation.statistics import (
    METRICS,
    Metric,
    PairedTest,
    RegressionScores,
    holm_adjusted,
    paired_test,
    regression_scores,
)
from holo_downstream.vectors.csv_files import read_csv
from holo_types import FormatError, HoloError
from holo_types.files.atomic import replacing
from holo_types.files.csv_files import write_csv

from .study_files import PREDICTIONS, check_predictions

__all__ = ["Comparison", "Pair", "compare_studies", "write_comparison"]


@attrs.frozen
class Pair:
    """Two studies, compared in one score.

    Parameters
    ----------
    ours, theirs
        Names of the studies.
    test
        The difference, ours minus theirs.
    adjusted_p_value
        The p-value adjusted by Holm's method for all pairs of studies in this score; NaN if undefined.
    """

    ours: str
    theirs: str
    test: PairedTest
    adjusted_p_value: float

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes 0 and the adjusted p is below 0.05."""
        return self.test.is_real and self.adjusted_p_value < 0.05


@attrs.frozen
class Comparison:
    """Scores of several studies, and tests of their differences.

    Parameters
    ----------
    part
        ``"test"`` or ``"val"``.
    complexes
        The number of complexes that all studies predicted.
    left_out
        The number of complexes that only some studies predicted.
    scores
        The name of each study with its scores.
    pairs
        All pairs of studies, for each score that was tested.
    """

    part: Literal["test", "val"]
    complexes: int
    left_out: int
    scores: tuple[tuple[str, RegressionScores], ...]
    pairs: tuple[Pair, ...]

    def markdown(self) -> str:
        """Return the scores and the paired tests as Markdown tables."""
        lines = [
            "| " + " | ".join(["", *(_HEADINGS[metric] for metric in METRICS)]) + " |",
            "| --- |" + " ---: |" * len(METRICS),
        ]
        for name, scores in self.scores:
            cells = [str(getattr(scores, metric)) for metric in METRICS]
            lines.append("| " + " | ".join([name, *cells]) + " |")
        lines += [
            "",
            f"{self.complexes} complexes ({self.part}); [95 % bootstrap interval over complexes] ± standard deviation "
            "over seeds.",
        ]
        if self.pairs:
            lines += [
                "",
                "| difference | score | [95 %] | p, permutation | p, Holm | |",
                "| --- | --- | ---: | ---: | ---: | --- |",
            ]
        for pair in self.pairs:
            test = pair.test
            name = f"{pair.ours} - {pair.theirs}"
            if np.isnan(test.p_value):
                lines.append(f"| {name} | {_HEADINGS[test.metric]} | undefined | | | |")
                continue
            verdict = "real" if pair.is_real else "not distinguishable"
            lines.append(
                f"| {name} | {_HEADINGS[test.metric]} | {test.difference} | {test.p_value:.4f} | "
                f"{pair.adjusted_p_value:.4f} | {verdict} |"
            )
        return "\n".join(lines) + "\n"


_HEADINGS: dict[Metric, str] = {
    "rmsd": "RMSD",
    "mae": "MAE",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "kendall": "Kendall",
}


@attrs.frozen(eq=False)
class _Predicted:
    """The predictions of one study for one part."""

    name: str
    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    labels: Float[np.ndarray, "n"]
    predictions: Float[np.ndarray, "seeds n"]


def compare_studies(
    folders: Sequence[Path],
    part: Literal["test", "val"] = "test",
    *,
    metrics: Sequence[Metric] = ("rmsd", "spearman"),
    against: str | None = None,
    by_cluster: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare studies on the complexes that all of them predicted.

    Parameters
    ----------
    folders
        Folders of studies, as written by `write_study`; their names become the names of the studies.
    part
        The complexes to compare on; use ``"val"`` while anything is still to be decided.
    metrics
        The scores whose differences are tested.
    against
        Name of a study that all others are compared with; None compares all pairs.
    by_cluster
        Resample and swap whole sequence clusters instead of complexes.
    resamples
        The number of bootstrap resamples, and of permutations.
    seed
        The seed of both.

    Raises
    ------
    HoloError
        If there are fewer than two studies, two have the same name, there is no study with the name to compare with, no
        complex is common to all, or a label or the number of seeds differs.
    FormatError
        If a folder holds no study.
    """
    if len(folders) < 2:
        raise HoloError(f"there are {len(folders)} studies to compare; at least two are needed")
    studies = [_read(folder, part) for folder in folders]
    names = [study.name for study in studies]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise HoloError(f"two studies are called {repeated[0]!r}; their folders must have different names")
    if against is not None and against not in names:
        raise HoloError(f"there is no study {against!r} to compare with; there are {', '.join(names)}")
    common = set.intersection(*(set(study.ids) for study in studies))
    if not common:
        raise HoloError(f"no {part} complex was predicted by all of {', '.join(names)}")
    left_out = len(set.union(*(set(study.ids) for study in studies)) - common)
    studies = [_only(study, common) for study in studies]
    first = studies[0]
    for study in studies[1:]:
        if not np.allclose(study.labels, first.labels, atol=1e-6):
            row = int(np.argmax(np.abs(study.labels - first.labels)))
            raise HoloError(
                f"{study.name} has the label {study.labels[row]:g} for {study.ids[row]} and {first.name} has "
                f"{first.labels[row]:g}; they must be the same"
            )
    groups = np.array(first.clusters) if by_cluster else None
    scores = tuple(
        (
            study.name,
            regression_scores(study.predictions, first.labels, groups=groups, resamples=resamples, seed=seed),
        )
        for study in studies
    )
    pairs: list[Pair] = []
    for metric in metrics:
        tests = [
            (
                ours.name,
                theirs.name,
                paired_test(
                    ours.predictions,
                    theirs.predictions,
                    first.labels,
                    metric,
                    groups=groups,
                    resamples=resamples,
                    seed=seed,
                ),
            )
            for ours, theirs in _pairs(studies, against)
        ]
        adjusted = holm_adjusted([test.p_value for _, _, test in tests])
        pairs += [Pair(*named, p_value) for named, p_value in zip(tests, adjusted, strict=True)]
    return Comparison(part, len(common), left_out, scores, tuple(pairs))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as Markdown (``.md``), or its scores and tests as one table (``.csv``).

    The table has one row for each score of each study, with empty ``theirs``, and one for each test.

    Raises
    ------
    HoloError
        If the path has another ending, or the file cannot be written.
    """
    if path.suffix == ".md":
        with replacing(path) as new:
            new.write_text(comparison.markdown(), encoding="utf-8")
        return
    if path.suffix != ".csv":
        raise HoloError(f"{path}: has the ending {path.suffix!r}; a comparison's must be '.md' or '.csv'")
    rows: list[tuple[object, ...]] = []
    for name, scores in comparison.scores:
        for metric in METRICS:
            score = getattr(scores, metric)
            rows.append((name, "", metric, *attrs.astuple(score.interval), score.deviation, None, None))
    for pair in comparison.pairs:
        test = pair.test
        about = (pair.ours, pair.theirs, test.metric, *attrs.astuple(test.difference))
        rows.append((*about, None, test.p_value, pair.adjusted_p_value))
    header = ("ours", "theirs", "score", "estimate", "lower", "upper", "deviation", "p_value", "holm_p_value")
    write_csv(path, header, rows)


def _pairs(studies: Sequence[_Predicted], against: str | None) -> list[tuple[_Predicted, _Predicted]]:
    if against is None:
        return list(combinations(studies, 2))
    (one,) = (study for study in studies if study.name == against)
    return [(one, study) for study in studies if study is not one]


def _read(folder: Path, part: str) -> _Predicted:
    path = folder / PREDICTIONS
    check_predictions(folder)
    table = read_csv(path)
    seeds = [name for name in table if name.startswith("seed_")]
    needed = {"id", "split", "cluster", "label", *(seeds or ["seed_0"])}
    if missing := sorted(needed - set(table)):
        raise FormatError(f"{path}: has no column {missing[0]!r}; it is not from a study")
    rows = [row for row, split in enumerate(table["split"]) if split == part]
    if not rows:
        raise HoloError(f"{folder} has no predictions of {part} complexes")
    try:
        labels = _numbers(table["label"], rows)
        predictions = np.array([_numbers(table[name], rows) for name in seeds])
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from None
    return _Predicted(
        folder.resolve().name,
        tuple(table["id"][row] for row in rows),
        tuple(table["cluster"][row] for row in rows),
        labels,
        predictions,
    )


def _numbers(column: Sequence[str], rows: Sequence[int]) -> Float[np.ndarray, "n"]:
    return np.array([float(column[row]) for row in rows])


def _only(study: _Predicted, common: set[str]) -> _Predicted:
    """Return the common complexes of a study, in the order of their ids."""
    rows = sorted((row for row, name in enumerate(study.ids) if name in common), key=study.ids.__getitem__)
    return _Predicted(
        study.name,
        tuple(study.ids[row] for row in rows),
        tuple(study.clusters[row] for row in rows),
        study.labels[rows],
        study.predictions[:, rows],
    )
