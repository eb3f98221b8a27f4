"""Rotations and translations that lay one set of points on another."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["superpose"]


def superpose(
    moved: Float[np.ndarray, "sets k 3"],
    target: Float[np.ndarray, "k 3"],
    moved_directions: Float[np.ndarray, "sets k 3"],
    target_directions: Float[np.ndarray, "k 3"],
) -> tuple[Float[np.ndarray, "sets 3 3"], Float[np.ndarray, "sets 3"], Float[np.ndarray, "sets"]]:
    """Lay sets of points on one set, point by point, with the least root-mean-square distance (Kabsch's method).

    Two points leave the rotation about their line open; there the directions decide.

    Parameters
    ----------
    moved : Float[ndarray, "sets k 3"]
        In Å.
    target : Float[ndarray, "k 3"]
        In Å.
    moved_directions : Float[ndarray, "sets k 3"]
        A direction at each point, of length 1, or 0 where there is none.
    target_directions : Float[ndarray, "k 3"]
        Likewise.

    Returns
    -------
    tuple of Float[ndarray, "sets 3 3"], Float[ndarray, "sets 3"] and Float[ndarray, "sets"]
        R and t, by which R x + t lies on the target, and the root-mean-square distance that is left, in Å.

    Examples
    --------
    >>> target = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    >>> turned = target @ np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) + 5.0
    >>> none = np.zeros((3, 3))
    >>> rotation, translation, rmsd = superpose(turned[None], target, none[None], none)
    >>> np.allclose(turned @ rotation[0].T + translation[0], target), round(float(rmsd[0]), 9)
    (True, 0.0)
    """
    middles, middle = moved.mean(axis=1, keepdims=True), target.mean(axis=0)
    centered, wanted = moved - middles, target - middle
    products: NDArray[np.float64] = np.einsum("tki,kj->tij", centered, wanted)
    if len(target) < 3:
        products = products + np.einsum("tki,kj->tij", moved_directions, target_directions)
    left, _, right = np.linalg.svd(products)
    # A reflection lays them on each other too, and is no motion of a protein.
    left[:, :, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))[:, None]
    rotations = np.swapaxes(left @ right, 1, 2)
    apart = np.einsum("tij,tkj->tki", rotations, centered) - wanted
    rmsd = np.sqrt((apart**2).sum(axis=2).mean(axis=1))
    translations = middle - np.einsum("tij,tj->ti", rotations, middles[:, 0])
    return rotations, translations, rmsd
