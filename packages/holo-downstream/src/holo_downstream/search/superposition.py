"""Rotations and translations that superpose one set of points on another."""

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
    """Superpose sets of points on one set, point by point, with the least RMSD (Kabsch's method).

    Two points leave the rotation around their axis undetermined; it is then determined by the directions.

    Parameters
    ----------
    moved : Float[ndarray, "sets k 3"]
        The points to move, in Å.
    target : Float[ndarray, "k 3"]
        The points to superpose them on, in Å.
    moved_directions : Float[ndarray, "sets k 3"]
        A direction of length 1 at each point, or 0 if there is none.
    target_directions : Float[ndarray, "k 3"]
        The same for the target.

    Returns
    -------
    tuple of Float[ndarray, "sets 3 3"], Float[ndarray, "sets 3"] and Float[ndarray, "sets"]
        R and t, such that R x + t superposes the points on the target, and the remaining RMSD, in Å.

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
    # A reflection would also superpose them, but no motion of a protein is a reflection.
    left[:, :, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))[:, None]
    rotations = np.swapaxes(left @ right, 1, 2)
    apart = np.einsum("tij,tkj->tki", rotations, centered) - wanted
    rmsd = np.sqrt((apart**2).sum(axis=2).mean(axis=1))
    translations = middle - np.einsum("tij,tj->ti", rotations, middles[:, 0])
    return rotations, translations, rmsd
