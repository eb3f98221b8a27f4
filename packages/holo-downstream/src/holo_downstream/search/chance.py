"""The meaning of a distance: how often residues of unrelated proteins are equally near to each other."""

from collections.abc import Iterator

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

from holo_types import HoloError

__all__ = ["ANY_TYPE", "ChanceDistances", "chance_distances"]

ANY_TYPE = ""  # the row for pairs of any residue types
_PAIRS = 10_000_000  # for each type; if there are more, a sample is used
_CANDIDATES = 20_000  # rows that a sampled row is compared with
_TAIL = 100_000  # nearest pairs of which each one counts; of the others, a part is used
_LEVELS = 256


@attrs.frozen(eq=False)
class ChanceDistances:
    """Quantiles of distances between residues of unrelated proteins, for any two residues and for each residue type.

    Parameters
    ----------
    types : Shaped[ndarray, "t"]
        Residue types; the first is empty and stands for any two residues.
    distances : Float[ndarray, "t levels"]
        Distances in ascending order; `p_values` holds the share of pairs that are at most as far apart.
    p_values : Float[ndarray, "t levels"]
        The shares; the first is one of all pairs.
    pairs : Int[ndarray, "t"]
        The number of pairs that were compared.

    Raises
    ------
    HoloError
        If the arrays do not fit each other, or cannot be quantiles of distances.
    """

    types: Shaped[np.ndarray, "t"]
    distances: Float[np.ndarray, "t levels"]
    p_values: Float[np.ndarray, "t levels"]
    pairs: Int[np.ndarray, "t"]

    def __attrs_post_init__(self) -> None:
        named = {"distances": self.distances, "p_values": self.p_values}
        for name, values in named.items():
            if values.ndim != 2 or values.dtype.kind != "f" or values.shape != self.distances.shape:
                raise HoloError(
                    f"the {name} of chance have shape {list(values.shape)} and dtype {values.dtype}; they must be "
                    f"floats, as many as distances, {list(self.distances.shape)}"
                )
            if not np.isfinite(values).all() or (np.diff(values, axis=1) < 0).any():
                raise HoloError(f"the {name} of chance are not finite and in ascending order; they must be")
        rows = len(self.distances)
        if (
            self.types.shape != (rows,)
            or self.types.dtype.kind != "U"
            or self.types[:1].tolist() != [ANY_TYPE]
        ):
            raise HoloError(
                f"the types of chance are not {rows} texts, of which the first is empty; they must be"
            )
        if self.pairs.shape != (rows,) or self.pairs.dtype.kind != "i" or (self.pairs < 1).any():
            raise HoloError(f"the pairs of chance are not {rows} positive integers; they must be")
        if not self.distances.size or (self.distances < 0).any():
            raise HoloError("the distances of chance are none, or negative; they must be at least 0")
        if (self.p_values <= 0).any() or (self.p_values > 1).any():
            raise HoloError("a p-value of chance is not above 0 and at most 1; each must be")

    def of(self, residue_type: str, distances: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return the share of unrelated pairs that are as near; the minimum is `least`, which stands for "less than".

        Parameters
        ----------
        residue_type
            The type of both residues; `ANY_TYPE`, or a type without pairs, for any two residues.
        distances : Float[ndarray, "n"]
            Distances between scaled z.
        """
        row = self._row(residue_type)
        logarithms = np.log(self.p_values[row])
        shares: NDArray[np.float64] = np.exp(np.interp(distances, self.distances[row], logarithms))
        return shares

    def within(self, residue_type: str, share: float) -> float:
        """Return the distance within which a share of unrelated pairs is.

        Parameters
        ----------
        residue_type
            As for `of`.
        share
            Above 0, at most 1.
        """
        row = self._row(residue_type)
        return float(np.interp(np.log(share), np.log(self.p_values[row]), self.distances[row]))

    def least(self, residue_type: str) -> float:
        """Return the smallest share that can be resolved: one of the pairs that were compared."""
        return float(self.p_values[self._row(residue_type), 0])

    def _row(self, residue_type: str) -> int:
        found = np.flatnonzero(self.types == residue_type)
        return int(found[0]) if len(found) else 0


def chance_distances(
    vectors: Float[np.ndarray, "n d"],
    types: Shaped[np.ndarray, "n"],
    groups: Int[np.ndarray, "n"],
    *,
    seed: int = 0,
) -> ChanceDistances:
    """Compute distances between residues of different groups.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Scaled z.
    types : Shaped[ndarray, "n"]
        Residue types.
    groups : Int[ndarray, "n"]
        Numbers of clusters or of structures; the two residues of a pair are from different groups.
    seed
        The seed of the sample of pairs, if there are more than ten million.

    Returns
    -------
    ChanceDistances
        The quantiles for any two residues, and for each type for which there are pairs.

    Raises
    ------
    HoloError
        If there is only one group.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = chance_distances(rng.normal(size=(200, 3)), np.full(200, "ALA"), np.arange(200) % 10)
    >>> bool(abs(found.of("ALA", np.array([2.2]))[0] - 0.5) < 0.1)  # the median distance of such vectors is 2.2
    True
    """
    if len(np.unique(groups)) < 2:
        raise HoloError(
            "all residues are of one structure or cluster; pairs from different ones show what is found by "
            "chance, so there must be at least two"
        )
    generator = np.random.default_rng(seed)
    names, rows = [ANY_TYPE], [np.arange(len(vectors))]
    for name in np.unique(types).tolist():
        names.append(name)
        rows.append(np.flatnonzero(types == name))
    kept, found, shares, pairs = [], [], [], []
    for name, of_type in zip(names, rows, strict=True):
        sample = np.concatenate([np.empty(0, np.float32), *_pairs(vectors, groups, of_type, generator)])
        if not len(sample):
            continue
        ranks = np.unique(np.rint(np.geomspace(1, len(sample), _LEVELS)).astype(np.int64))
        ranks = np.pad(ranks, (0, _LEVELS - len(ranks)), mode="edge")  # with few pairs, each of them is kept
        kept.append(name)
        found.append(_of_rank(sample, ranks))
        shares.append(ranks / len(sample))
        pairs.append(len(sample))
    return ChanceDistances(np.array(kept), np.array(found), np.array(shares), np.array(pairs))


def _pairs(
    vectors: Float[np.ndarray, "n d"],
    groups: Int[np.ndarray, "n"],
    rows: Int[np.ndarray, "m"],
    generator: np.random.Generator,
) -> Iterator[NDArray[np.float32]]:
    """Yield the distances of sampled rows to the others, a block of rows at a time."""
    among = generator.permutation(rows)[:_CANDIDATES]
    count = min(len(rows), max(1, _PAIRS // max(len(among), 1)))
    sampled = generator.permutation(rows)[:count]
    others, squares = vectors[among], (vectors[among] ** 2).sum(axis=1)
    for start in range(0, count, 256):
        block = sampled[start : start + 256]
        apart = (vectors[block] ** 2).sum(axis=1)[:, None] + squares - 2 * vectors[block] @ others.T
        unrelated = groups[block][:, None] != groups[among]
        yield np.sqrt(np.maximum(apart[unrelated], 0)).astype(np.float32)


def _of_rank(sample: NDArray[np.float32], ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the distances at some ranks, counted from 1; those far from the nearest are taken from a subsample."""
    tail = min(len(sample), _TAIL)
    nearest = np.sort(np.partition(sample, tail - 1)[:tail])
    thinned = np.sort(sample[:: -(-len(sample) // _TAIL)])
    places = np.minimum(ranks * len(thinned) // len(sample), len(thinned) - 1)
    beyond = np.maximum(thinned[places], nearest[-1])
    distances: NDArray[np.float64] = np.where(
        ranks <= tail, nearest[np.minimum(ranks, tail) - 1], beyond
    ).astype(float)
    return distances
