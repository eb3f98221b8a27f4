"""Coefficients in a basis."""

import attrs
import numpy as np
from jaxtyping import Float

from holo_types.display import Displayed, Summary, shown
from holo_types.errors import HoloError

from .basis import Basis
from .checks import EXACT, check_centers, check_columns, check_floats, rows_of
from .columns import Index, RowSelection, as_index

__all__ = ["Holograms"]


@attrs.frozen(hash=False, repr=False)
class Holograms(Displayed):
    """Spherical or Zernike Fourier coefficients of data around origins.

    Parameters
    ----------
    coefficients : Float[ndarray, "n dim"]
        Flat, in the layout that `Basis` describes.
    basis
        The basis of the coefficients.
    index
        A description of each hologram.
    centers : Float[ndarray, "n 3"], optional
        Position of each origin, in Å, in the coordinates of its file; None if it is unknown.

    Raises
    ------
    HoloError
        If a shape, dtype or value does not fit; the message names the field.

    Examples
    --------
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> holograms = Holograms(np.eye(4), basis, {"image": np.arange(4)})
    >>> len(holograms[:2]), holograms[:2].index["image"]
    (2, array([0, 1]))
    """

    coefficients: Float[np.ndarray, "n dim"] = attrs.field(eq=EXACT)
    basis: Basis = attrs.field()
    index: Index = attrs.field(factory=Index, converter=as_index)
    centers: Float[np.ndarray, "n 3"] | None = attrs.field(default=None, kw_only=True, eq=EXACT)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.basis, Basis):
            raise HoloError(f"Holograms.basis is a {type(self.basis).__name__}; it must be a Basis")
        check_floats(self, "coefficients", self.coefficients, ("n", self.basis.dim))
        check_columns(self, self.index, len(self))
        check_centers(self, self.centers)

    @classmethod
    def unchecked(
        cls,
        coefficients: Float[np.ndarray, "n dim"],
        basis: Basis,
        index: Index,
        *,
        centers: Float[np.ndarray, "n 3"] | None,
    ) -> "Holograms":
        """Make holograms from parts that are known to fit together and from coefficients that are known to be finite.

        Checking every coefficient again can take a sixth of the time in which they are computed.

        Examples
        --------
        >>> basis = Basis(lmax=1, radial=None, channels=("image",))
        >>> Holograms.unchecked(np.eye(4), basis, Index(), centers=None) == Holograms(np.eye(4), basis)
        True
        """
        holograms = cls.__new__(cls)
        values = {"coefficients": coefficients, "basis": basis, "index": index, "centers": centers}
        for name, value in values.items():
            object.__setattr__(holograms, name, value)
        return holograms

    def __len__(self) -> int:
        return len(self.coefficients)

    def summary(self) -> Summary:
        """Return what is printed: how many rows, in which basis, and the first rows."""
        rows, numbers = self.coefficients.shape
        title = f"Holograms: {rows:,} rows of {numbers:,} coefficients"
        return shown(title, {"basis": str(self.basis)}, self.index, {"coefficients": self.coefficients}, rows)

    def __getitem__(self, rows: RowSelection) -> "Holograms":
        return attrs.evolve(
            self,
            coefficients=self.coefficients[rows],
            index=self.index.take(rows),
            centers=rows_of(self.centers, rows),
        )

    def degree(self, degree: int) -> Float[np.ndarray, "n multiplicity m"]:
        """Return the coefficients of one degree l; the first axis is channels and radial orders, the last m = -l..l."""
        block = self.coefficients[:, self.basis.irreps.slices[degree]]
        return block.reshape(len(self), -1, 2 * degree + 1)
