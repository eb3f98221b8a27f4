import numpy as np
import pytest
import sklearn.ensemble
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from holo_downstream.affinity import regressors
from holo_downstream.affinity.regressors import (
    GRIDS,
    Ensemble,
    ExtraTrees,
    Forest,
    KernelRidge,
    Linear,
    SupportVectors,
    choose,
    fit,
)
from holo_types import HoloError


@pytest.fixture
def parts():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(90, 6)) * [1, 10, 100, 1, 1, 1]
    labels = 6 + vectors[:, 0] - 0.05 * vectors[:, 1] + 0.5 * random.normal(size=90)
    return vectors[:50], labels[:50], vectors[50:], labels[50:]


def test_grid_of_the_forest_is_the_papers():
    settings = GRIDS["forest"]
    assert {s.max_features for s in settings} == {1.0, 0.333, "sqrt"}
    assert {s.min_samples_leaf for s in settings} == {2, 5, 10, 15}
    assert (min(s.trees for s in settings), max(s.trees for s in settings)) == (32, 200)
    assert len(set(settings)) == len(settings) == 36


def test_choice_is_that_of_a_grid_search_on_the_validation_rows(parts, monkeypatch):
    train, train_labels, validation, validation_labels = parts
    grid = tuple(Forest(share, leaf, 8) for share in (1.0, 0.5) for leaf in (2, 10))
    monkeypatch.setitem(regressors.GRIDS, "forest", grid)
    search = GridSearchCV(
        sklearn.ensemble.RandomForestRegressor(8, random_state=3),
        {"max_features": [1.0, 0.5], "min_samples_leaf": [2, 10]},
        scoring="neg_root_mean_squared_error",
        cv=PredefinedSplit(np.repeat([-1, 0], [50, 40])),
    ).fit(np.concatenate([train, validation]), np.concatenate([train_labels, validation_labels]))
    chosen = choose("forest", *parts, seed=3)
    assert chosen.settings == Forest(
        search.best_params_["max_features"], search.best_params_["min_samples_leaf"], 8
    )
    assert chosen.validation_rmsd == pytest.approx(-search.best_score_)


def test_forests_that_are_grown_once_are_those_grown_alone(parts, monkeypatch):
    train, train_labels, validation, _ = parts
    grid = tuple(Forest(0.5, leaf, trees) for leaf in (2, 10) for trees in (3, 9, 5))
    monkeypatch.setitem(regressors.GRIDS, "forest", grid)
    for settings, estimator in regressors._fitted(grid, train, train_labels, 7):
        alone = regressors.fit(settings, train, train_labels, seed=7)
        assert len(estimator.estimators_) == estimator.n_estimators == settings.trees
        np.testing.assert_array_equal(estimator.predict(validation), alone.predict(validation))


def test_unseen_rows_have_no_say_in_their_settings(parts, monkeypatch):
    """The choice made again without each validation row, one after the other."""
    monkeypatch.setitem(regressors.GRIDS, "kernel-ridge", GRIDS["kernel-ridge"][4:12:2])
    train, train_labels = parts[:2]
    validation, validation_labels = parts[2][:15], parts[3][:15]
    chosen = choose("kernel-ridge", train, train_labels, validation, validation_labels)
    expected = []
    for row in range(15):
        others = np.arange(15) != row
        again = choose("kernel-ridge", train, train_labels, validation[others], validation_labels[others])
        expected.append(again.estimator.predict(validation[row : row + 1])[0])
    np.testing.assert_allclose(chosen.unseen, expected)
    assert not np.allclose(chosen.unseen, chosen.estimator.predict(validation))


def test_ridge_does_not_depend_on_the_scale_of_components(parts):
    train, train_labels, validation, validation_labels = parts
    scale = np.array([1e3, 1, 1e-3, 1, 7, 1])
    here = choose("ridge", *parts)
    there = choose("ridge", train * scale, train_labels, validation * scale, validation_labels)
    assert here.settings == there.settings
    assert here.validation_rmsd == pytest.approx(there.validation_rmsd)


def test_linear_is_least_squares(parts):
    train, train_labels, validation, _ = parts
    design = np.column_stack([train, np.ones(50)])
    weights = np.linalg.lstsq(design, train_labels, rcond=None)[0]
    predicted = Linear().make(0, 6).fit(train, train_labels).predict(validation)
    np.testing.assert_allclose(predicted, np.column_stack([validation, np.ones(40)]) @ weights)


def test_kernel_ridge_is_a_gaussian_process_mean(parts):
    train, train_labels, validation, _ = parts
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    center, scale = train_labels.mean(), train_labels.std()
    # exp(-s |x - y|² / d) = exp(-|x - y|² / (2 length²))
    process = GaussianProcessRegressor(RBF(np.sqrt(6 / (2 * 0.3))), alpha=0.1, optimizer=None)
    process.fit((train - mean) / deviation, (train_labels - center) / scale)
    expected = process.predict((validation - mean) / deviation) * scale + center
    found = KernelRidge(0.1, 0.3).make(0, 6).fit(train, train_labels).predict(validation)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_mean_predicts_the_training_mean(parts):
    chosen = choose("mean", *parts)
    assert chosen.validation_rmsd == pytest.approx(np.sqrt(np.mean((parts[3] - parts[1].mean()) ** 2)))


def test_boosting_learns_and_its_seed_decides(parts, monkeypatch):
    monkeypatch.setitem(regressors.GRIDS, "boosting", GRIDS["boosting"][:2])
    first, again, other = (choose("boosting", *parts, seed=seed).validation_rmsd for seed in (0, 0, 1))
    assert first == again != other
    assert first < choose("mean", *parts).validation_rmsd


def test_too_few_rows_are_named(parts):
    with pytest.raises(HoloError, match="1 training and 40 validation complexes"):
        choose("ridge", parts[0][:1], parts[1][:1], *parts[2:])


def test_an_ensemble_predicts_the_mean_of_its_members_each_as_scikit_learn_makes_it(parts):
    train, labels, asked, _ = (part.astype(np.float32).astype(np.float64) for part in parts)
    trees = ExtraTrees(0.5, 2, 9)
    kernel = SupportVectors(2.0, 0.1, 0.5, 0.1)
    together = fit(Ensemble((trees, kernel)), train, labels, seed=3).predict(asked)
    forest = sklearn.ensemble.ExtraTreesRegressor(9, max_features=0.5, min_samples_leaf=2, random_state=3)
    low, high = np.quantile(train, [0.1, 0.9], axis=0)
    pipeline = make_pipeline(
        FunctionTransformer(lambda x: np.minimum(np.maximum(x, low), high)),
        StandardScaler(),
        SVR(C=2.0, epsilon=0.1, gamma=0.5 / 6),
    )
    alone = [each.fit(train, labels).predict(asked) for each in (forest, pipeline)]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-12)
