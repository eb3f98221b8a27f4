"""Which atoms of a residue are bonded, told by their distances alone, and what is sound about it."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from holo_types import PointClouds

__all__ = ["Atoms", "Bonds", "Reference", "atoms_of", "bonded", "bonds_of", "reference_of", "rms_distance"]

# Å. The longest bond of the types, C-S, has 1.81 Å; the closest atoms that are not bonded are 2.1 Å apart.
_LONGEST = 1.95

Kind = tuple[str, str]


@attrs.frozen(eq=False)
class Atoms:
    """The atoms of one residue, its Cα at the origin first.

    Parameters
    ----------
    places
        In Å.
    elements
        One for each.
    """

    places: Float[np.ndarray, "atoms 3"]
    elements: tuple[str, ...]


@attrs.frozen
class Bonds:
    """The bonds of a residue.

    Parameters
    ----------
    kinds
        Of each bond, in order: what its two atoms are, and what they are bonded to.
    lengths
        In Å.
    """

    kinds: tuple[Kind, ...]
    lengths: tuple[float, ...]


@attrs.frozen
class Reference:
    """What residues of a type have in common.

    Parameters
    ----------
    elements
        Of the atoms, in alphabetical order.
    kinds
        Of the bonds, in order.
    lengths
        The mean length of each kind, in Å.
    """

    elements: tuple[str, ...]
    kinds: tuple[Kind, ...]
    lengths: Mapping[Kind, float]

    def largest_error(self, bonds: Bonds) -> float:
        """Return by how much the length of a bond differs from that of its kind at most, in Å; infinite if unknown."""
        if bonds.kinds != self.kinds:
            return float("inf")
        pairs = zip(bonds.kinds, bonds.lengths, strict=True)
        return max(abs(length - self.lengths[kind]) for kind, length in pairs)


def atoms_of(clouds: PointClouds, row: int) -> Atoms:
    """Return the atoms of one cloud, with the Cα, which clouds leave out."""
    part = slice(clouds.offsets[row], clouds.offsets[row + 1])
    channels = clouds.weights[part].argmax(axis=1)
    places = np.concatenate([np.zeros((1, 3)), clouds.coordinates[part].astype(np.float64)])
    return Atoms(places, ("C", *(clouds.channels[channel] for channel in channels)))


def bonded(atoms: Atoms) -> Bool[np.ndarray, "atoms atoms"]:
    """Say of each pair of atoms whether it is bonded: closer to one another than 1.95 Å."""
    near: Bool[np.ndarray, "atoms atoms"] = cdist(atoms.places, atoms.places) < _LONGEST
    return near & ~np.eye(len(near), dtype=bool)


def bonds_of(atoms: Atoms) -> Bonds:
    """Return the bonds of a residue, each with what its atoms are and with its length."""
    distances, pairs = cdist(atoms.places, atoms.places), bonded(atoms)
    names = [
        f"{element}({''.join(sorted(atoms.elements[other] for other in np.flatnonzero(pairs[place])))})"
        for place, element in enumerate(atoms.elements)
    ]
    names[0] += "*"  # the Cα is known
    found = []
    for first, second in np.argwhere(np.triu(pairs)).tolist():
        one, other = sorted((names[first], names[second]))
        found.append(((one, other), float(distances[first, second])))
    found.sort()
    return Bonds(tuple(kind for kind, _ in found), tuple(length for _, length in found))


def reference_of(residues: list[Atoms]) -> Reference:
    """Return what most residues of a type have: their atoms, their bonds, and the mean lengths of these."""
    bonds = [bonds_of(atoms) for atoms in residues]
    counts: dict[tuple[Kind, ...], int] = {}
    for each in bonds:
        counts[each.kinds] = counts.get(each.kinds, 0) + 1
    kinds = max(counts, key=lambda some: counts[some])
    lengths: dict[Kind, list[float]] = {kind: [] for kind in kinds}
    for each in bonds:
        if each.kinds == kinds:
            for kind, length in zip(each.kinds, each.lengths, strict=True):
                lengths[kind].append(length)
    first = next(atoms for atoms, each in zip(residues, bonds, strict=True) if each.kinds == kinds)
    return Reference(
        tuple(sorted(first.elements)), kinds, {kind: float(np.mean(some)) for kind, some in lengths.items()}
    )


def rms_distance(atoms: Atoms, other: Atoms) -> float:
    """Return the root mean square distance of atoms from those of another residue with the same elements, in Å.

    Atoms of each element are paired so that it is least; nothing is turned.
    """
    total = 0.0
    for element in sorted(set(atoms.elements)):
        one, two = (each.places[[name == element for name in each.elements]] for each in (atoms, other))
        squares = cdist(one, two, "sqeuclidean")
        total += float(squares[linear_sum_assignment(squares)].sum())
    return float(np.sqrt(total / len(atoms.places)))
