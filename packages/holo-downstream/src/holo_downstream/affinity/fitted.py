"""Fitted regressors as plain arrays, with the same predictions as scikit-learn's estimators.

A file of estimators can create any types that it names, and compiled code trusts its numbers: a tree with a child out
of range ends the process, and one that is its own ancestor never ends. These arrays are validated when they are made.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_types import HoloError

__all__ = ["FORMS", "Constant", "Fitted", "KernelModel", "LinearModel", "Trees", "fitted", "fitted_members"]

_LEAF = -1
# A forest beyond these limits would predict for minutes. The study's have 600 trees, and 30,000 comparisons a row.
_MOST_TREES, _DEEPEST, _MOST_COMPARISONS = 10_000, 1_000, 1_000_000


def _array(
    dtype: type[np.generic], dimensions: int
) -> Callable[[object, "attrs.Attribute[Any]", object], None]:
    """Return the validator of a field that is an array, whose floating-point numbers must be finite."""

    def check(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != dimensions:
            found = f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else f"{value!r}"
            raise HoloError(f"{field.name} is {found}; it must be {dtype.__name__}, with {dimensions} axes")
        if not np.isfinite(value).all():
            raise HoloError(f"{field.name} holds a value that is not finite")

    return check


_INTEGERS, _FLOATS, _FLOAT_ROWS = _array(np.int64, 1), _array(np.float64, 1), _array(np.float64, 2)
_OPTIONAL_FLOATS = attrs.validators.optional(_FLOATS)


def _number(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if type(value) is not float or not np.isfinite(value):
        raise HoloError(f"{field.name} is {value!r}; it must be a finite floating-point number")


@attrs.frozen(eq=False)
class Constant:
    """The same prediction for all vectors.

    Parameters
    ----------
    value
        The prediction.
    """

    value: float = attrs.field(validator=_number)

    @property
    def width(self) -> int | None:
        """The required number of components of a vector; None if there is no requirement."""
        return None

    def predict(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        return np.full(len(vectors), self.value)


@attrs.frozen(eq=False)
class LinearModel:
    """A weighted sum of standardized components.

    Parameters
    ----------
    means, scales, weights : Float[ndarray, "width"]
        The prediction is intercept + Σ weight (component - mean) / scale.
    intercept
        The intercept in this formula.
    """

    means: Float[np.ndarray, "width"] = attrs.field(validator=_FLOATS)
    scales: Float[np.ndarray, "width"] = attrs.field(validator=_FLOATS)
    weights: Float[np.ndarray, "width"] = attrs.field(validator=_FLOATS)
    intercept: float = attrs.field(validator=_number)

    def __attrs_post_init__(self) -> None:
        _check_scales(self.means, self.scales, self.width)

    @property
    def width(self) -> int | None:
        """The required number of components of a vector."""
        return len(self.weights)

    def predict(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        return np.asarray((vectors - self.means) / self.scales @ self.weights + self.intercept)


@attrs.frozen(eq=False)
class KernelModel:
    """A weighted sum of Gaussians of the distances to training vectors.

    Parameters
    ----------
    means, scales : Float[ndarray, "width"]
        The means and scales by which the components are standardized.
    vectors : Float[ndarray, "learned width"]
        The training vectors, standardized.
    weights : Float[ndarray, "learned"]
        The weights of their Gaussians exp(-sharpness |x - y|²).
    sharpness
        The sharpness in this formula.
    label_mean, label_scale
        The prediction is label_mean + label_scale Σ weight Gaussian.
    lower, upper : Float[ndarray, "width"], optional
        The bounds to which components are clipped before they are standardized; None for no clipping.
    """

    means: Float[np.ndarray, "width"] = attrs.field(validator=_FLOATS)
    scales: Float[np.ndarray, "width"] = attrs.field(validator=_FLOATS)
    vectors: Float[np.ndarray, "learned width"] = attrs.field(validator=_FLOAT_ROWS)
    weights: Float[np.ndarray, "learned"] = attrs.field(validator=_FLOATS)
    sharpness: float = attrs.field(validator=_number)
    label_mean: float = attrs.field(validator=_number)
    label_scale: float = attrs.field(validator=_number)
    lower: Float[np.ndarray, "width"] | None = attrs.field(default=None, validator=_OPTIONAL_FLOATS)
    upper: Float[np.ndarray, "width"] | None = attrs.field(default=None, validator=_OPTIONAL_FLOATS)

    def __attrs_post_init__(self) -> None:
        _check_scales(self.means, self.scales, self.width)
        for bounds in (self.lower, self.upper):
            if bounds is not None and len(bounds) != self.width:
                raise HoloError(f"{len(bounds)} bounds for {self.width} components")
        if len(self.weights) != len(self.vectors):
            raise HoloError(f"{len(self.weights)} weights for {len(self.vectors)} vectors")
        if self.sharpness < 0:
            raise HoloError(f"sharpness is {self.sharpness:g}; it must not be negative")

    @property
    def width(self) -> int | None:
        """The required number of components of a vector."""
        return int(self.vectors.shape[1])

    def predict(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        from sklearn.metrics.pairwise import rbf_kernel  # noqa: PLC0415 - takes a second, which --help must not

        if not len(self.vectors):  # no label was outside the tube
            return np.full(len(vectors), self.label_mean)
        if self.lower is not None or self.upper is not None:
            vectors = np.clip(vectors, self.lower, self.upper)
        kernel = rbf_kernel((vectors - self.means) / self.scales, self.vectors, gamma=self.sharpness)
        return np.asarray(kernel @ self.weights * self.label_scale + self.label_mean)


@attrs.frozen(eq=False)
class Trees:
    """Binary trees, whose leaf values are added up.

    Parameters
    ----------
    roots : Int[ndarray, "trees"]
        The number of each tree's root; the nodes of a tree extend to the root of the next.
    left, right : Int[ndarray, "nodes"]
        The numbers of a node's children, which are larger than its own; -1 for both if it is a leaf.
    components : Int[ndarray, "nodes"]
        The component of a vector, in float32, that is compared: left if it does not exceed the threshold.
    thresholds, values : Float[ndarray, "nodes"]
        The thresholds and values of the nodes; only the values of leaves are used.
    start, rate, divisor
        The prediction is (start + rate Σ value) / divisor.
    width
        The required number of components of a vector.
    """

    roots: Int[np.ndarray, "trees"] = attrs.field(validator=_INTEGERS)
    left: Int[np.ndarray, "nodes"] = attrs.field(validator=_INTEGERS)
    right: Int[np.ndarray, "nodes"] = attrs.field(validator=_INTEGERS)
    components: Int[np.ndarray, "nodes"] = attrs.field(validator=_INTEGERS)
    thresholds: Float[np.ndarray, "nodes"] = attrs.field(validator=_FLOATS)
    values: Float[np.ndarray, "nodes"] = attrs.field(validator=_FLOATS)
    start: float = attrs.field(validator=_number)
    rate: float = attrs.field(validator=_number)
    divisor: float = attrs.field(validator=_number)
    width: int = attrs.field(validator=attrs.validators.instance_of(int))

    def __attrs_post_init__(self) -> None:
        count, numbers = len(self.values), np.arange(len(self.values))
        if {len(self.left), len(self.right), len(self.components), len(self.thresholds)} != {count}:
            raise HoloError(
                "a forest has arrays of different lengths; each must have one value for each node"
            )
        if not len(self.roots) or self.roots[0] != 0 or (np.diff(self.roots, append=count) <= 0).any():
            raise HoloError(f"the roots of a forest must rise from 0, below its {count} nodes")
        ends = np.repeat([*self.roots[1:], count], np.diff(self.roots, append=count))
        leaf = (self.left == _LEAF) & (self.right == _LEAF)
        for children in (self.left, self.right):
            if not (leaf | ((children > numbers) & (children < ends))).all():
                raise HoloError("a node of a forest has a child that does not come after it in its tree")
        if not (leaf | ((self.components >= 0) & (self.components < self.width))).all():
            raise HoloError(f"a node of a forest asks for a component that is none of {self.width}")
        if self.divisor == 0:
            raise HoloError("the divisor of a forest is 0; it must not be")
        if len(self.roots) > _MOST_TREES:
            raise HoloError(f"a forest has {len(self.roots)} trees; it may have {_MOST_TREES}")
        inner = np.flatnonzero(~leaf)
        children = np.concatenate([self.left[inner], self.right[inner]])
        if (np.bincount(children) > 1).any():
            raise HoloError(
                "a node of a forest is the child of two nodes, or twice of one; it must be of one"
            )
        self._check_depth()

    def _check_depth(self) -> None:
        trees = np.repeat(np.arange(len(self.roots)), np.diff(self.roots, append=len(self.left)))
        depth = comparisons = 0
        here = self.roots[self.left[self.roots] != _LEAF]
        while len(here):
            depth += 1
            comparisons += len(np.unique(trees[here]))
            if depth > _DEEPEST:
                raise HoloError(f"a tree of a forest is deeper than {_DEEPEST}, the most that it may be")
            below = np.concatenate([self.left[here], self.right[here]])
            here = below[self.left[below] != _LEAF]
        if comparisons > _MOST_COMPARISONS:
            raise HoloError(
                f"the depths of a forest's trees add up to {comparisons}; they may to {_MOST_COMPARISONS}"
            )

    def predict(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Return a prediction for each vector."""
        with np.errstate(over="ignore"):  # values beyond float32 exceed every threshold
            compared = vectors.astype(np.float32)
        total = np.full(len(vectors), self.start)
        for root in self.roots.tolist():
            node = np.full(len(vectors), root)
            moving = np.flatnonzero(self.left[node] != _LEAF)
            while len(moving):
                here = node[moving]
                goes_left = compared[moving, self.components[here]] <= self.thresholds[here]
                node[moving] = np.where(goes_left, self.left[here], self.right[here])
                moving = moving[self.left[node[moving]] != _LEAF]
            total += self.rate * self.values[node]
        return total / self.divisor


