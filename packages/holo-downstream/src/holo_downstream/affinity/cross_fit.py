"""A predictor from all labeled complexes, evaluated by predicting each of them with a model that did not see it."""

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped

from holo_downstream.validation.bootstrap import Interval
from holo_downstream.validation.grouping import Grouping, group_complexes
from holo_downstream.validation.statistics import Metric, score_by_group
from holo_types import HoloError

from .complex_predictor import ComplexPredictor, FlaggedPredictions
from .domain import Domain
from .features import FeatureTable
from .fitted import Fitted, fitted_members
from .labels import Labeled
from .regressors import ENSEMBLE, Settings, fit
from .widths import fit_widths

__all__ = ["MOST_OF_A_GROUP", "CrossFit", "CrossFitSettings", "CurvePoint", "cross_fit", "fits_of"]

METRICS: tuple[Metric, ...] = ("rmsd", "mae", "pearson", "spearman")
MOST_OF_A_GROUP = 20  # the maximum weight of a group in capped scores, in complexes
_FRACTIONS = (0.125, 0.25, 0.5)  # of the training complexes, on the learning curve, before all of them
_LEAST = 10  # complexes
# Shares of complexes that the other folds do not flag, for their distance and for features out of range.
_NEAR, _INSIDE = 0.99, 0.95
_SMALLEST = 1e-6  # least distance, because all complexes may be copies of others


@attrs.frozen
class CrossFitSettings:
    """The settings of a cross-validated fit.

    Parameters
    ----------
    regressor
        The regressor with its settings.
    folds
        The number of parts of the complexes; each part is predicted by a model of the others.
    coverage
        The share of labels that intervals are intended to contain.
    seed
        The seed of estimators, folds and intervals.
    """

    regressor: Settings = ENSEMBLE
    folds: int = 5
    coverage: float = 0.9
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.folds < 3:
            raise HoloError(f"folds is {self.folds}; it must be at least 3")
        if not 0 < self.coverage < 1:
            raise HoloError(f"coverage is {self.coverage:g}; it must be between 0 and 1")


@attrs.frozen
class CurvePoint:
    """The error after training on a part of the complexes.

    Parameters
    ----------
    complexes
        The number of training complexes, averaged over folds.
    rmsd
        The RMSD over all complexes, each predicted by a model of other folds; its interval resamples whole groups.
    """

    complexes: int
    rmsd: Interval


@attrs.frozen(eq=False)
class CrossFit:
    """A predictor, with a prediction for each complex by a model that saw nothing of its group.

    Parameters
    ----------
    settings, grouping
        The settings of the fit, and the groups of the complexes.
    complexes
        The complexes with their labels.
    folds : Int[ndarray, "n"]
        The fold of each complex.
    unseen
        Predictions with intervals and flags, each by the other folds.
    scores
        Each metric with its interval, which resamples whole groups.
    capped
        The same, with a weight of at most 20 complexes for each group.
    held
        The share of labels inside the intervals.
    curve
        The learning curve, from few to all complexes.
    predictor
        The predictor, trained on all complexes.
    """

    settings: CrossFitSettings
    grouping: Grouping
    complexes: tuple[Labeled, ...]
    folds: Int[np.ndarray, "n"]
    unseen: FlaggedPredictions
    scores: dict[Metric, Interval]
    capped: dict[Metric, Interval]
    held: float
    curve: tuple[CurvePoint, ...]
    predictor: ComplexPredictor

    @property
    def measured(self) -> Float[np.ndarray, "n"]:
        """The labels, in pK."""
        return np.array([one.label for one in self.complexes])

    @property
    def has_large_groups(self) -> bool:
        """Whether a group has more complexes than its maximum weight in capped scores."""
        return bool(np.unique(self.grouping.groups, return_counts=True)[1].max() > MOST_OF_A_GROUP)

    def summary(self) -> str:
        """Return a few sentences on the accuracy of the predictor."""
        by, folds = self.grouping.by, self.settings.folds
        scores = [f"RMSE {each['rmsd']}, Pearson {each['pearson']}" for each in (self.scores, self.capped)]
        groups = "" if by == "none" else f" of {len(np.unique(self.grouping.groups))} {by}s"
        seen = "it" if by == "none" else f"its {by}"
        lines = [
            f"{len(self.complexes)} complexes{groups}, in {folds} folds, each predicted by a model that has not seen "
            f"{seen}: {scores[0]}."
        ]
        if self.has_large_groups:
            lines.append(f"Where no {by} weighs more than {MOST_OF_A_GROUP} complexes: {scores[1]}.")
        widths = (self.unseen.upper - self.unseen.lower) / 2
        low, high = np.quantile(widths, [0.05, 0.95])
        flagged = sum(bool(flag) for flag in self.unseen.flags)
        lines.append(
            f"Intervals, ± {low:.2f} to {high:.2f}, meant to hold {self.settings.coverage:.0%} of the labels, held "
            f"{self.held:.0%}; {flagged} {'complex was' if flagged == 1 else 'complexes were'} flagged."
        )
        if self.grouping.caveat:
            lines.append(f"Caveat: {self.grouping.caveat}.")
        return " ".join(lines)


def fits_of(settings: CrossFitSettings) -> int:
    """Return the number of fits that `cross_fit` makes, for a progress display."""
    return settings.folds * (1 + len(_FRACTIONS)) + 1


