"""The centers of neighborhoods: Cα of residues, atoms, or points."""

from collections.abc import Iterable

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from holo_features.structures.confidence import mean_b_factors
from holo_features.structures.residue import ResidueId, of_residues, residue_ids, residue_starts
from holo_features.structures.structure import Structure
from holo_types import HoloError, Index, RowSelection

__all__ = [
    "Centers",
    "SkippedResidue",
    "alpha_carbons",
    "atom_centers",
    "point_centers",
    "select_residues",
]


@attrs.frozen
class SkippedResidue:
    """A residue that has no neighborhood, with the reason.

    Parameters
    ----------
    structure, model
        Its structure and model, as in the index.
    residue, residue_name
        The residue and its type.
    reason
        The reason in words.
    """

    structure: str
    model: int
    residue: ResidueId
    residue_name: str
    reason: str


@attrs.frozen(eq=False)
class Centers:
    """Centers of neighborhoods; made by `alpha_carbons`, `atom_centers` or `point_centers`.

    Parameters
    ----------
    positions : Float[ndarray, "n 3"]
        Positions in Å, float64.
    index
        A description of each center.
    atoms : Int[ndarray, "n"]
        The atom at each center, which is not its own neighbor; -1 if the center is a point.
    skipped
        Residues that cannot be centers.
    """

    positions: Float[np.ndarray, "n 3"]
    index: Index
    atoms: Int[np.ndarray, "n"]
    skipped: tuple[SkippedResidue, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: RowSelection) -> "Centers":
        return Centers(self.positions[rows], self.index.take(rows), self.atoms[rows], self.skipped)


def select_residues(structure: Structure, residues: Iterable[ResidueId]) -> Bool[np.ndarray, "atoms"]:
    """Return the atoms of residues given by chain, number and insertion code.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    residues
        The residues.

    Returns
    -------
    Bool[ndarray, "atoms"]
        True for their atoms.

    Raises
    ------
    HoloError
        If one does not exist.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> chosen = select_residues(structure, [ResidueId("A", 30)])
    >>> len(alpha_carbons(structure, chosen))
    1
    """
    wanted = tuple(residues)
    there = frozenset(residue_ids(structure.atoms, residue_starts(structure.atoms)))
    for residue in wanted:
        if residue not in there:
            raise HoloError(f"structure {structure.name} has no residue {residue}")
    return of_residues(structure.atoms, wanted)


def alpha_carbons(structure: Structure, chosen: Bool[np.ndarray, "atoms"] | None = None) -> Centers:
    """Return the Cα of amino acid residues as centers.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    chosen : Bool[ndarray, "atoms"], optional
        Use only residues that have such an atom; see `select_residues` and `holo_features.complexes.complex.pocket`.

    Returns
    -------
    Centers
        The centers, in the order of the file. `Centers.skipped` lists residues without a Cα, and residues with neither
        N nor C, as in a trace of Cα, whose surroundings are not in the file.

    Raises
    ------
    HoloError
        If `chosen` is not a mask of the atoms.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> centers = alpha_carbons(read_structure(example_structures()[0]))
    >>> centers.positions.shape, centers.index["residue_name"][:3].tolist()
    ((153, 3), ['VAL', 'LEU', 'SER'])
    """
    atoms = structure.atoms
    first = residue_starts(atoms)
    wanted = amino_acids(atoms)[first]
    if chosen is not None:
        wanted &= np.logical_or.reduceat(_mask(structure, chosen), first)
    alpha = _named(atoms, first, "CA")
    # A trace of Cα contains nothing else of the chain.
    trace = (alpha >= 0) & (_named(atoms, first, "N") < 0) & (_named(atoms, first, "C") < 0)
    centered = np.flatnonzero(wanted & (alpha >= 0) & ~trace)
    bare = np.flatnonzero(wanted & ((alpha < 0) | trace))
    reasons = [
        "it has neither N nor C, so that its surroundings are not known" if of_trace else "it has no atom CA"
        for of_trace in trace[bare].tolist()
    ]
    return Centers(
        atoms.coord[alpha[centered]].astype(np.float64),
        residue_index(structure, first[centered]),
        alpha[centered],
        name_skipped(residue_index(structure, first[bare]), reasons) if reasons else (),
    )


def _named(atoms: AtomArray, first: Int[np.ndarray, "residues"], name: str) -> Int[np.ndarray, "residues"]:
    """Return the atom with a name in each residue, the first if there are several; -1 if there is none."""
    found = np.full(len(first), -1)
    # The element distinguishes a Cα from a calcium ion. In reverse, so that the first of several remains.
    there = np.flatnonzero((atoms.atom_name == name) & (atoms.element == name[0]))[::-1]
    found[np.searchsorted(first, there, side="right") - 1] = there
    return found


