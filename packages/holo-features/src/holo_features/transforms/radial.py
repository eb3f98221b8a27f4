"""Zernike radial functions on the unit ball, as Chebyshev series in the radius."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import RadialNormalization, Zernike

__all__ = [
    "chebyshev_polynomials",
    "chebyshev_series",
    "envelope_at",
    "norm_ratio",
    "squared_lengths",
    "squared_norms",
    "vector_square_series",
]


def squared_lengths(points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points"]:
    """Return |r|² as (x² + z²) + y².

    A point is within the cutoff if this value of r / cutoff, in float64, is <= 1. The order of the sum is fixed, so
    that a point exactly at the cutoff is on the same side in every part of Holo, compiled or not.

    Examples
    --------
    >>> squared_lengths(np.array([[1.0, 2.0, 2.0]])).tolist()
    [9.0]
    """
    x, y, z = points.T
    squares: NDArray[np.float64] = (x * x + z * z) + y * y
    return squares


def envelope_at(radial: Zernike, rho: Float[np.ndarray, "points"]) -> Float[np.ndarray, "points"]:
    """Evaluate the envelope of a radial basis, by which the weights of points are multiplied.

    Parameters
    ----------
    radial
        The radial basis.
    rho : Float[ndarray, "points"]
        Distances from the origin divided by the cutoff.

    Returns
    -------
    Float[ndarray, "points"]
        The envelope; 1 everywhere if the basis has none.

    Examples
    --------
    >>> envelope_at(Zernike(nmax=2, cutoff=10.0, envelope=2.0), np.array([0.5, 0.8, 0.9, 1.0])).round(9).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """
    if radial.envelope is None:
        return np.ones_like(rho)
    t = np.clip((1 - rho) * (radial.cutoff / radial.envelope), 0, 1)
    values: NDArray[np.float64] = t**3 * (10 + t * (6 * t - 15))
    return values


def _jacobi(count: int, beta: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate P_k^(0, beta)(x) for k < count by the three-term recurrence (DLMF 18.9.1)."""
    values = np.zeros((count, len(x)))
    values[0] = 1
    if count > 1:
        values[1] = ((beta + 2) * x - beta) / 2
    for k in range(2, count):
        s = 2 * k + beta
        values[k] = (
            (s - 1) * (s * (s - 2) * x - beta**2) * values[k - 1]
            - 2 * (k - 1) * (k + beta - 1) * s * values[k - 2]
        ) / (2 * k * (k + beta) * (s - 2))
    return values


