"""Pictures of holograms that a model decodes from z."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from holo_types import Holograms

from . import plots
from .scenes import colored_views
from .views import camera

__all__ = ["draw_generated"]


def draw_generated(
    rows: Sequence[tuple[str, Holograms]], titles: Sequence[str] = (), *, follow: bool = False
) -> Figure:
    """Draw rows of holograms as discs that show half of the sphere from its center, or densities in the plane z = 0.

    Parameters
    ----------
    rows
        The name of each row and its holograms. Rows may differ in length, but all have the same basis.
    titles
        The titles of the columns.
    follow
        Whether to look toward most of the signal of each hologram, for signals on a sphere in different frames.

    Returns
    -------
    Figure
        The picture, with spheres from dark to bright, each in its own range, or densities in the colors of their
        elements.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> holograms = Holograms(np.random.default_rng(0).normal(size=(3, basis.dim)), basis)
    >>> len(draw_generated([("7", holograms)]).axes[0].images)  # and the key of the shades
    4
    """
    # Only coefficients are drawn, since rows from different sources may have different columns and dtypes.
    every = Holograms(np.concatenate([holograms.coefficients for _, holograms in rows]), rows[0][1].basis)
    views, _ = colored_views(every, camera(every) if every.basis.radial is None else None, follow=follow)
    parts = np.split(views, np.cumsum([len(holograms) for _, holograms in rows])[:-1])
    named = [(name, part) for (name, _), part in zip(rows, parts, strict=True)]
    return plots.tiles(named, titles, () if every.basis.radial is None else every.basis.channels)
