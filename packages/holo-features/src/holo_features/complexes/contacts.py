"""Contacts of a protein with a ligand, counted by pairs of elements."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Int

from holo_features.surroundings.channels import check_channels, element_memberships
from holo_features.surroundings.neighbors import PROTEIN_CHANNELS, checked_cutoff
from holo_features.surroundings.pairs import pairs_within
from holo_types import HoloError
from holo_types.files.csv_files import write_csv

from .complex import Complex

__all__ = ["LIGAND_ELEMENTS", "ContactCounts", "contact_counts", "write_contact_table"]

LIGAND_ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")


@attrs.frozen(eq=False)
class ContactCounts:
    """The number of close pairs of atoms of protein and ligand, by their elements.

    Parameters
    ----------
    name, label, split
        The name, label and split of the complex.
    protein_elements, ligand_elements
        Names of the rows and columns.
    counts : Int[ndarray, "protein ligand"]
        Number of pairs.
    """

    name: str
    label: float | None
    split: str | None
    protein_elements: tuple[str, ...]
    ligand_elements: tuple[str, ...]
    counts: Int[np.ndarray, "protein ligand"]

    @property
    def pairs(self) -> tuple[str, ...]:
        """Names of the pairs, protein first, in the order of the flattened counts."""
        return tuple(f"{p}-{q}" for p in self.protein_elements for q in self.ligand_elements)


def contact_counts(
    complex_: Complex,
    cutoff: float = 12.0,
    protein_elements: Sequence[str] = PROTEIN_CHANNELS,
    ligand_elements: Sequence[str] = LIGAND_ELEMENTS,
) -> ContactCounts:
    """Count the pairs of a protein atom and a ligand atom whose distance is at most the cutoff.

    Parameters
    ----------
    complex_
        A protein and its ligand.
    cutoff
        Largest distance, in Å.
    protein_elements, ligand_elements
        Chemical elements in any case, or ``"other"`` for all elements that are not named.

    Returns
    -------
    ContactCounts

    Raises
    ------
    HoloError
        If the cutoff is not a finite length > 0, or an element is unknown or named twice.

    Notes
    -----
    The default elements and cutoff are those of RF-Score: Ballester and Mitchell, *Bioinformatics* 26, 1169 (2010).

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.complexes.ligands import Ligand
    >>> from holo_features.structures.structure import Structure
    >>> glycine = residue("GLY")
    >>> counted = contact_counts(Complex("1abc", Structure("1abc", glycine), Ligand("GLY", glycine)))
    >>> dict(zip(counted.pairs, counted.counts.ravel().tolist()))["C-O"]
    4
    """
    distance = checked_cutoff(cutoff, "contact_counts: cutoff")
    protein, ligand = complex_.protein.atoms, complex_.ligand.atoms
    kinds = []
    for atoms, elements in ((protein, protein_elements), (ligand, ligand_elements)):
        check_channels(elements)
        if others := [name for name in elements if ":" in name or name in ("sasa", "charge")]:
            raise HoloError(f"contact_counts: {others[0]!r} is not an element")
        kinds.append(element_memberships(atoms, elements).astype(np.int64))
    near = pairs_within(protein.coord.astype(np.float64), ligand.coord.astype(np.float64), distance)
    by_ligand_atom = np.zeros((len(ligand), len(protein_elements)), dtype=np.int64)
    np.add.at(by_ligand_atom, np.repeat(np.arange(len(ligand)), near.counts), kinds[0][near.points])
    return ContactCounts(
        complex_.name,
        complex_.label,
        complex_.split,
        tuple(protein_elements),
        tuple(ligand_elements),
        by_ligand_atom.T @ kinds[1],
    )


def write_contact_table(counts: Iterable[ContactCounts], path: str | os.PathLike[str]) -> int:
    """Write contacts as a CSV file with one row for each complex; it appears whole or not at all.

    Parameters
    ----------
    counts
        Contacts, all with the same elements; they are taken one by one.
    path
        A UTF-8 file with the columns ``id``, ``split``, ``label`` and one for each pair of elements, such as ``C-N``
        for carbon of the protein with nitrogen of the ligand. Missing values are empty.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    HoloError
        If elements differ, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "contacts.csv")
    >>> write_contact_table([ContactCounts("1abc", 6.5, None, ("C",), ("N", "O"), np.array([[3, 4]]))], path)
    1
    >>> path.read_text().split()
    ['id,split,label,C-N,C-O', '1abc,,6.5,3,4']
    """
    remaining = iter(counts)
    first = next(remaining, None)
    if first is None:
        return write_csv(path, ("id", "split", "label"), ())

    def rows() -> Iterator[tuple[object, ...]]:
        for row in itertools.chain([first], remaining):
            if row.pairs != first.pairs:
                raise HoloError(
                    f"{Path(path)}: complex {row.name} has the pairs {row.pairs}; they must be {first.pairs}"
                )
            yield row.name, row.split, row.label, *row.counts.ravel().tolist()

    return write_csv(path, ("id", "split", "label", *first.pairs), rows())
