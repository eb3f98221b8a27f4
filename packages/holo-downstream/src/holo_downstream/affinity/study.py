"""A complete study of affinities: choose on validation, score the test complexes once, and keep the predictor."""

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped

from holo_downstream.validation.bootstrap import Interval
from holo_downstream.validation.splits import Leak, leak_check, split_by_cluster
from holo_downstream.validation.statistics import (
    FamilyScores,
    RegressionScores,
    regression_scores,
    scores_by_family,
)
from holo_downstream.vectors.pooling import Pooling
from holo_downstream.vectors.tables import Source, VectorTable
from holo_types import HoloError
from holo_types.console import Skipped

from .fitted import fitted_members
from .labels import Labeled, LabelTable, Split
from .predictor import Predictor, conformal_half_width
from .regressors import Chosen, Regressor, Settings, choose, fit

__all__ = ["LearningPoint", "Member", "Study", "StudySettings", "run_study"]

_FRACTIONS = (0.125, 0.25, 0.5, 1.0)  # of the training complexes, on the learning curve


@attrs.frozen
class StudySettings:
    """The settings of a study.

    Parameters
    ----------
    regressor
        ``"mean"`` (of the training labels), ``"linear"``, ``"ridge"``, ``"kernel-ridge"``, ``"forest"``,
        ``"boosting"``, or ``"ensemble"``, the mean of histogram boosting, extra trees and support vector regression.
    seeds
        The number of members; each chooses its own settings and has its own seed.
    seed
        The seed of the first member, of splits and of intervals.
    resample
        Whether each member learns from its own bootstrap resample of the training complexes instead of from all of
        them.
    coverage
        The coverage of the intervals of predictions.
    test
        Whether the test complexes and the series are scored. Use False while anything is still to be decided.
    by, pooling
        How the vectors were pooled; the predictor must pool in the same way.
    """

    regressor: Regressor = "forest"
    seeds: int = 5
    seed: int = 0
    resample: bool = False
    coverage: float = 0.9
    test: bool = True
    by: str = "structure"
    pooling: Pooling = "sum"

    def __attrs_post_init__(self) -> None:
        if self.seeds < 1 or self.seed < 0:
            raise HoloError(
                f"there are {self.seeds} seeds from {self.seed} on; there must be at least one, from 0 on"
            )
        if not 0 < self.coverage < 1:
            raise HoloError(f"coverage is {self.coverage:g}; it must be between 0 and 1")


@attrs.frozen
class Member:
    """The choice of one seed.

    Parameters
    ----------
    seed
        The seed.
    settings
        The settings of the regressor.
    validation_rmsd
        The validation error with these settings.
    """

    seed: int
    settings: Settings
    validation_rmsd: float


@attrs.frozen
class LearningPoint:
    """The validation error after training on a part of the training complexes.

    Parameters
    ----------
    complexes
        The number of training complexes; each member drew its own.
    rmsd, deviation
        Mean and standard deviation over the members, which keep the settings that they chose with all complexes.
    """

    complexes: int
    rmsd: float
    deviation: float


@attrs.frozen(eq=False)
class Study:
    """The results of a study.

    Parameters
    ----------
    settings
        The settings of the study.
    source
        The origin of the vectors.
    complexes
        The complexes that were used, in the order of the labels.
    splits : Shaped[ndarray, "n"]
        ``"train"``, ``"val"``, ``"test"`` or ``"series"`` for each complex.
    predictions : Float[ndarray, "members n"]
        The predictions of each member; NaN for complexes that were not scored.
    members
        The choice of each seed.
    validation, test
        The scores; those of the test are None if it was not used or is empty.
    test_coverage
        The share of test labels inside the interval of the mean prediction; None without a test.
    families
        The scores within the clusters of the test.
    series, series_spearman
        The scores within the clusters of the series, and the mean of Spearman's correlation over them; the latter is
        None without series.
    learning_curve
        The learning curve on validation.
    measurements
        The number of labels of each kind of measurement.
    leaks
        Held-out complexes that share a cluster or ligand with a training complex. Those that share a cluster are not
        used; those that share only a ligand are.
    skipped
        What was not used, and why.
    predictor
        The mean of the members, with its interval.
    """

    settings: StudySettings
    source: Source
    complexes: tuple[Labeled, ...]
    splits: Shaped[np.ndarray, "n"]
    predictions: Float[np.ndarray, "members n"]
    members: tuple[Member, ...]
    validation: RegressionScores
    test: RegressionScores | None
    test_coverage: float | None
    families: tuple[FamilyScores, ...]
    series: tuple[FamilyScores, ...]
    series_spearman: Interval | None
    learning_curve: tuple[LearningPoint, ...]
    measurements: Mapping[str, int]
    leaks: tuple[Leak, ...]
    skipped: tuple[Skipped, ...]
    predictor: Predictor

    @property
    def labels(self) -> Float[np.ndarray, "n"]:
        """The measured pK."""
        return np.array([complex_.label for complex_ in self.complexes])

    def summary(self) -> str:
        """Return the results in one line."""
        count = {part: int((self.splits == part).sum()) for part in ("train", "val", "test", "series")}
        sizes = ", ".join(f"{number} {part}" for part, number in count.items() if number)
        scores, part = (self.validation, "validation") if self.test is None else (self.test, "test")
        text = f"{self.settings.regressor} on {sizes}: {part} RMSD {scores.rmsd}, Spearman {scores.spearman}"
        if self.test_coverage is not None:
            text += f"; {self.test_coverage:.0%} of labels in the {self.predictor.coverage:.0%} interval"
        if self.series_spearman is not None:
            text += f"; mean Spearman inside series {self.series_spearman}"
        if not self.settings.test:
            text += "; the test was left alone"
        shared = sum(leak.by == "ligand" for leak in self.leaks)
        return text + (f"; {shared} held-out complexes share a ligand with training" if shared else "")