Fitted = Constant | LinearModel | KernelModel | Trees

FORMS: dict[str, type[Fitted]] = {
    "constant": Constant,
    "linear": LinearModel,
    "kernel": KernelModel,
    "trees": Trees,
}


def _check_scales(means: NDArray[Any], scales: NDArray[Any], width: int | None) -> None:
    if not len(means) == len(scales) == width:
        raise HoloError(f"{len(means)} means and {len(scales)} scales for {width} components")
    if not (scales > 0).all():
        raise HoloError("a scale is not positive; each must be")


# From scikit-learn


def fitted(estimator: Any) -> Fitted:
    """Return a fitted estimator of `regressors` as arrays.

    Parameters
    ----------
    estimator
        An estimator of scikit-learn; or the content of a file about one, with the same attributes and the name of its
        class as ``of_class``.

    Raises
    ------
    HoloError
        If it is not an estimator that `regressors` makes.

    Examples
    --------
    >>> from holo_downstream.affinity.regressors import Mean, fit
    >>> fitted(fit(Mean(), np.zeros((2, 1)), np.array([5.0, 7.0])))
    Constant(value=6.0)
    """
    match _class(estimator):
        case "DummyRegressor":
            return Constant(_scalar(estimator.constant_))
        case "Pipeline":
            scaler, last = _steps(estimator)
            return LinearModel(scaler.mean_, scaler.scale_, last.coef_, _scalar(last.intercept_))
        case "TransformedTargetRegressor" | "ClippedKernel":
            return _kernel(estimator)
        case "HistGradientBoostingRegressor":
            return _histogram_trees(estimator)
        case "RandomForestRegressor" | "ExtraTreesRegressor":
            trees = [tree.tree_ for tree in estimator.estimators_]
            return _trees(trees, 0.0, 1.0, float(len(trees)), estimator.n_features_in_)
        case "GradientBoostingRegressor":
            trees = [tree.tree_ for tree in np.ravel(estimator.estimators_).tolist()]
            start, rate = _scalar(estimator.init_.constant_), float(estimator.learning_rate)
            return _trees(trees, start, rate, 1.0, estimator.n_features_in_)
        case other:
            raise HoloError(f"a predictor has no {other}; its members must be regressors of a study")


