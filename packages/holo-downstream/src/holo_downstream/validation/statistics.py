"""The quality of predicted affinities, and whether one model is better than another on the same complexes."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from holo_downstream.vectors.inputs import text_labels
from holo_types import HoloError

from .bootstrap import Interval, percentile_interval, resample_counts

__all__ = [
    "METRICS",
    "FamilyScores",
    "Metric",
    "PairedTest",
    "RegressionScores",
    "Score",
    "holm_adjusted",
    "metric_of",
    "paired_test",
    "regression_scores",
    "score_by_group",
    "scores_by_family",
]

Metric = Literal["rmsd", "mae", "pearson", "spearman", "kendall"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Numbers = Float[np.ndarray, "n"]
Draws = Int[np.ndarray, "resamples n"] | Float[np.ndarray, "resamples n"]
Resampled = Float[np.ndarray, "resamples"]

# A variance below this share of the mean square is a rounding error: all values are equal.
_FLAT = 1e-12
# With two families of complexes, there is no interval.
_FAMILIES = 3
# Correlations over two complexes are always 1 or -1.
_COMPLEXES = 3


@attrs.frozen
class Score:
    """A score of several models of one kind that differ only in their seed.

    Parameters
    ----------
    interval
        The mean over the models, with a 95 % interval over complexes.
    deviation
        The standard deviation over the models; 0 for a single one.
    """

    interval: Interval
    deviation: float

    def __str__(self) -> str:
        return "undefined" if np.isnan(self.interval.estimate) else f"{self.interval} ± {self.deviation:.3f}"


@attrs.frozen
class RegressionScores:
    """Scores of predictions; correlations are NaN if all predictions are equal.

    Parameters
    ----------
    complexes
        The number of predicted complexes.
    rmsd, mae
        Root mean squared deviation and mean absolute error, in units of the labels.
    pearson, spearman, kendall
        Correlations; Kendall's is tau-b.
    """

    complexes: int
    rmsd: Score
    mae: Score
    pearson: Score
    spearman: Score
    kendall: Score


@attrs.frozen
class FamilyScores:
    """The scores within one target family, as means over models.

    Parameters
    ----------
    family
        The name of the family, such as the number of its sequence cluster.
    complexes
        The number of predicted complexes in it; with fewer than three, the correlations are NaN.
    rmsd, mae, pearson, spearman, kendall
        As in `RegressionScores`.
    """

    family: str
    complexes: int
    rmsd: float
    mae: float
    pearson: float
    spearman: float
    kendall: float


@attrs.frozen
class PairedTest:
    """The difference between two models in one score, on the same complexes.

    Parameters
    ----------
    metric
        The score.
    difference
        Our score minus theirs; the interval comes from resamples of complexes that are the same for both.
    p_value
        The two-sided p-value of the permutation test: how often the difference would be as large if the predictions of
        the two models were interchangeable.
    """

    metric: Metric
    difference: Interval
    p_value: float

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes 0 and p < 0.05."""
        return (self.difference.lower > 0 or self.difference.upper < 0) and self.p_value < 0.05


