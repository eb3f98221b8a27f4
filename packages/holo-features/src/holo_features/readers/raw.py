"""What every format is read into, of structures and of small molecules."""

from collections.abc import Callable, Iterable
from typing import Literal

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Shaped

from .assemblies import Copy

__all__ = ["Kind", "Molecule", "RawAtoms", "Remark", "atom_name", "further_models", "listed"]

_MOST_LISTED = 20

Kind = Literal["atom left out", "residue renamed", "residue put aside", "model passed over", "read so"]


@attrs.frozen
class Remark:
    """Something that was done with a file and that its user may want otherwise.

    Parameters
    ----------
    kind
        By which remarks are counted on the screen.
    reason
        What, and why, in words.
    subject
        Which residue, such as ``"A 52A GLY"``; empty if it is the whole file.
    count
        How many atoms, residues or models it is about.
    """

    kind: Kind
    reason: str
    subject: str = ""
    count: int = 1


@attrs.frozen(eq=False)
class RawAtoms:
    """All atoms of one model of a file, nothing chosen yet.

    Parameters
    ----------
    atoms
        With every alternate location; elements in upper case, blank if unknown; ``charge`` is the formal
        charge, 0 where the file has none; ``b_factor`` is NaN where it has none.
    labels : Shaped[ndarray, "atoms"]
        Labels of the alternate locations, empty where there is one only.
    occupancies : Float[ndarray, "atoms"]
        Occupancies, 1 where the file has none.
    polymer : Bool[ndarray, "atoms"]
        True for the atoms of a chain itself, false for what only carries its letter: ligands and water.
    units : Shaped[ndarray, "atoms"]
        Names of the parts of which assemblies are built: the chain (PDB) or ``label_asym_id`` (mmCIF).
    model
        The model's number in the file.
    copies
        The copies that make the assembly that was asked for; None if none was.
    remarks
        What was done with the file that its user should know.
    has_plddt
        Whether the file says that its B-factors are a predictor's pLDDT.
    """

    atoms: AtomArray
    labels: Shaped[np.ndarray, "atoms"]
    occupancies: Float[np.ndarray, "atoms"]
    polymer: Bool[np.ndarray, "atoms"]
    units: Shaped[np.ndarray, "atoms"]
    model: int
    copies: tuple[Copy, ...] | None = None
    remarks: tuple[Remark, ...] = ()
    has_plddt: bool = False

    def __getitem__(self, rows: Bool[np.ndarray, "atoms"]) -> "RawAtoms":
        return attrs.evolve(
            self,
            atoms=self.atoms[rows],
            labels=self.labels[rows],
            occupancies=self.occupancies[rows],
            polymer=self.polymer[rows],
            units=self.units[rows],
        )


@attrs.frozen(eq=False)
class Molecule:
    """A molecule of a file, not read yet.

    Parameters
    ----------
    name
        As the file has it; empty if it has none.
    read
        Gives its atoms, or raises an error if they are damaged. ``charge`` is the formal charge,
        ``partial_charge`` is there where the file has it.
    pose
        Molecules of one pose lie side by side, those of several are one after the other in one place; None where
        the file does not say.
    remarks
        What was done with it that its user should know.
    residues
        Which residues it is, where it is of a structure, such as ``"A:501"``.
    """

    name: str
    read: Callable[[], AtomArray]
    pose: int | None = None
    remarks: tuple[Remark, ...] = ()
    residues: tuple[str, ...] = ()


def further_models(count: int, *, frames: bool, copies: bool) -> Remark:
    """Say how many models, or frames of a trajectory, were passed over after the first.

    Examples
    --------
    >>> further_models(1, frames=False, copies=True).reason
    '1 more model, a moved copy of the first as in an assembly, was passed over'
    """
    noun = "frame after END" if frames else "model"
    if count > 1:
        noun = "frames after END" if frames else "models"
    each = "a moved copy" if count == 1 else "moved copies"
    what = f", {each} of the first as in an assembly," if copies else ""
    return Remark(
        "model passed over",
        f"{count} more {noun}{what} {'was' if count == 1 else 'were'} passed over",
        count=count,
    )


def atom_name(chain: str, number: str, residue: str, atom: str) -> str:
    """Name an atom in words.

    Examples
    --------
    >>> atom_name("A", " 52A", "GLY", " CA ")
    'A 52A GLY CA'
    """
    return " ".join(part.strip() for part in (chain, number, residue, atom))


def listed(names: Iterable[object]) -> str:
    """List what is there, for an error's message.

    Examples
    --------
    >>> listed(range(1, 26))
    '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, ... (25 in all)'
    """
    every = list(dict.fromkeys(map(str, names)))
    more = f", ... ({len(every)} in all)" if len(every) > _MOST_LISTED else ""
    return ", ".join(name or "''" for name in every[:_MOST_LISTED]) + more
