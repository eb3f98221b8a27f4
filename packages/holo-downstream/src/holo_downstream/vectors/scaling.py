"""Scaling of vectors of any kind, so that distances are measured by the mean and covariance of given rows."""

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import HoloError

from .inputs import check_vectors

__all__ = ["Scaling", "effective_dimension", "standardization", "whitening"]

# Directions with this little variance, relative to the largest, are rounding errors of single precision.
_LEAST_VARIANCE = 1e-10


@attrs.frozen(eq=False)
class Scaling:
    """A linear map that gives the rows it was fitted to variance 1; made by `whitening` or `standardization`.

    Parameters
    ----------
    mean : Float[ndarray, "d"]
        The vector that is subtracted first.
    factors : Float[ndarray, "d"] or Float[ndarray, "d k"]
        The factors to multiply by: one for each dimension, or a matrix.

    Raises
    ------
    HoloError
        If the factors do not fit the mean, or a value is not a finite floating-point number.
    """

    mean: Float[np.ndarray, "d"]
    factors: Float[np.ndarray, "d"] | Float[np.ndarray, "d k"]

    def __attrs_post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("factors", self.factors)):
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                raise HoloError(
                    f"the {name} of a scaling are not finite floating-point numbers; they must be"
                )
        if self.mean.ndim != 1 or self.factors.ndim not in (1, 2) or len(self.factors) != len(self.mean):
            raise HoloError(
                f"the factors of a scaling have shape {list(self.factors.shape)}, its mean {list(self.mean.shape)}; "
                "there must be one factor, or one row of factors, for each value of the mean"
            )

    def of(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Return the scaled rows, in their own precision.

        Raises
        ------
        HoloError
            If the rows have another width, or a scaled value is too large for their precision.
        """
        kind = rows.dtype
        if rows.shape[1] != len(self.mean):
            raise HoloError(f"the rows to scale have {rows.shape[1]} values; they must have {len(self.mean)}")
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            moved = rows - self.mean.astype(kind)
            factors = self.factors.astype(kind)
            scaled: NDArray[np.floating] = moved * factors if factors.ndim == 1 else moved @ factors
        if not np.isfinite(scaled).all():
            raise HoloError(f"a scaled value is too large for {kind}; all must be finite")
        return scaled


def standardization(rows: Float[np.ndarray, "n d"]) -> Scaling:
    """Return the map that gives each dimension mean 0 and variance 1; a constant dimension becomes 0.

    Raises
    ------
    HoloError
        If there are fewer than two rows, or a value is not finite.

    Examples
    --------
    >>> standardization(np.array([[1.0, 5.0], [3.0, 5.0]])).of(np.array([[5.0, 9.0]])).tolist()
    [[3.0, 0.0]]
    """
    wide = _checked("standardization", rows)
    deviations = wide.std(axis=0)
    least = np.sqrt(_LEAST_VARIANCE) * np.abs(wide).max(axis=0, initial=0.0)
    varies = deviations > np.maximum(least, np.finfo(rows.dtype).tiny)  # of less, the inverse may be infinite
    return Scaling(wide.mean(axis=0), np.divide(1, deviations, out=np.zeros_like(deviations), where=varies))


def whitening(rows: Float[np.ndarray, "n d"]) -> Scaling:
    """Return the map that gives the rows covariance 1, so that distances become Mahalanobis distances.

    Directions without variance are left out.

    Raises
    ------
    HoloError
        If the rows do not outnumber the dimensions, or a value is not finite.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(50, 2)) @ np.array([[3.0, 1.0], [0.0, 0.1]])
    >>> np.abs(np.cov(whitening(rows).of(rows), rowvar=False, bias=True)).round(9).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    standard = standardization(rows)
    if len(rows) <= rows.shape[1]:
        raise HoloError(
            f"whitening: there are {len(rows)} rows of {rows.shape[1]} dimensions; their covariance needs more rows"
        )
    scaled = standard.of(rows.astype(np.float64))
    variances, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    kept = variances > _LEAST_VARIANCE * variances[-1]
    factors = standard.factors[:, None] * directions[:, kept] / np.sqrt(variances[kept])
    return Scaling(standard.mean, factors)


def effective_dimension(rows: Float[np.ndarray, "n d"]) -> float:
    """Return the number of dimensions that standardized rows fill, (Σλ)² / Σλ² for eigenvalues λ of the correlations.

    Raises
    ------
    HoloError
        If there are fewer than two rows, a value is not finite, or no dimension varies.

    Examples
    --------
    >>> round(effective_dimension(np.array([[1.0, 2.0], [-1.0, -2.0], [2.0, 4.0]])), 9)
    1.0
    """
    scaled = standardization(rows).of(rows.astype(np.float64))
    correlations = scaled.T @ scaled / len(scaled)
    total = float(np.trace(correlations))
    if total == 0:
        raise HoloError("effective_dimension: no dimension varies")
    return total**2 / float((correlations**2).sum())


def _checked(function: str, rows: Float[np.ndarray, "n d"]) -> NDArray[np.float64]:
    if len(rows) < 2:
        raise HoloError(f"{function}: there are {len(rows)} rows; at least two are needed")
    return check_vectors(function, rows).astype(np.float64)
