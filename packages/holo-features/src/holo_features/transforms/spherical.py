"""Spherical Fourier transform of images on a sphere, and its inverse."""

import math
from functools import lru_cache

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import DTypeLike, NDArray
from scipy.fft import irfft, rfft
from scipy.special import sph_legendre_p_all

from holo_types import Basis, Grid, HoloError, Holograms, SphereImages

from .grids import sphere_grid
from .quarter_turn import quarter_turn

__all__ = ["inverse_spherical_transform", "spherical_transform"]

# Samples that are processed at once, in bytes of float64.
_BLOCK_BYTES = 1 << 23
# From this degree on, the fast Fourier transform is faster than a matrix product, which runs near peak speed.
_FFT_DEGREE = 80


@attrs.frozen(eq=False)
class _Order:
    """The tables of a transform for the harmonics of one order, m and -m.

    Harmonics are ordered by degree; within a degree, the cosines m = 0..l come first, then the sines m = 1..l.
    """

    waves: slice  # the row of m = 0, or the two rows of m, among the Fourier functions
    places: tuple[
        NDArray[np.int64], ...
    ]  # of degrees l = m..lmax among the harmonics, for each of these rows
    analysis: Float[np.ndarray, "degrees theta"]  # Λ_lm(θ) times the quadrature weight
    synthesis: Float[np.ndarray, "degrees theta"]  # Λ_lm(θ)


@attrs.frozen(eq=False)
class _Plan:
    """The tables of a transform between a grid and the degrees up to lmax.

    The harmonics of the coefficients, e3nn's, are the textbook's for the cyclically permuted axes (z, x, y): their pole
    is y, but the rows of a grid lie about z. These axes differ by a quarter turn about z and one about y. For the
    first, the azimuth is shifted by a quarter turn; for the second, `quarter_turn` mixes the orders of a degree.
    """

    fourier: Float[
        np.ndarray, "waves phi"
    ]  # 1, then sqrt(2) cos m(φ + π/2), sqrt(2) sin m(φ + π/2), m = 1, ...
    orders: tuple[_Order, ...]
    turns: tuple[tuple[Float[np.ndarray, "cosines cosines"], Float[np.ndarray, "sines sines"]], ...]

    @property
    def lmax(self) -> int:
        return len(self.turns) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns of the grid."""
        return self.orders[0].synthesis.shape[1], self.fourier.shape[1]


@lru_cache(maxsize=4)
def _plan(grid: Grid, bandwidth: int, lmax: int) -> _Plan:
    nodes = sphere_grid(grid, bandwidth)
    angles = np.arange(1, lmax + 1)[:, None] * (nodes.azimuths + np.pi / 2)
    waves = math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    fourier = np.concatenate(
        [np.ones((1, len(nodes.azimuths))), waves.reshape(2 * lmax, len(nodes.azimuths))]
    )
    # For all degrees and orders, the negative ones last, with Condon-Shortley's (-1)^m.
    legendre = sph_legendre_p_all(lmax, lmax, nodes.colatitudes).reshape(lmax + 1, 2 * lmax + 1, -1)
    orders = []
    for order in range(lmax + 1):
        functions = (-1) ** order * legendre[order:, order]
        degrees = np.arange(order, lmax + 1)
        cosines, sines = degrees**2 + order, degrees**2 + degrees + order
        pair = slice(2 * order - 1, 2 * order + 1) if order else slice(0, 1)
        places = (cosines, sines) if order else (cosines,)
        orders.append(_Order(pair, places, functions * nodes.weights, functions))
    return _Plan(fourier, tuple(orders), quarter_turn(lmax))


def _to_waves(samples: NDArray[np.float64], plan: _Plan) -> Float[np.ndarray, "waves rows"]:
    """Project each row of samples [rows, phi] onto the Fourier functions."""
    if plan.lmax < _FFT_DEGREE:
        product: NDArray[np.float64] = plan.fourier @ samples.T
        return product
    spectra = np.ascontiguousarray(rfft(samples, axis=1)[:, : plan.lmax + 1].T)
    spectra *= (math.sqrt(2) * (-1j) ** (np.arange(plan.lmax + 1) % 4))[:, None]  # m(φ + π/2)
    waves = np.empty((len(plan.fourier), len(samples)))
    waves[0] = spectra[0].real / math.sqrt(2)
    waves[1::2], waves[2::2] = spectra[1:].real, -spectra[1:].imag
    return waves


def _from_waves(waves: NDArray[np.float64], plan: _Plan) -> Float[np.ndarray, "rows phi"]:
    """Sum the Fourier functions with coefficients [waves, rows]."""
    columns = plan.fourier.shape[1]
    if plan.lmax < _FFT_DEGREE:
        product: NDArray[np.float64] = waves.T @ plan.fourier
        return product
    spectra = np.zeros((columns // 2 + 1, waves.shape[1]), dtype=np.complex128)
    spectra[0] = waves[0]
    spectra[1 : plan.lmax + 1] = (waves[1::2] - 1j * waves[2::2]) * math.sqrt(0.5)
    spectra[: plan.lmax + 1] *= (1j ** (np.arange(plan.lmax + 1) % 4))[:, None]
    rows: NDArray[np.float64] = irfft(np.ascontiguousarray(spectra.T), columns, axis=1, norm="forward")
    return rows


def _analyze(samples: Float[np.ndarray, "images theta phi"], plan: _Plan) -> Float[np.ndarray, "images lm"]:
    """Return the coefficients for e3nn's harmonics."""
    images, rows, columns = samples.shape
    waves = _to_waves(samples.reshape(images * rows, columns), plan)
    harmonics = np.empty(((plan.lmax + 1) ** 2, images))
    for order in plan.orders:
        block = order.analysis @ waves[order.waves].reshape(-1, rows).T
        for part, places in enumerate(order.places):
            harmonics[places] = block[:, part * images : (part + 1) * images]
    coefficients = np.empty((images, len(harmonics)))
    for degree, (cosines, sines) in enumerate(plan.turns):
        block, center = harmonics[degree**2 : (degree + 1) ** 2].T, degree * (degree + 1)
        coefficients[:, center : center + degree + 1] = block[:, : degree + 1] @ cosines.T
        coefficients[:, degree**2 : center][:, ::-1] = block[:, degree + 1 :] @ sines.T
    return coefficients


