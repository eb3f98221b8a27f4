"""What every structure format is read into."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Shaped

__all__ = ["RawAtoms", "atom_name"]


@attrs.frozen(eq=False)
class RawAtoms:
    """All atoms of a file's first model, nothing chosen yet.

    Parameters
    ----------
    atoms
        With every alternate location; elements as the file has them.
    labels : Shaped[ndarray, "atoms"]
        Labels of the alternate locations, empty where there is one only.
    occupancies : Float[ndarray, "atoms"]
        Occupancies, 1 where the file has none.
    polymer : Bool[ndarray, "atoms"]
        True for the atoms of a chain itself, false for what only carries its letter: ligands and water.
    model
        The model's number in the file.
    """

    atoms: AtomArray
    labels: Shaped[np.ndarray, "atoms"]
    occupancies: Float[np.ndarray, "atoms"]
    polymer: Bool[np.ndarray, "atoms"]
    model: int


def atom_name(chain: str, number: str, residue: str, atom: str) -> str:
    """Name an atom in words.

    Examples
    --------
    >>> atom_name("A", " 52A", "GLY", " CA ")
    'A 52A GLY CA'
    """
    return " ".join(part.strip() for part in (chain, number, residue, atom))