def fitted_members(estimator: Any) -> tuple[Fitted, ...]:
    """Return the members of a fitted ensemble as arrays, or the estimator itself as the only member.

    Examples
    --------
    >>> from holo_downstream.affinity.regressors import Mean, fit
    >>> fitted_members(fit(Mean(), np.zeros((2, 1)), np.array([5.0, 7.0])))
    (Constant(value=6.0),)
    """
    if _class(estimator) == "MeanOf":
        return tuple(map(fitted, estimator.estimators))
    return (fitted(estimator),)


def _class(estimator: Any) -> str:
    return str(getattr(estimator, "of_class", type(estimator).__name__))


def _steps(pipeline: Any) -> list[Any]:
    return [step for _, step in pipeline.steps]


def _scalar(value: Any) -> float:
    return float(np.asarray(value).item())


def _kernel(estimator: Any) -> KernelModel:
    if _class(estimator) == "ClippedKernel":
        scaler, last = estimator.scaler, estimator.kernel
        learned, weights = last.support_vectors_, np.ravel(last.dual_coef_)
        labels, bounds = (_scalar(last.intercept_), 1.0), (estimator.lower, estimator.upper)
    else:
        scaler, last = _steps(estimator.regressor_)
        learned, weights = last.X_fit_, last.dual_coef_
        transformer = estimator.transformer_
        labels, bounds = (_scalar(transformer.mean_), _scalar(transformer.scale_)), (None, None)
    return KernelModel(scaler.mean_, scaler.scale_, learned, weights, float(last.gamma), *labels, *bounds)


