"""Pictures of what a model makes of z itself."""

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
    """Draw rows of holograms as discs: half of the sphere from its center, or densities in the plane z = 0.

    Parameters
    ----------
    rows
        The name of each row and its holograms; rows may differ in length, the basis is one.
    titles
        The titles of the columns.
    follow
        Look to where each hologram has most of its signal, for those on a sphere that do not lie in one frame.

    Returns
    -------
    Figure
        Spheres from dark to bright, each by its own range; densities in the colors of their elements.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> holograms = Holograms(np.random.default_rng(0).normal(size=(3, basis.dim)), basis)
    >>> len(draw_generated([("7", holograms)]).axes[0].images)  # and the key of the shades
    4
    """
    # Only coefficients are drawn: rows may come from different places, with other columns and dtypes.
    every = Holograms(np.concatenate([holograms.coefficients for _, holograms in rows]), rows[0][1].basis)
    views, _ = colored_views(every, camera(every) if every.basis.radial is None else None, follow=follow)
    parts = np.split(views, np.cumsum([len(holograms) for _, holograms in rows])[:-1])
    named = [(name, part) for (name, _), part in zip(rows, parts, strict=True)]
    return plots.tiles(named, titles, () if every.basis.radial is None else every.basis.channels)
