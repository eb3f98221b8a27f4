"""The features of each complex of the study, which are computed once and stored."""

from functools import partial
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

import holo_types
from holo_features import Complex, ComplexSource, contact_counts, rf_score_features
from holo_features.complexes.sets import find_complexes
from holo_features.encoding.parallel import map_in_order
from holo_features.readers.symbols import HYDROGENS
from holo_features.surroundings.channels import element_memberships
from holo_features.surroundings.pairs import pairs_within
from holo_lab.affinity.blocks import BLOCKS, block_numbers
from holo_lab.affinity.folders import read_bound
from holo_types import HoloError, NamedArrays

Values = NDArray[np.float64]

_KIND = "AffinityStudyNumbers"
_CONTACT_CUTOFF = 10.0  # Å
_LIGAND_ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl")
_PLACE_DISTANCES = (4.0, 5.0, 6.0, 8.0)  # Å
_PLACE_ELEMENTS = ("C", "N", "O", "S", "metal:other")
# The descriptors of the size and the polarity of a ligand.
LIGAND = ("MolLogP", "TPSA", "NumRotatableBonds", "NumHDonors", "NumHAcceptors", "RingCount")


@attrs.frozen(eq=False)
class Counted:
    """Features of complexes, in named groups.

    Parameters
    ----------
    ids
        The ids of the complexes.
    groups
        The features of each group, with a row for each complex.
    """

    ids: tuple[str, ...]
    groups: dict[str, Values]

    def of(self, names: tuple[str, ...]) -> Values:
        """Return several groups as one array."""
        return np.concatenate([self.groups[name] for name in names], axis=1)


def counted(table: Path, kept: Path, workers: int) -> Counted:
    """Return the features of the complexes of a table, from a file if they were computed before.

    Parameters
    ----------
    table
        CSV file with the columns id, protein and ligand, and molecule if a file has several ligands.
    kept
        The file of the features.
    workers
        Number of processes.
    """
    if not kept.exists():
        sources = find_complexes(table).sources
        rows = list(map_in_order(partial(_row), sources, workers))
        there = [(source.name, row) for source, row in zip(sources, rows, strict=True) if row is not None]
        arrays = {group: np.stack([row[group] for _, row in there]) for group in there[0][1]}
        holo_types.save(
            NamedArrays(_KIND, {**arrays, "ids": np.array([name for name, _ in there])}, {}), kept
        )
    stored = dict(holo_types.load(kept, kind=NamedArrays).arrays)
    ids = tuple(stored.pop("ids").tolist())
    return Counted(ids, stored)


def _row(source: ComplexSource) -> dict[str, Values] | None:
    try:
        complex_ = read_bound(source)
        groups = {name: block_numbers(complex_, [name]) for name in BLOCKS}
        rf_score = rf_score_features(complex_)
        contacts = contact_counts(complex_, _CONTACT_CUTOFF, ligand_elements=_LIGAND_ELEMENTS).counts
    except HoloError:
        return None
    found = {name: numbers.values for name, numbers in groups.items()}
    names = groups["descriptors"].names
    chosen = [groups["descriptors"].values[names.index(name)] for name in LIGAND]
    found["ligand"] = np.array([groups["elements"].values[0], *chosen])
    found["RF-Score"] = rf_score.values
    found["contacts"] = contacts.ravel().astype(np.float64)
    found["place"] = _place(complex_)
    return found


def _place(complex_: Complex) -> Values:
    """Count the protein atoms near the place of the ligand, which is a pocket without its ligand."""
    protein = complex_.protein.atoms
    heavy = complex_.ligand.atoms[~np.isin(complex_.ligand.atoms.element, HYDROGENS)]
    members = element_memberships(protein, _PLACE_ELEMENTS)
    counts = []
    for distance in _PLACE_DISTANCES:
        near = pairs_within(protein.coord.astype(np.float64), heavy.coord.astype(np.float64), distance)
        counts.append(members[np.unique(near.points)].sum(axis=0))
    return np.concatenate(counts).astype(np.float64)