def atom_centers(structure: Structure, chosen: Bool[np.ndarray, "atoms"] | Int[np.ndarray, "n"]) -> Centers:
    """Return atoms as centers.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    chosen : Bool[ndarray, "atoms"] or Int[ndarray, "n"]
        A mask of the atoms, or their numbers from 0.

    Returns
    -------
    Centers
        The centers; the index also has the column ``atom_name``.

    Raises
    ------
    HoloError
        If `chosen` is neither, or a number is not that of an atom.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> centers = atom_centers(structure, structure.atoms.atom_name == "NZ")
    >>> set(centers.index["residue_name"].tolist())
    {'LYS'}
    """
    atoms = structure.atoms
    numbers: NDArray[np.int64] = np.asarray(chosen)
    if numbers.dtype == np.bool_:
        numbers = np.flatnonzero(_mask(structure, chosen))
    elif numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise HoloError(
            f"atom_centers: chosen is {numbers.dtype} {list(numbers.shape)}; "
            f"it must be a mask [{len(atoms)}] or numbers of atoms [n]"
        )
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(atoms):
        wrong = numbers[(numbers < 0) | (numbers >= len(atoms))][0]
        raise HoloError(f"atom_centers: there is no atom {wrong}; atoms are 0 to {len(atoms) - 1}")
    index = residue_index(structure, numbers).assign(atom_name=atoms.atom_name[numbers])
    return Centers(atoms.coord[numbers].astype(np.float64), index, numbers.astype(np.int64))


def point_centers(
    structure: Structure, points: Float[np.ndarray, "n 3"], index: Index | None = None
) -> Centers:
    """Return points in space as centers.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    points : Float[ndarray, "n 3"]
        Positions in Å, in the structure's coordinates.
    index
        A description of the points; by default they are numbered in the column ``point``.

    Returns
    -------
    Centers
        The centers; the index has the columns ``structure`` and ``model``, then those given.

    Raises
    ------
    HoloError
        If the points are not finite numbers [n, 3], or the index has another number of rows.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> point_centers(structure, structure.atoms.coord.mean(axis=0, keepdims=True)).index["point"]
    array([0])
    """
    places: NDArray[np.float64] = np.asarray(points)
    if places.ndim != 2 or places.shape[1] != 3 or places.dtype.kind not in "fiu":
        raise HoloError(
            f"point_centers: points is {places.dtype} {list(places.shape)}; it must be numbers [n, 3] in Å"
        )
    if not np.isfinite(places).all():
        raise HoloError("point_centers: points holds a value that is not a finite number")
    count = len(places)
    given = Index({"point": np.arange(count)}) if index is None else index
    if given.rows not in (None, count):
        raise HoloError(f"point_centers: index has {given.rows} rows; it must have {count}, one a point")
    columns = {"structure": np.full(count, structure.name), "model": np.full(count, structure.model)}
    return Centers(places.astype(np.float64), Index({**columns, **given}), np.full(count, -1))


def amino_acids(atoms: AtomArray) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms belong to amino acid residues of chains; all do if there is no annotation."""
    if "amino_acid" not in atoms.get_annotation_categories():
        return np.ones(len(atoms), dtype=bool)
    flags: NDArray[np.bool_] = atoms.amino_acid
    return flags


def residue_index(structure: Structure, atoms: Int[np.ndarray, "n"]) -> Index:
    """Return the columns that name the residues of atoms."""
    of = structure.atoms
    return Index(
        {
            "structure": np.full(len(atoms), structure.name),
            "model": np.full(len(atoms), structure.model),
            "chain": of.chain_id[atoms],
            "residue_number": of.res_id[atoms],
            "insertion_code": of.ins_code[atoms],
            "residue_name": of.res_name[atoms],
            "b_factor": mean_b_factors(of)[atoms],
        }
    )


def name_skipped(index: Index, reasons: Iterable[str]) -> tuple[SkippedResidue, ...]:
    """Return skipped residues by their rows of an index, each with its reason."""
    return tuple(
        SkippedResidue(
            index["structure"][row].item(),
            index["model"][row].item(),
            ResidueId(*(index[name][row].item() for name in ("chain", "residue_number", "insertion_code"))),
            index["residue_name"][row].item(),
            reason,
        )
        for row, reason in enumerate(reasons)
    )


def _mask(structure: Structure, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask = np.asarray(chosen)
    if mask.dtype != np.bool_ or mask.shape != (len(structure.atoms),):
        raise HoloError(
            f"structure {structure.name}: chosen is {mask.dtype} {list(mask.shape)}; "
            f"it must be a mask of its atoms, bool [{len(structure.atoms)}]"
        )
    return mask