def run_study(
    table: VectorTable,
    labels: LabelTable,
    settings: StudySettings = StudySettings(),
    *,
    advance: Callable[[], None] = lambda: None,
) -> Study:
    """Choose the settings of a regressor on validation, score the test once, and keep the predictor.

    Complexes that cannot be used are left out and listed, and do not prevent the others from being used. If no label
    has a split, the complexes are split by cluster.

    Parameters
    ----------
    table
        One vector per complex.
    labels
        Affinities and splits.
    settings
        The settings of the study.
    advance
        Called after each member.

    Returns
    -------
    Study
        The results. The predictor was trained on training complexes only, and its interval is based on validation
        residuals, each with the settings that are best on the other validation complexes.

    Raises
    ------
    HoloError
        If no complex can be used, there is neither split nor cluster, or a part is empty.

    Examples
    --------
    >>> names = np.array([f"{number}abc" for number in range(60)])
    >>> vectors = np.random.default_rng(0).normal(size=(60, 2))
    >>> table = VectorTable(names, vectors, Source("table", None, "", ("a", "b")))
    >>> complexes = [Labeled(name, 5 + x, name) for name, x in zip(names.tolist(), vectors[:, 0].tolist())]
    >>> study = run_study(table, LabelTable(tuple(complexes)), StudySettings("linear", seeds=1))
    >>> round(study.test.rmsd.interval.estimate, 3), study.members[0].settings
    (0.0, Linear())
    """
    used, vectors, skipped = _joined(table, labels)
    splits = _splits(used, settings.seed)
    kept, leaks, leaking = _without_leaks(used, splits)
    used, vectors, splits = [used[row] for row in kept], vectors[kept], splits[kept]
    rows = {part: np.flatnonzero(splits == part) for part in ("train", "val", "test", "series")}
    _check_parts(rows)
    measured = np.array([complex_.label for complex_ in used])

    chosen = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        train = rows["train"]
        if settings.resample:
            train = np.random.default_rng(seed).choice(train, size=len(train))
        chosen.append(
            choose(
                settings.regressor,
                vectors[train],
                measured[train],
                vectors[rows["val"]],
                measured[rows["val"]],
                seed=seed,
            )
        )
        advance()
    members = tuple(
        Member(settings.seed + number, one.settings, one.validation_rmsd) for number, one in enumerate(chosen)
    )

    predicted = np.full((len(chosen), len(used)), np.nan)
    for part in ("train", "val", *(("test", "series") if settings.test else ())):
        if len(rows[part]):
            predicted[:, rows[part]] = [one.estimator.predict(vectors[rows[part]]) for one in chosen]
    mean = predicted.mean(axis=0)
    unseen = np.mean([one.unseen for one in chosen], axis=0)
    half_width, coverage = conformal_half_width(unseen - measured[rows["val"]], settings.coverage)
    scored = settings.test and len(rows["test"]) > 0
    test, series = rows["test"], rows["series"]
    clusters = np.array([complex_.cluster for complex_ in used], dtype=np.str_)
    in_series, series_spearman = (
        scores_by_family(predicted[:, series], measured[series], clusters[series], seed=settings.seed)
        if settings.test and len(series)
        else ((), None)
    )
    return Study(
        settings=settings,
        source=table.source,
        complexes=tuple(used),
        splits=splits,
        predictions=predicted,
        members=members,
        validation=regression_scores(predicted[:, rows["val"]], measured[rows["val"]], seed=settings.seed),
        test=regression_scores(predicted[:, test], measured[test], seed=settings.seed) if scored else None,
        test_coverage=float(np.mean(np.abs(mean - measured)[test] <= half_width)) if scored else None,
        families=scores_by_family(predicted[:, test], measured[test], clusters[test])[0] if scored else (),
        series=in_series,
        series_spearman=series_spearman,
        learning_curve=_learning_curve(vectors, measured, rows, chosen, settings.seed),
        measurements=labels.measurements,
        leaks=leaks,
        skipped=(*labels.skipped, *skipped, *leaking),
        predictor=Predictor(
            members=tuple(member for one in chosen for member in fitted_members(one.estimator)),
            source=table.source,
            by=settings.by,
            pooling=settings.pooling,
            width=vectors.shape[1],
            half_width=half_width,
            coverage=coverage,
        ),
    )


