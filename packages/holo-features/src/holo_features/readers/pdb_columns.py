"""Chains, residue names and numbers of PDB records in which programs use more columns than the format has.

The rules, by column, counted from 1:

18-21  A known four-letter name, such as TIP3, if column 21 is filled. What looks like one in a chain whose column 21 is
       filled throughout is a three-letter name and a two-letter chain.
21-22  The chain; it has two letters if column 21 is filled throughout the chain.
73-76  A segment's name replaces the chain's if column 22 is blank, or if chain, number and insertion code repeat in
       several segments. Beside line numbers, in files from before 1996, it is the entry's name and is ignored.
27     The fifth digit of a number that rises past 9999; otherwise the insertion code.
"""

import numpy as np
from jaxtyping import Bool, Int, Shaped, UInt8

from .columns import text
from .names import FOUR_LETTERS

__all__ = ["chains_and_names", "number_of_five_digits"]

_BLANK = 32
_NAME, _WIDE_NAME, _SECOND, _CHAIN = slice(17, 20), slice(17, 21), 20, 21
_NUMBER, _SEGMENT, _LAST = slice(22, 27), slice(72, 76), slice(76, 80)
_ATOM, _RESIDUE = slice(12, 17), slice(17, 27)
_CHARACTERS = np.array(["", *map(chr, range(1, 256))])
_CHARACTERS[: _BLANK + 1] = ""
_ZERO, _NINE = ord("0"), ord("9")
_LARGEST = 9999


def chains_and_names(
    records: UInt8[np.ndarray, "atoms 80"], ended: Bool[np.ndarray, "atoms"], *, segments: bool
) -> tuple[Shaped[np.ndarray, "atoms"], Shaped[np.ndarray, "atoms"]]:
    """Return the chain and the residue name of each atom record.

    Parameters
    ----------
    records
        Columns 1 to 80.
    ended
        True for the first record after one that ends a chain (TER).
    segments
        Whether columns 73-76 may hold a segment's name.
    """
    chains, names = _CHARACTERS[records[:, _CHAIN]], text(records[:, _NAME])
    second = records[:, _SECOND] > _BLANK
    if second.any():
        chains, names = _beyond(records, second, ended, chains, names)
    if segments and (records[:, _SEGMENT] > _BLANK).any() and not _has_line_numbers(records):
        chains = _of_segments(records, chains)
    return chains, names


def _beyond(
    records: UInt8[np.ndarray, "atoms 80"],
    second: Bool[np.ndarray, "atoms"],
    ended: Bool[np.ndarray, "atoms"],
    chains: Shaped[np.ndarray, "atoms"],
    names: Shaped[np.ndarray, "atoms"],
) -> tuple[Shaped[np.ndarray, "atoms"], Shaped[np.ndarray, "atoms"]]:
    """Distinguish four-letter names from two-letter chains, in runs of records of one chain."""
    wide_names, wide_chains = text(records[:, _WIDE_NAME]), text(records[:, _SECOND : _CHAIN + 1])
    known = second & np.isin(wide_names, tuple(FOUR_LETTERS))
    begins = ended.copy()
    begins[:1] = True
    both = second[1:] & second[:-1]
    begins[1:] |= records[1:, _CHAIN] != records[:-1, _CHAIN]
    begins[1:] |= both & (records[1:, _SECOND] != records[:-1, _SECOND])
    firsts = np.flatnonzero(begins)
    stretch = np.cumsum(begins) - 1
    is_atom = records[:, 0] == ord("A")
    throughout = np.logical_and.reduceat(second, firsts) & ~np.logical_and.reduceat(known, firsts)
    with_atoms = np.logical_or.reduceat(is_atom, firsts)
    sure = (throughout & with_atoms)[stretch]
    # Ligands alone do not determine their chain, unless it has two letters elsewhere, or nowhere one letter.
    of_pair = second & ~known & np.isin(wide_chains, np.unique(wide_chains[sure]))
    of_letter = np.isin(chains, np.unique(chains[is_atom & ~second]))
    two = sure | of_pair | (throughout[stretch] & ~of_letter)
    names = names.astype("U4")
    four = known & ~two
    names[four] = wide_names[four]
    return np.where(two, wide_chains, chains), names


