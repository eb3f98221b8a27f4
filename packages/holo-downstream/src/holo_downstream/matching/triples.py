"""Sets of three residues at the same distances as three of a site, from which matches are extended."""

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from .correspondences import Correspondences, Site
from .ragged import first_of_each, runs

__all__ = ["seed_sets"]

_TOLERANCE = 2.0  # Å, the largest difference of a distance between two centers
# The numbers of the best correspondences of a structure: one of each set is a seed, and the others are members.
_SEEDS, _MEMBERS = 20, 80
_OF_STRUCTURE, _OF_ALL = 6, 1_000  # the numbers of the best sets that are kept
_AT_ONCE = 1_000_000  # pairs that are compared at a time
_CLOSE = 0.3  # Å; smaller differences do not count


def seed_sets(found: Correspondences, site: Site) -> Int[np.ndarray, "sets size"]:
    """Choose sets of three correspondences at the distances of the site, or of two for a site of two residues.

    Parameters
    ----------
    found
        The possible partners.
    site
        A site of two residues or more.

    Returns
    -------
    Int[ndarray, "sets size"]
        The numbers of the correspondences in the best sets of each structure.
    """
    members = first_of_each(found.structures, _MEMBERS)
    among = _Members.of(found, site, members)
    seeds = first_of_each(among.structures, _SEEDS)
    ends = np.searchsorted(among.structures, among.structures[seeds], "right")
    blocks = np.cumsum(ends - seeds) // _AT_ONCE
    parts, costs = [], []
    for some in np.split(np.arange(len(seeds)), np.flatnonzero(np.diff(blocks)) + 1):
        sets, cost = among.sets(seeds[some], ends[some])
        order = np.lexsort([cost, among.structures[sets[:, 0]]])
        best = order[first_of_each(among.structures[sets[order, 0]], _OF_STRUCTURE)]
        parts.append(sets[best])
        costs.append(cost[best])
    best = np.argsort(np.concatenate(costs), kind="stable")[:_OF_ALL]
    chosen: NDArray[np.int64] = members[np.concatenate(parts)[best]]
    return chosen


@attrs.frozen(eq=False)
class _Members:
    """The correspondences that sets consist of, stored by column for fast selection."""

    structures: Int[np.ndarray, "n"]
    rows: Int[np.ndarray, "n"]
    places: Int[np.ndarray, "n"]
    costs: Float[np.ndarray, "n"]
    axes: tuple[Float[np.ndarray, "n"], ...]
    wanted: Float[np.ndarray, "k k"]

    @classmethod
    def of(cls, found: Correspondences, site: Site, members: NDArray[np.int64]) -> "_Members":
        wanted = np.linalg.norm(site.centers[:, None] - site.centers, axis=2).astype(np.float32)
        np.fill_diagonal(wanted, np.inf)  # a residue of the site is in a set once
        axes = tuple(found.centers[members, axis].astype(np.float32) for axis in range(3))
        return cls(
            found.structures[members],
            found.rows[members],
            found.places[members],
            np.log(found.shares[members]),
            axes,
            wanted,
        )

    def sets(
        self, seeds: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Return the sets of a seed with later members, and their costs: dissimilarity in z and in distances."""
        owners, second = runs(seeds + 1, ends)
        first = seeds[owners]
        kept, off = self._fits(first, second)
        first, second = first[kept], second[kept]
        if len(self.wanted) == 2:
            return np.column_stack([first, second]), self.costs[first] + self.costs[second] + _in_space(
                off, 1
            )
        # Sets of three are pairs of pairs with the same seed, which are contiguous.
        pairs, others = runs(np.arange(len(first)) + 1, np.searchsorted(first, first, "right"))
        kept, across = self._fits(second[pairs], second[others])
        pairs, others = pairs[kept], others[kept]
        sets = np.column_stack([first[pairs], second[pairs], second[others]])
        alike = self.costs[sets[:, 0]] + self.costs[sets[:, 1]] + self.costs[sets[:, 2]]
        return sets, alike + _in_space(off[pairs] + off[others] + across, 3)

    def _fits(
        self, first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Return the pairs at the distance that their residues of the site have, and the squares of the differences."""
        squares = np.zeros(len(first), np.float32)
        for axis in self.axes:
            squares += (axis[first] - axis[second]) ** 2
        off = np.sqrt(squares) - self.wanted[self.places[first], self.places[second]]
        near = np.flatnonzero(np.abs(off) <= _TOLERANCE)
        near = near[self.rows[first[near]] != self.rows[second[near]]]
        return near, off[near] ** 2


def _in_space(squares: NDArray[np.floating], distances: int) -> NDArray[np.floating]:
    """Return the logarithm of the share of positions that fit as well, from the sum of squares of distances."""
    cost: NDArray[np.floating] = distances * np.log(np.maximum(np.sqrt(squares / distances), _CLOSE))
    return cost
