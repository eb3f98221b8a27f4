"""The density that a hologram describes, on a grid and as a map file for molecular viewers."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import HoloError, Holograms, in_frame
from holo_types.extras import extra
from holo_types.files.atomic import replacing, write_errors

from .zernike import inverse_zernike_transform

__all__ = ["DensityMap", "density_map", "write_density_map"]

_SUFFIXES = (".mrc", ".ccp4", ".map")
# Points along an axis: a billion in all, 8 GB in float64.
_LONGEST = 1000


@attrs.frozen(eq=False)
class DensityMap:
    """Densities on a cubic grid.

    Parameters
    ----------
    values : Float[ndarray, "channels x y z"]
        Weight per cutoff³, see `inverse_zernike_transform`; zero beyond the cutoff.
    first
        Point [i, j, k] of the grid is at (first + [i, j, k]) × spacing, in Å. Therefore all grids with one spacing
        share their points, wherever their center is.
    spacing
        In Å.
    channels
        Names of the channels.
    """

    values: Float[np.ndarray, "channels x y z"]
    first: tuple[int, int, int]
    spacing: float
    channels: tuple[str, ...]

    def axis(self, number: int) -> Float[np.ndarray, "points"]:
        """Return the coordinates along x (0), y (1) or z (2), in Å."""
        count: int = self.values.shape[1 + number]
        return self.spacing * np.arange(self.first[number], self.first[number] + count, dtype=np.float64)


def density_map(
    holograms: Holograms,
    row: int = 0,
    spacing: float = 0.5,
    center: Sequence[float] | Float[np.ndarray, "3"] = (0.0, 0.0, 0.0),
    frame: Float[np.ndarray, "3 3"] | None = None,
) -> DensityMap:
    """Evaluate the densities of one hologram on the grid points within the cutoff of its center.

    Parameters
    ----------
    holograms
        Holograms in a basis with a Zernike radial part.
    row
        The row of the hologram.
    spacing
        The spacing of the grid, in Å.
    center : Float[ndarray, "3"]
        Position of the hologram's origin, in Å; the position of the Cα places the map over its structure.
    frame : Float[ndarray, "3 3"], optional
        The axes, as rows, in which the hologram is given, such as a row of `Embeddings.frames` for a hologram that was
        decoded without a frame; by default these are the axes of the structure.

    Returns
    -------
    DensityMap
        The map, in the dtype of the coefficients.

    Raises
    ------
    HoloError
        If the basis is one on a sphere, there is no such row, or spacing, center or frame are not as described.

    Examples
    --------
    >>> from holo_types import Basis, Zernike
    >>> basis = Basis(lmax=0, radial=Zernike(nmax=0, cutoff=2.0), channels=("C",))
    >>> density = density_map(Holograms(np.ones((1, 1)), basis), spacing=1.0, center=(0.0, 0.0, 10.5))
    >>> density.values.shape, density.first, density.axis(2).tolist()
    ((1, 5, 5, 4), (-2, -2, 9), [9.0, 10.0, 11.0, 12.0])
    """
    basis = holograms.basis
    if basis.radial is None:
        raise HoloError(
            "density_map: the basis is of a sphere (radial None); it must have a Zernike radial part"
        )
    if not -len(holograms) <= row < len(holograms):
        raise HoloError(f"density_map: row is {row}; it must be one of the {len(holograms)} holograms")
    cutoff = basis.radial.cutoff
    if not (np.isfinite(spacing) and 2 * cutoff / _LONGEST <= spacing):
        raise HoloError(
            f"density_map: spacing is {spacing:g}; it must be a length >= {2 * cutoff / _LONGEST:g} Å"
        )
    middle = _checked("center", center, (3,))
    axes = _checked_frame(frame)
    lowest = np.ceil((middle - cutoff) / spacing).astype(np.int64)
    highest = np.floor((middle + cutoff) / spacing).astype(np.int64)
    sides = [
        spacing * np.arange(low, high + 1) - origin
        for low, high, origin in zip(lowest, highest, middle, strict=True)
    ]
    x, y, z = np.meshgrid(*sides, indexing="ij", sparse=True)
    # A margin for rounding: the inverse itself decides which points are within the cutoff.
    near = x * x + y * y + z * z <= cutoff**2 * (1 + 1e-9)
    points = np.stack([side[index] for side, index in zip(sides, np.nonzero(near), strict=True)], axis=1)
    inside = inverse_zernike_transform(holograms[np.array([row])], in_frame(points, axes))[0]
    values = np.zeros((len(basis.channels), *near.shape), dtype=inside.dtype)
    values[:, near] = inside
    i, j, k = map(int, lowest)
    return DensityMap(values, (i, j, k), float(spacing), basis.channels)


def _checked(name: str, value: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array: NDArray[Any] = np.asarray(value)
    if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        expected = " × ".join(map(str, shape))
        raise HoloError(f"density_map: {name} is {value!r}; it must be {expected} finite numbers")
    return array.astype(np.float64)


def _checked_frame(frame: Float[np.ndarray, "3 3"] | None) -> NDArray[np.float64]:
    if frame is None:
        return np.eye(3)
    axes = _checked("frame", frame, (3, 3))
    if np.abs(axes @ axes.T - np.eye(3)).max() > 1e-4:  # a model's frame is float32
        raise HoloError(f"density_map: frame is {axes.tolist()}; its rows must be three orthonormal axes")
    return axes


def write_density_map(density: DensityMap, channel: str, path: str | os.PathLike[str]) -> None:
    """Write one channel as a map in the MRC 2014 format, which CCP4 shares.

    Origin and first voxel are both set, so that PyMOL, ChimeraX, Coot, Mol* and gemmi place the map over the structure
    whose coordinates gave its center. The file appears whole or not at all.

    Parameters
    ----------
    density
        A map from `density_map`.
    channel
        Name of the channel.
    path
        A path that ends in ``.mrc``, ``.ccp4`` or ``.map``. Values are written as float32, because the format lacks
        float64.

    Raises
    ------
    HoloError
        If there is no such channel, the path ends otherwise, mrcfile is not installed, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from holo_types import Basis, Zernike
    >>> basis = Basis(lmax=0, radial=Zernike(nmax=0, cutoff=2.0), channels=("C",))
    >>> density = density_map(Holograms(np.ones((1, 1)), basis), spacing=1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_density_map(density, "C", Path(folder, "carbon.mrc"))
    ...     Path(folder, "carbon.mrc").stat().st_size
    1524
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise HoloError(f"{target}: the name of a map must end in {', '.join(_SUFFIXES)}")
    if channel not in density.channels:
        raise HoloError(f"write_density_map: channel is {channel!r}; it must be one of {density.channels}")
    with extra("holo-features[maps]"):
        import mrcfile  # noqa: PLC0415
    values = density.values[density.channels.index(channel)].astype(np.float32)
    with write_errors(target), replacing(target) as new, mrcfile.new(new) as file:
        file.set_data(np.ascontiguousarray(values.T))  # z slowest
        file.set_volume()
        file.voxel_size = density.spacing
        _place(file.header, density.first, density.spacing)
        # In place of mrcfile's label, which contains the time, so that the same map is the same file.
        file.header.label[0] = f"Holo density, channel {channel}".encode("ascii", "replace")[:80]


def _place(header: np.recarray[tuple[()], np.dtype[np.void]], first: Sequence[int], spacing: float) -> None:
    """Write where the map begins, in both ways that readers use."""
    for axis, number in zip("xyz", first, strict=True):
        setattr(header, f"n{axis}start", number)
        setattr(header.origin, axis, number * spacing)