def _has_line_numbers(records: UInt8[np.ndarray, "atoms 80"]) -> bool:
    last = records[:, _LAST]
    digits = (last >= _ZERO) & (last <= _NINE)
    return bool(((digits | (last == _BLANK)).all(axis=1) & digits[:, -1]).mean() > 0.5)


def _of_segments(
    records: UInt8[np.ndarray, "atoms 80"], chains: Shaped[np.ndarray, "atoms"]
) -> Shaped[np.ndarray, "atoms"]:
    """Use the segment as the chain if the chain is blank or does not distinguish residues."""
    names, segments = np.unique(text(records[:, _SEGMENT]), return_inverse=True)
    firsts, lengths = _residues(records, segments)
    # A residue belongs to one segment, whatever a damaged line contains.
    segment = np.array([np.bincount(part).argmax() for part in np.split(segments, firsts[1:])])
    chain, numbers = chains[firsts], np.ascontiguousarray(records[firsts, _NUMBER]).view("S5").ravel()
    taken = chain == ""
    for letter in np.unique(chain[~taken]).tolist():
        rows = np.flatnonzero(chain == letter)
        if (segment[rows] == segment[rows[0]]).all():
            continue
        residues = set(zip(numbers[rows].tolist(), segment[rows].tolist(), strict=True))
        taken[rows] = len({number for number, _ in residues}) < len(residues)
    taken &= names[segment] != ""
    return np.where(np.repeat(taken, lengths), np.repeat(names[segment], lengths), chains)


def _residues(
    records: UInt8[np.ndarray, "atoms 80"], segments: Int[np.ndarray, "atoms"]
) -> tuple[Int[np.ndarray, "residues"], Int[np.ndarray, "residues"]]:
    """Return the first record of each residue, and its number of records."""
    begins = np.ones(len(records), dtype=bool)
    begins[1:] = (records[1:, _RESIDUE] != records[:-1, _RESIDUE]).any(axis=1)
    # In another segment, a residue is a different one if its first atom is repeated.
    first = np.maximum.accumulate(np.where(begins, np.arange(len(records)), 0))
    again = (records[:, _ATOM] == records[first][:, _ATOM]).all(axis=1)
    begins |= again & (np.diff(segments, prepend=segments[0]) != 0)
    firsts = np.flatnonzero(begins)
    return firsts, np.diff(np.append(firsts, len(records)))


def number_of_five_digits(
    records: UInt8[np.ndarray, "atoms 80"],
    chains: Shaped[np.ndarray, "atoms"],
    numbers: Int[np.ndarray, "atoms"],
) -> tuple[Int[np.ndarray, "atoms"], Shaped[np.ndarray, "atoms"]]:
    """Return residue numbers and insertion codes, where a digit as a code can be the fifth of a number above 9999.

    It is that if the number without it is below that of the previous residue of the chain, and with it is above.

    Parameters
    ----------
    records
        Columns 1 to 80.
    chains
        The chain of each record.
    numbers
        The content of columns 23 to 26.
    """
    codes = records[:, _NUMBER.stop - 1]
    insertions = _CHARACTERS[codes]
    digit = (codes >= _ZERO) & (codes <= _NINE) & (numbers > _LARGEST // 10)
    if not digit.any():
        return numbers, insertions
    begins = np.ones(len(records), dtype=bool)
    begins[1:] = (chains[1:] != chains[:-1]) | (records[1:, _NUMBER] != records[:-1, _NUMBER]).any(axis=1)
    firsts = np.flatnonzero(begins)
    fifth = np.zeros(len(firsts), dtype=bool)
    before: dict[str, int] = {}
    for i, (chain, number, is_digit, code) in enumerate(
        zip(
            chains[firsts].tolist(),
            numbers[firsts].tolist(),
            digit[firsts].tolist(),
            codes[firsts].tolist(),
            strict=True,
        )
    ):
        longer = 10 * number + code - _ZERO
        fifth[i] = is_digit and number < before.get(chain, 0) < longer > _LARGEST
        before[chain] = longer if fifth[i] else number
    longer_ones = fifth[np.cumsum(begins) - 1]
    return (
        np.where(longer_ones, 10 * numbers + codes.astype(np.int64) - _ZERO, numbers),
        np.where(longer_ones, "", insertions),
    )
