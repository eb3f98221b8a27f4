"""Which rows an epoch takes where groups that are like one another are not to count for more than others."""

from collections.abc import Iterable

import attrs
import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from holo_vae.recipes.training import TrainingConfig

__all__ = ["ClusterColumns", "Clusters", "group_columns"]


@attrs.frozen
class ClusterColumns:
    """The index columns that say which rows belong together.

    Parameters
    ----------
    cluster
        Rows of one value are alike, such as those of the chains of one sequence cluster.
    group
        Rows of one value are one thing, such as a structure; a cluster holds one group or more.
    """

    cluster: str
    group: str


@attrs.frozen(eq=False)
class Clusters:
    """Rows in clusters, of which each is drawn as if it had one group only.

    Of a cluster of k groups an epoch takes a k-th of the rows, at least one: as many as its groups have on
    average. They are a simple random sample, a new one each epoch. So a row's expected weight is 1 / k, and
    what is not drawn is not computed.

    Parameters
    ----------
    members
        The number of each row's cluster.
    quotas
        How many rows an epoch takes of each cluster.

    Examples
    --------
    >>> clusters = Clusters.of(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2]))
    >>> clusters.quotas.tolist(), len(clusters)
    ([2, 2], 4)
    >>> clusters.drawn(seed=0, epoch=0)[-2:].tolist()
    [4, 5]
    """

    members: Int[np.ndarray, " n"]
    quotas: Int[np.ndarray, " clusters"]

    @classmethod
    def of(cls, members: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> "Clusters":
        """Count the groups of each cluster.

        Parameters
        ----------
        members, groups
            The numbers of each row's cluster and group, from 0.
        """
        _, members = np.unique(members, return_inverse=True)
        pairs = np.unique(np.stack([members, groups]), axis=1)
        shares = np.bincount(members) / np.bincount(pairs[0])
        return cls(members, np.maximum(np.rint(shares).astype(np.int64), 1))

    def __len__(self) -> int:
        """Return how many rows an epoch takes."""
        return int(self.quotas.sum())

    def drawn(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the places of the rows that an epoch takes, ascending, each once."""
        # A spawn key: the seeds (seed, epoch) and (seed, epoch, n) are those of the order.
        seeds = np.random.SeedSequence((seed, epoch), spawn_key=(0,))
        lots = np.random.default_rng(seeds).random(len(self.members))
        order = np.lexsort((lots, self.members))
        sizes = np.bincount(self.members)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.sort(order[rank < np.repeat(self.quotas, sizes)])


def group_columns(columns: Iterable[str], config: TrainingConfig) -> list[str]:
    """Return those of an index's columns by which rows are split, such as structures and the clusters of them.

    Examples
    --------
    >>> group_columns(("structure", "chain", "cluster30"), TrainingConfig(cluster_column="cluster30"))
    ['structure', 'cluster30']
    """
    named = {"structure", config.group_column, config.cluster_column}
    return [name for name in columns if name in named]
