"""Regressors, and the grids of settings from which a study chooses by validation."""

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs
import numpy as np
from jaxtyping import Float

from holo_types import HoloError

__all__ = [
    "ENSEMBLE",
    "GRIDS",
    "Boosting",
    "Chosen",
    "Ensemble",
    "ExtraTrees",
    "Forest",
    "HistogramBoosting",
    "KernelRidge",
    "Linear",
    "Mean",
    "Regressor",
    "Ridge",
    "Settings",
    "SupportVectors",
    "choose",
    "fit",
]

Regressor = Literal["mean", "linear", "ridge", "kernel-ridge", "forest", "boosting", "ensemble"]

# Each method imports what it needs: scikit-learn takes a second, for which --help of a command must not wait.
# ruff: noqa: PLC0415


@attrs.frozen
class Mean:
    """The mean of the training labels, whatever the vectors: the baseline for all regressors."""

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.dummy import DummyRegressor

        del seed, width
        return DummyRegressor()


@attrs.frozen
class Linear:
    """Least squares on standardized vectors."""

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.linear_model import LinearRegression

        del seed, width
        return _standardized(LinearRegression())


@attrs.frozen
class Ridge:
    """Least squares with an L2 penalty on standardized vectors.

    Parameters
    ----------
    alpha
        Weight of the penalty.
    """

    alpha: float

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.linear_model import Ridge as Estimator

        del seed, width
        return _standardized(Estimator(alpha=self.alpha))


@attrs.frozen
class KernelRidge:
    """Ridge regression with a Gaussian kernel on standardized vectors.

    Parameters
    ----------
    alpha
        Weight of the penalty.
    sharpness
        The kernel is exp(-sharpness |x - y|² / d), with the width d of the vectors.
    """

    alpha: float
    sharpness: float

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.kernel_ridge import KernelRidge as Estimator
        from sklearn.preprocessing import StandardScaler

        del seed
        kernel = Estimator(alpha=self.alpha, kernel="rbf", gamma=self.sharpness / width)
        # It has no intercept, so the labels are also centered.
        return TransformedTargetRegressor(_standardized(kernel), transformer=StandardScaler())


@attrs.frozen
class Forest:
    """A random forest.

    Parameters
    ----------
    max_features
        The share of the components from which a split chooses, or ``"sqrt"`` of their number.
    min_samples_leaf
        The minimum number of training rows in a leaf.
    trees
        The number of trees.
    """

    max_features: float | Literal["sqrt"]
    min_samples_leaf: int
    trees: int

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.ensemble import RandomForestRegressor

        del width
        return RandomForestRegressor(
            self.trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=min(4, os.cpu_count() or 1),
            random_state=seed,
        )


@attrs.frozen
class Boosting:
    """Gradient boosting of trees, each on a random half of the training rows.

    Parameters
    ----------
    trees
        The number of trees.
    depth
        The depth of each tree.
    learning_rate
        The share of each tree's prediction that is added.
    """

    trees: int
    depth: int
    learning_rate: float

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.ensemble import GradientBoostingRegressor

        del width
        return GradientBoostingRegressor(
            n_estimators=self.trees,
            max_depth=self.depth,
            learning_rate=self.learning_rate,
            subsample=0.5,
            max_features="sqrt",
            random_state=seed,
        )


@attrs.frozen
class HistogramBoosting:
    """Gradient boosting of trees on binned components, for hundreds of components and thousands of rows.

    Parameters
    ----------
    trees
        The number of trees.
    leaves
        The maximum number of leaves of each tree.
    min_samples_leaf
        The minimum number of training rows in a leaf.
    learning_rate
        The share of each tree's prediction that is added.
    penalty
        The L2 penalty on the values of leaves.
    max_features
        The share of the components from which a split chooses.
    """

    trees: int
    leaves: int
    min_samples_leaf: int
    learning_rate: float
    penalty: float
    max_features: float

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        del width
        return HistGradientBoostingRegressor(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.min_samples_leaf,
            learning_rate=self.learning_rate,
            l2_regularization=self.penalty,
            max_features=self.max_features,
            early_stopping=False,
            random_state=seed,
        )


