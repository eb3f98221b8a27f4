"""Real solid spherical harmonics, in e3nn's convention and order."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float

__all__ = ["legendre_recurrence", "solid_harmonics"]


@lru_cache(maxsize=64)
def legendre_recurrence(
    lmax: int,
) -> tuple[
    Float[np.ndarray, "orders"],
    Float[np.ndarray, "orders degrees"],
    Float[np.ndarray, "orders degrees"],
]:
    """Return the coefficients from which the polar part of the harmonics is computed.

    Order m starts from ``sectoral[m]`` at l = m, and P_(l+1) = rise[m, l] y P_l - fall[m, l] r² P_(l-1).

    Parameters
    ----------
    lmax
        Highest degree.

    Returns
    -------
    sectoral : Float[ndarray, "orders"]
        Y_mm without its azimuthal part.
    rise, fall : Float[ndarray, "orders degrees"]
        Rows are m and columns l; ``fall`` is 0 at l = m, and both are 0 for l < m. All are read-only.

    Examples
    --------
    >>> sectoral, rise, _ = legendre_recurrence(1)
    >>> sectoral.round(4).tolist(), float(rise[0, 0].round(4))
    ([0.2821, 0.4886], 1.7321)
    """
    orders = np.arange(1, lmax + 1)
    steps = np.concatenate(
        [[1 / (4 * math.pi)], np.where(orders == 1, 2, 1) * (2 * orders + 1) / (2 * orders)]
    )
    sectoral = np.sqrt(np.cumprod(steps))
    m, degree = np.ogrid[: lmax + 1, : lmax + 1]
    inside = degree >= m
    scale = np.where(inside, (degree + 1) ** 2 - m**2, 1)
    rise = np.where(inside, np.sqrt((4 * (degree + 1) ** 2 - 1) / scale), 0)
    below = np.where(degree > m, (degree**2 - m**2) / np.maximum(4 * degree**2 - 1, 1), 0)
    fall = rise * np.sqrt(below)
    for table in (sectoral, rise, fall):
        table.setflags(write=False)
    return sectoral, rise, fall


def solid_harmonics(points: Float[np.ndarray, "points 3"], lmax: int) -> Float[np.ndarray, "lm points"]:
    """Evaluate |r|^l Y_lm(r̂) for every degree l <= lmax.

    Y_lm are e3nn's real spherical harmonics: the components of l = 1 are proportional to (x, y, z), m runs from -l to
    l, and the integral of Y² over the sphere is 1. They are the textbook's real harmonics without Condon-Shortley
    phase, whose pole is Z, evaluated at (X, Y, Z) = (z, x, y).

    Parameters
    ----------
    points : Float[ndarray, "points 3"]
        Positions, of any length; the origin is allowed.
    lmax
        Highest degree.

    Returns
    -------
    Float[ndarray, "lm points"]
        Row l² + l + m holds degree l, order m.

    Notes
    -----
    Fully normalized associated Legendre functions are computed by upward recurrence in l at fixed m, in the form of
    polynomials in x, y, z, so that nothing is singular at the poles or at the origin: Bigi, Fraux, Browning, Ceriotti,
    *J. Chem. Phys.* 159, 064802 (2023).

    Examples
    --------
    >>> solid_harmonics(np.array([[0.0, 0.0, 2.0]]), 1)[:, 0].round(4).tolist()
    [0.2821, 0.0, 0.0, 0.9772]
    """
    x, y, z = points.T
    squared_length = x * x + y * y + z * z
    harmonics = np.empty(((lmax + 1) ** 2, len(points)), dtype=points.dtype)
    # cosine + i sine = (z + i x)^m is the azimuthal part, times the distance from the axis to the power m.
    cosine, sine = np.ones_like(x), np.zeros_like(x)
    sectoral, rise, fall = legendre_recurrence(lmax)
    for order in range(lmax + 1):
        if order > 0:
            cosine, sine = z * cosine - x * sine, z * sine + x * cosine
        lower, polar = np.zeros_like(y), np.full_like(y, sectoral[order])
        for degree in range(order, lmax + 1):
            center = degree * (degree + 1)
            harmonics[center + order] = polar * cosine
            if order > 0:
                harmonics[center - order] = polar * sine
            higher = rise[order, degree] * y * polar - fall[order, degree] * squared_length * lower
            lower, polar = polar, higher
    return harmonics
