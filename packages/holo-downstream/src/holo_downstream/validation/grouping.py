"""Groups of complexes that must not be on both sides of a fold: clusters of proteins, or else ligand scaffolds."""

from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Int, Shaped

__all__ = ["Grouping", "group_complexes"]

_LARGEST = 0.75  # largest share of all complexes in one group: the rest must be enough to train on


@attrs.frozen(eq=False)
class Grouping:
    """Groups of complexes, and what figures from folds of whole groups mean.

    Parameters
    ----------
    by
        ``"cluster"``: sequence clusters of the proteins; ``"scaffold"``: scaffolds of the ligands; ``"none"``: each
        complex is its own group.
    groups : Shaped[ndarray, "n"]
        The group of each complex, as text.
    caveat
        Why the groups are not clusters, and what the figures therefore do not show; empty if they are clusters.
    """

    by: Literal["cluster", "scaffold", "none"]
    groups: Shaped[np.ndarray, "n"]
    caveat: str

    def folds(self, count: int, seed: int) -> Int[np.ndarray, "n"]:
        """Return the fold of each complex: whole groups, with about equally many complexes in each fold.

        Parameters
        ----------
        count
            The number of folds.
        seed
            The seed that decides the folds of groups of equal size.
        """
        names, group_of_row, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        shuffled = np.random.default_rng(seed).permutation(len(names))
        order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
        fold_of_group, filled = np.empty(len(names), dtype=np.int64), np.zeros(count, dtype=np.int64)
        for group in order.tolist():
            fold = int(np.argmin(filled))
            fold_of_group[group] = fold
            filled[fold] += sizes[group]
        return fold_of_group[group_of_row]


def group_complexes(
    ids: Sequence[str], clusters: Sequence[str], scaffolds: Sequence[str], folds: int
) -> Grouping:
    """Group complexes by cluster if all have one and the clusters suffice, otherwise by scaffold or not at all.

    Groups suffice if there is at least one for each fold, and none has more than three quarters of the complexes.

    Parameters
    ----------
    ids, clusters, scaffolds
        The id, the cluster and the scaffold of each complex; a cluster or scaffold is empty if there is none. A ligand
        without a scaffold is a group of its own.
    folds
        The number of folds that will be made.

    Examples
    --------
    >>> group_complexes(["1abc", "2abc"], ["7", "8"], ["", ""], folds=2).by
    'cluster'
    >>> group_complexes(["1abc", "2abc"], ["7", "7"], ["c1ccccc1", ""], folds=2).caveat
    'all complexes are of one cluster, so folds consist of whole ligand scaffolds: errors on new targets will be larger'
    """
    missing = sum(not cluster for cluster in clusters)
    if not missing and _are_enough(clusters, folds):
        return Grouping("cluster", np.array(clusters), "")
    count = len(set(clusters))
    if missing:
        few = f"{missing} of {len(ids)} complexes have no cluster"
        why = few if missing < len(ids) else "the complexes have no clusters"
    elif count == 1:
        why = "all complexes are of one cluster"
    else:
        why = f"{count} clusters are too few, or one has most complexes"
    # No scaffold is an id in brackets, so the names cannot collide.
    series = [scaffold or f"[{name}]" for name, scaffold in zip(ids, scaffolds, strict=True)]
    if any(scaffolds) and _are_enough(series, folds):
        caveat = f"{why}, so folds consist of whole ligand scaffolds: errors on new targets will be larger"
        return Grouping("scaffold", np.array(series), caveat)
    caveat = f"{why}, and scaffolds of ligands are too few, so folds are random: errors on new complexes will be larger"
    return Grouping("none", np.array(list(ids)), caveat)


def _are_enough(groups: Sequence[str], folds: int) -> bool:
    _, sizes = np.unique(np.array(groups), return_counts=True)
    return len(sizes) >= folds and bool(sizes.max() <= _LARGEST * len(groups))
