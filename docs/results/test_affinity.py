"""Checks on the folds and the pieces of the study of affinities."""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

PLACE = Path(__file__).with_name("affinity")
sys.path.insert(0, str(PLACE))

from affinity_rows import ALL, ROWS, predicted  # noqa: E402 - beside this file, as for the script
from affinity_scores import Scored, score, table  # noqa: E402
from affinity_series import in_series  # noqa: E402


@pytest.mark.parametrize("draw", ["draw1", "draw2", "draw3"])
def test_no_cluster_is_in_two_folds(draw):
    folds = defaultdict(set)
    with (PLACE / "folds.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        folds[row["cluster30"]].add(row[draw])
    assert len(rows) == 2211
    assert len(folds) == 371
    assert all(len(each) == 1 for each in folds.values())
    assert set.union(*folds.values()) == set("01234")


def test_rows_have_names_of_their_own():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert ALL.estimators[-1] == "ensemble"


def test_capped_score_weighs_a_large_cluster_less():
    """30 complexes of one cluster, all wrong by 3, weigh as 20 beside ten that are right."""
    scored = Scored(np.full(40, 6.0), np.array(["a"] * 30 + [f"b{number}" for number in range(10)]))
    wrong = scored.labels + np.where(scored.family, 3.0, 0.0)
    assert score(scored, "rmsd", wrong, None) == pytest.approx(np.sqrt(9 * 30 / 40))
    assert score(scored, "rmsd", wrong, 20) == pytest.approx(np.sqrt(9 * 20 / 30))
    (line,) = table(scored, [("all", "nothing", wrong[None])])[2:]
    assert line.split(" | ")[2:5:2] == ["2.598", "2.449"]


def test_ranks_inside_series_are_of_five_ligands_at_least():
    series = np.array(["a"] * 5 + ["b"] * 4 + ["c"] * 6)
    labels = np.arange(15.0)
    values = np.where(series == "c", 1.0, -labels)
    assert in_series(values, labels, series).tolist() == pytest.approx([-1.0, 0.0])


def test_feature_that_does_not_vary_in_training_is_left_out():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(60, 2)), random.normal(size=(20, 2))
    train[:, 1], test[:, 1] = 0.0, 1e6
    found = predicted("forest", train, train[:, 0], test)
    np.testing.assert_array_equal(found, predicted("forest", train[:, :1], train[:, 0], test[:, :1]))
    assert np.corrcoef(found, test[:, 0])[0, 1] > 0.9