def _joined(
    table: VectorTable, labels: LabelTable
) -> tuple[list[Labeled], Float[np.ndarray, "n d"], list[Skipped]]:
    """Return the complexes that have a label and a vector, and list the others."""
    row_of = {name: row for row, name in enumerate(table.ids.tolist())}
    used = [complex_ for complex_ in labels.complexes if complex_.id in row_of]
    skipped = [
        Skipped(
            complex_.id,
            "",
            "the table has several rows of it; it must have one"
            if complex_.id in table.repeated
            else "it has no embedding",
        )
        for complex_ in labels.complexes
        if complex_.id not in row_of
    ]
    named = {complex_.id for complex_ in labels.complexes} | {line.file for line in labels.skipped}
    skipped += [Skipped(name, "", "it has no label") for name in row_of if name not in named]
    if not labels.complexes:
        reasons = "".join(f"; {line.file}: {line.reason}" for line in labels.skipped[:1])
        raise HoloError(f"none of {len(labels.skipped)} labels can be used{reasons}")
    if not used:
        raise HoloError(
            f"none of the {len(labels.complexes)} complexes with a label is among the {len(table)} with a vector; "
            f"ids must be the same, such as {labels.complexes[0].id!r} and {next(iter(row_of), '')!r}"
        )
    return used, table.vectors[[row_of[complex_.id] for complex_ in used]], skipped


def _splits(used: Sequence[Labeled], seed: int) -> Shaped[np.ndarray, "n"]:
    given: list[Split | None] = [complex_.split for complex_ in used]
    if any(split is not None for split in given):
        if None in given:
            raise HoloError(
                f"{used[given.index(None)].id} has no split and others have; all must have one, or none"
            )
        return np.array(given)
    if any(not complex_.cluster for complex_ in used):
        raise HoloError("the labels have neither splits nor a cluster for each complex; one is needed")
    return split_by_cluster(np.array([complex_.cluster for complex_ in used]), seed=seed)


def _without_leaks(
    used: Sequence[Labeled], splits: Shaped[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "kept"], tuple[Leak, ...], list[Skipped]]:
    """Return the rows without held-out complexes of training clusters, and all leaks that were found."""
    ids = [complex_.id for complex_ in used]
    part_of = dict(zip(ids, splits.tolist(), strict=True))
    clusters = {complex_.id: complex_.cluster for complex_ in used}
    ligands = {complex_.id: complex_.ligand_key for complex_ in used}

    def of(*parts: str) -> list[str]:
        return [name for name in ids if part_of[name] in parts]

    validation = leak_check(of("train"), of("val"), clusters, ligands)
    gone = {leak.id for leak in validation if leak.by == "cluster"}
    # Settings and intervals depend on the validation complexes, so these also count as learned from.
    learned = [name for name in of("train", "val") if name not in gone]
    leaks = (*validation, *leak_check(learned, of("test"), clusters, ligands))
    reasons = {leak.id: f"it leaks: {leak}" for leak in leaks if leak.by == "cluster"}
    kept = np.array([row for row, name in enumerate(ids) if name not in reasons], dtype=np.int64)
    return kept, leaks, [Skipped(name, "", reason) for name, reason in reasons.items()]


def _check_parts(rows: Mapping[str, Int[np.ndarray, "..."]]) -> None:
    if len(rows["train"]) < 2 or len(rows["val"]) < 1:
        raise HoloError(
            f"{len(rows['train'])} training and {len(rows['val'])} validation complexes are left; at least 2 and 1 "
            "are needed"
        )


def _learning_curve(
    vectors: Float[np.ndarray, "n d"],
    measured: Float[np.ndarray, "n"],
    rows: Mapping[str, Int[np.ndarray, "..."]],
    chosen: Sequence[Chosen],
    seed: int,
) -> tuple[LearningPoint, ...]:
    train, validation = rows["train"], rows["val"]
    sizes = sorted({max(2, round(fraction * len(train))) for fraction in _FRACTIONS})
    points = []
    for size in sizes:
        errors = []
        for number, one in enumerate(chosen):
            drawn = np.random.default_rng(seed + number).permutation(train)[:size]
            estimator = fit(one.settings, vectors[drawn], measured[drawn], seed=seed + number)
            deviations = estimator.predict(vectors[validation]) - measured[validation]
            errors.append(np.sqrt(np.mean(deviations**2)))
        deviation = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0.0
        points.append(LearningPoint(size, float(np.mean(errors)), deviation))
    return tuple(points)