@attrs.frozen
class ExtraTrees:
    """Extremely randomized trees: a forest with random thresholds, trained on all training rows.

    Parameters
    ----------
    max_features
        The share of the components from which a split chooses.
    min_samples_leaf
        The minimum number of training rows in a leaf.
    trees
        The number of trees.
    """

    max_features: float
    min_samples_leaf: int
    trees: int

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted scikit-learn estimator."""
        from sklearn.ensemble import ExtraTreesRegressor

        del width
        return ExtraTreesRegressor(
            self.trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=min(4, os.cpu_count() or 1),
            random_state=seed,
        )


@attrs.frozen
class SupportVectors:
    """Support vector regression with a Gaussian kernel on vectors that are clipped at quantiles and standardized.

    Parameters
    ----------
    penalty
        The penalty for errors outside the tube, per unit of the labels.
    tube
        Half the width of the tube, in units of the labels; smaller errors have no penalty.
    sharpness
        The kernel is exp(-sharpness |x - y|² / d), with the width d of the vectors.
    clipped
        The share of the training rows that is clipped on each side of each component.
    """

    penalty: float
    tube: float
    sharpness: float
    clipped: float

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted estimator."""
        from sklearn.svm import SVR

        del seed
        kernel = SVR(C=self.penalty, epsilon=self.tube, gamma=self.sharpness / width)
        return ClippedKernel(self.clipped, kernel)


