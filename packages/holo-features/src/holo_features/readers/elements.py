"""Chemical elements of atoms, from what a file says or from the atoms' names."""

import warnings

import numpy as np
from biotite.structure import infer_elements
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray

from .symbols import ELEMENTS

__all__ = ["elements_of", "is_element"]

_MOST = 127
_IS_ELEMENT = np.zeros((_MOST + 1, _MOST + 1), dtype=bool)  # by the codes of two characters, 0 for none
for _symbol in ELEMENTS:
    _IS_ELEMENT[ord(_symbol[0]), ord(_symbol[1]) if len(_symbol) > 1 else 0] = True


def is_element(symbols: Shaped[np.ndarray, "atoms"]) -> Bool[np.ndarray, "atoms"]:
    """Say which symbols, in upper case, are chemical elements; deuterium D and tritium T count.

    Examples
    --------
    >>> is_element(np.array(["C", "X", "SE"])).tolist()
    [True, False, True]
    """
    characters = np.ascontiguousarray(symbols).view(np.uint32).reshape(len(symbols), -1)
    first, second = characters[:, 0], characters[:, 1] if characters.shape[1] > 1 else np.uint32(0)
    known: NDArray[np.bool_] = _IS_ELEMENT[np.minimum(first, _MOST), np.minimum(second, _MOST)]
    for more in characters.T[2:]:
        known &= more == 0
    return known


def elements_of(
    symbols: Shaped[np.ndarray, "atoms"],
    names: Shaped[np.ndarray, "atoms"],
    residues: Shaped[np.ndarray, "atoms"],
) -> Shaped[np.ndarray, "atoms"]:
    """Give elements in upper case, inferred from the atom's name where the file has none.

    A name that is also the residue's is that of an ion. What cannot be inferred stays blank.

    Parameters
    ----------
    symbols
        As the file has them: blank, ``?`` or ``.`` if it has none.
    names, residues
        Names of the atoms and of their residues.

    Examples
    --------
    >>> symbols, names = np.array(["c", "", ""]), np.array(["CA", "CA", "CA"])
    >>> elements_of(symbols, names, np.array(["GLY", "GLY", "CA"])).tolist()
    ['C', 'C', 'CA']
    """
    if is_element(symbols).all():
        return symbols
    elements: NDArray[np.str_] = np.char.upper(symbols)
    blank = (elements == "") | (elements == "?") | (elements == ".")
    if not blank.any():
        return elements
    elements = elements.astype(np.promote_types(elements.dtype, "U2"))
    name = np.char.upper(names[blank])
    with warnings.catch_warnings():
        # What biotite cannot infer stays blank, and `read_structure` leaves such atoms out by name.
        warnings.filterwarnings("ignore", message=r"Could not infer element", category=UserWarning)
        inferred = infer_elements(name)
    ion = (name == np.char.upper(residues[blank])) & is_element(name)
    elements[blank] = np.where(ion, name, inferred)
    return elements
