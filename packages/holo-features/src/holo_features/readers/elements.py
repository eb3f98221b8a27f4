"""Chemical elements of atoms, from the file or from the atoms' names."""

import warnings
from functools import lru_cache

import numpy as np
from biotite.structure import infer_elements
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray

from .names import IONS, STANDARD_AMINO_ACIDS, SYNONYMS, WATERS, dictionary_elements
from .symbols import ELEMENTS

__all__ = ["elements_of", "is_element"]

_MOST = 127
_IS_ELEMENT = np.zeros((_MOST + 1, _MOST + 1), dtype=bool)  # by the codes of two characters, 0 for none
for _symbol in ELEMENTS:
    _IS_ELEMENT[ord(_symbol[0]), ord(_symbol[1]) if len(_symbol) > 1 else 0] = True


def is_element(symbols: Shaped[np.ndarray, "atoms"]) -> Bool[np.ndarray, "atoms"]:
    """Return which symbols, in upper case, are chemical elements, including deuterium D and tritium T.

    Examples
    --------
    >>> is_element(np.array(["C", "X", "SE"])).tolist()
    [True, False, True]
    """
    characters = np.ascontiguousarray(symbols).view(np.uint32).reshape(len(symbols), symbols.itemsize // 4)
    first, second = characters[:, 0], characters[:, 1] if characters.shape[1] > 1 else np.uint32(0)
    known: NDArray[np.bool_] = _IS_ELEMENT[np.minimum(first, _MOST), np.minimum(second, _MOST)]
    for more in characters.T[2:]:
        known &= more == 0
    return known


def elements_of(
    symbols: Shaped[np.ndarray, "atoms"],
    names: Shaped[np.ndarray, "atoms"],
    residues: Shaped[np.ndarray, "atoms"],
    wide: Bool[np.ndarray, "atoms"] | None = None,
) -> Shaped[np.ndarray, "atoms"]:
    """Return elements in upper case, inferred from names if the file has none.

    Atoms of known residues (the twenty amino acids, water and those of the Chemical Component Dictionary) get their
    known elements, even if the file's symbol is merely the beginning of the atom's name, such as cerium for CE. An atom
    with the name of its residue is an ion. Elements that cannot be inferred stay blank.

    Parameters
    ----------
    symbols
        Symbols in the file: blank, ``?`` or ``.`` if it has none.
    names, residues
        Names of the atoms and of their residues.
    wide : Bool[ndarray, "atoms"], optional
        Atoms whose names begin with a two-letter symbol according to the columns of a PDB file; None if no column tells
        this.

    Examples
    --------
    >>> symbols, names = np.array(["c", "", "", "CA", "CA"]), np.array(["CA"] * 5)
    >>> elements_of(symbols, names, np.array(["GLY", "GLY", "CA", "ALA", "HOH"])).tolist()
    ['C', 'C', 'CA', 'C', 'CA']
    """
    known = is_element(symbols)
    elements: NDArray[np.str_] = symbols
    if not known.all():
        elements = symbols.copy()
        elements[~known] = np.char.upper(symbols[~known])
        blank = (elements == "") | (elements == "?") | (elements == ".")
        elements = elements.astype(np.promote_types(elements.dtype, "U2"))
        rows = np.flatnonzero(blank)
        hints = [None] * len(rows) if wide is None else wide[rows].tolist()
        triples = zip(names[rows].tolist(), residues[rows].tolist(), hints, strict=True)
        elements[rows] = [_inferred(*triple) for triple in triples]
    if elements.dtype.itemsize > 4:  # one-letter symbols
        _correct_beginnings(elements, names, residues, wide)
    return elements


def _correct_beginnings(
    elements: Shaped[np.ndarray, "atoms"],
    names: Shaped[np.ndarray, "atoms"],
    residues: Shaped[np.ndarray, "atoms"],
    wide: Bool[np.ndarray, "atoms"] | None,
) -> None:
    """Correct, in place, two-letter symbols that are merely the beginning of a known atom's name.

    If a column, too, tells that the name begins with a two-letter symbol, it is kept: an ion within a residue.
    """
    doubtful = (np.char.str_len(elements) == 2) & (names != residues)
    rows = np.flatnonzero(doubtful if wide is None else doubtful & ~wide)
    for row, element, name, residue in zip(
        rows.tolist(), elements[rows].tolist(), names[rows].tolist(), residues[rows].tolist(), strict=True
    ):
        if name.upper().lstrip(_DIGITS).startswith(element):
            elements[row] = _of_known(name.upper(), residue) or element


_DIGITS = "0123456789\"'*"
# Residues whose atoms' names begin with their elements, and these elements.
_LIGHT = dict.fromkeys((*STANDARD_AMINO_ACIDS, *SYNONYMS), "CHNOSD") | dict.fromkeys(WATERS, "HOD")
# Two-letter symbols at the beginning of names that no column distinguishes from one-letter symbols.
_USUAL = frozenset(["CL", "BR", "FE", "ZN", "MG", "MN", "SE", "SI"])


@lru_cache(maxsize=4096)
def _of_known(name: str, residue: str) -> str | None:
    """Return the element of an atom of a known residue, or None if it is not known."""
    if light := _LIGHT.get(residue):
        letter = name.lstrip(_DIGITS)[:1]
        return letter if letter and letter in light else None
    return (_dictionary(residue) or {}).get(name)


@lru_cache(maxsize=256)
def _dictionary(residue: str) -> dict[str, str] | None:
    return dictionary_elements(residue)


@lru_cache(maxsize=4096)
def _inferred(name: str, residue: str, wide: bool | None) -> str:
    name, residue = name.upper(), residue.upper()
    if name == residue and (name in IONS or is_element(np.array([name]))[0]):
        return IONS.get(name, name)
    if found := _of_known(name, residue):
        return found
    letters = name.lstrip(_DIGITS)
    beginning = letters[: len(letters) - len(letters.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
    if wide or ((wide is None or len(name) > 3) and beginning in _USUAL):
        return letters[:2]
    with warnings.catch_warnings():
        # Elements that biotite cannot infer stay blank; `read_structure` leaves such atoms out and names them.
        warnings.filterwarnings("ignore", message=r"Could not infer element", category=UserWarning)
        return str(infer_elements([name])[0])
