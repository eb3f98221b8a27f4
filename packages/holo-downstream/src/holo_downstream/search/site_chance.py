"""How well sites of unrelated proteins match by chance, as stored in an index."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import HoloError

__all__ = ["MOST_RESIDUES", "SIZES", "SiteChance"]

SIZES = (2, 3, 4, 8, 20)  # for which chance is measured
MOST_RESIDUES = SIZES[-1]
_FEWEST_SITES = 1e-15  # the share of one residue in an index of 10^15


@attrs.frozen(eq=False)
class SiteChance:
    """The scores of random sites in the index that they come from: the best in each cluster.

    Parameters
    ----------
    scores
        For each number of residues of a site, all these scores in ascending order; lower is better.
    scores_of_any_type
        The same, where partners may be of any type.
    sites
        The number of random sites for each number of residues, times the share of the index that was searched for them.

    Raises
    ------
    HoloError
        If scores of a number of residues are missing or not in ascending order, or there is no site.
    """

    scores: Mapping[int, NDArray[np.float64]]
    scores_of_any_type: Mapping[int, NDArray[np.float64]]
    sites: float

    def __attrs_post_init__(self) -> None:
        for of_size in (self.scores, self.scores_of_any_type):
            if tuple(of_size) != SIZES:
                raise HoloError(
                    f"there are scores of sites of {list(of_size)} residues; {list(SIZES)} are needed"
                )
            for size, scores in of_size.items():
                if scores.ndim != 1 or not np.isfinite(scores).all() or (np.diff(scores) < 0).any():
                    raise HoloError(
                        f"the scores of sites of {size} residues are not finite and in ascending order; they must be"
                    )
        if not _FEWEST_SITES <= self.sites < np.inf:
            raise HoloError(f"the number of random sites is {self.sites:g}; it must be positive and finite")

    def expected(
        self, size: int, scores: Float[np.ndarray, "n"], *, any_type: bool = False
    ) -> Float[np.ndarray, "n"]:
        """Return in how many clusters a random site has a hit as good; at least `least`, which stands for "less than".

        Parameters
        ----------
        size
            The number of residues of the site, at most `MOST_RESIDUES`. Between two that were measured, their numbers
            of clusters are interpolated, as logarithms.
        scores : Float[ndarray, "n"]
            The scores of hits.
        any_type
            Whether partners may be of any type.
        """
        of_size = self.scores_of_any_type if any_type else self.scores
        known = sorted(of_size)
        logarithms = np.stack(
            [np.log(np.maximum(np.searchsorted(of_size[each], scores, "right"), 1)) for each in known]
        )
        place = np.interp(np.log(size), np.log(known), np.arange(len(known)))
        below, part = int(place), place - int(place)
        above = min(below + 1, len(known) - 1)
        hits: NDArray[np.float64] = np.exp((1 - part) * logarithms[below] + part * logarithms[above])
        return hits / self.sites

    @property
    def least(self) -> float:
        """The smallest number that can be resolved: one cluster for all random sites."""
        return 1 / self.sites
