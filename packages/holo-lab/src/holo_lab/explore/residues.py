"""The residues of structures that belong to the rows of embeddings."""

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8
from numpy.typing import NDArray

from holo_features import (
    Structure,
    alpha_carbons,
    burial,
    read_structure,
    residue_numbers,
    secondary_structure,
    structure_names,
)
from holo_types import Embeddings, HoloError

__all__ = ["MOST_ROWS", "ExploredResidues", "find_residues", "path_of_structures"]

MOST_ROWS = 100_000
_NEEDED = ("structure", "chain", "residue_number", "insertion_code", "residue_name")
_KEY = ("chain", "residue_number", "insertion_code")
_TOLERANCE = 0.05  # Å; files have three digits
_NAMED = 3

# The byte of an atom: bit 7, whether it is the first of its residue; bits 2 to 6, its element; bits 0 and 1, its role.
FIRST_ATOM = 0x80
SIDE_CHAIN, BACKBONE, ALPHA = range(3)
_BACKBONE = ("N", "C", "O", "OXT")
_MOST_ELEMENTS = 32


@attrs.frozen(eq=False)
class ExploredResidues:
    """Residues with their embeddings, and the atoms of their structures.

    Parameters
    ----------
    embeddings
        One row for each residue; the rows of one structure are contiguous.
    structures
        Names of the structures, in the order of the rows.
    structure_of_row : Int[ndarray, "n"]
        The structure of each row.
    first_atoms : Int[ndarray, "structures_and_1"]
        The index of the first atom of each structure, and at the end the number of all atoms.
    coordinates : Float[ndarray, "atoms 3"]
        The positions in the coordinates of each structure's file, in Å.
    kinds : UInt8[ndarray, "atoms"]
        Bit 7 marks the first atom of a residue, bits 2 to 6 hold the element, and bits 0 and 1 the role: 0 for side
        chain, 1 for backbone, and 2 for Cα.
    elements
        The chemical elements, by number.
    alpha_atoms : Int[ndarray, "n"]
        The index of the Cα of each row among all atoms.
    secondary_structure : Shaped[ndarray, "n"]
        ``"helix"``, ``"sheet"`` or ``"coil"``.
    burial : Shaped[ndarray, "n"]
        ``"buried"``, ``"intermediate"``, ``"exposed"``, or empty.
    has_plddt
        Whether the files of all structures say that their B-factors are pLDDT.
    """

    embeddings: Embeddings
    structures: tuple[str, ...]
    structure_of_row: Int[np.ndarray, "n"]
    first_atoms: Int[np.ndarray, "structures_and_1"]
    coordinates: Float[np.ndarray, "atoms 3"]
    kinds: UInt8[np.ndarray, "atoms"]
    elements: tuple[str, ...]
    alpha_atoms: Int[np.ndarray, "n"]
    secondary_structure: Shaped[np.ndarray, "n"]
    burial: Shaped[np.ndarray, "n"]
    has_plddt: bool

    def __len__(self) -> int:
        return len(self.embeddings)


@attrs.frozen(eq=False)
class _Matched:
    """The rows of one structure, and its atoms."""

    atoms: Float[np.ndarray, "atoms 3"]
    elements: Shaped[np.ndarray, "atoms"]
    roles: UInt8[np.ndarray, "atoms"]
    alpha_atoms: Int[np.ndarray, "n"]
    secondary_structure: Shaped[np.ndarray, "n"]
    burial: Shaped[np.ndarray, "n"]
    has_plddt: bool


def find_residues(
    embeddings: Embeddings, paths: Sequence[Path], advance: Callable[..., None] = lambda: None
) -> ExploredResidues:
    """Find the residues of embeddings in the structures that they were made from.

    Parameters
    ----------
    embeddings
        The embeddings of residues.
    paths
        The structure files; files that the embeddings do not name are not read.
    advance
        A function that is called after each structure.

    Returns
    -------
    ExploredResidues
        The rows ordered by structure.

    Raises
    ------
    HoloError
        If there are no residues or too many, the rows are not residues, a structure is not among the files, or a
        residue is missing from its structure or has another position there.

    Examples
    --------
    >>> from holo_features import datasets
    >>> from holo_vae import embed
    >>> paths = datasets.example_structures()[:1]
    >>> found = find_residues(embed(paths, "microenvironment-z128"), paths)
    >>> len(found), found.structures, found.elements[:2]
    (153, ('1bvc_A',), ('C', 'N'))
    """
    _check_rows(embeddings)
    names, structure_of_row = np.unique(embeddings.index["structure"], return_inverse=True)
    files = path_of_structures(paths)
    absent = [name for name in names.tolist() if name not in files]
    if absent:
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        raise HoloError(
            f"the embeddings are of {', '.join(absent[:_NAMED])}{more}; no such structure is among the "
            f"{len(files)} that are given"
        )
    order = np.argsort(structure_of_row, kind="stable")
    embeddings, structure_of_row = embeddings[order], structure_of_row[order]
    parts = []
    for number, name in enumerate(names.tolist()):
        rows = embeddings[structure_of_row == number]
        parts.append(_match(rows, attrs.evolve(read_structure(files[name]), name=name)))
        advance()
    return _joined(embeddings, tuple(names.tolist()), structure_of_row, parts)


