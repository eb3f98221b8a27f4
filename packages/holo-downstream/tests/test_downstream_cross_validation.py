import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from holo_downstream.validation.cross_validation import grouped_folds, out_of_fold
from holo_types import HoloError


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 6), st.data())
def test_folds_never_share_a_structure(folds, data):
    sizes = data.draw(st.lists(st.integers(2, 30), min_size=folds, max_size=12))
    groups = np.repeat([f"{number:04d}" for number in range(len(sizes))], sizes)
    labels = np.concatenate([np.array(["helix", "sheet"] * size)[:size] for size in sizes])
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(groups))
    groups, labels = groups[order], labels[order]
    split = grouped_folds(labels, groups, folds)
    assert len(split) == folds
    for fold in split:
        assert not set(groups[fold.training]) & set(groups[fold.test])
        assert sorted([*fold.training, *fold.test]) == list(range(len(groups)))
    assert sorted(np.concatenate([fold.test for fold in split])) == list(range(len(groups)))


@pytest.mark.parametrize("estimator", ["linear", "forest"])
def test_what_only_names_the_structure_predicts_nothing(estimator):
    """Split by residue, these features would give an accuracy of 1: they know every structure by name."""
    structures = np.arange(24)
    groups = np.repeat(structures, 10).astype(str)
    labels = np.repeat(np.where(np.random.default_rng(1).permutation(24) % 2, "x", "y"), 10)
    features = np.repeat(np.eye(24), 10, axis=0)
    predictions = out_of_fold(features, labels, grouped_folds(labels, groups, 4), estimator)
    assert (predictions == labels).mean() <= 0.6


def test_majority_is_learned_from_the_training_rows():
    """If the test rows were included, "x" would be the most frequent class in every fold."""
    groups = np.repeat(["1", "2", "3"], 10)
    labels = np.array(["x"] * 10 + ["x"] * 4 + ["y"] * 6 + ["x"] * 4 + ["y"] * 6)
    predictions = out_of_fold(np.zeros((30, 1)), labels, grouped_folds(labels, groups, 3), "majority")
    assert predictions.tolist() == ["y"] * 10 + ["x"] * 20


def test_training_rows_alone_set_the_scale():
    """Standardized with the outlier among the test rows, the features of all others would vanish."""
    random = np.random.default_rng(0)
    groups = np.repeat(["1", "2", "3", "4"], 20)
    labels = np.array(["x", "y"] * 40)
    features = random.normal(size=(80, 3)) + 3 * (labels == "x")[:, None]
    folds = grouped_folds(labels, groups, 4)[:1]
    outlier, *others = folds[0].test
    before = out_of_fold(features, labels, folds, "linear")[others]
    features[outlier] = 1e9
    assert np.array_equal(out_of_fold(features, labels, folds, "linear")[others], before)
    assert (before == labels[others]).mean() > 0.9


def test_ill_scaled_features_and_twenty_classes_converge():
    """scikit-learn's ConvergenceWarning would be an error here."""
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(8), 60).astype(str)
    labels = random.choice([f"R{number:02d}" for number in range(20)], size=480)
    features = random.normal(size=(480, 40)) * 10.0 ** np.linspace(-12, 12, 40)
    features[:, 1] = features[:, 0]
    features[:, 2] = 7
    predictions = out_of_fold(features.astype(np.float32), labels, grouped_folds(labels, groups, 4), "linear")
    assert set(predictions) <= set(labels)


def test_a_class_of_one_structure_only_is_wrong_there():
    groups = np.repeat(["1", "2", "3"], 10)
    labels = np.array(["rare"] * 3 + ["x"] * 7 + ["x", "y"] * 10)
    predictions = out_of_fold(np.ones((30, 2)), labels, grouped_folds(labels, groups, 3), "linear")
    assert "rare" not in predictions[:10]


def test_too_little_to_split_is_named():
    labels, groups = np.array(["x", "y"] * 3), np.array(["a", "a", "b", "b", "c", "c"])
    with pytest.raises(HoloError, match="3 groups for 5 folds"):
        grouped_folds(labels, groups, 5)
    with pytest.raises(HoloError, match="folds is 1"):
        grouped_folds(labels, groups, 1)
    with pytest.raises(HoloError, match="one class, 'coil'"):
        grouped_folds(np.array(["coil"] * 6), groups, 3)
    with pytest.raises(HoloError, match=r"fold \d of 3 would learn from one class, 'x'"):
        grouped_folds(np.array(["x", "y", "x", "x", "x", "x"]), groups, 3)
