"""Named numbers."""

import attrs
import numpy as np
from jaxtyping import Float

from holo_types import HoloError

__all__ = ["Numbers"]


@attrs.frozen(eq=False)
class Numbers:
    """Named numbers that describe one thing, such as a complex, or several, with one row for each.

    Parameters
    ----------
    names
        The name of each number of a row.
    values : Float[ndarray, "... n"]
        The numbers, float64.

    Raises
    ------
    HoloError
        If there is not one name for each number.

    Examples
    --------
    >>> Numbers(("contacts", "burial"), np.zeros((3, 2))).values.shape
    (3, 2)
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "... n"]

    def __attrs_post_init__(self) -> None:
        if self.values.ndim == 0 or len(self.names) != self.values.shape[-1]:
            count = self.values.shape[-1] if self.values.ndim else 0
            raise HoloError(f"Numbers: {len(self.names)} names for {count} values")
