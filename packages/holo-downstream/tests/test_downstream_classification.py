import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from holo_downstream.probes.classification import knn_accuracy, linear_accuracy
from holo_types import HoloError


@pytest.fixture
def parts():
    """Three noisy classes in five dimensions of very different scale: train, validation, test."""
    random = np.random.default_rng(0)
    made = []
    for rows in (120, 60, 80):
        code = random.integers(3, size=rows)
        vectors = 1.5 * np.eye(3, 5)[code] + random.normal(size=(rows, 5))
        made.append((vectors.astype(np.float32), np.array(["ALA", "GLY", "LEU"])[code]))
    return made


def test_k_is_that_of_scikit_learn_on_validation(parts):
    (train, known), (validation, wanted), (test, asked) = parts
    ks = (1, 3, 4, 10, 25, 1000)
    ours = knn_accuracy(train, known, validation, wanted, test, asked, ks)
    models = {k: KNeighborsClassifier(k, algorithm="brute").fit(train, known) for k in ks[:-1]}
    on_validation = {k: model.score(validation, wanted) for k, model in models.items()}
    best = max(on_validation, key=on_validation.__getitem__)
    assert ours.k == best
    assert ours.validation == pytest.approx(on_validation[best])
    assert ours.test == pytest.approx(models[best].score(test, asked))
    assert len(set(on_validation.values())) > 1


@pytest.mark.parametrize("k", [2, 4])
def test_ties_are_broken_as_in_scikit_learn(parts, k):
    (train, known), (validation, wanted), _ = parts
    ours = knn_accuracy(train, known, validation, wanted, validation, wanted, [k])
    assert ours.test == pytest.approx(KNeighborsClassifier(k).fit(train, known).score(validation, wanted))


def test_linear_accuracy_does_not_depend_on_scale_and_reads_linear_classes(parts):
    (train, known), _, (test, asked) = parts
    scales = np.array([1e-3, 1e3, 1, 1e4, 1e-2], dtype=np.float32)
    accuracy = linear_accuracy(train, known, test, asked)
    assert linear_accuracy(train * scales, known, test * scales, asked) == accuracy
    # The best possible classifier knows the centers and the unit noise.
    best = np.mean(np.array(["ALA", "GLY", "LEU"])[test[:, :3].argmax(axis=1)] == asked)
    assert best - 0.1 < accuracy < best + 0.05


def test_labels_unknown_to_training_count_as_wrong(parts):
    (train, known), _, (test, asked) = parts
    unknown = np.where(np.arange(80) < 40, "TRP", asked)
    right = linear_accuracy(train, known, test[40:], asked[40:])
    assert linear_accuracy(train, known, test, unknown) == pytest.approx(right / 2)


def test_bad_parts_are_named(parts):
    (train, known), (validation, wanted), (test, asked) = parts
    # Where annotations are checked, the one of the shape speaks first.
    with pytest.raises(
        (HoloError, TypeError), match=r"test has shape \[80, 4\]; it must be \[n, 5\]|f32\[80,4\]"
    ):
        linear_accuracy(train, known, test[:, :4], asked)
    with pytest.raises(HoloError, match=r"train_labels: has shape \[119\]"):
        linear_accuracy(train, known[1:], test, asked)
    with pytest.raises(HoloError, match="train_labels hold one class, 'GLY'"):
        linear_accuracy(train, ["GLY"] * 120, test, asked)
    with pytest.raises(HoloError, match=r"validation has shape \[0, 5\]"):
        knn_accuracy(train, known, validation[:0], wanted[:0], test, asked)
    with pytest.raises(HoloError, match=r"ks are \[0, 500\]; one must be from 1 to 120"):
        knn_accuracy(train, known, validation, wanted, test, asked, [0, 500])
