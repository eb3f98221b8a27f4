"""Zernike transform of point clouds, and its inverse."""

import math
import os
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import DTypeLike, NDArray

from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike

from .compiled import compiled_transform
from .harmonics import solid_harmonics
from .radial import (
    chebyshev_polynomials,
    chebyshev_series,
    envelope_at,
    squared_lengths,
    squared_norms,
    vector_square_series,
)

__all__ = ["inverse_zernike_transform", "zernike_transform"]

# Limits of the working memory: number of points evaluated at once, and bytes of moments held at once.
_POINTS = 4096
_MOMENT_BYTES = 1 << 26


def _radial(basis: Basis, function: str) -> Zernike:
    if basis.radial is None:
        raise HoloError(
            f"{function}: the basis is of a sphere (radial None); it must have a Zernike radial part"
        )
    return basis.radial


@attrs.frozen(eq=False)
class _Evaluated:
    """The factors of the basis functions at some points, T_j(ρ) and Y_lm(r̂), and the envelope there."""

    envelope: Float[np.ndarray, "points"]
    polynomials: Float[np.ndarray, "terms points"]
    harmonics: Float[np.ndarray, "lm points"]

    @classmethod
    def at(cls, scaled: Float[np.ndarray, "points 3"], basis: Basis, radial: Zernike) -> "_Evaluated":
        """Evaluate at points in units of the cutoff."""
        rho = np.sqrt(squared_lengths(scaled))
        # At the origin the direction is a zero vector, so that all harmonics except l = 0 are zero, as they must be.
        directions = scaled / np.where(rho == 0, 1, rho)[:, None]
        return cls(
            envelope_at(radial, rho),
            chebyshev_polynomials(rho, radial.nmax + 1),
            solid_harmonics(directions, basis.lmax),
        )

    def radial_functions(self, radial: Zernike, degree: int) -> Float[np.ndarray, "orders points"]:
        """Evaluate R_nl for each n of one degree."""
        values: NDArray[np.float64] = chebyshev_series(radial, degree) @ self.polynomials[degree % 2 :: 2]
        return values

    def degree(self, degree: int) -> Float[np.ndarray, "m points"]:
        """Return the harmonics of one degree."""
        return self.harmonics[degree**2 : (degree + 1) ** 2]


def _degrees_of_parity(lmax: int, parity: int) -> tuple[range, NDArray[np.int64]]:
    """Return the degrees of one parity, and their rows among the harmonics."""
    degrees = range(parity, lmax + 1, 2)
    rows = [np.arange(degree**2, (degree + 1) ** 2) for degree in degrees]
    return degrees, np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _moments(
    clouds: PointClouds, basis: Basis, radial: Zernike
) -> tuple[Float[np.ndarray, "n channels terms lm"], ...]:
    """Sum weight × T_j(ρ) Y_lm over the points of each cloud and channel; for even l and j, then odd."""
    n, channels = len(clouds), len(clouds.channels)
    rows = [_degrees_of_parity(basis.lmax, parity)[1] for parity in (0, 1)]
    moments = [
        np.zeros((n * channels, len(range(parity, radial.nmax + 1, 2)), len(rows[parity])))
        for parity in (0, 1)
    ]
    for start in range(0, len(clouds.coordinates), _POINTS):
        stop = min(start + _POINTS, len(clouds.coordinates))
        scaled = clouds.coordinates[start:stop].astype(np.float64) / radial.cutoff
        weights = clouds.weights[start:stop] * (squared_lengths(scaled) <= 1)[:, None]
        # One entry for each (point, channel) of nonzero weight, sorted by (cloud, channel): the zeros of one-hot
        # weights take no time, and each group of entries is one small matrix product.
        point, channel = np.nonzero(weights)
        if len(point) == 0:
            continue
        cloud = np.searchsorted(clouds.offsets, start + point, side="right") - 1
        order = np.argsort(cloud * channels + channel, kind="stable")
        point, group = point[order], (cloud * channels + channel)[order]
        evaluated = _Evaluated.at(scaled[point], basis, radial)
        weight = weights[point, channel[order]].astype(np.float64) * evaluated.envelope
        if basis.point_normalization == "unit":
            squares = vector_square_series(radial, basis.lmax) @ evaluated.polynomials**2
            weight /= basis.angular_squared_norm * squares
        firsts = np.flatnonzero(np.diff(group, prepend=-1))
        lasts = [*firsts[1:], len(group)]
        for parity in (0, 1):
            polynomials = weight * evaluated.polynomials[parity::2]
            harmonics = evaluated.harmonics[rows[parity]]
            for first, last in zip(firsts, lasts, strict=True):
                moments[parity][group[first]] += polynomials[:, first:last] @ harmonics[:, first:last].T
    return tuple(part.reshape(n, channels, *part.shape[1:]) for part in moments)


