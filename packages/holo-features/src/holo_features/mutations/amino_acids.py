"""Properties of the twenty amino acids, and of pairs of them."""

from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from biotite.sequence import ProteinSequence
from biotite.sequence.align import SubstitutionMatrix
from jaxtyping import Float, Int

from holo_features.readers.names import STANDARD_AMINO_ACIDS
from holo_types import HoloError

__all__ = ["PROPERTIES", "blosum62", "letter_of", "properties", "residue_name_of"]

PROPERTIES = (
    "hydrophobicity",
    "volume",
    "charge",
    "polarity",
    "helix propensity",
    "sheet propensity",
    "aromatic",
    "branched at Cβ",
    "side-chain bonds",
    "glycine",
    "proline",
)

# Keys are residue names; values are in the order of PROPERTIES. Hydrophobicity: octanol to water, in units of pi
# (Fauchère and Pliška 1983). Volume in Å³ (Zamyatnin 1972). Polarity (Grantham 1974). Helix propensity in kcal/mol,
# alanine 0 (Pace and Scholtz 1998). Sheet propensity in kcal/mol, alanine 0 (Minor and Kim 1994, who report "below -3"
# for proline). Side-chain bonds: the rotatable ones, the chi angles.
_TABLE = MappingProxyType(
    {
        "ALA": (0.31, 88.6, 0, 8.1, 0.00, 0.00, 0, 0, 0, 0, 0),
        "ARG": (-1.01, 173.4, 1, 10.5, 0.21, 0.45, 0, 0, 4, 0, 0),
        "ASN": (-0.60, 114.1, 0, 11.6, 0.65, -0.08, 0, 0, 2, 0, 0),
        "ASP": (-0.77, 111.1, -1, 13.0, 0.69, -0.94, 0, 0, 2, 0, 0),
        "CYS": (1.54, 108.5, 0, 5.5, 0.68, 0.52, 0, 0, 1, 0, 0),
        "GLN": (-0.22, 143.8, 0, 10.5, 0.39, 0.23, 0, 0, 3, 0, 0),
        "GLU": (-0.64, 138.4, -1, 12.3, 0.40, 0.01, 0, 0, 3, 0, 0),
        "GLY": (0.00, 60.1, 0, 9.0, 1.00, -1.20, 0, 0, 0, 1, 0),
        "HIS": (0.13, 153.2, 0, 10.4, 0.61, -0.02, 1, 0, 2, 0, 0),
        "ILE": (1.80, 166.7, 0, 5.2, 0.41, 1.00, 0, 1, 2, 0, 0),
        "LEU": (1.70, 166.7, 0, 4.9, 0.21, 0.51, 0, 0, 2, 0, 0),
        "LYS": (-0.99, 168.6, 1, 11.3, 0.26, 0.27, 0, 0, 4, 0, 0),
        "MET": (1.23, 162.9, 0, 5.7, 0.24, 0.72, 0, 0, 3, 0, 0),
        "PHE": (1.79, 189.9, 0, 5.2, 0.54, 0.86, 1, 0, 2, 0, 0),
        "PRO": (0.72, 112.7, 0, 8.0, 3.16, -3.00, 0, 0, 0, 0, 1),
        "SER": (-0.04, 89.0, 0, 9.2, 0.50, 0.70, 0, 0, 1, 0, 0),
        "THR": (0.26, 116.1, 0, 8.6, 0.66, 1.10, 0, 1, 1, 0, 0),
        "TRP": (2.25, 227.8, 0, 5.4, 0.49, 0.54, 1, 0, 2, 0, 0),
        "TYR": (0.96, 193.6, 0, 6.2, 0.53, 0.96, 1, 0, 2, 0, 0),
        "VAL": (1.22, 140.0, 0, 5.9, 0.61, 0.82, 0, 1, 1, 0, 0),
    }
)
_ROWS = MappingProxyType({name: row for row, name in enumerate(STANDARD_AMINO_ACIDS)})


