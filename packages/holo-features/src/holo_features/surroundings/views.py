"""Other views of the same surroundings: with displaced atoms, or without the central residue's own atoms."""

from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from holo_types import HoloError, PointClouds

__all__ = ["displaced", "without_own_atoms", "without_points"]


def displaced(clouds: PointClouds, noise: float, generator: np.random.Generator) -> PointClouds:
    """Displace every atom at random, including the one at each origin.

    Parameters
    ----------
    clouds
        Clouds with a larger cutoff than the one of the encoding, so that atoms can enter as well as leave.
    noise
        Standard deviation of the displacements along each axis, in Å. As the origin is displaced too, distances from it
        change by √2 times as much.
    generator
        The source of randomness. An atom is displaced differently in each cloud that contains it.

    Returns
    -------
    PointClouds
        Coordinates in float64, relative to the displaced origin.

    Raises
    ------
    HoloError
        If the noise is negative or not finite.

    Examples
    --------
    >>> clouds = PointClouds(np.zeros((2, 3)), np.ones((2, 1)), np.array([0, 2]), ("C",))
    >>> displaced(clouds, 0.1, np.random.default_rng(0)).coordinates.round(2).tolist()
    [[-0.12, -0.11, 0.13], [-0.12, -0.15, 0.11]]
    """
    if not 0 <= noise < np.inf:
        raise HoloError(f"displaced: noise is {noise}; it must be a finite length >= 0 Å")
    moves = generator.standard_normal((len(clouds.coordinates), 3))
    origins = generator.standard_normal((len(clouds), 3))
    moves -= np.repeat(origins, np.diff(clouds.offsets), axis=0)
    return attrs.evolve(clouds, coordinates=clouds.coordinates + noise * moves)


def without_own_atoms(clouds: PointClouds, part: Literal["all", "side chain"] = "all") -> PointClouds:
    """Leave out the central residue's own atoms, or only its side chain.

    Parameters
    ----------
    clouds
        Clouds from `neighborhoods` with ``own_atoms=True``.
    part
        ``"all"`` own atoms, or those of the ``"side chain"``: all except N, CA, C and O.

    Returns
    -------
    PointClouds
        The same number of clouds, some of which may have no points.

    Raises
    ------
    HoloError
        If the clouds do not mark the atoms of the central residue.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> from holo_features.surroundings.neighbors import neighborhoods
    >>> clouds = neighborhoods(read_structure(example_structures()[0]), own_atoms=True)
    >>> (np.diff(clouds.offsets) - np.diff(without_own_atoms(clouds).offsets))[:3]  # Val, Leu, Ser without Cα
    array([6, 7, 5])
    """
    if "own" not in clouds.point_columns:
        raise HoloError(
            "without_own_atoms: the clouds have no point column 'own'; neighborhoods(own_atoms=True) adds it"
        )
    return without_points(clouds, clouds.point_columns["own"] >= (1 if part == "all" else 2))


def without_points(clouds: PointClouds, left_out: Bool[np.ndarray, "points"]) -> PointClouds:
    """Leave out points of clouds.

    Examples
    --------
    >>> clouds = PointClouds(np.zeros((3, 3)), np.ones((3, 1)), np.array([0, 1, 3]), ("C",))
    >>> without_points(clouds, np.array([True, False, True])).offsets
    array([0, 0, 1])
    """
    kept: NDArray[np.bool_] = ~left_out
    return attrs.evolve(
        clouds,
        coordinates=clouds.coordinates[kept],
        weights=clouds.weights[kept],
        offsets=np.concatenate([[0], np.cumsum(kept)])[clouds.offsets],
        point_columns=clouds.point_columns.take(kept),
    )
