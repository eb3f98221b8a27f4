"""The directions of side chains, computed from the centers of residues alone."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import Index

__all__ = ["side_directions"]

_BONDED = 4.5  # Å between consecutive Cα in a chain: 3.8, or 2.9 if the peptide bond is cis


def side_directions(index: Index, centers: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Return the direction of each side chain: from the midpoint of the Cα before and after a residue to its own Cα.

    Parameters
    ----------
    index
        The index, with structure and chain; the residues of a chain are consecutive.
    centers : Float[ndarray, "n 3"]
        The positions of the Cα, in Å.

    Returns
    -------
    Float[ndarray, "n 3"]
        Directions of length 1; 0 at the ends of chains and next to gaps.

    Examples
    --------
    >>> index = Index({"structure": ["1abc"] * 3, "chain": ["A"] * 3})
    >>> side_directions(index, np.array([[-3.0, 0, 0], [0, 2, 0], [3, 0, 0]])).tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    steps = np.diff(centers, axis=0)
    follows = (steps**2).sum(axis=1) <= _BONDED**2
    for name in ("structure", "chain"):
        column = index.column(name)
        follows &= column[1:] == column[:-1]
    directions: NDArray[np.floating] = np.zeros_like(centers)
    if len(centers) > 2:
        inside = np.flatnonzero(follows[1:] & follows[:-1]) + 1
        bent = steps[inside - 1] - steps[inside]
        lengths = np.linalg.norm(bent, axis=1, keepdims=True)
        directions[inside] = np.divide(bent, lengths, out=np.zeros_like(bent), where=lengths > 1e-3)
    return directions