def cross_fit(
    table: FeatureTable,
    complexes: Sequence[Labeled],
    settings: CrossFitSettings = CrossFitSettings(),
    *,
    blocks: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> CrossFit:
    """Fit a predictor to all complexes, and measure its accuracy by cross-validation over whole groups.

    Parameters
    ----------
    table
        Features of the complexes. Features that are not finite in some rows, or are equal in all rows, are ignored.
    complexes
        Their labels and clusters, row by row.
    settings
        The settings of the fit.
    blocks
        The names of the blocks of features.
    advance
        Called after each fit, `fits_of` times.

    Raises
    ------
    HoloError
        If ids differ, there are fewer than 10 complexes, all labels are equal, or no feature can be used.

    Examples
    --------
    >>> from holo_downstream.affinity.regressors import Ridge
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> names = np.array([f"{row}abc" for row in range(60)])
    >>> table = FeatureTable(names, ("a", "b"), x, (frozenset({"C"}),) * 60, ("",) * 60)
    >>> complexes = [Labeled(name, 6 + a, str(row % 12)) for row, (name, a) in enumerate(zip(names.tolist(), x[:, 0]))]
    >>> found = cross_fit(table, complexes, CrossFitSettings(Ridge(0.01)))
    >>> found.grouping.by, bool(found.scores["rmsd"].estimate < 0.01)
    ('cluster', True)
    """
    ids = table.ids.tolist()
    if ids != [one.id for one in complexes]:
        raise HoloError("cross_fit: the labels are of other complexes than the features, or in another order")
    if len(ids) < _LEAST:
        raise HoloError(
            f"there are {len(ids)} complexes with a label and features; at least {_LEAST} are needed"
        )
    measured = np.array([one.label for one in complexes])
    if measured.min() == measured.max():
        raise HoloError(f"all {len(ids)} labels are {measured[0]:g}; they must differ")
    grouping = group_complexes(ids, [one.cluster for one in complexes], table.scaffolds, settings.folds)
    folds = grouping.folds(settings.folds, settings.seed)
    values = table.values.astype(np.float32).astype(np.float64)  # the precision in which trees compare
    kept = np.flatnonzero(np.isfinite(values).all(axis=0) & (np.ptp(np.nan_to_num(values), axis=0) > 0))
    if not len(kept):
        raise HoloError("no feature is finite in all complexes and differs among them")
    vectors = values[:, kept]

    def learned(rows: Int[np.ndarray, "rows"]) -> tuple[Fitted, ...]:
        estimator = fit(settings.regressor, vectors[rows], measured[rows], seed=settings.seed)
        advance()
        return fitted_members(estimator)

    predicted, spreads, distances = (np.empty(len(ids)) for _ in range(3))
    parts = np.empty((len(_FRACTIONS), len(ids)))
    nearest, outside = (np.empty(len(ids), dtype=np.int64) for _ in range(2))
    domains: list[Domain] = []
    for fold in range(settings.folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        each = np.array([member.predict(vectors[test]) for member in learned(train)])
        predicted[test], spreads[test] = each.mean(axis=0), each.std(axis=0)
        domains.append(_domain(table, vectors, train))
        distances[test], rows = domains[-1].nearest(vectors[test])
        nearest[test] = train[rows]
        outside[test] = domains[-1].outside(vectors[test]).sum(axis=1)
        drawn = np.random.default_rng(settings.seed + fold).permutation(train)
        for number, fraction in enumerate(_FRACTIONS):
            some = drawn[: max(2, round(fraction * len(train)))]
            parts[number, test] = np.mean([one.predict(vectors[test]) for one in learned(some)], axis=0)

    limit = max(float(np.quantile(distances, _NEAR)), _SMALLEST)
    most_outside = int(np.quantile(outside, _INSIDE, method="higher"))
    residuals = predicted - measured
    widths, halves = fit_widths(residuals, distances, spreads, folds, coverage=settings.coverage, usual=limit)
    flags = [""] * len(ids)
    names = [table.names[column] for column in kept.tolist()]
    for fold, domain in enumerate(domains):
        test = np.flatnonzero(folds == fold)
        usual = attrs.evolve(domain, limit=limit, most_outside=most_outside)
        elements = [table.elements[row] for row in test.tolist()]
        for row, flag in zip(test, usual.flags(vectors[test], distances[test], elements, names), strict=True):
            flags[row] = flag
    groups = grouping.groups
    sizes = [max(2, round(fraction * len(ids) * (1 - 1 / settings.folds))) for fraction in (*_FRACTIONS, 1)]
    return CrossFit(
        settings,
        grouping,
        tuple(complexes),
        folds,
        FlaggedPredictions(
            table.ids,
            predicted,
            predicted - halves,
            predicted + halves,
            tuple(flags),
            table.ids[nearest],
            distances,
        ),
        _scores(predicted, measured, groups, None, settings.seed),
        _scores(predicted, measured, groups, MOST_OF_A_GROUP, settings.seed),
        float(np.mean(np.abs(predicted - measured) <= halves)),
        tuple(
            CurvePoint(size, score_by_group("rmsd", each, measured, groups, seed=settings.seed))
            for size, each in zip(sizes, [*parts, predicted], strict=True)
        ),
        ComplexPredictor(
            tuple(blocks),
            table.names,
            kept,
            learned(np.arange(len(ids))),
            attrs.evolve(
                _domain(table, vectors, np.arange(len(ids))), limit=limit, most_outside=most_outside
            ),
            widths,
        ),
    )


def _domain(
    table: FeatureTable, vectors: Float[np.ndarray, "n kept"], rows: Int[np.ndarray, "rows"]
) -> Domain:
    return Domain.of(table.ids[rows], vectors[rows], [table.elements[row] for row in rows.tolist()])


def _scores(
    predicted: Float[np.ndarray, "n"],
    measured: Float[np.ndarray, "n"],
    groups: Shaped[np.ndarray, "n"],
    most: int | None,
    seed: int,
) -> dict[Metric, Interval]:
    return {
        metric: score_by_group(metric, predicted, measured, groups, most=most, seed=seed)
        for metric in METRICS
    }
