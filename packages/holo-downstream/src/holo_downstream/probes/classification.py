"""The accuracy of simple classifiers that are trained on the vectors of some rows and applied to others."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from holo_downstream.validation.cross_validation import make_classifier
from holo_downstream.vectors.inputs import check_vectors, text_labels
from holo_types import HoloError

__all__ = ["KNNAccuracy", "knn_accuracy", "linear_accuracy"]


@attrs.frozen
class KNNAccuracy:
    """The accuracy of a vote of the k nearest neighbors, with k chosen on validation rows.

    Parameters
    ----------
    k
        The chosen number of neighbors.
    validation, test
        The accuracies with this number.
    """

    k: int
    validation: float
    test: float


def linear_accuracy(
    train: Float[np.ndarray, "train d"],
    train_labels: ArrayLike,
    test: Float[np.ndarray, "test d"],
    test_labels: ArrayLike,
) -> float:
    """Return the accuracy of multinomial logistic regression (L2, C = 1) on standardized vectors.

    Parameters
    ----------
    train : Float[ndarray, "train d"]
        The vectors to train on; their mean and scale also standardize the test vectors.
    train_labels : ArrayLike, [train]
        The class of each vector, text or integers.
    test : Float[ndarray, "test d"]
        The vectors to predict.
    test_labels : ArrayLike, [test]
        Their true classes.

    Raises
    ------
    HoloError
        If shapes do not match each other, a vector is not finite, or there is only one class to learn.

    Examples
    --------
    >>> linear_accuracy(np.array([[0.0], [1.0]]), ["x", "y"], np.array([[-1.0], [0.2]]), ["x", "y"])
    0.5
    """
    known = _labeled("train", train, train_labels, train.shape[1])
    if len(np.unique(known)) < 2:
        raise HoloError(f"train_labels hold one class, {str(known[0])!r}; at least two are needed")
    wanted = _labeled("test", test, test_labels, train.shape[1])
    # float32 is too coarse for the line search of lbfgs near the optimum.
    model = make_classifier("linear").fit(train.astype(np.float64), known)
    return float(np.mean(model.predict(test.astype(np.float64)) == wanted))


def knn_accuracy(  # noqa: PLR0917 - three parts of vectors and labels, in the order of learning
    train: Float[np.ndarray, "train d"],
    train_labels: ArrayLike,
    validation: Float[np.ndarray, "validation d"],
    validation_labels: ArrayLike,
    test: Float[np.ndarray, "test d"],
    test_labels: ArrayLike,
    ks: Sequence[int] = (1, 3, 5, 10, 15, 20, 30, 50),
) -> KNNAccuracy:
    """Return the accuracy of a vote of the k nearest training rows, with k chosen on validation rows.

    Distances are Euclidean, and all votes have the same weight. Of classes with equally many votes, the first in
    alphabetical order wins. The neighbors of test rows are training rows only.

    Parameters
    ----------
    train, validation, test : Float[ndarray, "... d"]
        The vectors, which are used unchanged: standardize them beforehand if needed.
    train_labels, validation_labels, test_labels : ArrayLike
        The class of each row, text or integers.
    ks
        The numbers of neighbors to choose from; those beyond the number of training rows are left out. Of equally good
        numbers, the first is chosen.

    Raises
    ------
    HoloError
        If shapes do not match each other, a vector is not finite, or no k can be used.

    Examples
    --------
    >>> train, others = np.array([[0.0], [1.0], [1.1]]), np.array([[0.1], [0.9]])
    >>> knn_accuracy(train, ["x", "y", "y"], others, ["x", "y"], others, ["x", "x"])
    KNNAccuracy(k=1, validation=1.0, test=0.5)
    """
    width = train.shape[1]
    known = _labeled("train", train, train_labels, width)
    usable = [k for k in ks if 1 <= k <= len(train)]
    if not usable:
        raise HoloError(f"ks are {list(ks)}; one must be from 1 to {len(train)}, the training rows")
    right = _right_votes(
        train, known, validation, _labeled("validation", validation, validation_labels, width), usable
    )
    best = int(np.argmax(right))
    on_test = _right_votes(train, known, test, _labeled("test", test, test_labels, width), [usable[best]])
    return KNNAccuracy(usable[best], right[best], on_test[0])


def _right_votes(
    train: Float[np.ndarray, "train d"],
    known: Shaped[np.ndarray, "train"],
    vectors: Float[np.ndarray, "n d"],
    wanted: Shaped[np.ndarray, "n"],
    ks: list[int],
) -> list[float]:
    """Return, for each k, the share of rows that the k nearest training rows classify correctly."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    classes, class_of_row = np.unique(known, return_inverse=True)
    nearest = NearestNeighbors(n_neighbors=max(ks)).fit(train).kneighbors(vectors, return_distance=False)
    voices = class_of_row[nearest]
    votes = np.zeros((len(vectors), len(classes)), dtype=np.int64)
    shares = {}
    for k in range(1, max(ks) + 1):
        votes[np.arange(len(vectors)), voices[:, k - 1]] += 1
        if k in ks:
            shares[k] = float(np.mean(classes[votes.argmax(axis=1)] == wanted))
    return [shares[k] for k in ks]


def _labeled(
    name: str, vectors: Float[np.ndarray, "n d"], labels: ArrayLike, width: int
) -> Shaped[np.ndarray, "n"]:
    check_vectors(name, vectors)
    if len(vectors) == 0 or vectors.shape[1] != width:
        raise HoloError(f"{name} has shape {list(vectors.shape)}; it must be [n, {width}], n >= 1")
    return text_labels(f"{name}_labels", labels, len(vectors))
