"""The width of the interval of each prediction: normalized split-conformal intervals."""

import attrs
import numpy as np
from jaxtyping import Float, Int

from holo_types import HoloError

from .predictor import conformal_half_width

__all__ = ["Widths", "fit_widths"]


@attrs.frozen
class Widths:
    """Half widths of intervals, which grow with the distance of a complex and the disagreement of the ensemble.

    Parameters
    ----------
    base, by_distance, by_spread
        The expected error is, up to a factor, (base + by_distance · distance + by_spread · spread) · max(1, distance /
        usual); no coefficient is negative.
    usual
        The distance beyond which the expected error grows in proportion to it, whatever was observed at smaller
        distances.
    factor
        The factor by which the expected error is multiplied.
    coverage
        The share of labels that intervals are intended to contain.

    Raises
    ------
    HoloError
        If a number is negative or not finite.
    """

    base: float
    by_distance: float
    by_spread: float
    usual: float
    factor: float
    coverage: float

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if type(value) is not float or not np.isfinite(value) or value < 0:
                raise HoloError(f"Widths.{name} is {value!r}; it must be a finite number, not negative")
        if not self.usual:
            raise HoloError("Widths.usual is 0; it must be positive")

    def expected(
        self, distances: Float[np.ndarray, "n"], spreads: Float[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n"]:
        """Return the expected error of each prediction, up to a factor."""
        near = self.base + self.by_distance * distances + self.by_spread * spreads
        return near * np.maximum(1, distances / self.usual)

    def half_widths(
        self, distances: Float[np.ndarray, "n"], spreads: Float[np.ndarray, "n"]
    ) -> Float[np.ndarray, "n"]:
        """Return half the width of each interval, in pK.

        Parameters
        ----------
        distances : Float[ndarray, "n"]
            The distances to the nearest training complex.
        spreads : Float[ndarray, "n"]
            The standard deviations of the members' predictions.
        """
        return self.factor * self.expected(distances, spreads)


def fit_widths(
    residuals: Float[np.ndarray, "n"],
    distances: Float[np.ndarray, "n"],
    spreads: Float[np.ndarray, "n"],
    folds: Int[np.ndarray, "n"],
    *,
    coverage: float,
    usual: float,
) -> tuple[Widths, Float[np.ndarray, "n"]]:
    """Fit the widths of intervals to predictions of complexes that were not trained on [1]_.

    The expected error is fitted to absolute residuals by non-negative least squares. The factor is the conformal
    quantile of |residual| / expected error, where the expected error is fitted on the other folds.

    Parameters
    ----------
    residuals, distances, spreads : Float[ndarray, "n"]
        Predictions minus labels, and the inputs of `Widths.half_widths`, each from a model of the other folds.
    folds : Int[ndarray, "n"]
        The fold of each complex.
    coverage
        The share of labels that intervals should contain.
    usual
        As in `Widths`: a distance that few complexes exceed.

    Returns
    -------
    tuple of Widths and Float[ndarray, "n"]
        The widths for new complexes; and the half width of each complex here, with error and factor from the other
        folds.

    References
    ----------
    .. [1] J. Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113, 1094 (2018), section 5.2.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> distances, folds = random.uniform(0.5, 2, 500), np.arange(500) % 5
    >>> residuals, alike = distances * random.normal(size=500), np.zeros(500)
    >>> widths, _ = fit_widths(residuals, distances, alike, folds, coverage=0.9, usual=2.0)
    >>> near, far = widths.half_widths(np.array([0.5, 2.0]), np.zeros(2))
    >>> bool(far > 3 * near)
    True
    """
    errors = np.abs(residuals)
    expected = np.empty(len(errors))
    numbers = np.unique(folds)
    for fold in numbers:
        here = folds == fold
        fitted = _fit(errors[~here], distances[~here], spreads[~here], usual)
        expected[here] = fitted.expected(distances[here], spreads[here])
    ratios = errors / expected
    half_widths = np.empty(len(errors))
    for fold in numbers:
        here = folds == fold
        half_widths[here] = expected[here] * conformal_half_width(ratios[~here], coverage)[0]
    factor, reached = conformal_half_width(ratios, coverage)
    whole = _fit(errors, distances, spreads, usual)
    return attrs.evolve(whole, factor=factor, coverage=reached), half_widths


def _fit(
    errors: Float[np.ndarray, "n"],
    distances: Float[np.ndarray, "n"],
    spreads: Float[np.ndarray, "n"],
    usual: float,
) -> Widths:
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415 - takes a second, which --help must not

    causes = np.stack([np.ones(len(errors)), distances, spreads], axis=1)
    scales = causes.max(axis=0)
    weights = LinearRegression(fit_intercept=False, positive=True).fit(
        causes / np.where(scales > 0, scales, 1), errors
    )
    base, by_distance, by_spread = (weights.coef_ / np.where(scales > 0, scales, 1)).tolist()
    # Predictions without any error must still have intervals of some width.
    return Widths(max(base, 1e-3), by_distance, by_spread, usual, 1.0, 0.0)
