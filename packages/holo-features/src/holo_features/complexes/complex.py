"""Protein-ligand complexes: the pocket, and the neighborhoods of its residues."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import attrs
import numpy as np
from biotite.structure import AtomArray, BondList, concatenate
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from holo_features.readers.symbols import HYDROGENS
from holo_features.structures.charges import bonds_of
from holo_features.structures.residue import residue_numbers
from holo_features.structures.structure import Structure
from holo_features.surroundings.centers import Centers, alpha_carbons, amino_acids, atom_centers
from holo_features.surroundings.channels import channel_weights
from holo_features.surroundings.neighbors import (
    PROTEIN_CHANNELS,
    Neighborhoods,
    checked_cutoff,
    cut_neighborhoods,
)
from holo_features.surroundings.pairs import pairs_within
from holo_types import HoloError

from .ligands import Ligand

__all__ = [
    "CentersOf",
    "Complex",
    "LigandAtoms",
    "SkippedComplex",
    "complex_neighborhoods",
    "joined_structure",
    "pocket",
    "without_ligand_copies",
]

CentersOf = Literal["pocket", "ligand"]
LigandAtoms = Literal["bound", "unbound", "difference"]

_SAME_PLACE = 0.5  # Å; nearer than any two atoms can be


@attrs.frozen(eq=False)
class Complex:
    """A protein with a ligand in its pocket.

    Parameters
    ----------
    name
        Name of the complex in the index.
    protein
        The protein, in the coordinates of the ligand.
    ligand
        The molecule in the pocket.
    label
        The measured value, such as pK = -log10(K / mol/l) or a free energy; None if there is none.
    split
        The part of a data set that it belongs to, such as ``"train"``; None if that is unknown.
    listed_pocket : Bool[ndarray, "atoms"], optional
        True for the protein atoms of the residues that the data set itself lists as the pocket.

    Raises
    ------
    HoloError
        If the protein or the ligand has no atoms, or the pocket is not a mask of the protein's atoms.
    """

    name: str
    protein: Structure
    ligand: Ligand
    label: float | None = None
    split: str | None = None
    listed_pocket: Bool[np.ndarray, "atoms"] | None = None

    def __attrs_post_init__(self) -> None:
        for part, atoms in (("protein", self.protein.atoms), ("ligand", self.ligand.atoms)):
            if len(atoms) == 0:
                raise HoloError(f"complex {self.name}: its {part} has no atom")
        listed, count = self.listed_pocket, len(self.protein.atoms)
        if listed is not None and (listed.dtype != np.bool_ or listed.shape != (count,)):
            raise HoloError(
                f"complex {self.name}: listed_pocket is {listed.dtype} {list(listed.shape)}; "
                f"it must be a mask of the protein's atoms, bool [{count}]"
            )


@attrs.frozen
class SkippedComplex:
    """A complex that cannot be used, and why.

    Parameters
    ----------
    name
        Its id, or its row or record if it has none.
    reason
        The reason in words.
    """

    name: str
    reason: str


def pocket(complex_: Complex, distance: float = 6.0) -> Bool[np.ndarray, "atoms"]:
    """Return the amino acid residues that have an atom near the ligand.

    Parameters
    ----------
    complex_
        A protein and its ligand.
    distance
        Largest distance from any atom of the residue to any atom of the ligand, in Å, inclusive.

    Returns
    -------
    Bool[ndarray, "atoms"]
        True for all atoms of these residues.

    Raises
    ------
    HoloError
        If the distance is not a finite length > 0.

    Notes
    -----
    The default of 6 Å is that of ATOM3D's LBA (Townshend et al., arXiv 2012.04035). There the proteins have their
    hydrogens, which makes the pockets larger by one residue in seven; here hydrogens count if they were read
    (``Selection(hydrogens=True)``).

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> protein = read_structure(example_structures()[0])
    >>> atom = AtomArray(1)
    >>> atom.coord[:], atom.element[:] = protein.atoms.coord[:1] + 1, "C"
    >>> near = pocket(Complex("1abc", protein, Ligand("LIG", atom)))
    >>> len(alpha_carbons(protein, near))
    5
    """
    atoms = complex_.protein.atoms
    near = pairs_within(
        atoms.coord.astype(np.float64),
        complex_.ligand.atoms.coord.astype(np.float64),
        checked_cutoff(distance, "pocket: distance"),
    )
    residues = residue_numbers(atoms)
    is_near: NDArray[np.bool_] = np.isin(residues, residues[near.points]) & amino_acids(atoms)
    return is_near


def without_ligand_copies(complex_: Complex) -> Complex:
    """Return a complex without the residues that are the ligand itself, which files of whole entries contain.

    Parameters
    ----------
    complex_
        A complex, read with or without molecules other than amino acids.

    Returns
    -------
    Complex
        The complex without the residues that have an atom within 0.5 Å of an atom of the ligand.

    Raises
    ------
    HoloError
        If nothing else is left of the protein.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> protein = read_structure(example_structures()[0])
    >>> copied = Ligand("first residue", protein.atoms[residue_numbers(protein.atoms) == 0])
    >>> rest = without_ligand_copies(Complex("1abc", protein, copied)).protein
    >>> len(protein.atoms) - len(rest.atoms) == len(copied.atoms)
    True
    """
    atoms = complex_.protein.atoms
    ligand = complex_.ligand.atoms.coord.astype(np.float64)
    near = pairs_within(atoms.coord.astype(np.float64), ligand, _SAME_PLACE)
    residues = residue_numbers(atoms)
    kept = ~np.isin(residues, residues[near.points])
    listed = complex_.listed_pocket
    return attrs.evolve(
        complex_,
        protein=attrs.evolve(complex_.protein, atoms=atoms[kept]),
        listed_pocket=None if listed is None else listed[kept],
    )


def complex_neighborhoods(
    complex_: Complex,
    cutoff: float = 10.0,
    channels: Sequence[str] = PROTEIN_CHANNELS,
    secondary_structure: bool = False,
    *,
    centers: CentersOf = "pocket",
    pocket_distance: float | None = 6.0,
    ligand_atoms: LigandAtoms = "bound",
    central_residue: bool = True,
) -> Neighborhoods:
    """Return the atoms of protein and ligand around the Cα of each pocket residue, or around each ligand atom.

    Parameters
    ----------
    complex_
        A protein and its ligand.
    cutoff, channels, secondary_structure, central_residue
        As in `holo_features.surroundings.neighbors.neighborhoods`; surface areas are those in the complex. The residue
        of a ligand atom is the whole ligand.
    centers
        ``"pocket"``: the Cα of its residues; ``"ligand"``: the ligand's heavy atoms.
    pocket_distance
        See `pocket`; None for the residues that the data set lists, `Complex.listed_pocket`.
    ligand_atoms
        ``"bound"``: the ligand is included. ``"unbound"``: its atoms are left out, and surface areas are those of the
        protein alone. ``"difference"``: the weights are those of bound minus those of unbound; since holograms are
        linear in the weights, they are bound minus unbound too. All three have the same rows.

    Returns
    -------
    Neighborhoods
        The column ``structure`` of the index has the complex's name; around ligand atoms, the index also has
        ``atom_name`` and ``element``. Pocket residues without a Cα are skipped.

    Raises
    ------
    HoloError
        If the pocket has no residues or the data set lists none; otherwise as in `neighborhoods`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> protein = read_structure(example_structures()[0])
    >>> atom = AtomArray(1)
    >>> atom.coord[:], atom.element[:] = protein.atoms.coord[:1] + 1, "CL"
    >>> chlorine = Complex("1abc", protein, Ligand("LIG", atom))
    >>> clouds = complex_neighborhoods(chlorine, channels=("protein:C", "ligand:Cl")).clouds
    >>> len(clouds), clouds.weights[:, 1].sum().item()
    (5, 5.0)
    """
    both = joined_structure(complex_, bonds="charge" in channels)
    about = _ligand_centers(both) if centers == "ligand" else _pocket_centers(complex_, both, pocket_distance)
    cut = partial(
        cut_neighborhoods, both, cutoff, channels, secondary_structure, central_residue=central_residue
    )
    bound = cut(centers=about)
    if ligand_atoms == "bound":
        return bound
    # All three have the same rows, whatever is left around them.
    kept = attrs.evolve(about[np.isin(about.atoms, bound.atoms)], skipped=bound.skipped)
    unbound = _unbound_weights(complex_, both, channels)
    if ligand_atoms == "unbound":
        return cut(centers=kept, weights=unbound)
    return cut(centers=kept, weights=channel_weights(both.atoms, channels) - unbound)


def _pocket_centers(complex_: Complex, both: Structure, pocket_distance: float | None) -> Centers:
    if pocket_distance is not None:
        near = pocket(complex_, pocket_distance)
        where = f"no amino acid residue has an atom within {pocket_distance:g} Å of the ligand"
    elif complex_.listed_pocket is not None:
        near = complex_.listed_pocket
        where = "the pocket that its data set lists has no residue of the protein"
    else:
        raise HoloError(f"complex {complex_.name}: its data set lists no pocket; give a pocket distance")
    if not near.any():
        raise HoloError(f"complex {complex_.name}: {where}")
    return alpha_carbons(both, np.append(near, np.zeros(len(complex_.ligand.atoms), dtype=bool)))


def _ligand_centers(both: Structure) -> Centers:
    atoms = both.atoms
    heavy = np.flatnonzero(atoms.ligand & ~np.isin(atoms.element, HYDROGENS))
    centers = atom_centers(both, heavy)
    return attrs.evolve(centers, index=centers.index.assign(element=atoms.element[heavy]))


def _unbound_weights(
    complex_: Complex, both: Structure, channels: Sequence[str]
) -> Float[np.ndarray, "atoms channels"]:
    """Return the weights of the protein's atoms without the ligand, and 0 for the ligand's atoms."""
    count = len(complex_.protein.atoms)
    protein = both.atoms[:count]
    weights = channel_weights(protein, channels)
    return np.concatenate([weights, np.zeros((len(both.atoms) - count, len(channels)), weights.dtype)])


def joined_structure(complex_: Complex, *, bonds: bool = False) -> Structure:
    """Return a complex as one structure, whose last residue is the ligand, which is not an amino acid.

    Parameters
    ----------
    complex_
        A protein and its ligand.
    bonds
        Whether to add bonds, separately for each molecule, as the channel ``charge`` needs.

    Returns
    -------
    Structure
        The protein's atoms in their order, then the ligand's, which the annotation ``ligand`` marks.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> protein = read_structure(example_structures()[0])
    >>> atom = AtomArray(1)
    >>> atom.coord[:], atom.element[:] = protein.atoms.coord[:1] + 1, "CL"
    >>> both = joined_structure(Complex("1abc", protein, Ligand("LIG", atom)))
    >>> both.name, len(both.atoms) - len(protein.atoms), both.atoms.ligand.sum().item()
    ('1abc', 1, 1)
    """
    protein, ligand = complex_.protein.atoms, complex_.ligand.atoms
    parts = []
    for atoms, is_protein in ((protein, True), (ligand, False)):
        part = AtomArray(len(atoms))
        part.coord = atoms.coord
        for name in ("res_name", "atom_name", "element"):
            part.set_annotation(name, atoms.get_annotation(name))
        part.set_annotation("amino_acid", amino_acids(atoms) if is_protein else np.zeros(len(atoms), bool))
        part.set_annotation("ligand", np.full(len(atoms), not is_protein))
        water = is_protein and "water" in atoms.get_annotation_categories()
        part.set_annotation("water", atoms.water if water else np.zeros(len(atoms), bool))
        known = "charge" in atoms.get_annotation_categories()
        part.set_annotation("charge", atoms.charge if known else np.zeros(len(atoms), dtype=np.int8))
        there = "b_factor" in atoms.get_annotation_categories()
        part.set_annotation("b_factor", atoms.b_factor if there else np.full(len(atoms), np.nan))
        if is_protein:
            part.chain_id, part.res_id, part.ins_code = atoms.chain_id, atoms.res_id, atoms.ins_code
        else:
            part.res_id[:] = int(protein.res_id.max()) + 1
        parts.append(part)
    both = concatenate(parts)
    if bonds:
        # Separately, because the dictionary may have another molecule under the ligand's residue name.
        moved = bonds_of(ligand).as_array()
        moved[:, :2] += len(protein)
        both.bonds = BondList(len(both), np.concatenate([bonds_of(protein).as_array(), moved]))
    return attrs.evolve(complex_.protein, name=complex_.name, atoms=both)