def _pure_transform(clouds: PointClouds, basis: Basis, kind: np.dtype[Any]) -> Float[np.ndarray, "n dim"]:
    """Compute the coefficients in numpy, in float64."""
    radial = _radial(basis, "zernike_transform")
    angular = math.sqrt(basis.angular_squared_norm)
    coefficients = np.empty((len(clouds), basis.dim), dtype=kind)
    size = 8 * len(basis.channels) * (radial.nmax // 2 + 1) * (basis.lmax + 1) ** 2
    batch = max(1, _MOMENT_BYTES // size)
    for start in range(0, len(clouds), batch):
        moments = _moments(clouds[start : start + batch], basis, radial)
        rows = coefficients[start : start + batch]
        for parity in (0, 1):
            first = 0
            for degree in _degrees_of_parity(basis.lmax, parity)[0]:
                last = first + 2 * degree + 1
                block = angular * chebyshev_series(radial, degree) @ moments[parity][..., first:last]
                rows[:, basis.irreps.slices[degree]] = block.reshape(len(rows), -1)
                first = last
    return coefficients


def _checked_workers(workers: int) -> int:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < -1 or workers == 0:
        raise HoloError(f"zernike_transform: workers is {workers!r}; it must be a number of threads, or -1")
    return (os.cpu_count() or 1) if workers == -1 else workers


def zernike_transform(
    point_clouds: PointClouds, basis: Basis, dtype: DTypeLike = np.float32, *, workers: int = 1
) -> Holograms:
    """Encode point clouds as Zernike holograms.

    Z_cnlm = Σ_i w_ic u(r_i) R_nl(r_i / cutoff) Y_lm(r̂_i) over the points with r_i <= cutoff, where u is the envelope
    of the radial basis, or 1. With the point normalization ``"unit"``, each point is divided by |e_i|², where e_i is
    the vector of all its R_nl Y_lm. A point at the origin has components with l = 0 only.

    Parameters
    ----------
    point_clouds
        The clouds, with coordinates in Å.
    basis
        A basis with a Zernike radial part and the channels of the clouds, in their order.
    dtype
        float32 or float64, the type of the coefficients and their arithmetic. Errors are within 1e-6 of the largest
        coefficient in float32, and within 1e-12 in float64.
    workers
        Number of threads that share the clouds; -1 for one on each processor. Results do not depend on it.

    Returns
    -------
    Holograms
        One row for each cloud, with its index; a cloud without points is all zeros.

    Raises
    ------
    HoloError
        If the channels are not the basis's, the basis is one on a sphere, or dtype or workers are invalid.

    Notes
    -----
    Visani et al., *Phys. Rev. Research* 6, 023006 (2024), equations of the Zernike Fourier transform. The radial
    functions share their Chebyshev polynomials: sums of T_j(ρ) Y_lm over the points are computed first, and one small
    matrix for each degree then yields the coefficients. holo-kernels computes them in compiled loops; if it does not
    support the machine, numpy does so, more slowly.

    Examples
    --------
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=1, radial=Zernike(nmax=1, cutoff=10.0), channels=("C",))
    >>> clouds = PointClouds(np.array([[0.0, 0.0, 5.0]]), np.ones((1, 1)), np.array([0, 1]), ("C",))
    >>> zernike_transform(clouds, basis, np.float64).coefficients.round(4).tolist()
    [[0.4886, 0.0, 0.0, 0.5463]]
    """
    _radial(basis, "zernike_transform")
    if point_clouds.channels != basis.channels:
        raise HoloError(
            f"zernike_transform: the point clouds have the channels {point_clouds.channels}; "
            f"they must be those of the basis, {basis.channels}"
        )
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise HoloError(f"zernike_transform: dtype is {kind}; it must be float32 or float64")
    threads = _checked_workers(workers)
    coefficients, finite = compiled_transform(point_clouds, basis, kind, threads) or (
        _pure_transform(point_clouds, basis, kind),
        False,
    )
    make = Holograms.unchecked if finite else Holograms
    return make(coefficients, basis, point_clouds.index, centers=point_clouds.centers)


def inverse_zernike_transform(
    holograms: Holograms, points: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, "n channels points"]:
    """Evaluate the densities that holograms describe.

    f_c(r) = Σ_nlm Z_cnlm R_nl(r / cutoff) Y_lm(r̂) / ‖R_nl Y_lm‖² within the cutoff, and 0 beyond it. The squared norm,
    an integral over the unit ball, is 1 in the orthonormal basis; therefore a density that the basis can represent is
    restored in every normalization. Lengths are in units of the cutoff: f is a weight per cutoff³.

    The point normalization ``"unit"`` has already divided each point by the squared norm of its own basis vector, so
    here nothing is divided: f_c(r) = Σ_nlm Z_cnlm R_nl Y_lm, and the density of a single point, at that point, is its
    weight, in every radial and angular normalization.

    The inverse is that of the expansion in basis functions, not that of the envelope: the density is that of the points
    with their weights multiplied by the envelope, and falls to zero at the cutoff. Division by it would only amplify,
    near the cutoff, what the expansion leaves out.

    Parameters
    ----------
    holograms
        Holograms in a basis with a Zernike radial part.
    points : Float[ndarray, "points 3"]
        Positions of the evaluation, in Å relative to the origin.

    Returns
    -------
    Float[ndarray, "n channels points"]
        Densities in the dtype of the coefficients; computed in float64.

    Raises
    ------
    HoloError
        If the basis is one on a sphere, or the points are not finite numbers of shape [points, 3].

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
    angular = basis.angular_squared_norm
    density = np.zeros((n, channels, len(places)), dtype=holograms.coefficients.dtype)
    for start in range(0, len(places), _POINTS):
        scaled = places[start : start + _POINTS].astype(np.float64) / radial.cutoff
        inside = squared_lengths(scaled) <= 1
        evaluated = _Evaluated.at(scaled[inside], basis, radial)
        values = np.zeros((n * channels, int(inside.sum())))
        for degree in range(basis.lmax + 1):
            radials = math.sqrt(angular) * evaluated.radial_functions(radial, degree)
            if basis.point_normalization == "none":
                radials /= angular * squared_norms(radial, degree)[:, None]
            functions = radials[:, None] * evaluated.degree(degree)
            block = holograms.degree(degree).astype(np.float64)
            values += block.reshape(n * channels, -1) @ functions.reshape(-1, values.shape[1])
        density[:, :, start : start + _POINTS][:, :, inside] = values.reshape(n, channels, -1)
    return density
