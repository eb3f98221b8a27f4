"""Splits by cluster, and a check that splits do not leak."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Shaped

from holo_downstream.vectors.inputs import text_labels
from holo_types import HoloError

__all__ = ["Leak", "Part", "leak_check", "split_by_cluster"]

Part = Literal["train", "val", "test"]
_PARTS: tuple[Part, ...] = ("train", "val", "test")


@attrs.frozen
class Leak:
    """A held-out complex that shares a cluster or a ligand with a training complex.

    Parameters
    ----------
    id
        The held-out complex.
    by
        ``"cluster"`` or ``"ligand"``.
    value
        The cluster or ligand that they share.
    learned
        The training complexes that share it.
    """

    id: str
    by: Literal["cluster", "ligand"]
    value: str
    learned: tuple[str, ...]

    def __str__(self) -> str:
        others = ", ".join(self.learned[:3]) + (", ..." if len(self.learned) > 3 else "")
        return f"{self.by} {self.value} is also that of {others}, learned from"


def leak_check(
    train: Iterable[str],
    test: Iterable[str],
    clusters: Mapping[str, str] | None = None,
    ligands: Mapping[str, str] | None = None,
) -> tuple[Leak, ...]:
    """Return the held-out complexes that share a cluster or a ligand with a training complex.

    Parameters
    ----------
    train, test
        Ids of complexes.
    clusters
        The sequence cluster of each id. Ids without one, or with empty text, are not checked.
    ligands
        The ligand of each id likewise, by a key that is the same for the same ligand, such as its InChIKey.

    Returns
    -------
    tuple of Leak
        The leaks in the order of ``test``; one complex may leak in both ways.

    Examples
    --------
    >>> leaks = leak_check(["1abc"], ["2abc", "3abc"], {"1abc": "7", "2abc": "7", "3abc": "8"})
    >>> [(leak.id, str(leak)) for leak in leaks]
    [('2abc', 'cluster 7 is also that of 1abc, learned from')]
    """
    learned, held_out = list(train), list(test)
    found: dict[str, list[Leak]] = {name: [] for name in held_out}
    kinds: tuple[tuple[Literal["cluster", "ligand"], Mapping[str, str]], ...] = (
        ("cluster", clusters or {}),
        ("ligand", ligands or {}),
    )
    for by, value_of in kinds:
        having: dict[str, list[str]] = defaultdict(list)
        for name in learned:
            having[value_of.get(name, "")].append(name)
        for name in held_out:
            value = value_of.get(name, "")
            if value and value in having:
                found[name].append(Leak(name, by, value, tuple(having[value])))
    return tuple(leak for leaks in found.values() for leak in leaks)


def split_by_cluster(
    clusters: Shaped[np.ndarray, "n"],
    fractions: tuple[float, float, float] = (0.6, 0.15, 0.25),
    *,
    seed: int = 0,
) -> Shaped[np.ndarray, "n"]:
    """Assign every cluster as a whole to training, validation or test.

    Clusters are assigned in random order, each to the part that lacks the most complexes. The parts therefore come
    close to their fractions unless a cluster is larger than a part.

    Parameters
    ----------
    clusters : Shaped[ndarray, "n"]
        The sequence cluster of each complex, text or integers, none empty.
    fractions
        The fractions of complexes in training, validation and test; they must add up to 1.
    seed
        The seed of the order.

    Returns
    -------
    Shaped[ndarray, "n"]
        ``"train"``, ``"val"`` or ``"test"`` for each complex.

    Raises
    ------
    HoloError
        If a cluster is empty, there are fewer clusters than parts, or the fractions do not add up.

    Examples
    --------
    >>> split_by_cluster(np.array([1, 1, 1, 2, 3, 3])).tolist()
    ['test', 'test', 'test', 'val', 'train', 'train']
    """
    names = text_labels("clusters", clusters, len(clusters))
    if (names == "").any():
        raise HoloError(
            f"clusters[{int(np.argmax(names == ''))}] is empty; every complex must have a cluster"
        )
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise HoloError(f"fractions are {fractions}; they must be positive and add up to 1")
    unique, cluster_of_row, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if len(unique) < len(_PARTS):
        raise HoloError(f"there are {len(unique)} clusters; a split into {len(_PARTS)} needs as many")
    missing = np.array(fractions) * len(names)
    empty = np.ones(len(_PARTS), dtype=bool)
    part_of_cluster = np.empty(len(unique), dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(unique))
    for position, cluster in enumerate(order):
        # The last clusters are reserved for parts that would otherwise be empty.
        must = len(order) - position <= empty.sum()
        part = int(np.argmax(np.where(empty | (not must), missing, -np.inf)))
        part_of_cluster[cluster] = part
        missing[part] -= sizes[cluster]
        empty[part] = False
    return np.array(_PARTS)[part_of_cluster[cluster_of_row]]
