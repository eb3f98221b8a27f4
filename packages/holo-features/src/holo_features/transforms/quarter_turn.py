"""The quarter turn that takes the pole of real spherical harmonics from z to x."""

import math

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["quarter_turn"]


def _half_pi(degree: int, lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute d^l_km(π/2) for k, m = 0..l from the last row, k = l - 1, of degree l - 1."""
    orders = np.arange(degree + 1)
    table = np.zeros((degree + 3, degree + 1))  # two rows of zeros beyond k = l start the recurrence
    table[degree, 0] = -math.sqrt((2 * degree - 1) / (2 * degree)) * lower[0]
    above = orders[1:]
    factors = degree * (2 * degree - 1) / (2 * (degree + above) * (degree + above - 1))
    table[degree, 1:] = np.sqrt(factors) * lower
    for k in range(degree - 1, -1, -1):
        scale = (degree - k) * (degree + k + 1)
        fall = math.sqrt((degree - k - 1) * (degree + k + 2) / scale)
        table[k] = 2 / math.sqrt(scale) * orders * table[k + 1] - fall * table[k + 2]
    return table[: degree + 1]


def quarter_turn(
    lmax: int,
) -> tuple[tuple[Float[np.ndarray, "cosines cosines"], Float[np.ndarray, "sines sines"]], ...]:
    """Return the matrices X of Y_lm(R r) = Σ_m' X_mm' Y_lm'(r), with R the quarter turn about y from z to x.

    Y are the textbook's real harmonics with the pole z, without Condon-Shortley phase: sqrt(2) Λ_lm cos mφ for m > 0,
    sqrt(2) Λ_l|m| sin |m|φ for m < 0, Λ_l0 for m = 0. The rotation is symmetric under the reflection of y, so it mixes
    the orders m >= 0 (cosines) among themselves, and the orders m < 0 (sines) among themselves.

    Returns
    -------
    tuple of (Float[ndarray, "cosines cosines"], Float[ndarray, "sines sines"])
        For each degree l the matrices [l+1, l+1] of m = 0..l, and [l, l] of m = -1..-l, in float64.

    Notes
    -----
    Wigner's d at π/2 is computed by the recurrence of Trapani and Navaza, *Acta Cryst.* A62, 262 (2006), downwards in k
    from the row k = l: it is stable to degrees beyond 1,000. For m and m' >= 0, real harmonics transform by
    d_mm' ± d_m,-m' = (1 ± (-1)^(l+m+m')) d_mm', up to sign: each entry is twice d_mm' either in the cosines or in the
    sines, and zero in the other.

    Examples
    --------
    >>> cosines, sines = quarter_turn(1)[1]
    >>> (cosines + 0.0).round(12).tolist(), sines.round(12).tolist()  # z' = -x, x' = z; y' = y
    ([[0.0, -1.0], [1.0, 0.0]], [[1.0]])
    """
    matrices = [(np.ones((1, 1)), np.zeros((0, 0)))]
    table = np.ones((1, 1))
    for degree in range(1, lmax + 1):
        table = _half_pi(degree, table[-1])
        orders = np.arange(degree + 1)
        even = (orders[:, None] + orders + degree) % 2 == 0
        doubled = (-1) ** degree * 2 * table
        scale = np.where(orders == 0, math.sqrt(0.5), 1.0)
        cosines = np.where(even, doubled, 0.0) * scale[:, None] * scale
        matrices.append((cosines, np.where(even, 0.0, -doubled)[1:, 1:]))
    return tuple(matrices)
