"""Zernike transform of point clouds, and its inverse."""

import math
from typing import Any

import numpy as np
from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike
from jaxtyping import Float
from numpy.typing import DTypeLike, NDArray

from .harmonics import solid_harmonics
from .radial import chebyshev_polynomials, chebyshev_series, squared_norms

__all__ = ["inverse_zernike_transform", "zernike_transform"]

# Sizes that bound the working memory: points evaluated at once, and bytes of moments held at once.
_POINTS = 4096
_MOMENT_BYTES = 1 << 26


def _radial(basis: Basis, function: str) -> Zernike:
    if basis.radial is None:
        raise HoloError(f"{function}: the basis is of a sphere (radial None); it must have a Zernike radial part")
    return basis.radial


def _angular_square(basis: Basis) -> float:
    """Give ∫ Y² over the sphere."""
    return 4 * math.pi if basis.angular_normalization == "component" else 1.0


def _degree_rows(degree: int) -> slice:
    """Where a degree stands among the rows of `solid_harmonics`."""
    return slice(degree**2, (degree + 1) ** 2)


def _inverse_square_lengths(
    basis: Basis, radial: Zernike, squared: NDArray[np.float64], polynomials: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give 1/|e|² of each point, e all its R_nl Y_lm; Σ_m Y_lm² = (2l+1)/(4 pi) needs no harmonics."""
    total = np.zeros_like(squared)
    for degree in range(basis.lmax + 1):
        values = chebyshev_series(radial, degree) @ polynomials
        total += (2 * degree + 1) * squared**degree * np.einsum("kp,kp->p", values, values)
    inverse: NDArray[np.float64] = 4 * math.pi / (_angular_square(basis) * total)
    return inverse


def _moments(clouds: PointClouds, basis: Basis, radial: Zernike) -> NDArray[np.float64]:
    """Sum weight × T_j(2ρ²-1) × solid harmonic over the points of each cloud and channel."""
    n, channels, terms = len(clouds), len(clouds.channels), radial.nmax // 2 + 1
    moments = np.zeros((n * channels, terms, (basis.lmax + 1) ** 2))
    for start in range(0, len(clouds.coordinates), _POINTS):
        stop = min(start + _POINTS, len(clouds.coordinates))
        points = clouds.coordinates[start:stop].astype(np.float64) / radial.cutoff
        squared = np.einsum("px,px->p", points, points)
        weights = clouds.weights[start:stop] * (squared <= 1)[:, None]
        # One entry for each (point, channel) of non-zero weight, sorted by (cloud, channel): the zeros of
        # one-hot weights cost nothing, and each group of entries is one small matrix product.
        point, channel = np.nonzero(weights)
        if len(point) == 0:
            continue
        cloud = np.searchsorted(clouds.offsets, start + point, side="right") - 1
        order = np.argsort(cloud * channels + channel, kind="stable")
        point, group = point[order], (cloud * channels + channel)[order]
        points, squared = points[point], squared[point]
        polynomials = chebyshev_polynomials(2 * squared - 1, terms)
        harmonics = solid_harmonics(points, basis.lmax)
        weight = weights[point, channel[order]].astype(np.float64)
        if basis.point_normalization == "unit":
            weight *= _inverse_square_lengths(basis, radial, squared, polynomials)
        polynomials *= weight
        firsts = np.flatnonzero(np.diff(group, prepend=-1))
        for first, last in zip(firsts, [*firsts[1:], len(group)], strict=True):
            moments[group[first]] += polynomials[:, first:last] @ harmonics[:, first:last].T
    return moments.reshape(n, channels, terms, -1)


def zernike_transform(
    point_clouds: PointClouds, basis: Basis, dtype: DTypeLike = np.float32
) -> Holograms:
    """Encode point clouds as Zernike holograms.

    Z_cnlm = Σ_i w_ic R_nl(r_i / cutoff) Y_lm(r̂_i) over the points with r_i <= cutoff; with the point
    normalization ``"unit"`` each point is divided by |e_i|², e_i the vector of all its R_nl Y_lm.
    A point at the origin has l = 0 components only.

    Parameters
    ----------
    point_clouds
        The clouds, coordinates in Å.
    basis
        With a Zernike radial part, and the channels of the clouds, in their order.
    dtype
        float32 or float64: what the coefficients are rounded to. They are computed in float64.

    Returns
    -------
    Holograms
        One row for each cloud, with its index; a cloud without points is all zeros.

    Raises
    ------
    HoloError
        If the channels are not the basis's, the basis is of a sphere, or the dtype is another one.

    Notes
    -----
    Visani et al., *Phys. Rev. Research* 6, 023006 (2024), equations of the Zernike Fourier transform.
    The radial functions of all orders share their Chebyshev polynomials: sums of T_j(2ρ²-1) ρ^l Y_lm over
    the points come first, and one small matrix for each degree then gives the coefficients.

    Examples
    --------
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=1, radial=Zernike(nmax=1, cutoff=10.0), channels=("C",))
    >>> clouds = PointClouds(np.array([[0.0, 0.0, 5.0]]), np.ones((1, 1)), np.array([0, 1]), ("C",))
    >>> zernike_transform(clouds, basis).coefficients.round(4).tolist()
    [[0.48859998..., 0.0, 0.0, 0.5462999...]]
    """
    radial = _radial(basis, "zernike_transform")
    if point_clouds.channels != basis.channels:
        raise HoloError(
            f"zernike_transform: the point clouds have the channels {point_clouds.channels}; "
            f"they must be those of the basis, {basis.channels}"
        )
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise HoloError(f"zernike_transform: dtype is {kind}; it must be float32 or float64")
    angular = math.sqrt(_angular_square(basis))
    coefficients = np.empty((len(point_clouds), basis.dim), dtype=kind)
    size = 8 * len(basis.channels) * (radial.nmax // 2 + 1) * (basis.lmax + 1) ** 2
    batch = max(1, _MOMENT_BYTES // size)
    for start in range(0, len(point_clouds), batch):
        moments = _moments(point_clouds[start : start + batch], basis, radial)
        rows = coefficients[start : start + batch]
        for degree, place in enumerate(basis.irreps.slices):
            series = angular * chebyshev_series(radial, degree)
            terms = len(series)  # the higher Chebyshev terms of this degree are zero
            block = series[:, :terms] @ moments[:, :, :terms, _degree_rows(degree)]
            rows[:, place] = block.reshape(len(rows), -1)
    return Holograms(coefficients, basis, point_clouds.index)


def inverse_zernike_transform(
    holograms: Holograms, points: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "n channels points"]:
    """Evaluate the densities that holograms describe.

    f_c(r) = Σ_nlm Z_cnlm R_nl(r / cutoff) Y_lm(r̂) / ‖R_nl Y_lm‖² within the cutoff, 0 beyond it. The
    squared norm, an integral over the unit ball, is 1 in the orthonormal basis; so a density that the basis
    can represent comes back in every normalization. Lengths are in units of the cutoff: f is a weight for
    each cutoff³.

    Point normalization ``"unit"`` has divided each point by the squared norm of its own basis vector
    already, so nothing is divided there: f_c(r) = Σ_nlm Z_cnlm R_nl Y_lm, and a lone point's density at the
    point is its weight, in every radial and angular normalization.

    Parameters
    ----------
    holograms
        In a basis with a Zernike radial part.
    points : Float[ndarray, "points 3"]
        Where to evaluate, in Å relative to the origin.

    Returns
    -------
    Float[ndarray, "n channels points"]
        In the dtype of the coefficients; computed in float64.

    Raises
    ------
    HoloError
        If the basis is of a sphere, or the points are not finite numbers of shape [points, 3].

    Examples
    --------
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(4, 10.0), channels=("C",), point_normalization="unit")
    >>> point = np.array([[1.0, 2.0, 3.0]])
    >>> lone = PointClouds(point, np.ones((1, 1)), np.array([0, 1]), ("C",))
    >>> inverse_zernike_transform(zernike_transform(lone, basis, np.float64), point).round(9).tolist()
    [[[1.0]]]
    """
    basis = holograms.basis
    radial = _radial(basis, "inverse_zernike_transform")
    places: NDArray[Any] = np.asarray(points)
    if places.ndim != 2 or places.shape[1] != 3 or places.dtype.kind not in "fiu":
        raise HoloError(
            f"inverse_zernike_transform: points is {places.dtype} {list(places.shape)}; "
            "it must be numbers [points, 3] in Å"
        )
    if not np.isfinite(places).all():
        raise HoloError("inverse_zernike_transform: points holds a value that is not a finite number")
    n, channels = len(holograms), len(basis.channels)
    angular = _angular_square(basis)
    density = np.zeros((n, channels, len(places)), dtype=holograms.coefficients.dtype)
    for start in range(0, len(places), _POINTS):
        scaled = places[start : start + _POINTS].astype(np.float64) / radial.cutoff
        squared = np.einsum("px,px->p", scaled, scaled)
        inside = squared <= 1
        polynomials = chebyshev_polynomials(2 * squared[inside] - 1, radial.nmax // 2 + 1)
        harmonics = solid_harmonics(scaled[inside], basis.lmax)
        values = np.zeros((n * channels, int(inside.sum())))
        for degree in range(basis.lmax + 1):
            radials = math.sqrt(angular) * chebyshev_series(radial, degree) @ polynomials
            if basis.point_normalization == "none":
                radials /= angular * squared_norms(radial, degree)[:, None]
            functions = radials[:, None] * harmonics[_degree_rows(degree)]
            block = holograms.degree(degree).astype(np.float64)
            values += block.reshape(n * channels, -1) @ functions.reshape(-1, values.shape[1])
        density[:, :, start : start + _POINTS][:, :, inside] = values.reshape(n, channels, -1)
    return density
