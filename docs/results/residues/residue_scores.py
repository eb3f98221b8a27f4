"""What residues that a model makes are worth as atoms, beside real ones."""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from bonds import Atoms, Reference, atoms_of, bonds_of, reference_of, rms_distance

from holo_types import PointClouds

__all__ = ["RealResidues", "ResidueScores", "score_residues"]

_COMPARED = 300  # real residues of each type, among which the nearest is sought
TOLERANCES = (0.1, 0.2)  # Å


@attrs.frozen(eq=False)
class RealResidues:
    """Real residues of each type, which others are compared with.

    Parameters
    ----------
    residues
        By type.
    references
        What those of a type have in common.
    """

    residues: Mapping[str, Sequence[Atoms]]
    references: Mapping[str, Reference]

    @classmethod
    def of(cls, clouds: PointClouds) -> "RealResidues":
        """Take the first residues of each type."""
        labels = clouds.index["label"]
        residues = {
            str(name): [atoms_of(clouds, int(row)) for row in np.flatnonzero(labels == name)[:_COMPARED]]
            for name in np.unique(labels)
        }
        return cls(residues, {name: reference_of(some) for name, some in residues.items()})


@attrs.frozen(kw_only=True)
class ResidueScores:
    """What residues are worth.

    Parameters
    ----------
    count
        How many there are.
    right_atoms
        The share with as many atoms of each element as their type has.
    right_bonds
        The share of all whose atoms are bonded as those of their type.
    sound
        The share of all that are so and whose bonds are all within a tolerance of the mean of their kind, for each of
        `TOLERANCES`.
    distance
        The median distance from the nearest real residue of the type, of those with the right atoms, in Å.
    by_type
        Of each type the last share of `sound`.
    """

    count: int
    right_atoms: float
    right_bonds: float
    sound: tuple[float, ...]
    distance: float
    by_type: Mapping[str, float]


def score_residues(found: PointClouds, real: RealResidues) -> ResidueScores:
    """Score residues whose type their index tells, as points in the pose of their backbone."""
    labels = [str(label) for label in found.index["label"]]
    right, errors, distances = [], [], []
    for row, label in enumerate(labels):
        atoms, reference = atoms_of(found, row), real.references[label]
        right.append(tuple(sorted(atoms.elements)) == reference.elements)
        errors.append(reference.largest_error(bonds_of(atoms)) if right[-1] else float("inf"))
        if right[-1]:
            distances.append(min(rms_distance(atoms, other) for other in real.residues[label]))
    largest = np.array(errors)
    types = np.array(labels)
    return ResidueScores(
        count=len(labels),
        right_atoms=float(np.mean(right)),
        right_bonds=float(np.isfinite(largest).mean()),
        sound=tuple(float((largest <= tolerance).mean()) for tolerance in TOLERANCES),
        distance=float(np.median(distances)) if distances else float("nan"),
        by_type={
            name: float((largest[types == name] <= TOLERANCES[-1]).mean()) for name in sorted(set(labels))
        },
    )
