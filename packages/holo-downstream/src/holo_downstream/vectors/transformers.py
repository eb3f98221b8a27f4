"""Pooling as a scikit-learn transformer, for use in pipelines."""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from holo_types import HoloError

from .pooling import Pooling, pool_vectors

__all__ = ["BagPooling"]


class BagPooling(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Pool bags of vectors, such as the embeddings of a pocket's residues, to one row each.

    The samples of scikit-learn are then the bags: cross-validation splits complexes, never residues, and a pipeline has
    as many rows after this step as before it.

    Parameters
    ----------
    how
        As for `holo_downstream.pool`.

    Attributes
    ----------
    n_features_in_ : int
        The dimension d of the vectors.

    Notes
    -----
    What is fitted and transformed is a sequence of n bags, each ``[residues, d]``. A plain matrix ``[n, d]``
    stands for n bags of one vector each.

    Examples
    --------
    >>> bags = [np.array([[1.0, 0.0], [2.0, 5.0]]), np.array([[3.0, 1.0]])]
    >>> BagPooling(how="sum").fit_transform(bags)
    array([[3., 5.],
           [3., 1.]])
    """

    how: Pooling

    @no_type_check  # scikit-learn's convention: __init__ only assigns, and fit validates
    def __init__(self, how: Pooling = "sum") -> None:
        self.how = how

    def fit(self, X: Any, y: Any = None) -> "BagPooling":
        """Store the dimension of the vectors."""
        del y
        if self.how not in ("sum", "mean", "max", "sum_count"):
            raise HoloError(f"BagPooling.how is {self.how!r}; it must be 'sum', 'mean', 'max' or 'sum_count'")
        bags = _bags(X)
        if bags is None:
            validate_data(self, X, dtype=[np.float64, np.float32])
        else:
            self.n_features_in_ = bags[0].shape[1]
            _check_widths(bags, self.n_features_in_)
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n width"]:
        """Pool every bag.

        Returns
        -------
        Float[ndarray, "n width"]
            The pooled vectors in float64; their width is d, or d + 1 for ``"sum_count"``.
        """
        check_is_fitted(self, "n_features_in_")
        bags = _bags(X)
        if bags is None:
            matrix = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
            bags = list(matrix[:, None, :])
        else:
            _check_widths(bags, self.n_features_in_)
        return np.array([pool_vectors(bag, self.how) for bag in bags])


def _bags(X: Any) -> list[Float[np.ndarray, "_ d"]] | None:
    """Return the bags, or None if X is a plain matrix."""
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1):
        bags = [np.asarray(bag) for bag in X]
        if bags and all(bag.ndim == 2 and bag.dtype.kind == "f" for bag in bags):
            return bags
    return None


def _check_widths(bags: list[Float[np.ndarray, "_ d"]], width: int) -> None:
    for number, bag in enumerate(bags):
        if bag.shape[1] != width or len(bag) == 0:
            raise HoloError(
                f"bag {number} has shape {list(bag.shape)}; it must be [residues, {width}], residues >= 1"
            )
        if not np.isfinite(bag).all():
            raise HoloError(f"bag {number} is not finite; every value must be a finite number")
