"""Rows that are views of the same thing: the copies of a mesh."""

import attrs
import numpy as np
from jaxtyping import Int

__all__ = ["AlikeRows"]


@attrs.frozen(eq=False)
class AlikeRows:
    """Rows in groups, where each row can be assigned another row of its group.

    Parameters
    ----------
    order : Int[ndarray, "n"]
        The rows, sorted so that those of a group are together.
    places : Int[ndarray, "n"]
        The position of each row in `order`.
    starts, sizes : Int[ndarray, "n"]
        Where the group of each row begins in `order`, and the size of the group.
    """

    order: Int[np.ndarray, "n"]
    places: Int[np.ndarray, "n"]
    starts: Int[np.ndarray, "n"]
    sizes: Int[np.ndarray, "n"]

    @classmethod
    def of(cls, groups: Int[np.ndarray, "n"]) -> "AlikeRows":
        """Group the rows that have the same number."""
        order = np.argsort(groups, kind="stable")
        _, first, members, counts = np.unique(
            groups[order], return_index=True, return_inverse=True, return_counts=True
        )
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return cls(order, places, first[members][places], counts[members][places])

    def other(self, rows: Int[np.ndarray, "k"], generator: np.random.Generator) -> Int[np.ndarray, "k"]:
        """Draw another row of the same group for each row; a row that is alone in its group gets itself.

        Examples
        --------
        >>> alike = AlikeRows.of(np.array([7, 3, 7, 9]))
        >>> alike.other(np.array([0, 1, 2, 3]), np.random.default_rng(0)).tolist()
        [2, 1, 0, 3]
        """
        sizes, starts = self.sizes[rows], self.starts[rows]
        steps = generator.integers(1, np.maximum(sizes, 2))
        drawn: Int[np.ndarray, k] = self.order[starts + (self.places[rows] - starts + steps) % sizes]
        return drawn
