"""The points within a radius of each center."""

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_features.transforms.radial import squared_lengths

__all__ = ["Pairs", "pairs_within"]

# Number of centers processed at once: their distances from all points stay in the processor's cache.
_BLOCK = 64
# If there are more points, those too far from a block are sorted out first.
_MANY = 4096


@attrs.frozen(eq=False)
class Pairs:
    """The points near each center.

    Parameters
    ----------
    counts : Int[ndarray, "centers"]
        Number of points of each center.
    points : Int[ndarray, "pairs"]
        The points of the first center, then those of the second, and so on; for each center in their order.
    """

    counts: Int[np.ndarray, "centers"]
    points: Int[np.ndarray, "pairs"]


def pairs_within(
    points: Float[np.ndarray, "points 3"],
    centers: Float[np.ndarray, "centers 3"],
    radius: float,
    *,
    origins: Int[np.ndarray, "centers"] | None = None,
    point_groups: Int[np.ndarray, "points"] | None = None,
    center_groups: Int[np.ndarray, "centers"] | None = None,
) -> Pairs:
    """Find the points at a distance <= radius from each center.

    Parameters
    ----------
    points, centers
        Positions, float64.
    radius
        The radius, in the same unit.
    origins
        For each center, a point that is not its neighbor although it is near, namely itself; -1 for none.
    point_groups, center_groups
        If given, points are not neighbors of a center of their own group.

    Returns
    -------
    Pairs

    Notes
    -----
    Squared distances are |p|² + |c|² - 2 p·c, one matrix product for each block of centers. If such a distance is too
    close to the radius, the same expression decides as in `zernike_transform`: the squared length of (p - c) / radius
    is at most 1.

    Examples
    --------
    >>> points = np.array([[0.0, 0, 0], [3, 4, 0], [3, 4, 1]])
    >>> pairs_within(points, np.zeros((1, 3)), 5.0).points
    array([0, 1])
    """
    counts = np.zeros(len(centers), dtype=np.int64)
    if len(points) == 0 or len(centers) == 0:
        return Pairs(counts, np.zeros(0, dtype=np.int64))
    middle = points.mean(axis=0)
    moved, about = points - middle, centers - middle
    lengths = np.einsum("px,px->p", moved, moved)
    squared = np.einsum("cx,cx->c", about, about)
    # |p - c|² is the product of (c, 1, |c|²) with (-2 p, |p|², 1).
    left = np.concatenate([about, np.ones((len(about), 1)), squared[:, None]], axis=1)
    right = np.concatenate([-2 * moved.T, lengths[None], np.ones((1, len(moved)))])
    unsure = 1e-9 * radius**2 + 1e-14 * float(max(lengths.max(), squared.max()))
    found = []
    for start in range(0, len(centers), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(centers)))
        candidates = _near(left[block, :3], right[:4], radius + unsure) if len(points) > _MANY else None
        distances = left[block] @ (right if candidates is None else right.take(candidates, axis=1))
        inside = distances <= radius**2 + unsure
        if origins is not None:
            _leave_out(inside, origins[block], candidates)
        if point_groups is not None and center_groups is not None:
            groups = point_groups if candidates is None else point_groups[candidates]
            inside &= groups != center_groups[block, None]
        near = np.flatnonzero(inside)
        close_call = near[distances.ravel().take(near) >= radius**2 - unsure]
        if len(close_call):
            row, column = np.divmod(close_call, inside.shape[1])
            chosen = column if candidates is None else candidates[column]
            scaled = (points[chosen] - centers[start + row]) / radius
            inside[row, column] = squared_lengths(scaled) <= 1
            near = np.flatnonzero(inside)
        firsts = np.arange(len(inside) + 1) * inside.shape[1]
        counts[block] = np.diff(np.searchsorted(near, firsts))
        near -= np.repeat(firsts[:-1], counts[block])
        found.append(near if candidates is None else candidates.take(near))
    return Pairs(counts, np.concatenate(found))


def _near(
    centers: Float[np.ndarray, "block 3"], right: Float[np.ndarray, "4 points"], radius: float
) -> NDArray[np.int64]:
    """Return the points inside a ball about a block of centers, in their order."""
    middle = (centers.min(axis=0) + centers.max(axis=0)) / 2
    reach = radius + float(np.sqrt(((centers - middle) ** 2).sum(axis=1).max()))
    # A thousandth larger than needed, so that rounding excludes none.
    limit = 1.001 * reach**2 + 1e-14 * float(right[3].max()) - float(middle @ middle)
    return np.flatnonzero(middle @ right[:3] + right[3] <= limit)


def _leave_out(
    inside: NDArray[np.bool_], origins: NDArray[np.int64], candidates: NDArray[np.int64] | None
) -> None:
    rows = np.flatnonzero(origins >= 0)
    columns = origins[rows]
    if candidates is not None:
        # An origin is at its center, so it is among the candidates.
        columns = np.searchsorted(candidates, columns)
    inside[rows, columns] = False
