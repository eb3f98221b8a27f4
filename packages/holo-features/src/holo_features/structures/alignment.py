"""Which residues of related chains stand for one another, by the alignment of their sequences."""

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

_GAPS = (-11, -1)  # to open, to extend: those of BLAST with BLOSUM62
_LEAST_COVERAGE = 0.5  # of the shorter chain
_UNKNOWN = "X"


@attrs.frozen(eq=False)
class Alignment:
    """Two sequences beside one another.

    Parameters
    ----------
    pairs : Int[ndarray, "pairs 2"]
        Positions in the first and in the second sequence that stand in one column.
    identity
        The share of these pairs that are the same amino acid; 0 if there are none.
    """

    pairs: Int[np.ndarray, "pairs 2"]
    identity: float


def one_letter_sequence(residue_names: Sequence[str]) -> str:
    """Write residues in the one-letter code; a modified one has the letter of what it was, one that is not known is X.

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
        In the one-letter code.

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
    """Return numbers for the residues of several chains, the same for those that an alignment puts side by side.

    The longest chain is a reference. Every other one is aligned to the references that there are, and takes the
    numbers of the first that it is like enough, aligned over half of the shorter at least; else it is a new one.

    Parameters
    ----------
    sequences
        In the one-letter code.
    least_identity
        The share of aligned residues that must be the same, such as .9 for crystals of one protein.

    Returns
    -------
    list of Int[ndarray, "residues"]
        For each chain a number for each residue, -1 where the reference has none beside it.

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
