"""Which residues are amino acids, which of them belong to a chain, and their names.

No single record or name decides. A residue is an amino acid by its name in the Chemical Component Dictionary, by a name
that force fields use for one of the twenty, or by its backbone. It belongs to a chain if the file declares it so, or if
a peptide bond joins it to a residue that does.
"""

from collections import Counter
from functools import lru_cache

import attrs
import numpy as np
from biotite.structure import AtomArray
from biotite.structure.info import amino_acid_names
from jaxtyping import Bool, Float, Int, Shaped

from holo_features.readers.names import STANDARD_AMINO_ACIDS, SYNONYMS, WATERS, heavy_atoms
from holo_features.readers.raw import Remark
from holo_features.readers.symbols import HYDROGENS

__all__ = ["Backbone", "are_amino_acids", "dictionary_names", "in_chains"]

_STANDARD = frozenset(STANDARD_AMINO_ACIDS)
_LONGEST_BOND = 2.0  # Å, from N to CA and from CA to C; normally 1.46 and 1.53
_PEPTIDE_BOND = 1.7  # Å, from C to N; normally 1.33
# Names in force fields of the oxygens at a chain's end.
_END_OXYGENS = frozenset(["OXT", "OT", "OT1", "OT2", "O1", "O2", "OC1", "OC2"])


@attrs.frozen(eq=False)
class Backbone:
    """The positions of N, CA and C of each residue, in Å; NaN if a residue lacks the atom.

    Parameters
    ----------
    nitrogen, alpha, carbon : Float[ndarray, "residues 3"]
        The atoms N, CA and C.
    """

    nitrogen: Float[np.ndarray, "residues 3"]
    alpha: Float[np.ndarray, "residues 3"]
    carbon: Float[np.ndarray, "residues 3"]

    @classmethod
    def of(
        cls, atoms: AtomArray, rows: Int[np.ndarray, "rows"], firsts: Int[np.ndarray, "residues"]
    ) -> "Backbone":
        """Find the backbones among some rows of the atoms; `firsts` has the row at which each residue begins."""
        places = []
        names, elements = atoms.atom_name[rows], atoms.element[rows]
        for name in ("N", "CA", "C"):
            # The element distinguishes a Cα from a calcium ion, which is also called CA.
            found = np.flatnonzero((names == name) & (elements == name[0]))[::-1]
            place = np.full((len(firsts), 3), np.nan)
            place[np.searchsorted(firsts, found, side="right") - 1] = atoms.coord[rows[found]]
            places.append(place)
        return cls(*places)

    def is_whole(self) -> Bool[np.ndarray, "residues"]:
        """Return which residues have all three atoms, at the distance of bonds."""
        with np.errstate(invalid="ignore"):
            first = np.linalg.norm(self.alpha - self.nitrogen, axis=1) < _LONGEST_BOND
            second = np.linalg.norm(self.carbon - self.alpha, axis=1) < _LONGEST_BOND
        whole: Bool[np.ndarray, residues] = first & second
        return whole


def dictionary_names(
    atoms: AtomArray,
    rows: Int[np.ndarray, "rows"],
    firsts: Int[np.ndarray, "residues"],
    names: Shaped[np.ndarray, "residues"],
) -> tuple[Shaped[np.ndarray, "residues"], tuple[Remark, ...]]:
    """Return the names in the dictionary of residues that a force field has named after their state.

    A residue is one of the twenty under another name only if it has no heavy atoms beyond those of that one: in the
    dictionary, HIP is a phosphohistidine and LYN an amide, and these keep their names.

    Parameters
    ----------
    atoms, rows, firsts
        As in `Backbone.of`.
    names
        The names of the residues in the file.

    Returns
    -------
    Shaped[ndarray, "residues"]
        The names.
    tuple of Remark
        The residues that were renamed.
    """
    if SYNONYMS.keys().isdisjoint(names.tolist()):
        return names, ()
    renamed: Counter[tuple[str, str]] = Counter()
    changed = names.tolist()
    ends = np.append(firsts[1:], len(rows)).tolist()
    for i, (name, first, end) in enumerate(zip(names.tolist(), firsts.tolist(), ends, strict=True)):
        if name not in SYNONYMS:
            continue
        members = rows[first:end]
        heavy = {
            atom
            for atom, element in zip(
                atoms.atom_name[members].tolist(), atoms.element[members].tolist(), strict=True
            )
            if element not in HYDROGENS
        }
        if "CA" in heavy and heavy <= _heavy_atoms(SYNONYMS[name]):
            changed[i] = SYNONYMS[name]
            renamed[name, changed[i]] += 1
    remarks = tuple(
        Remark("residue renamed", f"{count} {old} of the file are called {new}", count=count)
        for (old, new), count in sorted(renamed.items())
    )
    return np.array(changed, dtype=np.str_), remarks


@lru_cache(maxsize=len(STANDARD_AMINO_ACIDS))
def _heavy_atoms(name: str) -> frozenset[str]:
    return heavy_atoms(name) | _END_OXYGENS | ({"CD"} if name == "ILE" else frozenset())


def are_amino_acids(names: Shaped[np.ndarray, "residues"]) -> Bool[np.ndarray, "residues"]:
    """Return which names are those of amino acids."""
    listed = names.tolist()
    return np.fromiter(map(_is_amino_acid, listed), dtype=bool, count=len(listed))


def _is_amino_acid(name: str) -> bool:
    # Most structures have no other residues; the dictionary, which takes 0.1 s to read, is used only for others.
    return name in _STANDARD or (name not in WATERS and name in _amino_acids())


@lru_cache(maxsize=1)
def _amino_acids() -> frozenset[str]:
    # Programs also call an unknown ligand UNK, the name of an unknown amino acid: its backbone decides.
    return frozenset(map(str, amino_acid_names())) - {"UNK"}


def in_chains(
    members: Bool[np.ndarray, "residues"], candidates: Bool[np.ndarray, "residues"], backbone: Backbone
) -> Bool[np.ndarray, "residues"]:
    """Add to the members of chains the amino acids that are joined to them by peptide bonds, one after the other.

    Parameters
    ----------
    members
        Amino acids that the file declares as members of a chain.
    candidates
        Amino acids that it does not declare so.
    backbone
        The backbone of all residues.
    """
    joined, left = members.copy(), candidates & ~np.isnan(backbone.alpha).any(axis=1)
    while left.any():
        found = _near(backbone.nitrogen, left, backbone.carbon, joined)
        found |= _near(backbone.carbon, left, backbone.nitrogen, joined)
        if not found.any():
            break
        joined |= found
        left &= ~found
    return joined


def _near(
    ours: Float[np.ndarray, "residues 3"],
    asked: Bool[np.ndarray, "residues"],
    theirs: Float[np.ndarray, "residues 3"],
    others: Bool[np.ndarray, "residues"],
) -> Bool[np.ndarray, "residues"]:
    """Return which of the given residues have an atom at the distance of a peptide bond from atoms of others."""
    near = np.zeros(len(ours), dtype=bool)
    asked = asked & ~np.isnan(ours[:, 0])
    others = others & ~np.isnan(theirs[:, 0])
    if asked.any() and others.any():
        from scipy.spatial import KDTree  # noqa: PLC0415 - slow to import, and few files need it

        near[asked] = np.isfinite(
            KDTree(theirs[others]).query(ours[asked], distance_upper_bound=_PEPTIDE_BOND)[0]
        )
    return near
