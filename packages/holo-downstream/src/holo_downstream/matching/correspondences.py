"""Sites, and the residues that may be partners of their residues."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int

__all__ = ["Correspondences", "Site"]


@attrs.frozen(eq=False)
class Site:
    """The residues of a query, with what is compared.

    Parameters
    ----------
    vectors : Float[ndarray, "k d"]
        Scaled z.
    types
        Residue types.
    centers : Float[ndarray, "k 3"]
        The positions of the residues, in Å.
    directions : Float[ndarray, "k 3"]
        The unit vectors of the side chains; 0 where they are not known.
    """

    vectors: Float[np.ndarray, "k d"]
    types: Sequence[str]
    centers: Float[np.ndarray, "k 3"]
    directions: Float[np.ndarray, "k 3"]

    def __len__(self) -> int:
        return len(self.types)


@attrs.frozen(eq=False)
class Correspondences:
    """Pairs of a residue of a site and a possible partner, sorted by structure and then from the best to the worst.

    Parameters
    ----------
    places : Int[ndarray, "m"]
        The number of the residue of the site.
    rows : Int[ndarray, "m"]
        The row of the partner in the index.
    shares : Float[ndarray, "m"]
        The share of all residues that are at least as similar.
    structures : Int[ndarray, "m"]
        The number of each partner's structure.
    centers, directions : Float[ndarray, "m 3"]
        Those of the partner, as in `Site`.
    """

    places: Int[np.ndarray, "m"]
    rows: Int[np.ndarray, "m"]
    shares: Float[np.ndarray, "m"]
    structures: Int[np.ndarray, "m"]
    centers: Float[np.ndarray, "m 3"]
    directions: Float[np.ndarray, "m 3"]

    def __len__(self) -> int:
        return len(self.places)
