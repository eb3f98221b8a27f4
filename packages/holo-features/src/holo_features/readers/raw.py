"""The result of reading every format of structures and of small molecules."""

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
    """Something that was done with a file and that its user might want otherwise.

    Parameters
    ----------
    kind
        The kind by which remarks are counted on the screen.
    reason
        What was done and why, in words.
    subject
        The residue, such as ``"A 52A GLY"``; empty if it is the whole file.
    count
        Number of atoms, residues or models that it concerns.
    """

    kind: Kind
    reason: str
    subject: str = ""
    count: int = 1


@attrs.frozen(eq=False)
class RawAtoms:
    """All atoms of one model of a file, before any selection.

    Parameters
    ----------
    atoms
        All atoms, with every alternate location; elements in upper case, blank if unknown; ``charge`` is the formal
        charge, 0 if the file has none; ``b_factor`` is NaN if it has none.
    labels : Shaped[ndarray, "atoms"]
        Labels of the alternate locations, empty if there is only one.
    occupancies : Float[ndarray, "atoms"]
        Occupancies, 1 if the file has none.
    polymer : Bool[ndarray, "atoms"]
        True for the atoms of a chain itself, false for ligands and water, which only carry its letter.
    units : Shaped[ndarray, "atoms"]
        Names of the parts from which assemblies are built: the chain (PDB) or ``label_asym_id`` (mmCIF).
    model
        The model's number in the file.
    copies
        The copies that make the requested assembly; None if none was requested.
    remarks
        What was done with the file that its user should know.
    has_plddt
        Whether the file declares that its B-factors are a predictor's pLDDT.
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
    """A molecule of a file that has not been read yet.

    Parameters
    ----------
    name
        Its name in the file; empty if it has none.
    read
        Function that returns its atoms, or raises an error if they are damaged. ``charge`` is the formal charge;
        ``partial_charge`` is present if the file has it.
    pose
        Number of the pose: molecules of one pose lie beside each other, and several poses occupy one place; None if the
        file has no poses.
    remarks
        What was done with it that its user should know.
    residues
        Its residues, if it is part of a structure, such as ``"A:501"``.
    """

    name: str
    read: Callable[[], AtomArray]
    pose: int | None = None
    remarks: tuple[Remark, ...] = ()
    residues: tuple[str, ...] = ()


def further_models(count: int, *, frames: bool, copies: bool) -> Remark:
    """Return a remark on how many models, or frames of a trajectory, were passed over after the first.

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
    """Return a description of an atom in words.

    Examples
    --------
    >>> atom_name("A", " 52A", "GLY", " CA ")
    'A 52A GLY CA'
    """
    return " ".join(part.strip() for part in (chain, number, residue, atom))


def listed(names: Iterable[object]) -> str:
    """Return a list of names as text, for an error message.

    Examples
    --------
    >>> listed(range(1, 26))
    '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, ... (25 in all)'
    """
    every = list(dict.fromkeys(map(str, names)))
    more = f", ... ({len(every)} in all)" if len(every) > _MOST_LISTED else ""
    return ", ".join(name or "''" for name in every[:_MOST_LISTED]) + more
