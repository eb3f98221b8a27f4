"""Weighted points about many origins."""

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_types.display import Displayed, Summary, shown
from holo_types.errors import HoloError

from .basis import channel_names, check_channels
from .checks import EXACT, check_centers, check_columns, check_floats, rows_of
from .columns import Index, PointColumns, RowSelection, as_index, as_point_columns

__all__ = ["PointClouds"]


@attrs.frozen(hash=False, repr=False)
class PointClouds(Displayed):
    """Weighted points about many origins, stored as one ragged array.

    Cloud i holds the points ``offsets[i]:offsets[i+1]``.

    Parameters
    ----------
    coordinates : Float[ndarray, "points 3"]
        Positions in Å, relative to each cloud's own origin.
    weights : Float[ndarray, "points channels"]
        Weight of each point in each channel.
    offsets : Int[ndarray, "n+1"]
        Where each cloud begins; the first is 0, the last the number of points.
    channels : tuple of str
        Names of the channels.
    index : Index
        A description of each cloud.
    centers : Float[ndarray, "n 3"], optional
        Position of each origin, in Å, in the coordinates of its file; None if it is unknown.
    point_columns : PointColumns
        A description of each point, such as whether it belongs to the backbone; empty by default.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> clouds = PointClouds(np.zeros((3, 3)), np.ones((3, 1)), np.array([0, 1, 3]), ("C",))
    >>> len(clouds), clouds[1:].offsets
    (2, array([0, 2]))
    """

    coordinates: Float[np.ndarray, "points 3"] = attrs.field(eq=EXACT)
    weights: Float[np.ndarray, "points channels"] = attrs.field(eq=EXACT)
    offsets: Int[np.ndarray, "n+1"] = attrs.field(eq=EXACT)
    channels: tuple[str, ...] = attrs.field(converter=channel_names)
    index: Index = attrs.field(factory=Index, converter=as_index)
    centers: Float[np.ndarray, "n 3"] | None = attrs.field(default=None, kw_only=True, eq=EXACT)
    point_columns: PointColumns = attrs.field(factory=PointColumns, converter=as_point_columns, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_floats(self, "coordinates", self.coordinates, ("points", 3))
        check_channels(self, self.channels)
        points = len(self.coordinates)
        check_floats(self, "weights", self.weights, (points, len(self.channels)))
        offsets = self.offsets
        if not isinstance(offsets, np.ndarray) or offsets.dtype.kind not in "iu" or offsets.ndim != 1:
            raise HoloError(f"PointClouds.offsets is {offsets!r}; it must be an integer array [n+1]")
        object.__setattr__(self, "offsets", offsets.astype(np.int64, copy=False))
        if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != points:
            raise HoloError(
                f"PointClouds.offsets is {offsets}; it must begin with 0 and end with {points}, the number of points"
            )
        if np.any(np.diff(self.offsets) < 0):
            raise HoloError(
                f"PointClouds.offsets decreases after {int(np.argmin(np.diff(self.offsets)))}; it must not decrease"
            )
        check_columns(self, self.index, len(self))
        check_centers(self, self.centers)
        check_columns(self, self.point_columns, points, "point")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def summary(self) -> Summary:
        """Return what is printed: how many clouds and points, the channels, and the first rows."""
        title = f"PointClouds: {len(self):,} clouds of {len(self.coordinates):,} points"
        facts = {"channels": ", ".join(self.channels)}
        if self.point_columns:
            facts["columns of points"] = ", ".join(self.point_columns)
        return shown(title, facts, self.index, {"points": np.diff(self.offsets)[:, None]}, len(self))

    def __getitem__(self, rows: RowSelection) -> "PointClouds":
        starts, stops = self.offsets[:-1][rows], self.offsets[1:][rows]
        sizes = stops - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if isinstance(rows, slice) and rows.step in (None, 1) and len(sizes):
            points: slice | NDArray[np.int64] = slice(int(starts[0]), int(stops[-1]))
        else:
            points = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
        return attrs.evolve(
            self,
            coordinates=self.coordinates[points],
            weights=self.weights[points],
            offsets=offsets,
            index=self.index.take(rows),
            centers=rows_of(self.centers, rows),
            point_columns=self.point_columns.take(points),
        )
