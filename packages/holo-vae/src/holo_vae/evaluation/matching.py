"""Whether the nearest neighbor of a residue is the same residue elsewhere (extra ``structures``)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

import holo_features
from holo_downstream import Scaling
from holo_types import PointClouds

from .invariants import Invariants
from .measured_residues import Read

__all__ = ["Matches", "Pool", "Question", "match"]

Question = Literal["same residue", "relative"]
Key = tuple[str, str]  # invariants and scaling

_LEAST_IDENTITY: dict[Question, float] = {"same residue": 0.9, "relative": 0.25}
_QUERIES = 2000
_NOWHERE = -1


@attrs.frozen(eq=False)
class Pool:
    """The residues of many structures, one after the other.

    Parameters
    ----------
    reads
        The structures.
    structure, protein : Int[ndarray, "n"]
        Which of the structures a residue is of, and which protein.
    numbers
        For each question a number that residues share which are the same, or stand beside one another in an alignment;
        -1 where there is none.
    asked, usable : Bool[ndarray, "n"]
        Whether a residue is of the pocket; whether its surroundings are whole.
    """

    reads: tuple[Read, ...]
    structure: Int[np.ndarray, "n"]
    protein: Int[np.ndarray, "n"]
    numbers: Mapping[Question, Int[np.ndarray, "n"]]
    asked: Bool[np.ndarray, "n"]
    usable: Bool[np.ndarray, "n"]

    @classmethod
    def of(cls, reads: Sequence[Read]) -> "Pool":
        """Align the chains of structures of one protein, and those of relatives."""
        sizes = [len(read.centers) for read in reads]
        proteins = [read.row.protein for read in reads]
        families = [read.row.relative for read in reads]
        numbers: dict[Question, NDArray[np.int64]] = {
            "same residue": _numbers(reads, proteins, _LEAST_IDENTITY["same residue"]),
            "relative": _numbers(reads, families, _LEAST_IDENTITY["relative"]),
        }
        return cls(
            reads=tuple(reads),
            structure=np.repeat(np.arange(len(reads)), sizes),
            protein=np.repeat(np.unique(proteins, return_inverse=True)[1], sizes),
            numbers=numbers,
            asked=np.concatenate([read.pocket for read in reads]),
            usable=np.concatenate([read.pocket | read.row.whole for read in reads]),
        )


def _numbers(reads: Sequence[Read], groups: Sequence[str], least_identity: float) -> NDArray[np.int64]:
    """Give residues of each group of structures that are aligned the same number."""
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
    """Which residues have the right nearest neighbor.

    Parameters
    ----------
    proteins : Int[ndarray, "queries"]
        The protein of each.
    chance
        The share of the candidates that would have been right, over the residues.
    right
        For invariants and scaling, which are.
    """

    proteins: Int[np.ndarray, "queries"]
    chance: float
    right: Mapping[Key, Bool[np.ndarray, "queries"]]


class _Search:
    """The nearest candidate of residues of pockets, so far.

    Candidates are all residues of the other structures, or, of relatives, of other proteins' structures.
    """

    def __init__(self, pool: Pool, question: Question, seed: int) -> None:
        self.pool, self.numbers = pool, pool.numbers[question]
        self.apart = pool.structure if question == "same residue" else pool.protein
        self.queries = self._drawn(seed)
        self._least: dict[Key, NDArray[np.floating]] = {}
        self._nearest: dict[Key, NDArray[np.int64]] = {}

    def _drawn(self, seed: int) -> NDArray[np.int64]:
        """Draw residues that have a right answer, about equally many of each protein."""
        places = np.unique(np.stack([self.numbers, self.apart]), axis=1)
        numbers, counts = np.unique(places[0], return_counts=True)
        answerable = np.isin(self.numbers, numbers[(counts > 1) & (numbers != _NOWHERE)])
        chosen = np.flatnonzero(self.pool.asked & answerable)
        chosen = np.random.default_rng(seed).permutation(chosen)
        proteins = self.pool.protein[chosen]
        of_each = -(-_QUERIES // max(1, len(np.unique(proteins))))
        taken = [chosen[proteins == protein][:of_each] for protein in np.unique(proteins)]
        return np.sort(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.int64)

    def look(
        self, key: Key, asked: NDArray[np.floating], candidates: NDArray[np.floating], rows: NDArray[np.int64]
    ) -> None:
        """Compare the queries with the candidates of one structure."""
        distances = (asked**2).sum(axis=1)[:, None] + (candidates**2).sum(axis=1) - 2 * asked @ candidates.T
        distances[self.apart[self.queries] == self.apart[rows[0]]] = np.inf
        places = distances.argmin(axis=1)
        found = distances[np.arange(len(places)), places]
        least = self._least.setdefault(key, np.full(len(self.queries), np.inf, dtype=found.dtype))
        nearest = self._nearest.setdefault(key, np.full(len(self.queries), _NOWHERE))
        nearer = found < least
        least[nearer], nearest[nearer] = found[nearer], rows[places[nearer]]

    def matches(self) -> Matches:
        wanted = self.numbers[self.queries]
        usable = np.flatnonzero(self.pool.usable)
        shares = []
        for number, apart in zip(wanted, self.apart[self.queries], strict=True):
            candidates = usable[self.apart[usable] != apart]
            shares.append((self.numbers[candidates] == number).mean())
        return Matches(
            proteins=self.pool.protein[self.queries],
            chance=float(np.mean(shares)),
            right={key: self.numbers[found] == wanted for key, found in self._nearest.items()},
        )


def match(
    pool: Pool,
    invariants: Invariants,
    scalings: Mapping[Key, Scaling],
    cutoff: float,
    channels: tuple[str, ...],
    *,
    seed: int,
) -> dict[Question, Matches]:
    """Find the nearest neighbor of pocket residues among all residues of other structures.

    Parameters
    ----------
    pool
        The residues.
    invariants, scalings
        What distances are of, and how each is scaled.
    cutoff, channels
        Of the surroundings.
    seed
        Of the draw of residues that are asked about.

    Returns
    -------
    dict
        ``"same residue"``: is it the same residue of another crystal, among all other structures? ``"relative"``: the
        aligned residue of another protein, among all structures of other proteins? A question that no residue has a
        right answer to is not there.
    """
    questions: tuple[Question, ...] = ("same residue", "relative")
    searches = {question: _Search(pool, question, seed) for question in questions}
    searches = {question: search for question, search in searches.items() if len(search.queries)}
    if not searches:
        return {}

    def clouds(number: int) -> tuple[PointClouds, NDArray[np.int64]]:
        return pool.reads[number].clouds(cutoff, channels), np.flatnonzero(pool.structure == number)

    wanted = np.unique(np.concatenate([search.queries for search in searches.values()]))
    parts = []
    for number in np.unique(pool.structure[wanted]).tolist():
        cut, rows = clouds(number)
        parts.append(invariants.of(cut[np.isin(rows, wanted)]))
    known = {
        key: scaling.of(np.concatenate([part[key[0]] for part in parts])) for key, scaling in scalings.items()
    }
    asked = {
        question: {key: rows[np.searchsorted(wanted, search.queries)] for key, rows in known.items()}
        for question, search in searches.items()
    }
    for number in range(len(pool.reads)):
        cut, rows = clouds(number)
        usable = pool.usable[rows]
        if not usable.any():
            continue
        found = invariants.of(cut[usable])
        for key, scaling in scalings.items():
            candidates = scaling.of(found[key[0]])
            for question, search in searches.items():
                search.look(key, asked[question][key], candidates, rows[usable])
    return {question: search.matches() for question, search in searches.items()}
