"""Normalised associated Legendre functions of many degrees and orders."""

import math

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["legendre_functions"]


def legendre_functions(
    colatitudes: Float[np.ndarray, "theta"], lmax: int
) -> tuple[Float[np.ndarray, "degrees theta"], ...]:
    """Evaluate Λ_lm(θ), the part of the real spherical harmonics that depends on the colatitude.

    With the textbook's pole z, Y_l0 = Λ_l0, Y_lm = sqrt(2) Λ_lm cos mφ and Y_l,-m = sqrt(2) Λ_lm sin mφ for
    m > 0, without Condon-Shortley phase; the integral of Y² over the sphere is 1.

    Parameters
    ----------
    colatitudes : Float[ndarray, "theta"]
        θ in radians.
    lmax
        Highest degree.

    Returns
    -------
    tuple of Float[ndarray, "degrees theta"]
        For each order m = 0..lmax the degrees l = m..lmax, float64.

    Notes
    -----
    Upward recurrence in l of the fully normalised functions, stable at every θ; Holmes and Featherstone,
    *J. Geodesy* 76, 279 (2002). It begins with sin^m θ, which is zero in float64 only where every degree up
    to about 1,900 is negligible.

    Examples
    --------
    >>> functions = legendre_functions(np.array([np.pi / 2]), 1)
    >>> [order[:, 0].round(4).tolist() for order in functions]
    [[0.2821, 0.0], [0.3455]]
    """
    cosine, sine = np.cos(colatitudes), np.sin(colatitudes)
    tables = tuple(np.empty((lmax + 1 - order, len(colatitudes))) for order in range(lmax + 1))
    # All orders m < l step together: row m of `upper` is Λ_lm, of `lower` and `lowest` l - 1 and l - 2.
    lower: NDArray[np.float64] = np.full((1, len(colatitudes)), 1 / math.sqrt(4 * math.pi))
    lowest = np.zeros_like(lower)
    tables[0][0] = lower[0]
    for degree in range(1, lmax + 1):
        orders = np.arange(degree)[:, None]
        rise = np.sqrt((4 * degree**2 - 1) / (degree**2 - orders**2))
        fall = np.zeros_like(rise)
        if degree > 1:
            fall = np.sqrt(np.maximum((degree - 1) ** 2 - orders**2, 0) / (4 * (degree - 1) ** 2 - 1))
        sectoral = math.sqrt((2 * degree + 1) / (2 * degree)) * sine * lower[-1]
        upper = np.concatenate([rise * (cosine * lower - fall * lowest), sectoral[None]])
        for order in range(degree + 1):
            tables[order][degree - order] = upper[order]
        lowest = np.concatenate([lower, np.zeros_like(lower[:1])])
        lower = upper
    return tables
