"""Images on a sphere."""

from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float

from holo_types.display import Displayed, Summary, shown
from holo_types.errors import HoloError

from .basis import channel_names, check_channels
from .checks import EXACT, check_columns, check_floats
from .columns import Index, RowSelection, as_index

__all__ = ["Grid", "SphereImages"]

Grid = Literal["driscoll-healy", "gauss-legendre"]


@attrs.frozen(hash=False, repr=False)
class SphereImages(Displayed):
    """Images on a sphere, sampled on a named grid.

    Parameters
    ----------
    values : Float[ndarray, "n channels theta phi"]
        The samples.
    grid
        ``"driscoll-healy"``: bandwidth b, 2b × 2b samples, θ_j = π(2j+1)/(4b), φ_k = πk/b.
        ``"gauss-legendre"``: bandwidth b, b × (2b-1) samples, cos θ_j the Gauss-Legendre nodes from the
        north pole down, φ_k = 2πk/(2b-1).
    channels
        Names of the channels.
    index
        A description of each image.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> SphereImages(np.zeros((5, 1, 60, 60)), "driscoll-healy", ("image",)).bandwidth
    30
    """

    values: Float[np.ndarray, "n channels theta phi"] = attrs.field(eq=EXACT)
    grid: Grid = attrs.field()
    channels: tuple[str, ...] = attrs.field(converter=channel_names)
    index: Index = attrs.field(factory=Index, converter=as_index)

    def __attrs_post_init__(self) -> None:
        check_channels(self, self.channels)
        check_floats(self, "values", self.values, ("n", len(self.channels), "theta", "phi"))
        theta, phi = self.values.shape[2:]
        if self.grid == "driscoll-healy":
            if theta != phi or theta % 2 or theta == 0:
                raise HoloError(
                    f"SphereImages.values has {theta} × {phi} samples; driscoll-healy needs 2b × 2b"
                )
        elif self.grid == "gauss-legendre":
            if theta == 0 or phi != 2 * theta - 1:
                raise HoloError(
                    f"SphereImages.values has {theta} × {phi} samples; gauss-legendre needs b × (2b-1)"
                )
        else:
            raise HoloError(
                f"SphereImages.grid is {self.grid!r}; it must be 'driscoll-healy' or 'gauss-legendre'"
            )
        check_columns(self, self.index, len(self))

    def __len__(self) -> int:
        return len(self.values)

    def summary(self) -> Summary:
        """Return what is printed: how many images, on which grid, and the first rows."""
        theta, phi = self.values.shape[2:]
        facts = {"grid": f"{self.grid}, {theta} × {phi} samples", "channels": ", ".join(self.channels)}
        return shown(f"SphereImages: {len(self):,} images", facts, self.index, {}, len(self))

    def __getitem__(self, rows: RowSelection) -> "SphereImages":
        return attrs.evolve(self, values=self.values[rows], index=self.index.take(rows))

    @property
    def bandwidth(self) -> int:
        """The bandwidth b: degrees l < b are sampled exactly."""
        theta = int(self.values.shape[2])
        return theta // 2 if self.grid == "driscoll-healy" else theta
