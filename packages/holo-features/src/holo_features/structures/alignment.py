"""Corresponding residues of related chains, by the alignment of their sequences."""

from collections.abc import Sequence
from functools import lru_cache

import attrs
import numpy as np
from biotite.sequence import ProteinSequence
from biotite.sequence.align import SubstitutionMatrix, align_optimal
from jaxtyping import Int
from numpy.typing import NDArray

from holo_types import HoloError

__all__ = ["Alignment", "align", "common_numbers", "one_letter_sequence"]

_GAPS = (-11, -1)  # to open and to extend: those of BLAST with BLOSUM62
_LEAST_COVERAGE = 0.5  # of the shorter chain
_UNKNOWN = "X"


@attrs.frozen(eq=False)
class Alignment:
    """An alignment of two sequences.

    Parameters
    ----------
    pairs : Int[ndarray, "pairs 2"]
        Positions in the first and in the second sequence that are in one column.
    identity
        The fraction of these pairs with the same amino acid; 0 if there are no pairs.
    """

    pairs: Int[np.ndarray, "pairs 2"]
    identity: float


def one_letter_sequence(residue_names: Sequence[str]) -> str:
    """Return residues in the one-letter code; a modified one has the letter of its parent, an unknown one has X.

    Examples
    --------
    >>> one_letter_sequence(["MET", "GLY", "MSE", "Y9Z"])
    'MGMX'
    """
    return "".join(map(_letter, residue_names))


@lru_cache(maxsize=1024)
def _letter(name: str) -> str:
    try:
        letter: str = ProteinSequence.convert_letter_3to1(name)
    except KeyError:
        return _UNKNOWN
    return letter if letter in "ACDEFGHIKLMNPQRSTVWY" else _UNKNOWN


def align(first: str, second: str) -> Alignment:
    """Align two sequences over their whole length, gaps at the ends free (BLOSUM62, gaps -11 and -1).

    Parameters
    ----------
    first, second
        Sequences in the one-letter code.

    Raises
    ------
    HoloError
        If a sequence is empty.

    Examples
    --------
    >>> found = align("MKTAYIAKQR", "TAYIAKQRLL")
    >>> found.pairs[0].tolist(), found.identity
    ([2, 0], 1.0)
    """
    if not first or not second:
        raise HoloError("align: a sequence is empty; both must have a residue at least")
    best = align_optimal(
        ProteinSequence(first),
        ProteinSequence(second),
        SubstitutionMatrix.std_protein_matrix(),
        gap_penalty=_GAPS,
        terminal_penalty=False,
        max_number=1,
    )[0]
    pairs: NDArray[np.int64] = best.trace[(best.trace >= 0).all(axis=1)].astype(np.int64)
    same = (
        np.frombuffer(first.encode(), "u1")[pairs[:, 0]] == np.frombuffer(second.encode(), "u1")[pairs[:, 1]]
    )
    return Alignment(pairs, float(same.mean()) if len(pairs) else 0.0)


def common_numbers(sequences: Sequence[str], least_identity: float) -> list[Int[np.ndarray, "residues"]]:
    """Return numbers for the residues of several chains that are equal for residues aligned with each other.

    The longest chain is a reference. Every other one is aligned to the existing references, and takes the numbers of
    the first one that is similar enough and aligned over at least half of the shorter chain; otherwise it becomes a new
    reference.

    Parameters
    ----------
    sequences
        Sequences in the one-letter code.
    least_identity
        The fraction of aligned residues that must be identical, such as .9 for crystals of one protein.

    Returns
    -------
    list of Int[ndarray, "residues"]
        For each chain, a number for each residue, or -1 if no residue of the reference is aligned with it.

    Raises
    ------
    HoloError
        If a sequence is empty.

    Examples
    --------
    >>> common_numbers(["TAYIAKQR", "MKTAYIAKQRLL", "GGGGSGGGG"], 0.9)[0].tolist()
    [2, 3, 4, 5, 6, 7, 8, 9]
    """
    references: list[tuple[str, int]] = []
    known: dict[str, NDArray[np.int64]] = {}
    for sequence in sorted(set(sequences), key=lambda text: (-len(text), text)):
        for reference, start in references:
            found = align(reference, sequence)
            enough = len(found.pairs) >= _LEAST_COVERAGE * min(len(reference), len(sequence))
            if enough and found.identity >= least_identity:
                numbers = np.full(len(sequence), -1)
                numbers[found.pairs[:, 1]] = start + found.pairs[:, 0]
                break
        else:
            start = sum(len(reference) for reference, _ in references)
            references.append((sequence, start))
            numbers = start + np.arange(len(sequence))
        known[sequence] = numbers
    return [known[sequence] for sequence in sequences]
