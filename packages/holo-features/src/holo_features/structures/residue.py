"""The identity of residues: which residue an atom belongs to, and its name."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Int

from holo_types import HoloError

__all__ = ["ResidueId", "of_residues", "residue_ids", "residue_numbers", "residue_starts"]

_SHOWN = 100  # characters of a text that is not a residue


class ResidueId(NamedTuple):
    """The identity of a residue in a structure, in the numbering of the authors of the entry.

    Parameters
    ----------
    chain, residue_number, insertion_code
        As in the index.

    Examples
    --------
    >>> ResidueId.parse("H:52A")
    ResidueId(chain='H', residue_number=52, insertion_code='A')
    >>> str(ResidueId("A", -3))
    'A:-3'
    """

    chain: str
    residue_number: int
    insertion_code: str = ""

    @classmethod
    def parse(cls, text: str) -> "ResidueId":
        """Read a residue written as chain, colon, number and insertion code.

        Raises
        ------
        HoloError
            If the text is written otherwise.
        """
        match = re.fullmatch(r"([^:,]+):(-?[0-9]{1,9})([A-Za-z]?)", text)
        if match is None:
            raise HoloError(
                f"residue {text[:_SHOWN]!r}: it must be written as chain:number, such as A:52 or A:52B"
            )
        return cls(match[1], int(match[2]), match[3])

    @classmethod
    def parse_all(cls, texts: Iterable[str]) -> "tuple[ResidueId, ...]":
        """Read residues, where commas separate several of a chain, in the syntax of the option ``--residues``.

        Raises
        ------
        HoloError
            If a text is written otherwise.

        Examples
        --------
        >>> [str(residue) for residue in ResidueId.parse_all(["A:57,102B", "B:-5"])]
        ['A:57', 'A:102B', 'B:-5']
        """

        def each(text: str) -> list[str]:
            chain, colon, numbers = text.rpartition(":")
            return [f"{chain}{colon}{number}" for number in numbers.split(",")]

        return tuple(cls.parse(name) for text in texts for name in each(text))

    def __str__(self) -> str:
        return f"{self.chain}:{self.residue_number}{self.insertion_code}"

    def words(self, residue_name: str) -> str:
        """Return the residue with its type in words, as in tables of what was skipped.

        Examples
        --------
        >>> ResidueId("A", 52, "B").words("GLY")
        'A 52B GLY'
        """
        return f"{self.chain} {self.residue_number}{self.insertion_code} {residue_name}"


def residue_starts(atoms: AtomArray) -> Int[np.ndarray, "residues"]:
    """Return the first atom of each residue, where the chain, the number or the insertion code changes.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> glycine, alanine = residue("GLY"), residue("ALA")
    >>> alanine.res_id += 1
    >>> len(glycine), residue_starts(glycine + alanine).tolist()
    (10, [0, 10])
    """
    starts = np.zeros(len(atoms), dtype=bool)
    starts[:1] = True
    for values in (atoms.chain_id, atoms.res_id, atoms.ins_code):
        starts[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(starts)


def residue_numbers(atoms: AtomArray) -> Int[np.ndarray, "atoms"]:
    """Return for each atom the position of its residue in the structure, from 0."""
    starts = np.zeros(len(atoms), dtype=np.int64)
    starts[residue_starts(atoms)[1:]] = 1
    return np.cumsum(starts)


def residue_ids(atoms: AtomArray, rows: Int[np.ndarray, "n"]) -> list[ResidueId]:
    """Return the residues of some atoms.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> alanine = residue("ALA")
    >>> alanine.chain_id[:], alanine.res_id[:] = "A", 7
    >>> [str(name) for name in residue_ids(alanine, np.array([0, 1]))]
    ['A:7', 'A:7']
    """
    columns = (atoms.chain_id[rows], atoms.res_id[rows], atoms.ins_code[rows])
    return list(map(ResidueId, *(column.tolist() for column in columns)))


def of_residues(atoms: AtomArray, residues: Collection[ResidueId]) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms belong to any of some residues; residues that do not exist are ignored."""
    wanted = frozenset(residues)
    there = [name in wanted for name in residue_ids(atoms, residue_starts(atoms))]
    chosen: Bool[np.ndarray, atoms] = np.array(there, dtype=bool)[residue_numbers(atoms)]
    return chosen