def norm_ratio(degree: int, order: int, normalization: RadialNormalization) -> float:
    """Return the norm of R_nl in a normalization, which is its factor to the orthonormal form.

    ``"floor"`` has binom(floor((n+l+3)/2) - 1, k) where the orthonormal form has binom((n+l+1)/2, k), with k = (n-l)/2.
    As n - l is even, the first is binom(k+l, k) and the second binom(k+l+1/2, k).

    Examples
    --------
    >>> norm_ratio(2, 2, "floor"), round(norm_ratio(0, 2, "floor"), 4)
    (1.0, 0.6667)
    """
    if normalization == "orthonormal":
        return 1.0
    steps = range(1, (order - degree) // 2 + 1)
    return math.prod(((degree + i) / (degree + i + 0.5) for i in steps), start=1.0)


@lru_cache(maxsize=256)
def chebyshev_series(radial: Zernike, degree: int) -> Float[np.ndarray, "orders terms"]:
    """Return the Chebyshev coefficients of the radial functions of one degree.

    R_nl(ρ) = sqrt(2n+3) ρ^l P_k^(0, l+1/2)(2ρ²-1), with k = (n-l)/2, is a polynomial in ρ of l's parity:
    R_nl(ρ) = Σ_j series[k, j] T_p+2j(ρ), with p = l mod 2. All degrees of one parity share these terms.

    Parameters
    ----------
    radial
        The radial basis; its cutoff has no effect.
    degree
        The degree l.

    Returns
    -------
    Float[ndarray, "orders terms"]
        One row for each n = l, l+2, ... <= nmax; read-only.

    Notes
    -----
    The functions are sampled at the Chebyshev nodes of [-1, 1], where the discrete cosine transform gives the
    coefficients of a polynomial exactly. These are as small as the functions themselves, unlike those of R_nl / ρ^l in
    powers of ρ², which reach 1e8 at l = 14, n = 40, so that half of all digits would cancel.

    Examples
    --------
    >>> chebyshev_series(Zernike(nmax=2, cutoff=1.0), 2).round(4).tolist()
    [[1.3229, 1.3229]]
    """
    nodes = radial.nmax + 1
    angles = np.pi * (np.arange(nodes) + 0.5) / nodes
    rho = np.cos(angles)
    orders = radial.orders(degree)
    jacobi = _jacobi(len(orders), degree + 0.5, 2 * rho**2 - 1)
    lengths = [math.sqrt(2 * n + 3) * norm_ratio(degree, n, radial.normalization) for n in orders]
    values = np.array(lengths)[:, None] * rho**degree * jacobi
    terms = np.arange(degree % 2, nodes, 2)
    transform = np.cos(terms[:, None] * angles) * np.where(terms == 0, 1, 2)[:, None] / nodes
    series: NDArray[np.float64] = values @ transform.T
    series.setflags(write=False)
    return series


def squared_norms(radial: Zernike, degree: int) -> Float[np.ndarray, "orders"]:
    """Return ∫₀¹ R_nl² ρ² dρ for each n of one degree, which is 1 if the functions are orthonormal.

    Examples
    --------
    >>> squared_norms(Zernike(nmax=4, cutoff=1.0), 2).tolist()
    [1.0, 1.0]
    """
    return np.array([norm_ratio(degree, n, radial.normalization) ** 2 for n in radial.orders(degree)])


def chebyshev_polynomials(x: Float[np.ndarray, "points"], terms: int) -> Float[np.ndarray, "terms points"]:
    """Evaluate the Chebyshev polynomials of the first kind T_j(x) for j < terms.

    Examples
    --------
    >>> chebyshev_polynomials(np.array([0.5]), 3)[:, 0].tolist()
    [1.0, 0.5, -0.5]
    """
    values = np.empty((terms, len(x)), dtype=x.dtype)
    values[0] = 1
    if terms > 1:
        values[1] = x
    for j in range(2, terms):
        values[j] = 2 * x * values[j - 1] - values[j - 2]
    return values


@lru_cache(maxsize=64)
def vector_square_series(radial: Zernike, lmax: int) -> Float[np.ndarray, "terms"]:
    """Return |e|², with e the vector of all R_nl Y_lm at a point, as a sum of squares of Chebyshev polynomials.

    Σ_m Y_lm² is (2l+1)/(4 pi) in every direction, so |e|² = Σ_j series[j] T_j(ρ)².

    Parameters
    ----------
    radial
        The radial basis; its cutoff has no effect.
    lmax
        Highest degree.

    Returns
    -------
    Float[ndarray, "terms"]
        The coefficients for j = 0..nmax; read-only.

    Notes
    -----
    |e|² is a polynomial of degree nmax in ρ², and therefore a sum of T_j(2ρ²-1) = T_2j(ρ) = 2 T_j(ρ)² - 1.

    Examples
    --------
    >>> vector_square_series(Zernike(nmax=0, cutoff=1.0), 0).round(4).tolist()
    [0.2387]
    """
    terms = np.arange(radial.nmax + 1)
    angles = np.pi * (terms + 0.5) / len(terms)
    polynomials = chebyshev_polynomials(np.cos(angles / 2), len(terms))
    total = np.zeros(len(terms))
    for degree in range(lmax + 1):
        values = chebyshev_series(radial, degree) @ polynomials[degree % 2 :: 2]
        total += (2 * degree + 1) / (4 * math.pi) * np.einsum("kp,kp->p", values, values)
    # coefficients of T_j(2ρ²-1), then of T_j(ρ)²
    plain = np.cos(terms[:, None] * angles) @ total / len(terms) * np.where(terms == 0, 1, 2)
    series: NDArray[np.float64] = 2 * plain
    series[0] = plain[0] - plain[1:].sum()
    series.setflags(write=False)
    return series
