import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from holo_downstream.vectors.pooling import pool_rows
from holo_downstream.vectors.transformers import BagPooling
from holo_types import HoloError

HOWS = ("sum", "mean", "max", "sum_count")


@pytest.fixture
def residues():
    """Residues of complexes of 1 to 9, in no order."""
    random = np.random.default_rng(0)
    ids = np.repeat(["3abc", "1abc", "2abc", "9xyz"], [4, 1, 9, 6])
    order = random.permutation(20)
    return random.normal(size=(20, 3)).astype(np.float32)[order], ids[order]


@pytest.mark.parametrize("how", HOWS)
def test_pooling_agrees_with_pandas(residues, how):
    vectors, ids = residues
    grouped = pd.DataFrame(vectors.astype(float)).groupby(ids, sort=False)
    expected = grouped.agg("sum" if how == "sum_count" else how)
    if how == "sum_count":
        expected["count"] = grouped.size()
    found, pooled = pool_rows(vectors, ids, how)
    assert found.tolist() == list(expected.index)
    np.testing.assert_allclose(pooled, expected.to_numpy(), rtol=1e-12)
    assert pooled.dtype == np.float64


def test_rows_of_integers_and_no_rows():
    found, pooled = pool_rows(np.ones((3, 1)), np.array([7, 7, 2]), "sum")
    assert (found.tolist(), pooled.tolist()) == (["7", "2"], [[2.0], [1.0]])
    found, pooled = pool_rows(np.ones((0, 2)), np.array([], dtype=str), "sum_count")
    assert (found.tolist(), pooled.shape) == ([], (0, 3))


@parametrize_with_checks([BagPooling(how) for how in HOWS])
def test_bag_pooling_is_an_estimator(estimator, check):
    check(estimator)


def test_bags_are_the_samples_of_pipelines_and_searches(residues):
    """Labels that are sums over residues are found by the search over poolings."""
    random = np.random.default_rng(1)
    bags = [random.normal(size=(size, 3)) for size in random.integers(1, 12, size=60)]
    labels = np.array([bag.sum() for bag in bags])
    search = GridSearchCV(make_pipeline(BagPooling(), LinearRegression()), {"bagpooling__how": HOWS}, cv=4)
    assert search.fit(bags, labels).best_params_["bagpooling__how"] in ("sum", "sum_count")
    predicted = cross_val_predict(make_pipeline(BagPooling("sum"), LinearRegression()), bags, labels)
    np.testing.assert_allclose(predicted, labels, atol=1e-9)


def test_bag_pooling_agrees_with_pooling_of_rows(residues):
    vectors, ids = residues
    names, pooled = pool_rows(vectors, ids, "max")
    bags = [vectors[ids == name] for name in names]
    transformer = clone(BagPooling("max")).fit(bags)
    np.testing.assert_array_equal(transformer.transform(bags), pooled)
    assert transformer.n_features_in_ == 3


def test_bad_bags_are_named():
    with pytest.raises(HoloError, match=r"bag 1 has shape \[2, 4\]; it must be \[residues, 3\]"):
        BagPooling().fit([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(HoloError, match=r"bag 0 has shape \[0, 3\]"):
        BagPooling().fit([np.ones((2, 3))]).transform([np.ones((0, 3))])
    with pytest.raises(HoloError, match="bag 0 is not finite"):
        BagPooling().fit([np.full((2, 3), np.nan)])
    with pytest.raises(HoloError, match=r"BagPooling\.how is 'median'"):
        BagPooling("median").fit([np.ones((2, 3))])