def _trees(trees: Iterable[Any], start: float, rate: float, divisor: float, width: int) -> Trees:
    states: list[Mapping[str, Any]] = [t if isinstance(t, Mapping) else t.__getstate__() for t in trees]
    nodes = [state["nodes"] for state in states]
    sizes = np.array([len(each) for each in nodes])
    roots = np.cumsum(sizes) - sizes
    shifts = np.repeat(roots, sizes)

    def joined(name: str, dtype: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([each[name] for each in nodes]).astype(dtype)

    children = (joined("left_child", np.int64), joined("right_child", np.int64))
    left, right = (np.where(each == _LEAF, _LEAF, each + shifts) for each in children)
    return Trees(
        roots,
        left,
        right,
        joined("feature", np.int64),
        joined("threshold", np.float64),
        np.concatenate([state["values"].reshape(-1) for state in states]),
        start,
        rate,
        divisor,
        width,
    )


def _histogram_trees(estimator: Any) -> Trees:
    """Return boosted trees on bins; each node holds a threshold between the values of the training rows."""
    nodes = [tree.nodes for (tree,) in estimator._predictors]
    sizes = np.array([len(each) for each in nodes])
    roots = np.cumsum(sizes) - sizes
    every = np.concatenate(nodes)
    leaf = every["is_leaf"].astype(bool)
    shifts = np.repeat(roots, sizes)
    left, right = (np.where(leaf, _LEAF, every[side].astype(np.int64) + shifts) for side in ("left", "right"))
    return Trees(
        roots,
        left,
        right,
        every["feature_idx"].astype(np.int64),
        np.where(leaf, 0.0, every["num_threshold"]),
        every["value"].astype(np.float64),
        _scalar(estimator._baseline_prediction),
        1.0,
        1.0,
        estimator.n_features_in_,
    )