def _synthesize(
    coefficients: Float[np.ndarray, "images lm"], plan: _Plan
) -> Float[np.ndarray, "images theta phi"]:
    """Return the samples from coefficients for e3nn's harmonics."""
    images, (rows, columns) = len(coefficients), plan.shape
    harmonics = np.empty((coefficients.shape[1], images))
    for degree, (cosines, sines) in enumerate(plan.turns):
        block, center = harmonics[degree**2 : (degree + 1) ** 2], degree * (degree + 1)
        block[: degree + 1] = cosines.T @ coefficients[:, center : center + degree + 1].T
        block[degree + 1 :] = sines.T @ coefficients[:, degree**2 : center][:, ::-1].T
    waves = np.empty((len(plan.fourier), images * rows))
    for order in plan.orders:
        for row, places in zip(waves[order.waves], order.places, strict=True):
            np.matmul(harmonics[places].T, order.synthesis, out=row.reshape(images, rows))
    return _from_waves(waves, plan).reshape(images, rows, columns)


def spherical_transform(images: SphereImages, lmax: int, dtype: DTypeLike = np.float32) -> Holograms:
    """Encode images on a sphere as holograms, which are their coefficients in spherical harmonics.

    f_clm = ∫ f_c(r̂) Y_lm(r̂) over the sphere, by the grid's own quadrature, which is exact for images of degrees below
    the bandwidth.

    Parameters
    ----------
    images
        Images on a Driscoll-Healy or Gauss-Legendre grid.
    lmax
        Highest degree, less than the bandwidth.
    dtype
        float32 or float64, the type of the result. The coefficients are computed in float64.

    Returns
    -------
    Holograms
        One row for each image, with its index, in the orthonormal basis on the sphere.

    Raises
    ------
    HoloError
        If lmax is not an integer from 0 to bandwidth - 1, or the dtype is another one.

    Notes
    -----
    The integral over φ is a Fourier transform of each row, and that over θ is one matrix product with Legendre
    functions for each order m; the pole is then rotated from z to e3nn's y by one small matrix for each degree. For 2b
    × 2b samples, that is 8b² lmax + 4b lmax² operations, where one dense matrix product has 8b² lmax². Driscoll and
    Healy, *Adv. Appl. Math.* 15, 202 (1994).

    Examples
    --------
    >>> images = SphereImages(np.ones((1, 1, 4, 4)), "driscoll-healy", ("image",))
    >>> spherical_transform(images, 1).coefficients.round(3) + 0.0  # sqrt(4 pi), and no direction
    array([[3.545, 0.   , 0.   , 0.   ]], dtype=float32)
    """
    if isinstance(lmax, bool) or not isinstance(lmax, int) or not 0 <= lmax < images.bandwidth:
        raise HoloError(
            f"spherical_transform: lmax is {lmax!r}; it must be an integer >= 0 and less than the images' "
            f"bandwidth, {images.bandwidth}"
        )
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise HoloError(f"spherical_transform: dtype is {kind}; it must be float32 or float64")
    basis = Basis(lmax, None, images.channels)
    plan = _plan(images.grid, images.bandwidth, lmax)
    channels, (rows, columns) = len(images.channels), plan.shape
    coefficients = np.empty((len(images), basis.dim), dtype=kind)
    batch = max(1, _BLOCK_BYTES // (8 * channels * rows * columns))
    for start in range(0, len(images), batch):
        block = images.values[start : start + batch].astype(np.float64, copy=False)
        flat = _analyze(block.reshape(-1, rows, columns), plan)
        coefficients[start : start + batch] = _by_degree(flat, channels)
    return Holograms(coefficients, basis, images.index)


def _by_degree(flat: Float[np.ndarray, "images lm"], channels: int) -> Float[np.ndarray, "n dim"]:
    """Convert [n × channels, lm] to the layout of holograms: degrees, then channels, then m."""
    if channels == 1:
        return flat
    by_channel = flat.reshape(-1, channels, flat.shape[1])
    degrees = range(math.isqrt(flat.shape[1]))
    return np.concatenate(
        [by_channel[:, :, l**2 : (l + 1) ** 2].reshape(len(by_channel), -1) for l in degrees],  # noqa: E741
        axis=1,
    )


def inverse_spherical_transform(
    holograms: Holograms, grid: Grid = "driscoll-healy", bandwidth: int | None = None
) -> SphereImages:
    """Decode holograms into images on a sphere.

    f_c(r̂) = Σ_lm f_clm Y_lm(r̂) with orthonormal harmonics; coefficients in other normalizations are divided by the
    squared norm of their harmonics, so that this inverts `spherical_transform` in every normalization.

    Parameters
    ----------
    holograms
        Holograms in a basis on the sphere.
    grid
        ``"driscoll-healy"`` or ``"gauss-legendre"``.
    bandwidth
        The bandwidth of the grid, greater than the basis's lmax; by default lmax + 1.

    Returns
    -------
    SphereImages
        Images in the dtype of the coefficients, computed in float64, with the index of the holograms.

    Raises
    ------
    HoloError
        If the basis has a radial part, the grid is unknown, or the bandwidth is too small for the basis.

    Examples
    --------
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> images = inverse_spherical_transform(Holograms(np.eye(4), basis), bandwidth=2)
    >>> images.values.shape, bool(np.allclose(spherical_transform(images, 1).coefficients, np.eye(4)))
    ((4, 1, 4, 4), True)
    """
    basis = holograms.basis
    if basis.radial is not None:
        raise HoloError(
            "inverse_spherical_transform: the basis has a Zernike radial part; it must be on the sphere (radial None)"
        )
    size = basis.lmax + 1 if bandwidth is None else bandwidth
    if isinstance(size, bool) or not isinstance(size, int) or size <= basis.lmax:
        raise HoloError(
            f"inverse_spherical_transform: bandwidth is {size!r}; it must be an integer above the basis's lmax, "
            f"{basis.lmax}"
        )
    plan = _plan(grid, size, basis.lmax)
    channels, (rows, columns) = len(basis.channels), plan.shape
    norm = math.sqrt(basis.angular_squared_norm)
    values = np.empty((len(holograms), channels, rows, columns), dtype=holograms.coefficients.dtype)
    batch = max(1, _BLOCK_BYTES // (8 * channels * rows * columns))
    for start in range(0, len(holograms), batch):
        block = holograms[start : start + batch]
        by_channel = np.concatenate([block.degree(degree) for degree in range(basis.lmax + 1)], axis=2)
        flat = by_channel.reshape(len(block) * channels, -1).astype(np.float64) / norm
        values[start : start + batch] = _synthesize(flat, plan).reshape(-1, channels, rows, columns)
    return SphereImages(values, grid, basis.channels, holograms.index)
