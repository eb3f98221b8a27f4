"""Whether the nearest neighbor of a residue is the same residue in another structure (extra ``structures``)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

import holo_features
from holo_downstream import Scaling
from holo_types import PointClouds

from .invariants import Invariants, ZAlone
from .measured_residues import Read

__all__ = ["Matches", "Pool", "Question", "match"]

Question = Literal["same residue", "relative"]
Key = tuple[str, str]  # invariants and scaling

_LEAST_IDENTITY: dict[Question, float] = {"same residue": 0.9, "relative": 0.25}
_QUERIES = 2000
_NOWHERE = -1


@attrs.frozen(eq=False)
class Pool:
    """The residues of many structures, one structure after the other.

    Parameters
    ----------
    reads
        The structures.
    structure, protein : Int[ndarray, "n"]
        The structure and the protein of each residue.
    apart : Int[ndarray, "n"]
        Residues with the same value are no candidates for one another: those of one structure, or of one protein.
    numbers : Int[ndarray, "n"]
        Residues that are the same, or that are aligned with each other, share a number; -1 if there is none.
    asked, usable : Bool[ndarray, "n"]
        Whether the residue belongs to a pocket; whether its surroundings are complete.
    """

    reads: tuple[Read, ...]
    structure: Int[np.ndarray, "n"]
    protein: Int[np.ndarray, "n"]
    apart: Int[np.ndarray, "n"]
    numbers: Int[np.ndarray, "n"]
    asked: Bool[np.ndarray, "n"]
    usable: Bool[np.ndarray, "n"]

    @classmethod
    def of(cls, reads: Sequence[Read], question: Question) -> "Pool":
        """Align the chains of structures of one protein, or of relatives."""
        sizes = [len(read.centers) for read in reads]
        names = [read.row.protein for read in reads]
        structure = np.repeat(np.arange(len(reads)), sizes)
        protein = np.repeat(np.unique(names, return_inverse=True)[1], sizes)
        same = question == "same residue"
        groups = names if same else [read.row.relative for read in reads]
        return cls(
            reads=tuple(reads),
            structure=structure,
            protein=protein,
            apart=structure if same else protein,
            numbers=_numbers(reads, groups, _LEAST_IDENTITY[question]),
            asked=np.concatenate([read.pocket for read in reads]),
            usable=np.concatenate([read.pocket | read.row.whole for read in reads]),
        )


def _numbers(reads: Sequence[Read], groups: Sequence[str], least_identity: float) -> NDArray[np.int64]:
    """Assign the same number to aligned residues of each group of structures."""
    found = [np.full(len(read.centers), _NOWHERE) for read in reads]
    first = 0
    for group in sorted(set(groups) - {""}):
        chains = [
            (number, read.centers.index["chain"] == chain)
            for number, (read, of) in enumerate(zip(reads, groups, strict=True))
            if of == group
            for chain in np.unique(read.centers.index["chain"])
        ]
        sequences = [
            holo_features.one_letter_sequence(reads[number].centers.index["residue_name"][rows].tolist())
            for number, rows in chains
        ]
        for (number, rows), columns in zip(
            chains, holo_features.common_numbers(sequences, least_identity), strict=True
        ):
            found[number][rows] = np.where(columns < 0, _NOWHERE, columns + first)
        first += sum(map(len, sequences))
    return np.concatenate(found)


@attrs.frozen(eq=False)
class Matches:
    """Which residues have a correct nearest neighbor.

    Parameters
    ----------
    proteins : Int[ndarray, "queries"]
        The protein of each queried residue.
    chance
        The share of candidates that would have been correct, averaged over the queried residues.
    right
        For each pair of invariants and scaling, which nearest neighbors are correct.
    """

    proteins: Int[np.ndarray, "queries"]
    chance: float
    right: Mapping[Key, Bool[np.ndarray, "queries"]]


class _Search:
    """The nearest candidates so far of pocket residues: all residues of other structures, or of other proteins."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.queries = self._drawn(seed)
        self._least: dict[Key, NDArray[np.floating]] = {}
        self._nearest: dict[Key, NDArray[np.int64]] = {}

    def _drawn(self, seed: int) -> NDArray[np.int64]:
        """Draw residues that have a correct answer, with about equal numbers from each protein."""
        pool = self.pool
        places = np.unique(np.stack([pool.numbers, pool.apart])[:, pool.usable], axis=1)
        numbers, counts = np.unique(places[0], return_counts=True)
        answerable = np.isin(pool.numbers, numbers[(counts > 1) & (numbers != _NOWHERE)])
        chosen = np.flatnonzero(pool.asked & answerable)
        chosen = np.random.default_rng(seed).permutation(chosen)
        proteins = pool.protein[chosen]
        of_each = -(-_QUERIES // max(1, len(np.unique(proteins))))
        taken = [chosen[proteins == protein][:of_each] for protein in np.unique(proteins)]
        return np.sort(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.int64)

    def look(
        self, key: Key, asked: NDArray[np.floating], candidates: NDArray[np.floating], rows: NDArray[np.int64]
    ) -> None:
        """Compare the queries with the candidates of one structure."""
        distances = (asked**2).sum(axis=1)[:, None] + (candidates**2).sum(axis=1) - 2 * asked @ candidates.T
        distances[self.pool.apart[self.queries] == self.pool.apart[rows[0]]] = np.inf
        places = distances.argmin(axis=1)
        found = distances[np.arange(len(places)), places]
        least = self._least.setdefault(key, np.full(len(self.queries), np.inf, dtype=found.dtype))
        nearest = self._nearest.setdefault(key, np.full(len(self.queries), _NOWHERE))
        nearer = found < least
        least[nearer], nearest[nearer] = found[nearer], rows[places[nearer]]

    def matches(self) -> Matches:
        pool, wanted = self.pool, self.pool.numbers[self.queries]
        usable = np.flatnonzero(pool.usable)
        shares = [
            (pool.numbers[usable[pool.apart[usable] != apart]] == number).mean()
            for number, apart in zip(wanted, pool.apart[self.queries], strict=True)
        ]
        return Matches(
            proteins=pool.protein[self.queries],
            chance=float(np.mean(shares)),
            right={key: pool.numbers[found] == wanted for key, found in self._nearest.items()},
        )


def match(
    pool: Pool,
    invariants: Invariants | ZAlone,
    scalings: Mapping[Key, Scaling],
    channels: tuple[str, ...],
    *,
    seed: int,
) -> Matches | None:
    """Find the nearest neighbor of pocket residues among the residues of other structures, or of other proteins.

    Parameters
    ----------
    pool
        The residues.
    invariants, scalings
        The functions that distances are computed from, and how each is scaled.
    channels
        The channels of the surroundings.
    seed
        The seed of the choice of the queried residues.

    Returns
    -------
    Matches or None
        None if no residue has a correct answer.
    """
    search = _Search(pool, seed)
    if not len(search.queries):
        return None

    def clouds(number: int, chosen: NDArray[np.bool_]) -> tuple[PointClouds, NDArray[np.int64]]:
        rows = np.flatnonzero(pool.structure == number)
        kept = chosen[rows]
        return pool.reads[number].clouds(invariants.cutoff, channels)[kept], rows[kept]

    wanted = np.isin(np.arange(len(pool.structure)), search.queries)
    parts = [
        invariants.of(clouds(number, wanted)[0])
        for number in np.unique(pool.structure[search.queries]).tolist()
    ]
    asked = {
        key: scaling.of(np.concatenate([part[key[0]] for part in parts])) for key, scaling in scalings.items()
    }
    for number in np.unique(pool.structure[pool.usable]).tolist():
        cut, rows = clouds(number, pool.usable)
        found = invariants.of(cut)
        for key, scaling in scalings.items():
            search.look(key, asked[key], scaling.of(found[key[0]]), rows)
    return search.matches()
