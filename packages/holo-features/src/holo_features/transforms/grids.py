"""Grids on the sphere: their nodes, and the weights for integration."""

import attrs
import numpy as np
from jaxtyping import Float
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from holo_types import Grid, HoloError

__all__ = ["SphereGrid", "sphere_grid"]

_LARGEST = 1000  # the bandwidth; such a grid has 4 million nodes


@attrs.frozen(eq=False)
class SphereGrid:
    """Nodes and quadrature weights of a grid of rows of equal colatitude.

    Parameters
    ----------
    colatitudes : Float[ndarray, "theta"]
        θ of each row, in radians from the pole z.
    azimuths : Float[ndarray, "phi"]
        φ of each column, in radians from x toward y.
    weights : Float[ndarray, "theta"]
        Weight of every sample of a row: ∫ f over the sphere is Σ_jk w_j f(θ_j, φ_k), which is exact if f is a product
        of two functions of degrees below the bandwidth.
    """

    colatitudes: Float[np.ndarray, "theta"]
    azimuths: Float[np.ndarray, "phi"]
    weights: Float[np.ndarray, "theta"]

    def directions(self) -> Float[np.ndarray, "theta phi 3"]:
        """Return r̂ = (sin θ cos φ, sin θ sin φ, cos θ) of every node."""
        sine, cosine = np.sin(self.colatitudes)[:, None], np.cos(self.colatitudes)[:, None]
        x, y = sine * np.cos(self.azimuths), sine * np.sin(self.azimuths)
        return np.stack([x, y, np.broadcast_to(cosine, x.shape)], axis=-1)


def sphere_grid(grid: Grid, bandwidth: int) -> SphereGrid:
    """Return the grid with a name and bandwidth; see `holo_types.SphereImages`.

    Parameters
    ----------
    grid
        ``"driscoll-healy"`` or ``"gauss-legendre"``.
    bandwidth
        b from 1 to 1,000: degrees l < b are sampled exactly.

    Raises
    ------
    HoloError
        If the name is unknown or the bandwidth is not an integer from 1 to 1,000.

    Notes
    -----
    Driscoll and Healy, *Adv. Appl. Math.* 15, 202 (1994), with the rows half a step off the poles as in Kostelec and
    Rockmore, *J. Fourier Anal. Appl.* 14, 145 (2008).

    Examples
    --------
    >>> grid = sphere_grid("driscoll-healy", 30)
    >>> grid.directions().shape, round(float(60 * grid.weights.sum() / np.pi), 12)
    ((60, 60, 3), 4.0)
    """
    if isinstance(bandwidth, bool) or not isinstance(bandwidth, int) or not 1 <= bandwidth <= _LARGEST:
        raise HoloError(f"bandwidth is {bandwidth!r}; it must be an integer from 1 to {_LARGEST}")
    colatitudes: NDArray[np.float64]
    if grid == "driscoll-healy":
        columns = 2 * bandwidth
        colatitudes = np.pi * (2 * np.arange(columns) + 1) / (4 * bandwidth)
        odd = 2 * np.arange(bandwidth) + 1
        series = np.sin(colatitudes[:, None] * odd) @ (1 / odd)
        polar = 2 / bandwidth * np.sin(colatitudes) * series
    elif grid == "gauss-legendre":
        columns = 2 * bandwidth - 1
        nodes, polar = leggauss(bandwidth)
        colatitudes, polar = np.arccos(nodes[::-1]), polar[::-1]
    else:
        raise HoloError(f"grid is {grid!r}; it must be 'driscoll-healy' or 'gauss-legendre'")
    azimuths = 2 * np.pi * np.arange(columns) / columns
    return SphereGrid(colatitudes, azimuths, polar * (2 * np.pi / columns))
