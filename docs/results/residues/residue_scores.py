"""What residues that a model makes are worth as atoms, beside real ones."""

from collections.abc import Mapping

import attrs
import numpy as np
from real_residues import Match, RealResidues, atoms_of

from holo_types import PointClouds

__all__ = ["TOLERANCES", "ResidueScores", "matches", "score_residues"]

TOLERANCES = (0.1, 0.2)  # Å


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
        The share of all that are so and whose bonds are all within a tolerance of their mean lengths, for each of
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


def matches(found: PointClouds, real: Mapping[str, RealResidues]) -> list[Match]:
    """Compare residues in the pose of their backbone with real ones of the type that their index tells."""
    labels = found.index["label"]
    return [real[str(label)].match(atoms_of(found, row)) for row, label in enumerate(labels)]


def score_residues(found: PointClouds, real: Mapping[str, RealResidues]) -> ResidueScores:
    """Score residues whose type their index tells, as points in the pose of their backbone."""
    compared, types = matches(found, real), found.index["label"]
    errors, distances = (
        np.array([getattr(match, name) for match in compared]) for name in ("largest_error", "distance")
    )
    measured = distances[np.isfinite(distances)]
    return ResidueScores(
        count=len(compared),
        right_atoms=float(np.mean([match.right_atoms for match in compared])),
        right_bonds=float(np.mean([match.right_bonds for match in compared])),
        sound=tuple(float((errors <= tolerance).mean()) for tolerance in TOLERANCES),
        distance=float(np.median(measured)) if len(measured) else float("nan"),
        by_type={
            str(name): float((errors[types == name] <= TOLERANCES[-1]).mean()) for name in np.unique(types)
        },
    )
