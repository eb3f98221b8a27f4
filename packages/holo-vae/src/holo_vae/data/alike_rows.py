"""Which rows are views of one thing: the copies of a mesh."""

import attrs
import numpy as np
from jaxtyping import Int

__all__ = ["AlikeRows"]


@attrs.frozen(eq=False)
class AlikeRows:
    """Rows in groups, of which each row is given another one.

    Parameters
    ----------
    order : Int[ndarray, "n"]
        The rows, those of a group together.
    places : Int[ndarray, "n"]
        Where each row stands there.
    starts, sizes : Int[ndarray, "n"]
        Where each row's group begins there, and how many rows it has.
    """

    order: Int[np.ndarray, "n"]
    places: Int[np.ndarray, "n"]
    starts: Int[np.ndarray, "n"]
    sizes: Int[np.ndarray, "n"]

    @classmethod
    def of(cls, groups: Int[np.ndarray, "n"]) -> "AlikeRows":
        """Group rows by number."""
        order = np.argsort(groups, kind="stable")
        _, first, members, counts = np.unique(
            groups[order], return_index=True, return_inverse=True, return_counts=True
        )
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return cls(order, places, first[members][places], counts[members][places])

    def other(self, rows: Int[np.ndarray, "k"], generator: np.random.Generator) -> Int[np.ndarray, "k"]:
        """Draw for each row another one of its group; itself where it is alone.

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
