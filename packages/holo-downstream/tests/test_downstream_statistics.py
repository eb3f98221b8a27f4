import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from holo_downstream.validation.statistics import (
    METRICS,
    metric_of,
    paired_test,
    regression_scores,
    scores_by_family,
)
from holo_types import HoloError

INDEPENDENT = {
    "rmsd": lambda x, y: root_mean_squared_error(y, x),
    "mae": lambda x, y: mean_absolute_error(y, x),
    "pearson": lambda x, y: scipy.stats.pearsonr(x, y)[0],
    "spearman": lambda x, y: scipy.stats.spearmanr(x, y)[0],
    "kendall": lambda x, y: scipy.stats.kendalltau(x, y)[0],
}


@pytest.fixture
def measured():
    """Labels and two models of two seeds each, with ties in both; the second model is worse."""
    random = np.random.default_rng(0)
    labels = np.round(random.normal(6, 1.5, size=40), 1)
    good = np.round(labels + random.normal(0, 0.8, size=(2, 40)), 1)
    poor = np.round(labels + random.normal(0, 2.0, size=(2, 40)), 1)
    return labels, good, poor


@pytest.mark.parametrize("metric", METRICS)
def test_scores_agree_with_scipy_and_scikit_learn(measured, metric):
    labels, good, _ = measured
    values = [INDEPENDENT[metric](model, labels) for model in good]
    score = getattr(regression_scores(good, labels), metric)
    assert score.interval.estimate == pytest.approx(np.mean(values))
    assert score.deviation == pytest.approx(np.std(values, ddof=1))
    assert score.interval.lower < np.mean(values) < score.interval.upper


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_are_those_of_drawn_complexes(measured, metric):
    """The same draws, written out complex by complex and scored by scipy, have the same quantiles."""
    labels, good, _ = measured
    draws = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), size=50)
    drawn = [np.repeat(np.arange(40), counts) for counts in draws]
    means = [np.mean([INDEPENDENT[metric](model[rows], labels[rows]) for model in good]) for rows in drawn]
    lower, upper = np.quantile(means, [0.025, 0.975])
    interval = getattr(regression_scores(good, labels, resamples=50, seed=5), metric).interval
    assert (interval.lower, interval.upper) == pytest.approx((lower, upper))


def test_bootstrap_agrees_with_scipys(measured):
    labels, good, _ = measured
    theirs = scipy.stats.bootstrap(
        (good[0], labels),
        lambda x, y: scipy.stats.pearsonr(x, y)[0],
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=1,
    ).confidence_interval
    ours = regression_scores(good[:1], labels, seed=2).pearson.interval
    # Standard errors of such quantiles of 2,000 resamples are about 0.002 here.
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_groups_are_drawn_whole(measured):
    """Every complex four times is no more information than once."""
    labels, good, _ = measured
    once = regression_scores(good, labels, seed=3)
    copies = np.tile([f"{number:02}" for number in range(40)], 4)
    grouped = regression_scores(np.tile(good, 4), np.tile(labels, 4), groups=copies, seed=3)
    alone = regression_scores(np.tile(good, 4), np.tile(labels, 4), seed=3)
    for metric in ("rmsd", "mae", "pearson"):
        a, b = getattr(once, metric).interval, getattr(grouped, metric).interval
        assert (a.lower, a.upper) == pytest.approx((b.lower, b.upper))
    assert alone.rmsd.interval.upper < grouped.rmsd.interval.upper


def test_constant_predictions_have_no_correlation(measured):
    labels, _, _ = measured
    scores = regression_scores(np.full((1, 40), 6.1), labels)
    assert scores.rmsd.interval.estimate == pytest.approx(np.sqrt(np.mean((labels - 6.1) ** 2)))
    for metric in ("pearson", "spearman", "kendall"):
        assert str(getattr(scores, metric)) == "undefined"


def test_permutation_test_agrees_with_all_swaps():
    """With 9 complexes, all 512 swaps can be enumerated."""
    random = np.random.default_rng(6)
    labels = random.normal(size=9)
    ours, theirs = labels + random.normal(0, 0.7, size=9), labels + random.normal(0, 1.0, size=9)
    for metric in ("rmsd", "spearman"):
        score = INDEPENDENT[metric]
        observed = score(ours, labels) - score(theirs, labels)
        permuted = []
        for swap in itertools.product([False, True], repeat=9):
            one, other = np.where(swap, theirs, ours), np.where(swap, ours, theirs)
            permuted.append(score(one, labels) - score(other, labels))
        exact = np.mean(np.abs(permuted) >= abs(observed) - 1e-12)
        test = paired_test(ours[None], theirs[None], labels, metric, resamples=4000)
        assert 0.02 < exact < 0.98
        assert test.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
        assert test.difference.estimate == pytest.approx(observed)


