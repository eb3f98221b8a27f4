"""How well pockets of the same ligand are found in other families, with intervals by cluster."""

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_RESAMPLES = 2000


@attrs.frozen
class Pair:
    """Scores of the pockets of one cluster as queries for another cluster that binds the same family of ligands.

    Parameters
    ----------
    family
        The family of ligands.
    clusters
        The cluster of the queries, and that of the targets.
    auroc
        The mean over the queries.
    enrichment
        The frequency of pockets of the other cluster in the first 1 %, relative to chance.
    first
        The rank of the best of them, as the geometric mean over queries.
    """

    family: str
    clusters: tuple[str, str]
    auroc: float
    enrichment: float
    first: float


@attrs.frozen(eq=False)
class Task:
    """The task: to find, for each query, the pockets in other clusters that bind the same family of ligands.

    Parameters
    ----------
    families, clusters
        The family and the cluster of each pocket.
    sizes
        The numbers of heavy atoms of the ligands.
    queries
        The indices of the pockets that serve as queries.
    """

    families: NDArray[np.str_]
    clusters: NDArray[np.str_]
    sizes: NDArray[np.int64]
    queries: NDArray[np.int64]

    def pairs(
        self, scores: Values, chosen: NDArray[np.bool_], *, alike_in_size: bool = False
    ) -> Iterator[Pair]:
        """Return the pairs of clusters of the chosen pockets.

        Parameters
        ----------
        scores : Float[ndarray, "queries pockets"]
            The similarities, where higher is more similar.
        chosen
            The pockets that are scored as queries and as targets; all others remain among the candidates.
        alike_in_size
            Whether the candidates are only pockets of ligands of similar size, within a fifth of the heavy atoms.
        """
        found: dict[tuple[str, str, str], list[tuple[float, float, float]]] = {}
        for query, row in zip(self.queries.tolist(), scores, strict=True):
            if not chosen[query]:
                continue
            elsewhere = self.clusters != self.clusters[query]
            family = self.families == self.families[query]
            others = elsewhere & ~family
            if alike_in_size:
                others &= np.abs(self.sizes - self.sizes[query]) <= 0.2 * self.sizes[query]
            negatives = np.sort(row[others])
            if not len(negatives):
                continue
            for cluster in np.unique(self.clusters[elsewhere & family & chosen]):
                positives = row[family & chosen & (self.clusters == cluster)]
                key = (str(self.families[query]), str(self.clusters[query]), str(cluster))
                found.setdefault(key, []).append(_scored(positives, negatives))
        for (family_name, one, other), values in found.items():
            auroc, enrichment, first = np.mean(values, axis=0).tolist()
            yield Pair(family_name, (one, other), auroc, enrichment, first)


def _scored(positives: Values, negatives: Values) -> tuple[float, float, float]:
    below = np.searchsorted(negatives, positives, side="left")
    up_to = np.searchsorted(negatives, positives, side="right")
    worse = (below + up_to) / 2
    first_hundredth = len(negatives) - worse < len(negatives) / 100
    rank = 1 + len(negatives) - worse.max()
    return float(worse.mean() / len(negatives)), 100.0 * float(first_hundredth.mean()), float(np.log(rank))


def summary(pairs: Sequence[Pair], *, seed: int = 0) -> Values:
    """Return the means of AUROC, enrichment and the logarithm of the first rank, with equal weights of families.

    Returns
    -------
    Float[ndarray, "1+resamples 3"]
        First the estimate, then the values for clusters drawn with replacement. Two rows with the same pairs and seed
        draw the same clusters, so that their difference is paired.
    """
    names = sorted({name for pair in pairs for name in pair.clusters})
    number = {name: place for place, name in enumerate(names)}
    ends = np.array([[number[name] for name in pair.clusters] for pair in pairs])
    values = np.array([[pair.auroc, pair.enrichment, pair.first] for pair in pairs])
    family_names = sorted({pair.family for pair in pairs})
    member = np.array([[pair.family == name for pair in pairs] for name in family_names], dtype=float)
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), _RESAMPLES
    )
    copies = np.concatenate([np.ones((1, len(names))), drawn])
    weights = copies[:, ends[:, 0]] * copies[:, ends[:, 1]]
    totals = weights @ member.T  # draws x families
    sums = np.einsum("dp,fp,pv->dfv", weights, member, values, optimize=True)
    there = totals > 0
    means = np.divide(sums, totals[..., None], out=np.zeros_like(sums), where=there[..., None])
    result: Values = means.sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None]
    return result
