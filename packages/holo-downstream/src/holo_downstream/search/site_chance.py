"""How well sites of unrelated proteins match by chance, as stored in an index."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["SiteChance"]


@attrs.frozen(eq=False)
class SiteChance:
    """The scores of hits of random sites in the index that they come from.

    Parameters
    ----------
    scores
        The scores of all hits for sites of each number of residues, in ascending order; lower is better.
    sites
        The number of random sites for each number of residues, times the share of the index that was searched for them.
    """

    scores: Mapping[int, NDArray[np.float64]]
    sites: float

    def expected(self, size: int, scores: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return the number of hits as good for a random site; the minimum is `least`, which stands for "less than".

        Parameters
        ----------
        size
            The number of residues of the site; sites larger than any measured are treated like the largest measured.
        scores : Float[ndarray, "n"]
            The scores of the hits.
        """
        known = max((each for each in self.scores if each <= size), default=min(self.scores))
        found = np.searchsorted(self.scores[known], scores, "right")
        return np.maximum(found, 1) / self.sites

    @property
    def least(self) -> float:
        """The smallest number that can be resolved: one hit of all random sites."""
        return 1 / self.sites
