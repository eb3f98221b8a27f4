"""Rotations and translations that superpose sets of points."""

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

__all__ = ["superpose"]


def superpose(
    moved: Float[np.ndarray, "sets k 3"],
    targets: Float[np.ndarray, "sets k 3"],
    counts: Bool[np.ndarray, "sets k"],
    moved_directions: Float[np.ndarray, "sets k 3"],
    target_directions: Float[np.ndarray, "sets k 3"],
) -> tuple[Float[np.ndarray, "sets 3 3"], Float[np.ndarray, "sets 3"], Float[np.ndarray, "sets"]]:
    """Superpose sets of points on others with the least root-mean-square distance, by Kabsch's method.

    Two points leave the rotation around their axis undetermined; it is then determined by the directions.

    Parameters
    ----------
    moved, targets : Float[ndarray, "sets k 3"]
        The points and the points that they correspond to, in Å.
    counts : Bool[ndarray, "sets k"]
        The points that are present, at least two in each set.
    moved_directions, target_directions : Float[ndarray, "sets k 3"]
        The unit vector at each point, or 0 where there is none.

    Returns
    -------
    tuple of Float[ndarray, "sets 3 3"], Float[ndarray, "sets 3"] and Float[ndarray, "sets"]
        R and t, such that R x + t superposes the points on the target, and the remaining RMSD, in Å.

    Examples
    --------
    >>> target = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    >>> turned = target @ np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) + 5.0
    >>> none, there = np.zeros((1, 3, 3)), np.ones((1, 3), bool)
    >>> rotation, translation, rmsd = superpose(turned[None], target[None], there, none, none)
    >>> np.allclose(turned @ rotation[0].T + translation[0], target), round(float(rmsd[0]), 9)
    (True, 0.0)
    """
    weights = counts[:, :, None].astype(np.float64)
    number = weights.sum(axis=1)
    middles, wanted_middles = (moved * weights).sum(axis=1) / number, (targets * weights).sum(axis=1) / number
    centered = (moved - middles[:, None]) * weights
    wanted = (targets - wanted_middles[:, None]) * weights
    products: NDArray[np.float64] = np.einsum("tki,tkj->tij", centered, wanted)
    two = number[:, 0] < 3
    if two.any():
        products[two] += np.einsum(
            "tki,tkj->tij", (moved_directions * weights)[two], (target_directions * weights)[two]
        )
    left, _, right = np.linalg.svd(products)
    # A reflection would also superpose them, but no motion of a protein is a reflection.
    left[:, :, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))[:, None]
    rotations = np.swapaxes(left @ right, 1, 2)
    apart = np.einsum("tij,tkj->tki", rotations, centered) - wanted
    rmsd = np.sqrt((apart**2).sum(axis=(1, 2)) / number[:, 0])
    translations = wanted_middles - np.einsum("tij,tj->ti", rotations, middles)
    return rotations, translations, rmsd
