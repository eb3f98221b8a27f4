"""The choice of rows for an epoch, where groups that are alike must not count more than others."""

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
        The column in which similar rows have the same value, such as a sequence cluster of chains.
    group
        The column in which rows of one thing, such as a structure, have the same value; a cluster holds one group or
        more.
    """

    cluster: str
    group: str


@attrs.frozen(eq=False)
class Clusters:
    """Rows in clusters, each cluster drawn as if it had only one group.

    From a cluster of k groups, an epoch takes one k-th of the rows, at least one: as many as its groups have on
    average. They are a simple random sample, drawn anew for each epoch. The expected weight of a row is therefore
    1 / k, and no time is spent on rows that are not drawn.

    Parameters
    ----------
    members
        The number of each row's cluster.
    quotas
        The number of rows that an epoch takes from each cluster.

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
            The cluster number and the group number of each row, from 0.
        """
        _, members = np.unique(members, return_inverse=True)
        pairs = np.unique(np.stack([members, groups]), axis=1)
        shares = np.bincount(members) / np.bincount(pairs[0])
        return cls(members, np.maximum(np.rint(shares).astype(np.int64), 1))

    def __len__(self) -> int:
        """Return the number of rows in an epoch."""
        return int(self.quotas.sum())

    def drawn(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the positions of an epoch's rows, in ascending order without repetition."""
        # A spawn key is used because the seeds (seed, epoch) and (seed, epoch, n) are those of the order.
        seeds = np.random.SeedSequence((seed, epoch), spawn_key=(0,))
        lots = np.random.default_rng(seeds).random(len(self.members))
        order = np.lexsort((lots, self.members))
        sizes = np.bincount(self.members)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.sort(order[rank < np.repeat(self.quotas, sizes)])


def group_columns(columns: Iterable[str], config: TrainingConfig) -> list[str]:
    """Return the index columns by which rows can be split, such as structures and their clusters.

    Examples
    --------
    >>> group_columns(("structure", "chain", "cluster30"), TrainingConfig(cluster_column="cluster30"))
    ['structure', 'cluster30']
    """
    named = {"structure", config.group_column, config.cluster_column}
    return [name for name in columns if name in named]
