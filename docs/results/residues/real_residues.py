"""Real residues, and how the atoms of a made one compare with them."""

from collections import Counter

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from holo_types import HoloError, PointClouds

__all__ = ["Atoms", "Match", "RealResidues", "atoms_of", "bonded"]

# Å. The longest bond of the types, C-S, has 1.81 Å; the closest atoms that are not bonded are 2.1 Å apart.
_LONGEST = 1.95
_COMPARED = 300  # real residues of each type, among which the nearest is sought


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


@attrs.frozen(kw_only=True)
class Match:
    """How a residue compares with real ones of its type.

    Parameters
    ----------
    right_atoms
        Whether it has as many atoms of each element.
    right_bonds
        Whether those atoms are bonded that are in the nearest real residue.
    largest_error
        By how much the length of a bond differs from its mean at most, in Å; infinite without the right bonds.
    distance
        The root mean square distance of the atoms from those of the nearest real residue, in Å; infinite without the
        right atoms.
    """

    right_atoms: bool
    right_bonds: bool = False
    largest_error: float = np.inf
    distance: float = np.inf

    @property
    def verdict(self) -> str:
        """In a few words."""
        if not self.right_atoms:
            return "wrong atoms"
        return f"{self.largest_error:.2f} Å" if self.right_bonds else "wrong bonds"


@attrs.frozen(eq=False)
class RealResidues:
    """Residues of one type with their atoms in one order.

    Parameters
    ----------
    elements
        Of the atoms.
    places
        In Å.
    bonds
        Pairs of atoms.
    lengths
        The mean length of each, in Å.
    """

    elements: tuple[str, ...]
    places: Float[np.ndarray, "residues atoms 3"]
    bonds: Int[np.ndarray, "bonds 2"]
    lengths: Float[np.ndarray, "bonds"]

    @classmethod
    def of(cls, clouds: PointClouds, name: str) -> "RealResidues":
        """Take the first residues of a type whose atoms come in the order, and with the bonds, that most have."""
        rows = np.flatnonzero(clouds.index["label"] == name)[:_COMPARED]
        if not len(rows):
            raise HoloError(f"there is no residue of type {name} to compare with")
        found = [atoms_of(clouds, int(row)) for row in rows]
        kinds = [(atoms.elements, np.triu(bonded(atoms)).tobytes()) for atoms in found]
        usual = Counter(kinds).most_common(1)[0][0]
        same = [atoms for atoms, kind in zip(found, kinds, strict=True) if kind == usual]
        places = np.stack([atoms.places for atoms in same])
        bonds = np.argwhere(np.triu(bonded(same[0])))
        return cls(usual[0], places, bonds, _lengths(places, bonds).mean(axis=0))

    def match(self, atoms: Atoms) -> Match:
        """Compare the atoms of a residue in the pose of its backbone with these."""
        if sorted(atoms.elements) != sorted(self.elements):
            return Match(right_atoms=False)
        orders = np.zeros((len(self.places), len(self.elements)), dtype=np.int64)
        for element in set(self.elements):
            ours, theirs = (
                np.flatnonzero(np.array(elements) == element) for elements in (self.elements, atoms.elements)
            )
            for number, residue in enumerate(self.places):
                costs = cdist(residue[ours], atoms.places[theirs], "sqeuclidean")
                orders[number, ours] = theirs[linear_sum_assignment(costs)[1]]
        squares = np.square(self.places - atoms.places[orders]).sum(axis=2).mean(axis=1)
        nearest = int(squares.argmin())
        ordered = attrs.evolve(atoms, places=atoms.places[orders[nearest]])
        distance = float(np.sqrt(squares[nearest]))
        if not np.array_equal(np.argwhere(np.triu(bonded(ordered))), self.bonds):
            return Match(right_atoms=True, distance=distance)
        errors = np.abs(_lengths(ordered.places[None], self.bonds)[0] - self.lengths)
        return Match(right_atoms=True, right_bonds=True, largest_error=float(errors.max()), distance=distance)


def _lengths(
    places: Float[np.ndarray, "residues atoms 3"], bonds: Int[np.ndarray, "bonds 2"]
) -> Float[np.ndarray, "residues bonds"]:
    lengths: Float[np.ndarray, "residues bonds"] = np.linalg.norm(
        places[:, bonds[:, 0]] - places[:, bonds[:, 1]], axis=2
    )
    return lengths


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
