"""Holograms back to points, by orthogonal matching pursuit."""

from collections.abc import Iterator
from itertools import product

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import Basis, HoloError, Holograms, PointClouds

from .zernike import zernike_transform

__all__ = ["find_points"]

# The spacing of the grid that is searched first, in units of the cutoff over nmax: a quarter of the shortest wave.
_SPACING = 1.5
_PRECISION = 0.01  # Å, at which a point is no longer moved
_SWEEPS = 3  # in which all points of a channel are moved once more, each beside the others
# The least norm of a point, relative to the largest: near the cutoff of an envelope, errors would look like points.
_LEAST_NORM = 0.1


def find_points(holograms: Holograms, *, least: float = 0.5, most: int = 64) -> PointClouds:
    """Find the points whose holograms add up to the given ones.

    This is the inverse of `zernike_transform` for a few points in each channel. The point that explains most of the
    coefficients of a channel is found, then the one that explains most of the remainder, and so on. Then all positions
    are refined and all weights fitted. If points are closer to each other than the basis resolves, fewer points are
    found, or at other positions.

    Parameters
    ----------
    holograms
        Holograms in a basis with a Zernike radial part.
    least
        The least weight of a point. The search of a channel ends when no position has as much.
    most
        The maximum number of points in each channel of a hologram.

    Returns
    -------
    PointClouds
        A cloud for each hologram, with its index; each point has a weight in one channel.

    Raises
    ------
    HoloError
        If the basis is of a sphere, or `least` is not above 0.

    Notes
    -----
    Y. Pati, R. Rezaiifar and P. Krishnaprasad, Orthogonal matching pursuit, Asilomar Conference on Signals, Systems
    and Computers (1993).

    Examples
    --------
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=6, radial=Zernike(nmax=10, cutoff=5.0), channels=("C", "N"))
    >>> points = np.array([[1.0, 0.0, 1.0], [0.0, -2.0, 1.0]])
    >>> clouds = PointClouds(points, np.eye(2), np.array([0, 2]), ("C", "N"))
    >>> found = find_points(zernike_transform(clouds, basis))
    >>> bool(np.abs(found.coordinates - points).max() < 0.03), found.weights.round(1).tolist()
    (True, [[1.0, 0.0], [0.0, 1.0]])
    """
    radial = holograms.basis.radial
    if radial is None:
        raise HoloError(
            "find_points: the basis is of a sphere (radial None); it must have a Zernike radial part"
        )
    if not least > 0:
        raise HoloError(f"find_points: least is {least}; it must be above 0")
    channels = holograms.basis.channels
    search = _Search.of(attrs.evolve(holograms.basis, channels=channels[:1]))
    found = [search.points(row, least, most) for row in _of_channels(holograms)]
    which = np.tile(np.arange(len(channels)), len(holograms))
    counts = np.array([len(amplitudes) for _, amplitudes in found], dtype=np.int64)
    weights = np.eye(len(channels))[np.repeat(which, counts)]
    weights *= np.concatenate([amplitudes for _, amplitudes in found] or [np.zeros(0)])[:, None]
    return PointClouds(
        np.concatenate([places for places, _ in found] or [np.zeros((0, 3))]),
        weights,
        np.concatenate([[0], np.cumsum(counts.reshape(len(holograms), -1).sum(axis=1))]).astype(np.int64),
        channels,
        holograms.index,
        centers=holograms.centers,
    )


def _of_channels(holograms: Holograms) -> Iterator[NDArray[np.float64]]:
    """Yield the coefficients of each channel of each hologram, as a basis of one channel has them."""
    count = len(holograms.basis.channels)
    for row in holograms.coefficients.astype(np.float64):
        blocks = [row[part].reshape(count, -1) for part in holograms.basis.irreps.slices]
        yield from np.concatenate(blocks, axis=1)


@attrs.frozen(eq=False)
class _Search:
    """Points of weight 1 on a grid, which all holograms of a basis of one channel share.

    Attributes
    ----------
    basis
        The basis, of one channel.
    grid
        The positions, in Å.
    unit
        The coefficients of a point of weight 1 at each position, divided by their norm.
    norms
        The norms of these coefficients.
    """

    basis: Basis
    grid: Float[np.ndarray, "places 3"]
    unit: Float[np.ndarray, "places dim"]
    norms: Float[np.ndarray, "places"]

    @classmethod
    def of(cls, basis: Basis) -> "_Search":
        assert basis.radial is not None
        cutoff = basis.radial.cutoff
        steps = max(2, int(np.ceil(basis.radial.nmax / _SPACING)))
        side = np.linspace(-cutoff, cutoff, 2 * steps + 1)
        grid = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
        grid = grid[np.linalg.norm(grid, axis=1) < cutoff]
        coefficients = _points(grid, basis).astype(np.float32)
        norms = np.linalg.norm(coefficients, axis=1)
        kept = norms > _LEAST_NORM * norms.max()
        return cls(basis, grid[kept], coefficients[kept] / norms[kept, None], norms[kept].astype(np.float64))

    def points(
        self, row: NDArray[np.float64], least: float, most: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the positions and weights of the points of one channel."""
        places = np.zeros((0, 3))
        while len(places) < most:
            weights, rest = self._fit(row, places)
            gain = (self.unit @ rest.astype(np.float32)).astype(np.float64)
            gain[gain < least * self.norms] = 0
            best = int(gain.argmax())
            if gain[best] <= 0:
                break
            more = np.concatenate([places, self._moved(self.grid[best], rest)[None]])
            weights, _ = self._fit(row, more)
            if weights.min() < least:  # it is a part of another point
                break
            places = more
        for _ in range(_SWEEPS if len(places) > 1 else 0):
            for number in range(len(places)):
                weights, rest = self._fit(row, places)
                own = weights[number] * _points(places[number : number + 1], self.basis)[0]
                places[number] = self._moved(places[number], rest + own)
        weights, _ = self._fit(row, places)
        return places[weights >= least], weights[weights >= least]

    def _fit(
        self, row: NDArray[np.float64], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least-squares weights of points at given positions, and the remainder of the row."""
        if not len(places):
            return np.zeros(0), row
        coefficients = _points(places, self.basis)
        solved = np.linalg.lstsq(coefficients.T, row, rcond=None)[0]
        weights: NDArray[np.float64] = np.asarray(solved, dtype=np.float64)
        return weights, row - weights @ coefficients

    def _moved(self, place: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move a point to where it explains most of the remainder."""
        assert self.basis.radial is not None
        cutoff = self.basis.radial.cutoff
        step = _SPACING * cutoff / self.basis.radial.nmax / 2
        while step > _PRECISION:
            near = place + step * _NEIGHBORS
            near = near[np.linalg.norm(near, axis=1) < cutoff]
            coefficients = _points(near, self.basis)
            norms = np.linalg.norm(coefficients, axis=1)
            gain = np.divide(coefficients @ rest, norms, out=np.zeros_like(norms), where=norms > 0)
            best = near[gain.argmax()]
            if (best == place).all():
                step /= 2
            place = best
        return place


_NEIGHBORS = np.array(list(product((0, -1, 1), repeat=3)), dtype=np.float64)


def _points(places: NDArray[np.float64], basis: Basis) -> NDArray[np.float64]:
    """Return the coefficients of points of weight 1, one row for each."""
    offsets = np.arange(len(places) + 1, dtype=np.int64)
    clouds = PointClouds(places, np.ones((len(places), 1)), offsets, basis.channels)
    return zernike_transform(clouds, basis, np.float64).coefficients
