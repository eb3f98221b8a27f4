"""Bootstrap intervals over whole groups of rows, such as the residues of a structure."""

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped

from holo_types import HoloError

__all__ = ["Interval", "bootstrap_mean", "percentile_interval", "resample_counts"]


@attrs.frozen
class Interval:
    """An estimate and its 95 % interval.

    Parameters
    ----------
    estimate
        The estimate on the data itself.
    lower, upper
        The 2.5 % and 97.5 % quantiles of the resamples; NaN where there is no interval.

    Examples
    --------
    >>> str(Interval(0.71, 0.66, 0.752))
    '0.710 [0.660, 0.752]'
    """

    estimate: float
    lower: float
    upper: float

    def __str__(self) -> str:
        if np.isnan(self.estimate):
            return "undefined"
        if np.isnan(self.lower):
            return f"{self.estimate:.3f} [no interval]"
        return f"{self.estimate:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def bootstrap_mean(
    values: Shaped[np.ndarray, "n"],
    groups: Shaped[np.ndarray, "n"],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the mean over all rows with its percentile bootstrap interval, resampling whole groups.

    Rows of one group (residues of one structure) are similar, so they are not independent observations. A resample
    draws as many groups as there are, with replacement, each with all its rows, and takes the mean over all rows drawn
    [1]_. The same groups and seed give the same resamples, so the interval of ``a - b`` is that of the paired
    difference of the means of a and b.

    Parameters
    ----------
    values : Shaped[ndarray, "n"]
        Numbers, or booleans such as "the prediction is correct".
    groups : Shaped[ndarray, "n"]
        The group of each row.
    resamples
        How often the groups are drawn.
    seed
        The seed of the draws.

    Returns
    -------
    Interval
        The mean and its 95 % interval. The interval is too narrow if there are few groups: in simulations of groups
        that differ, it covered the mean in 84 % of cases with 5 groups, 88 % with 8, 91 % with 10, and 92 % with 20.

    Raises
    ------
    HoloError
        If there is no row, a value is not finite, or the lengths differ.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, section 3.8 (1997).

    Examples
    --------
    >>> bootstrap_mean(np.array([1.0, 1.0, 0.0, 0.0]), np.array(["a", "a", "b", "b"]))
    Interval(estimate=0.5, lower=0.0, upper=1.0)
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or groups.shape != numbers.shape or len(numbers) == 0:
        raise HoloError(
            f"bootstrap_mean: values have shape {list(numbers.shape)} and groups {list(groups.shape)}; "
            "both must be [n], n >= 1"
        )
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers)))
        raise HoloError(f"bootstrap_mean: values[{row}] is {numbers[row]}; it must be finite")
    _, group_of_row = np.unique(groups, return_inverse=True)
    sums = np.bincount(group_of_row, weights=numbers)
    sizes = np.bincount(group_of_row)
    count = len(sizes)
    draws = resample_counts(count, resamples, seed)
    return percentile_interval(float(numbers.mean()), (draws @ sums) / (draws @ sizes))


def resample_counts(count: int, resamples: int, seed: int) -> Int[np.ndarray, "resamples count"]:
    """Return how often each of ``count`` things is drawn in resamples of ``count`` draws with replacement.

    These counts describe a resample completely.

    Examples
    --------
    >>> resample_counts(3, 4, seed=0).sum(axis=1)
    array([3, 3, 3, 3])
    """
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)


def percentile_interval(estimate: float, resampled: Float[np.ndarray, "resamples"]) -> Interval:
    """Return an estimate with the 2.5 % and 97.5 % quantiles of its resamples.

    Resamples without a value (such as the correlation of labels that are all equal) are NaN and are left out.

    Examples
    --------
    >>> percentile_interval(0.5, np.array([0.0, 1.0, np.nan]))
    Interval(estimate=0.5, lower=0.025, upper=0.975)
    """
    known = resampled[~np.isnan(resampled)]
    if len(known) == 0:
        return Interval(estimate, np.nan, np.nan)
    lower, upper = np.quantile(known, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper))
