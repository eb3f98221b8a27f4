"""Single residues: each amino acid by itself, about its Cα."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from biotite.structure.info import residue as dictionary_residue

from holo_features.readers.symbols import HYDROGENS
from holo_features.structures.residue import residue_numbers, residue_starts
from holo_features.structures.structure import Structure
from holo_features.transforms.radial import squared_lengths
from holo_types import PointClouds

from .centers import Centers, alpha_carbons, name_skipped
from .channels import channel_weights
from .neighbors import PROTEIN_CHANNELS, Neighborhoods, checked_cutoff

__all__ = ["single_residues"]

# Atoms that only the end of a chain has.
_AT_AN_END = frozenset({"OXT"})


def single_residues(
    structure: Structure, cutoff: float = 10.0, channels: Sequence[str] = PROTEIN_CHANNELS
) -> Neighborhoods:
    """Return each complete amino acid residue by itself, about its Cα.

    A cloud contains the atoms of one residue, except its Cα, the origin, as in a neighborhood. With the default cutoff
    nothing else is left out: the farthest atom of the twenty amino acids is 7.5 Å from the Cα.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    cutoff
        Radius in Å; atoms farther away are left out.
    channels
        As in `neighborhoods`.

    Returns
    -------
    Neighborhoods
        The index has the columns of `neighborhoods` and ``label``, the type of the residue, which is its name. Residues
        without a Cα, those that lack a heavy atom, and those that are not in the Chemical Component Dictionary, for
        which this is unknown, are skipped.

    Raises
    ------
    HoloError
        As in `neighborhoods`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> residues = single_residues(read_structure(example_structures()[0]))
    >>> residues.clouds.index["label"][:3].tolist(), np.diff(residues.clouds.offsets)[:3]
    (['VAL', 'LEU', 'SER'], array([6, 7, 5]))
    """
    radius = checked_cutoff(cutoff)
    atoms = structure.atoms
    weights = channel_weights(atoms, channels)
    about = alpha_carbons(structure)
    reasons = _incomplete(structure, about)
    complete = np.array([reason is None for reason in reasons], dtype=bool)
    centered = about.atoms[complete]
    numbers = residue_numbers(atoms)
    owners = np.full(int(numbers.max(initial=-1)) + 1, -1)
    owners[numbers[centered]] = np.arange(len(centered))
    owner = owners[numbers]
    members = np.flatnonzero((owner >= 0) & weights.any(axis=1))
    members = members[members != centered[owner[members]]]
    coordinates = atoms.coord[members].astype(np.float64) - about.positions[complete][owner[members]]
    inside = squared_lengths(coordinates / radius) <= 1
    counts = np.bincount(owner[members[inside]], minlength=len(centered))
    kept = counts > 0
    index = about.index.take(complete)
    clouds = PointClouds(
        coordinates[inside],
        weights[members[inside]],
        np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64),
        tuple(channels),
        index.assign(label=index["residue_name"]).take(kept),
        centers=about.positions[complete][kept],
    )
    incomplete = name_skipped(about.index.take(~complete), [reason for reason in reasons if reason])
    without = f"it has no atom of {', '.join(channels)} within {radius:g} Å of its CA"
    empty = name_skipped(index.take(~kept), [without] * int((~kept).sum()))
    return Neighborhoods(clouds, centered[kept], about.skipped + incomplete + empty)


def _incomplete(structure: Structure, about: Centers) -> list[str | None]:
    """Return for each residue what it lacks, or None."""
    atoms = structure.atoms
    starts = np.append(residue_starts(atoms), len(atoms))
    numbers = np.searchsorted(starts, about.atoms, side="right")
    reasons: list[str | None] = []
    for first, last in zip(starts[numbers - 1].tolist(), starts[numbers].tolist(), strict=True):
        expected = _heavy_atoms(str(atoms.res_name[first]))
        names = set(atoms.atom_name[first:last].tolist())
        missing = [name for name in expected if name not in names]
        if not expected:
            reasons.append(f"{atoms.res_name[first]} is not in the Chemical Component Dictionary")
        else:
            reasons.append(f"it lacks the atom {', '.join(missing)}" if missing else None)
    return reasons


@lru_cache(maxsize=1024)
def _heavy_atoms(residue_name: str) -> tuple[str, ...]:
    """Return the heavy atoms of a residue in a chain; none if it is unknown."""
    try:
        known = dictionary_residue(residue_name)
    except KeyError:
        return ()
    heavy = known.atom_name[~np.isin(known.element, HYDROGENS)].tolist()
    return tuple(name for name in heavy if name not in _AT_AN_END)