def test_difference_is_paired(measured):
    """The interval is that of the difference, of scores on the same draws."""
    labels, good, poor = measured
    draws = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=60)
    differences = []
    for counts in draws:
        rows = np.repeat(np.arange(40), counts)
        means = [
            np.mean([root_mean_squared_error(labels[rows], seed[rows]) for seed in model])
            for model in (good, poor)
        ]
        differences.append(means[0] - means[1])
    test = paired_test(good, poor, labels, resamples=60)
    assert (test.difference.lower, test.difference.upper) == pytest.approx(
        tuple(np.quantile(differences, [0.025, 0.975]))
    )
    assert test.is_real
    assert test.difference.upper < 0


def test_large_group_weighs_no_more_than_it_may():
    """A capped difference is that of weighted scores, and a permutation test over its groups is exact."""
    random = np.random.default_rng(3)
    groups = np.repeat(["a", "b", "c", "d", "e"], [30, 4, 4, 4, 3])
    labels = random.normal(size=45)
    ours, theirs = (labels + random.normal(size=45) for _ in range(2))
    weights = np.where(groups == "a", 4 / 30, 1.0)

    def score(predictions):
        return root_mean_squared_error(labels, predictions, sample_weight=weights)

    observed = score(ours) - score(theirs)
    permuted = []
    for swap in itertools.product([False, True], repeat=5):
        swapped = np.array(swap)[np.searchsorted(["a", "b", "c", "d", "e"], groups)]
        permuted.append(score(np.where(swapped, theirs, ours)) - score(np.where(swapped, ours, theirs)))
    exact = np.mean(np.abs(permuted) >= abs(observed) - 1e-12)
    test = paired_test(ours[None], theirs[None], labels, groups=groups, most=4, resamples=4000)
    assert test.difference.estimate == pytest.approx(observed)
    assert test.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000) + 1e-3)
    plain = paired_test(ours[None], theirs[None], labels, groups=groups)
    assert plain.difference.estimate != pytest.approx(observed)


def test_equal_models_do_not_differ(measured):
    labels, good, _ = measured
    test = paired_test(good, good, labels)
    assert (test.difference.estimate, test.p_value, test.is_real) == (0, 1, False)


def test_p_values_of_models_that_do_not_differ_are_uniform():
    below = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        labels = random.normal(size=30)
        ours, theirs = (labels + random.normal(size=30) for _ in range(2))
        below += paired_test(ours[None], theirs[None], labels, resamples=99, seed=seed).p_value <= 0.1
    assert below / 200 == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 200))


def test_families_are_scored_alone(measured):
    labels, good, _ = measured
    names = np.repeat(["kinase", "protease", "other", "pair"], [20, 12, 6, 2])
    families, mean = scores_by_family(good, labels, names)
    assert [(family.family, family.complexes) for family in families] == [
        ("kinase", 20),
        ("protease", 12),
        ("other", 6),
        ("pair", 2),
    ]
    ranked = []
    for family in families[:3]:
        rows = names == family.family
        for metric, score in INDEPENDENT.items():
            expected = np.mean([score(model[rows], labels[rows]) for model in good])
            assert getattr(family, metric) == pytest.approx(expected)
        ranked.append(family.spearman)
    assert mean.estimate == pytest.approx(np.mean(ranked))
    assert min(ranked) - 1e-9 <= mean.lower < mean.upper <= max(ranked) + 1e-9
    assert np.isnan(families[3].spearman)
    assert families[3].rmsd > 0


def test_bad_shapes_and_values_are_named(measured):
    labels, good, poor = measured
    with pytest.raises((HoloError, TypeError), match=r"predictions have shape \[2, 39\]|f64\[2,39\]"):
        regression_scores(good[:, 1:], labels)
    with pytest.raises(HoloError, match="predictions hold a value that is not finite"):
        regression_scores(np.full((1, 40), np.nan), labels)
    with pytest.raises((HoloError, TypeError), match=r"ours are 2 models and theirs 1|f64\[1,40\]"):
        paired_test(good, poor[:1], labels)
    with pytest.raises(HoloError, match="n >= 1"):
        regression_scores(good[:, :0], labels[:0])
    assert metric_of("mae", good[0], labels) > 0