def _known(name: str) -> str:
    if name not in _ROWS:
        raise HoloError(f"amino acid {name!r}: it must be one of {', '.join(STANDARD_AMINO_ACIDS)}")
    return name


@lru_cache(maxsize=1)
def _blosum62() -> Int[np.ndarray, "20 20"]:
    matrix = SubstitutionMatrix.std_protein_matrix()
    letters = [ProteinSequence.convert_letter_3to1(name) for name in STANDARD_AMINO_ACIDS]
    scores = [[matrix.get_score(one, other) for other in letters] for one in letters]
    return np.array(scores, dtype=np.int64)


def properties(residue_names: Sequence[str]) -> Float[np.ndarray, "n properties"]:
    """Return the properties of amino acids, in the order of `PROPERTIES`.

    Parameters
    ----------
    residue_names
        Three-letter names, each one of the twenty.

    Returns
    -------
    Float[ndarray, "n properties"]
        Hydrophobicity from octanol to water [1]_; volume in Å³ [2]_; charge at pH 7; polarity [3]_; its cost in a
        helix, in kcal/mol [4]_, and its gain in a sheet [5]_, both relative to alanine; 1 for an aromatic ring; 1 for
        two heavy atoms on Cβ beside Cα; number of rotatable bonds of the side chain; 1 for glycine; 1 for proline.

    Raises
    ------
    HoloError
        If a name is not one of the twenty.

    References
    ----------
    .. [1] J.-L. Fauchère, V. Pliška, Eur. J. Med. Chem. 18, 369 (1983).
    .. [2] A. A. Zamyatnin, Prog. Biophys. Mol. Biol. 24, 107 (1972).
    .. [3] R. Grantham, Science 185, 862 (1974).
    .. [4] C. N. Pace, J. M. Scholtz, Biophys. J. 75, 422 (1998).
    .. [5] D. L. Minor, P. S. Kim, Nature 367, 660 (1994).

    Examples
    --------
    >>> dict(zip(PROPERTIES, properties(["LYS"])[0].tolist()))["charge"]
    1.0
    """
    return np.array([_TABLE[_known(name)] for name in residue_names], dtype=float).reshape(
        -1, len(PROPERTIES)
    )


def blosum62(ones: Sequence[str], others: Sequence[str]) -> Int[np.ndarray, "n"]:
    """Return the BLOSUM62 scores of pairs of amino acids: how often one replaces the other in alignments.

    Parameters
    ----------
    ones, others
        Equally many three-letter names, each one of the twenty.

    Returns
    -------
    Int[ndarray, "n"]
        The scores in half bits; the matrix is symmetric.

    Raises
    ------
    HoloError
        If a name is not one of the twenty.

    Notes
    -----
    Henikoff and Henikoff, *PNAS* 89, 10915 (1992); the matrix is biotite's.

    Examples
    --------
    >>> blosum62(["ILE", "ILE"], ["VAL", "ASP"])
    array([ 3, -3])
    """
    scores, rows = _blosum62(), _ROWS
    one, other = ([rows[_known(name)] for name in names] for names in (ones, others))
    return scores[one, other]


def letter_of(residue_name: str) -> str:
    """Return the one-letter code of an amino acid.

    Examples
    --------
    >>> letter_of("TRP")
    'W'
    """
    letter: str = ProteinSequence.convert_letter_3to1(_known(residue_name))
    return letter


def residue_name_of(letter: str) -> str:
    """Return the residue name of a one-letter code.

    Raises
    ------
    HoloError
        If it is not one of the twenty.

    Examples
    --------
    >>> residue_name_of("W")
    'TRP'
    """
    name = _OF_LETTERS.get(letter)
    if name is None:
        raise HoloError(f"amino acid {letter!r}: it must be one of {''.join(sorted(_OF_LETTERS))}")
    return name


_OF_LETTERS = MappingProxyType({letter_of(name): name for name in STANDARD_AMINO_ACIDS})
