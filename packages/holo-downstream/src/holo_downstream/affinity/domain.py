"""The applicability domain of a predictor: what it has learned from, and whether a new complex is similar to it."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from holo_types import HoloError

__all__ = ["Domain"]

_FARTHEST = 5.0  # standard deviations; a rare value farther out must not outweigh all others
_ROWS = 256  # rows whose distances to all training complexes are in memory at once
_NAMED = 3  # features that a flag names


@attrs.frozen(eq=False)
class Domain:
    """The complexes that a predictor learned from.

    Parameters
    ----------
    ids : Shaped[ndarray, "learned"]
        Their ids.
    vectors : Float[ndarray, "learned width"]
        Their features, standardized and clipped at five standard deviations.
    means, scales, lowest, highest : Float[ndarray, "width"]
        The mean, scale, minimum and maximum of each feature.
    elements
        All chemical elements of their ligands.
    limit
        The distance to the nearest of them beyond which a complex is flagged.
    most_outside
        The number of features that may lie outside their ranges before a complex is flagged.
    """

    ids: Shaped[np.ndarray, "learned"]
    vectors: Float[np.ndarray, "learned width"]
    means: Float[np.ndarray, "width"]
    scales: Float[np.ndarray, "width"]
    lowest: Float[np.ndarray, "width"]
    highest: Float[np.ndarray, "width"]
    elements: frozenset[str]
    limit: float = math.inf
    most_outside: int = 0

    def __attrs_post_init__(self) -> None:
        learned, width = self.vectors.shape
        columns = (self.means, self.scales, self.lowest, self.highest)
        if not learned or len(self.ids) != learned or any(each.shape != (width,) for each in columns):
            raise HoloError(
                f"a domain has {len(self.ids)} ids, vectors of {learned} complexes with {width} features, and "
                f"{[len(each) for each in columns]} means, scales and ends of ranges; they do not fit"
            )
        if not all(np.isfinite(each).all() for each in (self.vectors, *columns)):
            raise HoloError("a domain holds a value that is not finite")
        if self.most_outside < 0:
            raise HoloError(f"most_outside is {self.most_outside}; it must not be negative")
        if not (self.scales > 0).all() or not self.limit > 0:
            raise HoloError("a scale of a domain or its limit is not positive; each must be")

    @classmethod
    def of(
        cls,
        ids: Shaped[np.ndarray, "learned"],
        vectors: Float[np.ndarray, "learned width"],
        elements: Sequence[frozenset[str]],
    ) -> "Domain":
        """Return the domain of complexes with finite features; no complex is flagged before a limit is set."""
        deviations = vectors.std(axis=0)
        means, scales = vectors.mean(axis=0), np.where(deviations > 0, deviations, 1.0)
        standardized = _standardized(vectors, means, scales)
        ends = vectors.min(axis=0), vectors.max(axis=0)
        return cls(ids, standardized, means, scales, *ends, frozenset[str]().union(*elements))

    def nearest(
        self, vectors: Float[np.ndarray, "n width"]
    ) -> tuple[Float[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Find the nearest training complex for each complex.

        Parameters
        ----------
        vectors : Float[ndarray, "n width"]
            Features that have not been standardized.

        Returns
        -------
        tuple of Float[ndarray, "n"] and Int[ndarray, "n"]
            The distance, a root mean square over standardized features, and the row of the training complex.

        Examples
        --------
        >>> learned = Domain.of(np.array(["1abc", "2abc"]), np.array([[1.0], [3.0]]), [frozenset(), frozenset()])
        >>> distances, rows = learned.nearest(np.array([[3.5]]))
        >>> distances.tolist(), learned.ids[rows].tolist()
        ([0.5], ['2abc'])
        """
        asked = _standardized(vectors, self.means, self.scales)
        rows = np.empty(len(asked), dtype=np.int64)
        squares = (self.vectors**2).sum(axis=1)
        for start in range(0, len(asked), _ROWS):
            part = asked[start : start + _ROWS]
            rows[start : start + _ROWS] = np.argmin(squares - 2 * part @ self.vectors.T, axis=1)
        return np.sqrt(np.mean((asked - self.vectors[rows]) ** 2, axis=1)), rows

    def outside(self, vectors: Float[np.ndarray, "n width"]) -> Bool[np.ndarray, "n width"]:
        """Return which features lie outside the range of the training complexes."""
        return np.asarray((vectors < self.lowest) | (vectors > self.highest))

    def flags(
        self,
        vectors: Float[np.ndarray, "n width"],
        distances: Float[np.ndarray, "n"],
        elements: Sequence[frozenset[str]],
        names: Sequence[str],
    ) -> tuple[str, ...]:
        """Say in words why each complex is unlike the training complexes; the text is empty if it is not.

        Parameters
        ----------
        vectors, distances
            The features, and the distances that `nearest` returns for them.
        elements
            The elements of each ligand.
        names
            The names of the features.

        Examples
        --------
        >>> carbon, boron = frozenset({"C"}), frozenset({"C", "B"})
        >>> learned = Domain.of(np.array(["1abc", "2abc"]), np.array([[1.0], [3.0]]), [carbon, carbon])
        >>> learned.flags(np.array([[2.0], [9.0]]), np.zeros(2), [carbon, boron], ["MolLogP"])
        ('', "ligand has B, which no training ligand has; outside of the training complexes' range: MolLogP")
        """
        outside = self.outside(vectors)
        found = []
        for row, distance in enumerate(distances.tolist()):
            words = []
            if distance > self.limit:
                words.append(
                    f"far from every training complex ({distance:.2f}, 99 % are within {self.limit:.2f})"
                )
            if unseen := sorted(elements[row] - self.elements):
                words.append(f"ligand has {', '.join(unseen)}, which no training ligand has")
            columns = np.flatnonzero(outside[row]).tolist()
            if len(columns) > self.most_outside:
                more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
                listed = ", ".join(names[column] for column in columns[:_NAMED])
                words.append(f"outside of the training complexes' range: {listed}{more}")
            found.append("; ".join(words))
        return tuple(found)


def _standardized(
    vectors: Float[np.ndarray, "n width"],
    means: Float[np.ndarray, "width"],
    scales: Float[np.ndarray, "width"],
) -> Float[np.ndarray, "n width"]:
    return np.asarray(np.clip((vectors - means) / scales, -_FARTHEST, _FARTHEST))
