"""Sites, and the residues that may stand for one of theirs."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int

__all__ = ["Correspondences", "Site"]


@attrs.frozen(eq=False)
class Site:
    """The residues of a query, as they are compared.

    Parameters
    ----------
    vectors : Float[ndarray, "k d"]
        Scaled z.
    types
        Residue types.
    centers : Float[ndarray, "k 3"]
        In Å.
    directions : Float[ndarray, "k 3"]
        Of the side chains, of length 1; 0 where it is not known.
    """

    vectors: Float[np.ndarray, "k d"]
    types: Sequence[str]
    centers: Float[np.ndarray, "k 3"]
    directions: Float[np.ndarray, "k 3"]

    def __len__(self) -> int:
        return len(self.types)


@attrs.frozen(eq=False)
class Correspondences:
    """Pairs of a residue of a site and one that may be its partner, those of a structure together, the best first.

    Parameters
    ----------
    places : Int[ndarray, "m"]
        Which residue of the site.
    rows : Int[ndarray, "m"]
        Which row of the index.
    shares : Float[ndarray, "m"]
        The share of all residues that are as much alike.
    structures : Int[ndarray, "m"]
        The number of each partner's structure.
    centers, directions : Float[ndarray, "m 3"]
        Of the partner, as in `Site`.
    """

    places: Int[np.ndarray, "m"]
    rows: Int[np.ndarray, "m"]
    shares: Float[np.ndarray, "m"]
    structures: Int[np.ndarray, "m"]
    centers: Float[np.ndarray, "m 3"]
    directions: Float[np.ndarray, "m 3"]

    def __len__(self) -> int:
        return len(self.places)
