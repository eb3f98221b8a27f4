"""How well sites of unrelated proteins match by chance, as numbers of an index."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["SiteChance"]


@attrs.frozen(eq=False)
class SiteChance:
    """What random sites of the index's own residues found in it.

    Parameters
    ----------
    scores
        For sites of each number of residues the scores of all their hits, ascending; the lower, the better.
    sites
        How many random sites of each number of residues there were, times the share of the index in which they were
        looked for.
    """

    scores: Mapping[int, NDArray[np.float64]]
    sites: float

    def expected(self, size: int, scores: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return how many hits as good a random site has; at least `least`, which stands for "less than".

        Parameters
        ----------
        size
            The number of residues of the site; more than were measured are taken for the most that were.
        scores : Float[ndarray, "n"]
            Of hits.
        """
        known = max((each for each in self.scores if each <= size), default=min(self.scores))
        found = np.searchsorted(self.scores[known], scores, "right")
        return np.maximum(found, 1) / self.sites

    @property
    def least(self) -> float:
        """The smallest number that can be told: one hit of all the random sites."""
        return 1 / self.sites
