"""Counts around a residue that do not depend on its own side chain: the site of a mutation."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np
from biotite.structure import dihedral
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from holo_features.readers.names import STANDARD_AMINO_ACIDS
from holo_features.readers.symbols import HYDROGENS
from holo_features.structures.secondary_structure import secondary_structure
from holo_features.structures.structure import Structure
from holo_features.surroundings.centers import Centers, alpha_carbons
from holo_features.surroundings.numbers import Numbers
from holo_features.surroundings.pairs import pairs_within
from holo_features.surroundings.poses import Backbones
from holo_types import HoloError

from .amino_acids import PROPERTIES, properties
from .atom_kinds import ATOM_KINDS, atom_kinds

__all__ = ["SiteNumbers", "site_numbers"]

_RADII = (6.0, 8.0, 10.0, 12.0, 14.0)  # Å, within which heavy atoms are counted
_NEAR = (5.0, 8.0)  # Å from the virtual side chain, within which heavy atoms are counted by kind
_REACH = 2.4  # Å from Cα to the center of the virtual side chain; about the mean of the twenty
_HALF_SPHERE = 13.0  # Å, the value of its authors
_CONTACT = 3.4  # Å between a backbone N and the acceptor of its hydrogen bond
_LONGEST_BOND = 2.0  # Å between C and N of consecutive residues
_LEAST_DISTANCE = 2.0  # Å; a nearer charge counts as if it were at this distance
_BESIDE = (-4, -3, -2, -1, 1, 2, 3, 4)  # positions along the chain
_OF_BESIDE = ("hydrophobicity", "volume", "charge", "glycine", "proline")


@attrs.frozen(eq=False)
class SiteNumbers:
    """Numbers that describe the surroundings of residues, with a row for each.

    Parameters
    ----------
    around
        Densities: heavy atoms of other residues within 6 to 14 Å of Cα and of a virtual side chain, a point 2.4 Å from
        Cα towards Cβ; the two half-sphere exposures, the numbers of Cα within 13 Å on the side of the side chain and on
        the other side [1]_; and the number of Cβ in a cone about the side chain, weighted by closeness [2]_.
    kinds
        Kinds: atoms within 5 and 8 Å of the virtual side chain by kind, and charges within 14 Å divided by distance.
    backbone
        Sines and cosines of φ and ψ, 0 at a chain's ends; helix and sheet; and the number of acceptors bonded to N.
    chain
        Hydrophobicity, volume, charge, glycine and proline of the four residues before and after it.

    References
    ----------
    .. [1] T. Hamelryck, Proteins 59, 38 (2005).
    .. [2] A. Leaver-Fay et al., Methods Enzymol. 523, 109 (2013), SideChainNeighbors of Rosetta's LayerSelector.
    """

    around: Numbers
    kinds: Numbers
    backbone: Numbers
    chain: Numbers

    def __len__(self) -> int:
        return len(self.around.values)

    def take(self, rows: Int[np.ndarray, "rows"]) -> "SiteNumbers":
        """Return the numbers of some of the residues."""
        parts = (self.around, self.kinds, self.backbone, self.chain)
        return SiteNumbers(*(Numbers(part.names, part.values[rows]) for part in parts))

    def column(self, name: str) -> Float[np.ndarray, "sites"]:
        """Return one number, given by its name, of all residues.

        Raises
        ------
        HoloError
            If there is no number of that name.
        """
        for part in (self.around, self.kinds, self.backbone, self.chain):
            if name in part.names:
                values: NDArray[np.float64] = part.values[:, part.names.index(name)]
                return values
        raise HoloError(f"SiteNumbers has no number {name!r}")


def site_numbers(structure: Structure, sites: Centers | None = None) -> SiteNumbers:
    """Describe residues by their surroundings, independently of their own side chains.

    The numbers are the same for a protein and its mutant as long as nothing else moves: of the residue itself, only N,
    Cα and C are used, which determine where a side chain would be.

    Parameters
    ----------
    structure
        A structure from `read_structure`; all its atoms count as surroundings.
    sites
        Some of the structure's `alpha_carbons`; by default all.

    Returns
    -------
    SiteNumbers
        One row for each site.

    Raises
    ------
    HoloError
        If N, Cα and C of a site do not define axes; see `Backbones`.

    Notes
    -----
    Cβ is placed from N, Cα and C by the ideal geometry of ProteinMPNN, Dauparas et al., *Science* 378, 49 (2022).

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> numbers = site_numbers(read_structure(example_structures()[0]))
    >>> around = numbers.column("heavy atoms within 10 Å of Cα")
    >>> len(around), bool(around.min() > 20)
    (153, True)
    """
    about = alpha_carbons(structure) if sites is None else sites
    residues = _Residues.of(structure)
    rows = residues.rows_of(about)
    counts, kinds = _heavy_atoms(residues, rows)
    half_spheres = _half_spheres(residues, rows)
    around = Numbers(
        counts.names + half_spheres.names, np.concatenate([counts.values, half_spheres.values], axis=1)
    )
    return SiteNumbers(around, kinds, _backbone(residues, rows), _along_chain(residues, rows))


@attrs.frozen(eq=False)
class _Residues:
    """The residues of a structure that have a Cα, with the positions of their backbones and virtual side chains.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    alpha
        Row numbers of their Cα atoms.
    places
        Their positions among all residues.
    of_atoms
        The position of each atom's residue.
    nitrogen, center, carbon
        Positions of N, Cα and C, in Å; NaN if an atom is missing.
    """

    structure: Structure
    alpha: Int[np.ndarray, "residues"]
    places: Int[np.ndarray, "residues"]
    of_atoms: Int[np.ndarray, "atoms"]
    nitrogen: Float[np.ndarray, "residues 3"]
    center: Float[np.ndarray, "residues 3"]
    carbon: Float[np.ndarray, "residues 3"]

    @classmethod
    def of(cls, structure: Structure) -> "_Residues":
        backbones, alpha = Backbones.of(structure), alpha_carbons(structure).atoms
        places = backbones.residues[alpha]
        return cls(structure, alpha, places, backbones.residues, *backbones.positions[:, places])

    @cached_property
    def to_beta(self) -> Float[np.ndarray, "residues 3"]:
        """The vector from Cα to an ideal Cβ, in Å."""
        before, after = self.center - self.nitrogen, self.carbon - self.center
        across = np.cross(before, after)
        beta: Float[np.ndarray, "residues 3"] = (
            -0.58273431 * across + 0.56802827 * before - 0.54067466 * after
        )
        return beta

    @cached_property
    def direction(self) -> Float[np.ndarray, "residues 3"]:
        unit: Float[np.ndarray, "residues 3"] = self.to_beta / np.linalg.norm(
            self.to_beta, axis=1, keepdims=True
        )
        return unit

    @cached_property
    def follows(self) -> Bool[np.ndarray, "residues"]:
        """Whether each residue is bonded to the previous one in the file."""
        lengths = np.linalg.norm(self.nitrogen[1:] - self.carbon[:-1], axis=1)
        return np.concatenate([np.zeros(min(len(self.alpha), 1), dtype=bool), lengths < _LONGEST_BOND])

    def rows_of(self, sites: Centers) -> Int[np.ndarray, "sites"]:
        rows = np.minimum(np.searchsorted(self.alpha, sites.atoms), len(self.alpha) - 1)
        if not np.array_equal(self.alpha[rows], sites.atoms):
            raise HoloError(f"structure {self.structure.name}: sites are not of its alpha_carbons")
        lost = np.flatnonzero(~np.isfinite(self.to_beta[rows]).all(axis=1))
        if len(lost):
            which = sites.index.take(lost[:1])
            name = f"{which['chain'][0]} {which['residue_number'][0]}{which['insertion_code'][0]}"
            raise HoloError(
                f"structure {self.structure.name}, residue {name}: its atoms N, CA and C define no axes; a site needs "
                "them"
            )
        return rows


def _heavy_atoms(residues: _Residues, rows: Int[np.ndarray, "sites"]) -> tuple[Numbers, Numbers]:
    """Count heavy atoms of other residues around Cα and the virtual side chain, and the latter also by kind."""
    atoms = residues.structure.atoms
    heavy = np.flatnonzero(~np.isin(atoms.element, HYDROGENS))
    points, kinds = atoms.coord[heavy].astype(np.float64), atom_kinds(atoms[heavy])
    center = residues.center[rows]
    side_chain = center + _REACH * residues.direction[rows]
    names, columns = [], []
    for what, about in (("Cα", center), ("the side chain", side_chain)):
        near = pairs_within(
            points,
            about,
            _RADII[-1],
            point_groups=residues.of_atoms[heavy],
            center_groups=residues.places[rows],
        )
        sites = np.repeat(np.arange(len(rows)), near.counts)
        distances = np.linalg.norm(points[near.points] - about[sites], axis=1)
        for radius in _RADII:
            names.append(f"heavy atoms within {radius:g} Å of {what}")
            columns.append(np.bincount(sites[distances <= radius], minlength=len(rows)))
    counts = _numbers(names, columns)
    names, columns = [], []  # of the side chain, whose pairs are the last
    for number, kind in enumerate(ATOM_KINDS):
        for radius in _NEAR:
            counted = kinds[near.points, number] & (distances <= radius)
            names.append(f"{kind} within {radius:g} Å of the side chain")
            columns.append(np.bincount(sites[counted], minlength=len(rows)))
    charges = kinds[:, ATOM_KINDS.index("positive")].astype(float) - kinds[:, ATOM_KINDS.index("negative")]
    weights = charges[near.points] / np.maximum(distances, _LEAST_DISTANCE)
    names.append("charges over distance")
    columns.append(np.bincount(sites, weights=weights, minlength=len(rows)))
    return counts, _numbers(names, columns)


def _half_spheres(residues: _Residues, rows: Int[np.ndarray, "sites"]) -> Numbers:
    """Count residues on the side of the side chain and on the other side."""
    up, down, cone = np.zeros((3, len(rows)))
    betas = residues.center + residues.to_beta
    for site, row in enumerate(rows.tolist()):
        other = np.arange(len(residues.alpha)) != row
        away, along = residues.center[other] - residues.center[row], residues.direction[row]
        above = away @ along > 0
        near = np.linalg.norm(away, axis=1) <= _HALF_SPHERE
        up[site], down[site] = (near & above).sum(), (near & ~above).sum()
        away = betas[other] - betas[row]
        away = away[np.isfinite(away).all(axis=1)]
        lengths = np.linalg.norm(away, axis=1)
        cosines = away @ along / np.maximum(lengths, 1e-9)
        cone[site] = np.sum((np.maximum(cosines + 0.5, 0) / 1.5) ** 2 / (1 + np.exp(lengths - 9.0)))
    names = ("half sphere of the side chain", "other half sphere", "side-chain neighbors")
    return _numbers(names, (up, down, cone))


def _backbone(residues: _Residues, rows: Int[np.ndarray, "sites"]) -> Numbers:
    """Return φ and ψ, the secondary structure, and the number of acceptors of N's hydrogen bonds."""
    nitrogen, center, carbon = residues.nitrogen, residues.center, residues.carbon
    before, after = residues.follows, np.roll(residues.follows, -1)
    phi = np.where(before, dihedral(np.roll(carbon, 1, axis=0), nitrogen, center, carbon), np.nan)[rows]
    psi = np.where(after, dihedral(nitrogen, center, carbon, np.roll(nitrogen, -1, axis=0)), np.nan)[rows]
    names, columns = [], []
    for name, angle in (("φ", phi), ("ψ", psi)):
        names += [f"sine of {name}", f"cosine of {name}"]
        columns += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
    atoms = residues.structure.atoms
    found = secondary_structure(center, atoms.chain_id[residues.alpha])[rows]
    names += ["helix", "sheet", "bonds of N"]
    accepting = np.flatnonzero((atoms.element == "O") | ((atoms.element == "N") & (atoms.atom_name != "N")))
    near = pairs_within(atoms.coord[accepting].astype(np.float64), nitrogen[rows], _CONTACT)
    sites = np.repeat(np.arange(len(rows)), near.counts)
    apart = np.abs(residues.of_atoms[accepting][near.points] - residues.places[rows][sites])
    columns += [found == "helix", found == "sheet", np.bincount(sites[apart > 1], minlength=len(rows))]
    return _numbers(names, columns)


def _along_chain(residues: _Residues, rows: Int[np.ndarray, "sites"]) -> Numbers:
    """Return properties of the residues before and after each site, 0 if there is none."""
    kinds = {name: number for number, name in enumerate(STANDARD_AMINO_ACIDS)}
    chosen = [PROPERTIES.index(name) for name in _OF_BESIDE]
    table = np.vstack([properties(STANDARD_AMINO_ACIDS)[:, chosen], np.zeros(len(chosen))])
    called = residues.structure.atoms.res_name[residues.alpha].tolist()
    types = np.array([kinds.get(name, len(kinds)) for name in called], dtype=np.int64)
    runs = np.cumsum(~residues.follows)
    names, columns = [], []
    for step in _BESIDE:
        other = np.clip(rows + step, 0, len(types) - 1)
        there = (other == rows + step) & (runs[other] == runs[rows])
        names += [f"{name} at {step:+d}" for name in _OF_BESIDE]
        columns += list(np.where(there[:, None], table[types[other]], 0.0).T)
    return _numbers(names, columns)


def _numbers(names: Sequence[str], columns: Sequence[NDArray[Any]]) -> Numbers:
    return Numbers(tuple(names), np.stack(columns, axis=1).astype(np.float64))
