"""Real solid spherical harmonics, in e3nn's convention and order."""

import math

import numpy as np
from jaxtyping import Float

__all__ = ["solid_harmonics"]


def solid_harmonics(points: Float[np.ndarray, "points 3"], lmax: int) -> Float[np.ndarray, "lm points"]:
    """Evaluate |r|^l Y_lm(r̂) for every degree l <= lmax.

    Y_lm are e3nn's real spherical harmonics: the components of l = 1 are proportional to (x, y, z), m runs
    -l..l, and the integral of Y² over the sphere is 1. In terms of the textbook's real harmonics without
    Condon-Shortley phase, whose pole is Z, they are taken at (X, Y, Z) = (z, x, y).

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
    Fully normalised associated Legendre functions by upward recurrence in l at fixed m, written for
    polynomials in x, y, z, so that nothing is singular at the poles or at the origin: Bigi, Fraux, Browning,
    Ceriotti, *J. Chem. Phys.* 159, 064802 (2023).

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
    sectoral = math.sqrt(1 / (4 * math.pi))
    for order in range(lmax + 1):
        if order > 0:
            cosine, sine = z * cosine - x * sine, z * sine + x * cosine
            sectoral *= math.sqrt((2 * order + 1) / (2 * order))
        scale = sectoral * (math.sqrt(2) if order > 0 else 1)
        lower, polar = np.zeros_like(y), np.full_like(y, scale)
        for degree in range(order, lmax + 1):
            if degree > order:
                rise = math.sqrt((4 * degree**2 - 1) / (degree**2 - order**2))
                # Zero, not evaluated, in the first step: `lower` does not exist there.
                fall = (
                    math.sqrt(((degree - 1) ** 2 - order**2) / (4 * (degree - 1) ** 2 - 1))
                    if degree > order + 1
                    else 0.0
                )
                lower, polar = polar, rise * (y * polar - fall * squared_length * lower)
            centre = degree * (degree + 1)
            harmonics[centre + order] = polar * cosine
            if order > 0:
                harmonics[centre - order] = polar * sine
    return harmonics
