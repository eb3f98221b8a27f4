import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from holo_downstream import Interval, bootstrap_mean
from holo_types import HoloError


def slow_resampled_means(values, groups, resamples, seed):
    """Draw the groups one by one, gather their rows, take the mean of the rows."""
    random = np.random.default_rng(seed)
    names = sorted(set(groups.tolist()))
    means = []
    for _ in range(resamples):
        drawn = random.integers(len(names), size=len(names))
        rows = [value for group in drawn for value in values[groups == names[group]]]
        means.append(sum(rows) / len(rows))
    return np.array(means)


@pytest.fixture
def uneven():
    random = np.random.default_rng(3)
    groups = np.repeat(["e", "a", "d", "b", "c"], [7, 31, 12, 4, 20])
    return random.random(len(groups)) < np.repeat([0.9, 0.4, 0.6, 0.2, 0.7], [7, 31, 12, 4, 20]), groups


def test_interval_agrees_with_a_slow_bootstrap(uneven):
    values, groups = uneven
    interval = bootstrap_mean(values, groups, resamples=20_000, seed=1)
    lower, upper = np.quantile(slow_resampled_means(values, groups, 20_000, seed=2), [0.025, 0.975])
    # Two independent sets of draws; the standard error of such a quantile is about 0.002 here.
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.lower == pytest.approx(lower, abs=0.008)
    assert interval.upper == pytest.approx(upper, abs=0.008)


def test_interval_agrees_with_all_resamples_enumerated(uneven):
    values, groups = uneven
    rows = [values[groups == name].astype(float) for name in np.unique(groups)]
    means = [np.concatenate(drawn).mean() for drawn in itertools.product(rows, repeat=5)]
    lower, upper = np.quantile(means, [0.025, 0.975])
    interval = bootstrap_mean(values, groups, resamples=200_000)
    assert interval.lower == pytest.approx(lower, abs=0.003)
    assert interval.upper == pytest.approx(upper, abs=0.003)


def test_interval_is_wider_over_groups_than_over_rows():
    """Rows that repeat each other carry the information of one row."""
    groups = np.repeat(np.arange(10), 50)
    values = np.repeat(np.arange(10) % 2, 50)
    by_group = bootstrap_mean(values, groups)
    by_row = bootstrap_mean(values, np.arange(500))
    assert by_group.upper - by_group.lower > 5 * (by_row.upper - by_row.lower)


def test_interval_of_a_difference_is_paired():
    """Two predictors that fail in the same structures differ by much less than each one varies."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 40)
    hard = np.repeat(np.linspace(0.2, 0.9, 12), 40)
    ours = random.random(480) < hard
    theirs = ours & (random.random(480) < 0.95)
    difference = bootstrap_mean(ours.astype(float) - theirs, groups)
    alone = bootstrap_mean(ours, groups)
    assert difference.estimate == pytest.approx(ours.mean() - theirs.mean())
    assert difference.upper - difference.lower < 0.3 * (alone.upper - alone.lower)
    assert difference.lower > 0


@pytest.mark.parametrize(("count", "coverage"), [(5, 0.84), (8, 0.88), (10, 0.91), (20, 0.92)])
def test_coverage_is_what_the_documentation_says(count, coverage):
    covered = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(count), 30)
        values = random.normal(size=30 * count) + np.repeat(random.normal(size=count), 30)
        interval = bootstrap_mean(values, groups, seed=seed)
        covered += interval.lower <= 0 <= interval.upper
    assert covered / 400 == pytest.approx(coverage, abs=3 * np.sqrt(coverage * (1 - coverage) / 400))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(0, 10_000), st.floats(-100, 100))
def test_order_of_rows_does_not_matter_and_a_constant_has_no_width(count, seed, constant):
    random = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(count), random.integers(count, size=20)])
    values = random.normal(size=len(groups))
    shuffled = random.permutation(len(groups))
    first = bootstrap_mean(values, groups, resamples=100)
    second = bootstrap_mean(values[shuffled], groups[shuffled], resamples=100)
    assert (first.lower, first.upper) == pytest.approx((second.lower, second.upper), abs=1e-12)
    flat = bootstrap_mean(np.full(len(groups), constant), groups, resamples=100)
    assert (flat.lower, flat.estimate, flat.upper) == pytest.approx((constant,) * 3)


def test_seed_decides_the_interval(uneven):
    assert bootstrap_mean(*uneven, seed=5) == bootstrap_mean(*uneven, seed=5)
    assert bootstrap_mean(*uneven, seed=5) != bootstrap_mean(*uneven, seed=6)


def test_what_has_no_interval_says_so():
    assert str(Interval(0.5, np.nan, np.nan)) == "0.500 [no interval]"
    assert str(Interval(np.nan, np.nan, np.nan)) == "undefined"


def test_bad_values_are_named():
    with pytest.raises(HoloError, match=r"values\[1\] is nan"):
        bootstrap_mean(np.array([0.0, np.nan]), np.array([0, 1]))
    with pytest.raises(HoloError, match="n >= 1"):
        bootstrap_mean(np.array([]), np.array([]))
