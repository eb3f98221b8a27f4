"""The choice of the regularization of a linear probe, on rows that are not used for scoring."""

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
    """Find the C with which logistic regression predicts the most rows of other groups correctly.

    C decreases from the weakest penalty, with which a fit to many features takes the fewest iterations, until the
    accuracy has fallen twice. One fold of the groups, by default a third, is predicted from the others.

    Parameters
    ----------
    features : Float[ndarray, "n d"]
        The features of rows that are not used for scoring afterwards; they are standardized.
    labels : ArrayLike, [n]
        The class of each row; rows with empty text are left out.
    groups : ArrayLike, [n]
        The group of each row, which stays together.
    folds
        The number of parts of the groups, of which one is predicted.

    Returns
    -------
    float
        A power of ten from 1e-4 to 10, for the parameter ``regularization`` of `probe`.

    Raises
    ------
    HoloError
        If lengths differ, a feature is not finite, there are fewer groups than folds, or there is only one class.

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
    # Each fit begins with the weights of the previous one.
    classifier = make_classifier("linear").set_params(logisticregression__warm_start=True)
    best, most, fallen = _CHOICES[0], -1.0, 0
    for choice in _CHOICES:
        classifier.set_params(logisticregression__C=choice).fit(wide[fold.training], names[fold.training])
        accuracy = float((classifier.predict(wide[fold.test]) == names[fold.test]).mean())
        if accuracy >= most:  # of equal accuracies, the strongest penalty
            best, most, fallen = choice, accuracy, 0
        else:
            fallen += 1
        if fallen == 2:
            break
    return best