class ClippedKernel:
    """A kernel estimator on vectors that are clipped at quantiles of the training rows, then standardized."""

    def __init__(self, clipped: float, kernel: Any) -> None:
        from sklearn.preprocessing import StandardScaler

        self.clipped, self.scaler, self.kernel = clipped, StandardScaler(), kernel

    def fit(self, vectors: Float[np.ndarray, "n d"], labels: Float[np.ndarray, "n"]) -> "ClippedKernel":
        """Fit the quantiles, means, scales and the weights of the kernel."""
        self.lower, self.upper = np.quantile(vectors, [self.clipped, 1 - self.clipped], axis=0)
        self.kernel.fit(self.scaler.fit_transform(np.clip(vectors, self.lower, self.upper)), labels)
        return self

    def predict(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        within = np.clip(vectors, self.lower, self.upper)
        return np.asarray(self.kernel.predict(self.scaler.transform(within)))


Single = (
    Mean | Linear | Ridge | KernelRidge | Forest | Boosting | HistogramBoosting | ExtraTrees | SupportVectors
)


@attrs.frozen
class Ensemble:
    """The mean of several regressors on the same vectors.

    Parameters
    ----------
    members
        The settings of the regressors.
    """

    members: tuple[Single, ...]

    def make(self, seed: int, width: int) -> Any:
        """Return the unfitted estimator."""
        return MeanOf([member.make(seed, width) for member in self.members])


class MeanOf:
    """Estimators whose predictions are averaged, on vectors in float32, the precision in which trees are stored."""

    def __init__(self, estimators: Sequence[Any]) -> None:
        self.estimators = tuple(estimators)

    def fit(self, vectors: Float[np.ndarray, "n d"], labels: Float[np.ndarray, "n"]) -> "MeanOf":
        """Fit each estimator to all rows."""
        for estimator in self.estimators:
            estimator.fit(_rounded(vectors), labels)
            if hasattr(estimator, "n_jobs"):
                estimator.n_jobs = 1  # as in `fit`
        return self

    def predict(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        return np.asarray(np.mean([each.predict(_rounded(vectors)) for each in self.estimators], axis=0))


def _rounded(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return np.asarray(vectors.astype(np.float32).astype(np.float64))


Settings = Single | Ensemble

# The default regressor for complexes.
ENSEMBLE = Ensemble(
    (
        HistogramBoosting(
            trees=600, leaves=8, min_samples_leaf=15, learning_rate=0.02, penalty=5.0, max_features=0.2
        ),
        ExtraTrees(max_features=0.5, min_samples_leaf=3, trees=300),
        SupportVectors(penalty=2.0, tube=0.3, sharpness=0.3, clipped=0.01),
    )
)

GRIDS: dict[Regressor, tuple[Settings, ...]] = {
    "mean": (Mean(),),
    "linear": (Linear(),),
    "ridge": tuple(Ridge(10.0**power) for power in range(-2, 6)),
    "kernel-ridge": tuple(
        KernelRidge(10.0**power, sharpness) for power in range(-2, 2) for sharpness in (0.03, 0.1, 0.3, 1.0)
    ),
    # The settings of the forest are those of the paper (32 to 200 trees).
    "forest": tuple(
        Forest(max_features, leaf, trees)
        for max_features in (1.0, 0.333, "sqrt")
        for leaf in (2, 5, 10, 15)
        for trees in (32, 100, 200)
    ),
    "boosting": tuple(
        Boosting(trees, depth, rate) for trees in (100, 300) for depth in (2, 3, 5) for rate in (0.03, 0.1)
    ),
    "ensemble": (ENSEMBLE,),
}


@attrs.frozen(eq=False)
class Chosen:
    """The settings that predict validation rows best, and the estimator that was fitted with them.

    Parameters
    ----------
    settings
        The chosen settings of the grid.
    validation_rmsd
        Root mean squared deviation on the validation rows.
    estimator
        A scikit-learn regressor, fitted on the training rows only.
    unseen : Float[ndarray, "validation"]
        The prediction of each validation row, with the settings that are best on the other validation rows: the row
        itself has no influence on the choice, just like a new row.
    """

    settings: Settings
    validation_rmsd: float
    estimator: Any
    unseen: Float[np.ndarray, "validation"]


def choose(
    regressor: Regressor,
    train: Float[np.ndarray, "train d"],
    train_labels: Float[np.ndarray, "train"],
    validation: Float[np.ndarray, "validation d"],
    validation_labels: Float[np.ndarray, "validation"],
    *,
    seed: int = 0,
) -> Chosen:
    """Fit every setting of a regressor's grid to training rows, and keep the one that is best on validation rows.

    Parameters
    ----------
    regressor
        A name in `GRIDS`.
    train, validation : Float[ndarray, "... d"]
        The vectors.
    train_labels, validation_labels : Float[ndarray, "..."]
        The labels to predict.
    seed
        The seed of forests and boosting; the other regressors do not depend on it.

    Returns
    -------
    Chosen
        The best settings with their estimator; of equally good settings, the first of the grid.

    Raises
    ------
    HoloError
        If there are fewer than 2 training rows or no validation row.

    Examples
    --------
    >>> x = np.linspace(0, 1, 20)[:, None]
    >>> choose("ridge", x[::2], 3 * x[::2, 0], x[1::2], 3 * x[1::2, 0]).settings
    Ridge(alpha=0.01)
    """
    if len(train) < 2 or len(validation) < 1:
        raise HoloError(
            f"there are {len(train)} training and {len(validation)} validation complexes; at least 2 and 1 are needed"
        )
    grid = GRIDS[regressor]
    predicted = np.empty((len(grid), len(validation)))
    best, least = None, np.inf
    for number, (settings, estimator) in enumerate(_fitted(grid, train, train_labels, seed)):
        predicted[number] = estimator.predict(validation)
        error = np.sum((predicted[number] - validation_labels) ** 2)
        if error < least:
            best, least = (settings, estimator), error
    if best is None:
        raise HoloError(f"{regressor}: no setting gives finite predictions; the vectors may be too large")
    errors = (predicted - validation_labels) ** 2
    best_on_others = np.argmin(errors.sum(axis=1, keepdims=True) - errors, axis=0)
    unseen = predicted[best_on_others, np.arange(len(validation))]
    return Chosen(best[0], float(np.sqrt(least / len(validation))), best[1], unseen)


def fit(
    settings: Settings,
    train: Float[np.ndarray, "train d"],
    labels: Float[np.ndarray, "train"],
    *,
    seed: int = 0,
) -> Any:
    """Return a fitted scikit-learn regressor with given settings.

    Examples
    --------
    >>> fit(Mean(), np.zeros((2, 1)), np.array([5.0, 7.0])).predict(np.zeros((1, 1))).tolist()
    [6.0]
    """
    estimator = settings.make(seed, train.shape[1]).fit(train, labels)
    if isinstance(settings, Forest | ExtraTrees):
        # Threads add the trees in the order in which they finish; with one thread, the order is fixed.
        estimator.set_params(n_jobs=1)
    return estimator


def _fitted(
    grid: Sequence[Settings],
    train: Float[np.ndarray, "train d"],
    labels: Float[np.ndarray, "train"],
    seed: int,
) -> Iterator[tuple[Settings, Any]]:
    """Yield the estimators of a grid; forests that differ only in the number of trees are grown once.

    scikit-learn draws the seeds of trees one after the other, so the trees of a smaller forest are the first of a
    larger one.
    """
    grown: dict[Forest, Any] = {}
    for settings in grid:
        if not isinstance(settings, Forest):
            yield settings, fit(settings, train, labels, seed=seed)
            continue
        kind = attrs.evolve(settings, trees=0)
        if kind not in grown:
            most = max(
                other.trees for other in grid if isinstance(other, Forest) and _is_like(other, settings)
            )
            grown[kind] = fit(attrs.evolve(settings, trees=most), train, labels, seed=seed)
        yield settings, _first_trees(grown[kind], settings.trees)


def _is_like(one: Forest, other: Forest) -> bool:
    return attrs.evolve(one, trees=other.trees) == other


def _first_trees(forest: Any, trees: int) -> Any:
    fewer = copy.copy(forest)
    fewer.n_estimators, fewer.estimators_ = trees, forest.estimators_[:trees]
    return fewer


def _standardized(estimator: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)