def regression_scores(
    predictions: Float[np.ndarray, "models n"],
    labels: Float[np.ndarray, "n"],
    *,
    groups: Shaped[np.ndarray, "n"] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> RegressionScores:
    """Score predictions, with bootstrap intervals over complexes [1]_.

    Every resample draws as many complexes as there are, with replacement, and takes the mean over the models of the
    score on the complexes drawn; ranks are among the complexes drawn.

    Parameters
    ----------
    predictions : Float[ndarray, "models n"]
        The predictions of models that differ in their seed; for one model ``[1, n]``.
    labels : Float[ndarray, "n"]
        The measured values.
    groups : Shaped[ndarray, "n"], optional
        Resample whole groups, such as sequence clusters, instead of complexes.
    resamples
        The number of resamples.
    seed
        The seed of the resamples.

    Raises
    ------
    HoloError
        If a shape does not match, there is no complex, or a value is not finite.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, chapters 2 and 3 (1997).

    Examples
    --------
    >>> scores = regression_scores(np.array([[1.0, 2.0, 4.0]]), np.array([1.0, 2.0, 3.0]))
    >>> str(scores.mae), scores.spearman.interval.estimate
    ('0.333 [0.000, 1.000] ± 0.000', 1.0)
    """
    _check(predictions, labels)
    draws = _draws(groups, len(labels), resamples, seed)
    return RegressionScores(len(labels), *(_score(metric, predictions, labels, draws) for metric in METRICS))


def score_by_group(
    metric: Metric,
    predictions: Float[np.ndarray, "n"],
    labels: Float[np.ndarray, "n"],
    groups: Shaped[np.ndarray, "n"],
    *,
    most: int | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Score the predictions of one model, with a bootstrap interval that resamples whole groups.

    Parameters
    ----------
    metric
        The score.
    predictions, labels : Float[ndarray, "n"]
        The predictions of one model, and the measured values.
    groups : Shaped[ndarray, "n"]
        The group of each complex, such as its sequence cluster.
    most
        The maximum weight of a group in complexes, so that a large group does not dominate the score; None for no
        maximum.
    resamples, seed
        The number of resamples, and their seed.

    Raises
    ------
    HoloError
        If a shape does not match, there is no complex, or a value is not finite.

    Examples
    --------
    >>> predictions, labels = np.array([7.0, 7.0, 7.0, 6.0]), np.full(4, 6.0)
    >>> groups = np.array(["a", "a", "a", "b"])
    >>> score_by_group("mae", predictions, labels, groups).estimate
    0.75
    >>> score_by_group("mae", predictions, labels, groups, most=1).estimate
    0.5
    """
    _check(predictions[None], labels)
    weights = _row_weights(groups, len(labels), most)
    draws = _draws(groups, len(labels), resamples, seed) * weights
    estimate = float(_WEIGHTED[metric](predictions, labels, weights[None])[0])
    return percentile_interval(estimate, _WEIGHTED[metric](predictions, labels, draws))


def scores_by_family(
    predictions: Float[np.ndarray, "models n"],
    labels: Float[np.ndarray, "n"],
    families: Shaped[np.ndarray, "n"],
    *,
    seed: int = 0,
) -> tuple[tuple[FamilyScores, ...], Interval]:
    """Score predictions within each target family, the largest family first.

    Parameters
    ----------
    predictions, labels
        As for `regression_scores`.
    families : Shaped[ndarray, "n"]
        The family of each complex.
    seed
        The seed of the interval.

    Returns
    -------
    tuple of (tuple of FamilyScores) and Interval
        The scores, and the mean of Spearman's correlation over the families in which it is defined; its interval
        resamples families, and is NaN if there are fewer than three.

    Examples
    --------
    >>> predictions, labels = np.array([[1.0, 2.0, 3.0, 3.0]]), np.array([5.0, 6.0, 7.0, 1.0])
    >>> families, mean = scores_by_family(predictions, labels, np.array(["a", "a", "a", "b"]))
    >>> [(family.family, family.complexes, family.spearman) for family in families], mean.estimate
    ([('a', 3, 1.0), ('b', 1, nan)], 1.0)
    """
    _check(predictions, labels)
    names = text_labels("families", families, len(labels))
    found = []
    for name in np.unique(names):
        rows = names == name
        values = {metric: _mean_of(metric, predictions[:, rows], labels[rows]) for metric in METRICS}
        if rows.sum() < _COMPLEXES:
            values |= {"pearson": np.nan, "spearman": np.nan, "kendall": np.nan}
        found.append(FamilyScores(str(name), int(rows.sum()), **values))
    ranked = np.array([family.spearman for family in found])
    ranked = ranked[~np.isnan(ranked)]
    if len(ranked) == 0:
        mean = Interval(np.nan, np.nan, np.nan)
    elif len(ranked) < _FAMILIES:
        mean = Interval(float(ranked.mean()), np.nan, np.nan)
    else:
        draws = resample_counts(len(ranked), 2000, seed)
        mean = percentile_interval(float(ranked.mean()), draws @ ranked / len(ranked))
    return tuple(sorted(found, key=lambda family: -family.complexes)), mean


def paired_test(
    ours: Float[np.ndarray, "models n"],
    theirs: Float[np.ndarray, "models n"],
    labels: Float[np.ndarray, "n"],
    metric: Metric = "rmsd",
    *,
    groups: Shaped[np.ndarray, "n"] | None = None,
    most: int | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> PairedTest:
    """Compare two models on the same complexes: paired bootstrap of the difference, and a permutation test.

    The permutation test swaps the predictions of the two models for a random half of the complexes; if a model has
    several seeds, all of its predictions for a complex are swapped together.

    Parameters
    ----------
    ours, theirs : Float[ndarray, "models n"]
        Predictions of the same complexes, from the same number of seeds.
    labels : Float[ndarray, "n"]
        The measured values.
    metric
        The score: the mean over the seeds of ``"rmsd"``, ``"mae"``, ``"pearson"``, ``"spearman"`` or
        ``"kendall"``.
    groups : Shaped[ndarray, "n"], optional
        Resample and swap whole groups instead of complexes.
    most
        The maximum weight of a group in complexes, as in `score_by_group`; None for no maximum.
    resamples
        The number of bootstrap resamples, and of permutations.
    seed
        The seed of the resamples and swaps.

    Returns
    -------
    PairedTest
        The comparison; p is NaN if the score is undefined for one of the models.

    Raises
    ------
    HoloError
        If a shape does not match, there is no complex, or a value is not finite.

    Examples
    --------
    >>> labels = np.linspace(4, 9, 30)
    >>> test = paired_test(labels[None] + 0.1, labels[None] - 1.0, labels)
    >>> str(test.difference), test.p_value < 0.001, test.is_real
    ('-0.900 [-0.900, -0.900]', True, True)
    """
    _check(ours, labels)
    _check(theirs, labels)
    if len(ours) != len(theirs):
        raise HoloError(
            f"ours are {len(ours)} models and theirs {len(theirs)}; to be paired, they must be equally many"
        )
    weights = _row_weights(groups, len(labels), most)
    observed = _mean_of(metric, ours, labels, weights) - _mean_of(metric, theirs, labels, weights)
    draws = _draws(groups, len(labels), resamples, seed) * weights
    resampled = _resampled(metric, ours, labels, draws) - _resampled(metric, theirs, labels, draws)
    difference = percentile_interval(observed, resampled)
    if np.isnan(observed):
        return PairedTest(metric, difference, np.nan)

    swaps = _swaps(groups, len(labels), resamples, seed)
    permuted = np.zeros(resamples)
    for our, their in zip(ours, theirs, strict=True):
        permuted += _permuted_difference(metric, our, their, labels, swaps, weights=weights) / len(ours)
    # Swaps that give the same difference up to rounding must count.
    as_large = int(np.sum(np.abs(permuted) >= abs(observed) * (1 - 1e-9)))
    return PairedTest(metric, difference, (1 + as_large) / (1 + resamples))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's step-down method [1]_; NaN values are kept.

    References
    ----------
    .. [1] S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6, 65 (1979).

    Examples
    --------
    >>> holm_adjusted([0.01, 0.2, 0.03])
    [0.03, 0.2, 0.06]
    """
    adjusted = [float("nan")] * len(p_values)
    known = sorted((value, place) for place, value in enumerate(p_values) if not np.isnan(value))
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted


def metric_of(metric: Metric, predictions: Numbers, labels: Numbers) -> float:
    """Return one score of one model's predictions.

    Examples
    --------
    >>> metric_of("mae", np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    0.6666666666666666
    """
    return float(_WEIGHTED[metric](predictions, labels, np.ones((1, len(labels))))[0])


# Every score is a function of how often each complex was drawn: [n], [n], [resamples, n] -> [resamples].


def _rmsd(x: Numbers, y: Numbers, draws: Draws) -> Resampled:
    return np.asarray(np.sqrt(draws @ (x - y) ** 2 / draws.sum(axis=1)))


def _mae(x: Numbers, y: Numbers, draws: Draws) -> Resampled:
    return np.asarray(draws @ np.abs(x - y) / draws.sum(axis=1))


def _pearson(x: Numbers, y: Numbers, draws: Draws) -> Resampled:
    shape = draws.shape
    return _correlation(np.broadcast_to(x - x.mean(), shape), np.broadcast_to(y - y.mean(), shape), draws)


def _spearman(x: Numbers, y: Numbers, draws: Draws) -> Resampled:
    return _correlation(_ranks(x, draws), _ranks(y, draws), draws)


def _kendall(x: Numbers, y: Numbers, draws: Draws) -> Resampled:
    # Pairs of a complex with its own copies are ties in both.
    weights = draws.astype(np.float64)
    sign_x, sign_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    untied = _pairs(weights, sign_x**2) * _pairs(weights, sign_y**2)
    return _divided(_pairs(weights, sign_x * sign_y), np.sqrt(untied), untied > 0)


def _pairs(weights: Float[np.ndarray, "resamples n"], matrix: Float[np.ndarray, "n n"]) -> Resampled:
    return np.asarray(((weights @ matrix) * weights).sum(axis=1))


_WEIGHTED: dict[Metric, Callable[[Numbers, Numbers, Draws], Resampled]] = {
    "rmsd": _rmsd,
    "mae": _mae,
    "pearson": _pearson,
    "spearman": _spearman,
    "kendall": _kendall,
}


def _correlation(
    x: Float[np.ndarray, "resamples n"], y: Float[np.ndarray, "resamples n"], draws: Draws
) -> Resampled:
    total = draws.sum(axis=1)
    mean_x, mean_y, square_x, square_y, product = (
        np.asarray((draws * values).sum(axis=1) / total) for values in (x, y, x * x, y * y, x * y)
    )
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    varied = (variance_x > _FLAT * square_x) & (variance_y > _FLAT * square_y)
    covariance = product - mean_x * mean_y
    return _divided(covariance, np.sqrt(np.maximum(variance_x * variance_y, 0)), varied)


def _divided(
    numerator: Resampled, denominator: Resampled, defined: Bool[np.ndarray, "resamples"]
) -> Resampled:
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=defined)
    return quotient


def _ranks(x: Numbers, draws: Draws) -> Float[np.ndarray, "resamples n"]:
    """Return the rank of each value among the values drawn; equal values share the mean of their ranks."""
    order = np.argsort(x, kind="stable")
    first = np.concatenate([[True], np.diff(x[order]) > 0])
    drawn = np.add.reduceat(draws[:, order], np.flatnonzero(first), axis=1)
    ranks = np.cumsum(drawn, axis=1) - drawn + (drawn + 1) / 2
    value_of_row = np.empty(len(x), dtype=np.int64)
    value_of_row[order] = np.cumsum(first) - 1
    return np.asarray(ranks[:, value_of_row])


def _score(
    metric: Metric, predictions: Float[np.ndarray, "models n"], labels: Numbers, draws: Draws
) -> Score:
    values = np.array([metric_of(metric, model, labels) for model in predictions])
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    resampled = _resampled(metric, predictions, labels, draws)
    return Score(percentile_interval(float(values.mean()), resampled), deviation)


def _resampled(
    metric: Metric, predictions: Float[np.ndarray, "models n"], labels: Numbers, draws: Draws
) -> Resampled:
    return np.asarray(np.mean([_WEIGHTED[metric](model, labels, draws) for model in predictions], axis=0))


def _mean_of(
    metric: Metric,
    predictions: Float[np.ndarray, "models n"],
    labels: Numbers,
    weights: Numbers | None = None,
) -> float:
    draws = np.ones((1, len(labels))) if weights is None else weights[None]
    return float(_resampled(metric, predictions, labels, draws)[0])


def _permuted_difference(
    metric: Metric,
    ours: Numbers,
    theirs: Numbers,
    labels: Numbers,
    swaps: Bool[np.ndarray, "resamples n"],
    *,
    weights: Numbers,
) -> Resampled:
    """Return the difference of the scores after each swap."""
    # A swap takes each complex once, from one model or the other.
    both, twice = np.concatenate([ours, theirs]), np.concatenate([labels, labels])
    score = _WEIGHTED[metric]
    kept, swapped = (np.hstack(each) * np.tile(weights, 2) for each in ([~swaps, swaps], [swaps, ~swaps]))
    return np.asarray(score(both, twice, kept) - score(both, twice, swapped))


def _row_weights(groups: Shaped[np.ndarray, "n"] | None, rows: int, most: int | None) -> Numbers:
    """Return the weight of each complex if the weight of a group is limited."""
    names = np.arange(rows) if groups is None else text_labels("groups", groups, rows)
    _, group_of_row, sizes = np.unique(names, return_inverse=True, return_counts=True)
    weights: Float[np.ndarray, n] = np.minimum(1.0, (rows if most is None else most) / sizes)[group_of_row]
    return weights


def _draws(groups: Shaped[np.ndarray, "n"] | None, rows: int, resamples: int, seed: int) -> Draws:
    if groups is None:
        return resample_counts(rows, resamples, seed)
    _, group_of_row = np.unique(text_labels("groups", groups, rows), return_inverse=True)
    return resample_counts(int(group_of_row.max()) + 1, resamples, seed)[:, group_of_row]


def _swaps(
    groups: Shaped[np.ndarray, "n"] | None, rows: int, resamples: int, seed: int
) -> Bool[np.ndarray, "resamples n"]:
    names = np.arange(rows) if groups is None else groups
    _, group_of_row = np.unique(names, return_inverse=True)
    random = np.random.default_rng(seed)
    return random.integers(2, size=(resamples, int(group_of_row.max()) + 1)).astype(bool)[:, group_of_row]


def _check(predictions: Float[np.ndarray, "models n"], labels: Numbers) -> None:
    if (
        predictions.ndim != 2
        or len(predictions) == 0
        or predictions.shape[1:] != labels.shape
        or not len(labels)
    ):
        raise HoloError(
            f"predictions have shape {list(predictions.shape)} and labels {list(labels.shape)}; "
            "they must be [models, n] and [n], n >= 1"
        )
    for name, values in (("predictions", predictions), ("labels", labels)):
        if not np.isfinite(values).all():
            raise HoloError(f"{name} hold a value that is not finite; every one must be a finite number")
