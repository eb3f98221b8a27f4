"""Out-of-fold predictions, in which no group of rows is on both sides of a fold."""

import os
from typing import Any, Literal

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped

from holo_types import HoloError

__all__ = ["Estimator", "Fold", "group_folds", "grouped_folds", "make_classifier", "out_of_fold"]

Estimator = Literal["majority", "linear", "forest"]

_TREES = 200
# lbfgs needs some hundred iterations on standardized features; if it needs more than this, it never converges.
_ITERATIONS = 10_000


@attrs.frozen(eq=False)
class Fold:
    """The rows to train on, and the rows to predict.

    Parameters
    ----------
    training : Int[ndarray, "training"]
        Row numbers of the training rows.
    test : Int[ndarray, "test"]
        Row numbers of the test rows, none of whose groups is among the training rows.
    """

    training: Int[np.ndarray, "training"]
    test: Int[np.ndarray, "test"]


def group_folds(groups: Shaped[np.ndarray, "n"], folds: int) -> tuple[Fold, ...]:
    """Split rows into folds of whole groups, with about equally many rows in each.

    Parameters
    ----------
    groups : Shaped[ndarray, "n"]
        The group of each row, which stays together, such as the family of each protein.
    folds
        The number of folds; every row is a test row in exactly one of them.

    Raises
    ------
    HoloError
        If there are fewer than 2 folds, or fewer groups than folds.

    Examples
    --------
    >>> [fold.test.tolist() for fold in group_folds(np.array(["1", "1", "2"]), folds=2)]
    [[0, 1], [2]]
    """
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - takes a second, which --help must not

    if folds < 2:
        raise HoloError(f"folds is {folds}; it must be at least 2")
    count = len(np.unique(groups))
    if count < folds:
        raise HoloError(
            f"there are {count} groups for {folds} folds; at least one group per fold is needed, "
            "so use fewer folds or more structures"
        )
    return tuple(Fold(training, test) for training, test in GroupKFold(folds).split(groups, groups=groups))


def grouped_folds(
    labels: Shaped[np.ndarray, "n"], groups: Shaped[np.ndarray, "n"], folds: int
) -> tuple[Fold, ...]:
    """Split rows into folds of whole groups, with about equally many rows in each, for classification.

    Parameters
    ----------
    labels : Shaped[ndarray, "n"]
        The class of each row.
    groups : Shaped[ndarray, "n"]
        The group of each row, which stays together, such as the structure of each residue.
    folds
        The number of folds; every row is a test row in exactly one of them.

    Raises
    ------
    HoloError
        If there are fewer than 2 folds, fewer groups than folds, only one class, or a fold with only one class among
        its training rows.

    Examples
    --------
    >>> folds = grouped_folds(np.array(["x", "y", "x", "y"]), np.array(["1", "1", "2", "2"]), folds=2)
    >>> [fold.test.tolist() for fold in folds]
    [[2, 3], [0, 1]]
    """
    splits = group_folds(groups, folds)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise HoloError(f"the labels hold one class, {str(classes[0])!r}; at least two are needed")
    for number, fold in enumerate(splits, start=1):
        known = np.unique(labels[fold.training])
        if len(known) < 2:
            raise HoloError(
                f"fold {number} of {folds} would learn from one class, {str(known[0])!r}; at least two are "
                "needed, so use more folds or more structures"
            )
    return splits


def out_of_fold(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n"],
    folds: tuple[Fold, ...],
    estimator: Estimator,
    *,
    seed: int = 0,
    regularization: float = 1.0,
) -> Shaped[np.ndarray, "n"]:
    """Predict every row with an estimator that was trained only on the other folds.

    Parameters
    ----------
    features : Float[ndarray, "n d"]
        The features to predict from; `majority` ignores them.
    labels : Shaped[ndarray, "n"]
        The class of each row.
    folds
        Folds from `grouped_folds`.
    estimator
        ``"majority"``: the most frequent class of the training rows. ``"linear"``: multinomial logistic regression
        (L2), on features standardized by the training rows. ``"forest"``: 200 trees.
    seed
        The seed of the forest.
    regularization
        C of the logistic regression, the inverse of its penalty.

    Returns
    -------
    Shaped[ndarray, "n"]
        The predicted class of each row.

    Examples
    --------
    >>> labels, groups = np.array(["x", "y", "x", "y"]), np.array(["1", "1", "2", "2"])
    >>> features = np.array([[0.0], [1.0], [0.0], [1.0]])
    >>> out_of_fold(features, labels, grouped_folds(labels, groups, 2), "linear").tolist()
    ['x', 'y', 'x', 'y']
    """
    predictions = np.empty_like(labels)
    # float32 is too coarse for the line search of lbfgs near the optimum.
    wide = features.astype(np.float64)
    for fold in folds:
        model = make_classifier(estimator, seed, regularization)
        model.fit(wide[fold.training], labels[fold.training])
        if estimator == "forest":
            # Threads add the trees' votes in the order in which they finish; with one thread, the order is fixed.
            model.set_params(n_jobs=1)
        predictions[fold.test] = model.predict(wide[fold.test])
    return predictions


def make_classifier(estimator: Estimator, seed: int = 0, regularization: float = 1.0) -> Any:
    """Return an unfitted scikit-learn classifier, as described in `out_of_fold`.

    Examples
    --------
    >>> make_classifier("linear").fit([[0.0], [1.0]], ["x", "y"]).predict([[0.9]]).tolist()
    ['y']
    """
    # scikit-learn takes a second to import, for which --help and `import holo_downstream` must not wait.
    from sklearn.dummy import DummyClassifier  # noqa: PLC0415
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if estimator == "majority":
        return DummyClassifier(strategy="most_frequent")
    if estimator == "linear":
        return make_pipeline(StandardScaler(), LogisticRegression(C=regularization, max_iter=_ITERATIONS))
    return RandomForestClassifier(_TREES, n_jobs=min(4, os.cpu_count() or 1), random_state=seed)