def path_of_structures(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each structure by its name in an index."""
    return {name: path for path, name in structure_names(paths).items()}


def _check_rows(embeddings: Embeddings) -> None:
    count = len(embeddings)
    if not count:
        raise HoloError("the embeddings have no residues; a page needs at least 2")
    missing = [name for name in _NEEDED if name not in embeddings.index]
    if missing:
        raise HoloError(
            f"the embeddings have no column {missing[0]!r}; they must be of residues, as embed makes them of structures"
        )
    if "atom_name" in embeddings.index:
        raise HoloError("the embeddings are of atoms; they must be of residues")
    if not 2 <= count <= MOST_ROWS:
        raise HoloError(f"the embeddings have {count} residues; a page holds 2 to {MOST_ROWS}")


def _match(rows: Embeddings, structure: Structure) -> _Matched:
    """Find the residues of one structure."""
    about = alpha_carbons(structure)
    places: dict[tuple[object, ...], list[int]] = {}
    for place, key in enumerate(zip(*(about.index[name].tolist() for name in _KEY), strict=True)):
        places.setdefault(key, []).append(place)
    found = np.empty(len(rows), np.int64)
    for row, key in enumerate(zip(*(rows.index[name].tolist() for name in _KEY), strict=True)):
        residue = f"{key[0]}:{key[1]}{key[2]}"
        candidates = places.get(key)
        if candidates is None:
            raise HoloError(
                f"structure {structure.name} has no residue {residue}, of which there is an embedding"
            )
        found[row] = candidates[0]
        if rows.centers is not None:
            apart = np.linalg.norm(about.positions[candidates] - rows.centers[row], axis=1)
            found[row] = candidates[int(apart.argmin())]
            if apart.min() > _TOLERANCE:
                raise HoloError(
                    f"structure {structure.name}: its residue {residue} lies {apart.min():.2f} Å from where it was "
                    "embedded; the embeddings must be of these files"
                )
    atoms = structure.atoms
    roles = np.full(len(atoms), SIDE_CHAIN, np.uint8)
    roles[np.isin(atoms.atom_name, _BACKBONE)] = BACKBONE
    roles[about.atoms] = ALPHA
    numbers = residue_numbers(atoms)
    roles[np.flatnonzero(np.diff(numbers, prepend=-1))] |= FIRST_ATOM
    structures = secondary_structure(about.positions, about.index["chain"])
    return _Matched(
        atoms.coord.astype(np.float32),
        atoms.element,
        roles,
        about.atoms[found],
        structures[found],
        burial(structure)[found],
        structure.has_plddt,
    )


def _joined(
    embeddings: Embeddings,
    names: tuple[str, ...],
    structure_of_row: NDArray[np.int64],
    parts: Sequence[_Matched],
) -> ExploredResidues:
    first_atoms = np.cumsum([0, *(len(part.atoms) for part in parts)])
    symbols, number_of_atom = np.unique(
        np.concatenate([part.elements for part in parts]), return_inverse=True
    )
    commonest = np.argsort(-np.bincount(number_of_atom), kind="stable")
    rank = np.empty(len(symbols), np.int64)
    rank[commonest] = np.arange(len(symbols))
    # Of more elements than there is room for, the rare ones are drawn as the last.
    element = np.minimum(rank[number_of_atom], _MOST_ELEMENTS - 1).astype(np.uint8)
    column = "secondary_structure"
    return ExploredResidues(
        embeddings=embeddings,
        structures=names,
        structure_of_row=structure_of_row,
        first_atoms=first_atoms,
        coordinates=np.concatenate([part.atoms for part in parts]),
        kinds=np.concatenate([part.roles for part in parts]) | element << 2,
        elements=tuple(symbols[commonest][:_MOST_ELEMENTS].tolist()),
        alpha_atoms=np.concatenate(
            [part.alpha_atoms + first for part, first in zip(parts, first_atoms[:-1].tolist(), strict=True)]
        ),
        secondary_structure=embeddings.index[column]
        if column in embeddings.index
        else np.concatenate([part.secondary_structure for part in parts]),
        burial=np.concatenate([part.burial for part in parts]),
        has_plddt=all(part.has_plddt for part in parts),
    )
