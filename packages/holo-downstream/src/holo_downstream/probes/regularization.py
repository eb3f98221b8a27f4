"""How strongly a linear probe is to be regularized, found on rows that it is not scored on."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from holo_downstream.validation.cross_validation import Fold, grouped_folds, make_classifier
from holo_downstream.vectors.inputs import check_vectors, text_labels

__all__ = ["best_regularization"]

_CHOICES = tuple(10.0**exponent for exponent in range(1, -5, -1))


def best_regularization(
    features: Float[np.ndarray, "n d"], labels: ArrayLike, groups: ArrayLike, *, folds: int = 3
) -> float:
    """Find the C with which logistic regression predicts most rows of other groups right.

    It falls from the weakest penalty, with which a fit of many numbers takes the fewest iterations, and the search ends
    once the accuracy has fallen twice. A third of the groups is predicted from the others.

    Parameters
    ----------
    features : Float[ndarray, "n d"]
        The features of rows that are not scored on afterwards; they are standardized.
    labels : ArrayLike, [n]
        The class of each row; those of empty text are left out.
    groups : ArrayLike, [n]
        What must stay together.
    folds
        One of so many parts of the groups is predicted.

    Returns
    -------
    float
        A power of ten from 1e-4 to 10, for `probe`'s ``regularization``.

    Raises
    ------
    HoloError
        If lengths differ, a feature is not finite, there are fewer groups than folds, or a single class.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(["a", "b"], 60)
    >>> noisy = np.where(labels == "a", 1.0, -1.0)[:, None] + 3 * rng.normal(size=(120, 40))
    >>> best_regularization(noisy, labels, np.tile(np.arange(12), 10)) < 1
    True
    """
    matrix = check_vectors("features", features)
    names, parts = text_labels("labels", labels, len(matrix)), text_labels("groups", groups, len(matrix))
    known = names != ""
    matrix, names, parts = matrix[known], names[known], parts[known]
    fold: Fold = grouped_folds(names, parts, folds)[0]
    wide = matrix.astype(np.float64)
    # Each fit begins with the weights of the one before.
    classifier = make_classifier("linear").set_params(logisticregression__warm_start=True)
    best, most, fallen = _CHOICES[0], -1.0, 0
    for choice in _CHOICES:
        classifier.set_params(logisticregression__C=choice).fit(wide[fold.training], names[fold.training])
        accuracy = float((classifier.predict(wide[fold.test]) == names[fold.test]).mean())
        if accuracy >= most:  # of equals the strongest penalty
            best, most, fallen = choice, accuracy, 0
        else:
            fallen += 1
        if fallen == 2:
            break
    return best
