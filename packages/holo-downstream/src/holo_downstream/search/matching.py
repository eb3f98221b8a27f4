"""Matches of a site: residues that are similar to its residues in z and arranged alike in space."""

from collections.abc import Sequence
from math import factorial

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from .chance import ANY_TYPE
from .index import SearchIndex
from .joining import joined_rows
from .superposition import superpose

__all__ = ["MOST_RMSD", "Matches", "Site", "match_site"]

MOST_RMSD = 1.5  # Å, between the centers of a site and of its match
_TOLERANCE = 2.0  # Å, for the distance between two centers
_EXACT = 0.05  # Å and radians: smaller differences are below the precision of structures
_OF_ANY_TYPE = 0.05  # share of all residues that are considered, those nearest in z


@attrs.frozen(eq=False)
class Site:
    """The residues of a query in the form in which they are compared.

    Parameters
    ----------
    vectors : Float[ndarray, "k d"]
        Scaled z.
    types
        Residue types.
    centers : Float[ndarray, "k 3"]
        Positions in Å.
    directions : Float[ndarray, "k 3"]
        Directions of the side chains, of length 1; 0 if unknown.
    """

    vectors: Float[np.ndarray, "k d"]
    types: Sequence[str]
    centers: Float[np.ndarray, "k 3"]
    directions: Float[np.ndarray, "k 3"]


@attrs.frozen(eq=False)
class Matches:
    """Matches of a site without duplicates, the best first.

    Parameters
    ----------
    rows : Int[ndarray, "m k"]
        The partner of each residue of the site, as a row of the index.
    scores : Float[ndarray, "m"]
        The logarithm of the number of equally good matches expected if z and position were independent; lower is
        better.
    distances, p_values : Float[ndarray, "m k"]
        Distance and p-value for each pair of partners.
    rmsd : Float[ndarray, "m"]
        RMSD of the centers, in Å.
    rotations : Float[ndarray, "m 3 3"]
        R, where R x + t moves the match onto the site.
    translations : Float[ndarray, "m 3"]
        t, in Å.
    copies : Int[ndarray, "m"]
        How many matches this one represents: those of equal chains, or with most residues in common.
    """

    rows: Int[np.ndarray, "m k"]
    scores: Float[np.ndarray, "m"]
    distances: Float[np.ndarray, "m k"]
    p_values: Float[np.ndarray, "m k"]
    rmsd: Float[np.ndarray, "m"]
    rotations: Float[np.ndarray, "m 3 3"]
    translations: Float[np.ndarray, "m 3"]
    copies: Int[np.ndarray, "m"]

    def _taken(self, chosen: NDArray[np.integer], copies: NDArray[np.int64]) -> "Matches":
        fields = {field.name: getattr(self, field.name)[chosen] for field in attrs.fields(Matches)}
        return Matches(**{**fields, "copies": copies})


def match_site(
    index: SearchIndex, site: Site, allowed: Bool[np.ndarray, "n"], most: int, *, any_type: bool = False
) -> Matches:
    """Find the best matches of a site.

    Parameters
    ----------
    index
        The index to search, which must have centers.
    site
        A site of two or more residues.
    allowed : Bool[ndarray, "n"]
        Rows that may be partners.
    most
        The maximum number of matches.
    any_type
        Allow residues of any type that are among the nearest twentieth in z, not only those of the site's types.
    """
    assert index.centers is not None
    size, share = len(site.types), _OF_ANY_TYPE if any_type else 1.0
    pairs = [ANY_TYPE if any_type else kind for kind in site.types]
    candidates = _near(index, site, allowed) if any_type else _of_types(index, site.types, allowed)
    rows = joined_rows(candidates, index.structures, index.centers, site.centers, _TOLERANCE)
    rotations, translations, rmsd = superpose(
        index.centers[rows], site.centers, index.directions[rows], site.directions
    )
    near = rmsd <= MOST_RMSD
    rows, rmsd, rotations = rows[near], rmsd[near], rotations[near]
    cosines = np.einsum("tij,tkj,ki->tk", rotations, index.directions[rows], site.directions)
    known = index.directions[rows].any(axis=2) & site.directions.any(axis=1)
    turned = np.where(known, (1 - cosines) / 2, 1.0)  # the share of all directions that are as near
    apart = np.stack(
        [
            np.linalg.norm(index.vectors[rows[:, place]] - site.vectors[place], axis=1).astype(np.float64)
            for place in range(size)
        ],
        axis=1,
    )
    p_values = np.stack([index.chance.of(kind, apart[:, place]) for place, kind in enumerate(pairs)], axis=1)
    scores = _scores(rmsd, turned, np.minimum(p_values / share, 1.0))
    copies = np.ones(len(rows), np.int64)
    found = Matches(rows, scores, apart, p_values, rmsd, rotations, translations[near], copies)
    return _merged(found, index, most)


def _of_types(
    index: SearchIndex, types: Sequence[str], allowed: NDArray[np.bool_]
) -> list[NDArray[np.int64]]:
    of_type = {kind: index.rows_by_type.get(kind, np.empty(0, np.int64)) for kind in set(types)}
    chosen = {kind: rows[allowed[rows]] for kind, rows in of_type.items()}
    return [chosen[kind] for kind in types]


def _near(index: SearchIndex, site: Site, allowed: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    rows = np.flatnonzero(allowed)
    found = []
    for vector in site.vectors:
        apart = np.sqrt(np.maximum(index.squares - 2 * index.vectors @ vector + (vector**2).sum(), 0))
        found.append(rows[index.chance.of(ANY_TYPE, apart[rows]) <= _OF_ANY_TYPE])
    return found


def _scores(
    rmsd: NDArray[np.float64], turned: NDArray[np.float64], p_values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the logarithm of the number of matches in space that would be as good by chance in all respects.

    In space, random positions fill their 3k - 6 degrees of freedom uniformly, so that the share of matches within an
    RMSD grows as the power 3k - 6 of it. For the directions of side chains, and for z, it is Fisher's method: the
    product of all shares. For all respects together, it is likewise the product of the three.
    """
    matches, size = p_values.shape
    in_space = max(3 * size - 6, 1) * np.log(np.maximum(rmsd, _EXACT) / MOST_RMSD)
    in_directions = _log_share_of_product(np.log(np.maximum(turned, _EXACT**2)).sum(axis=1), size)
    in_z = _log_share_of_product(np.log(p_values).sum(axis=1), size)
    share: NDArray[np.float64] = _log_share_of_product(in_space + in_directions + in_z, 3)
    return share + float(np.log(max(matches, 1)))


def _log_share_of_product(logarithm: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return how often the product of `count` numbers, uniform in [0, 1], is as small; both values are logarithms."""
    terms = [(-logarithm) ** power / factorial(power) for power in range(count)]
    return np.asarray(logarithm + np.log(np.sum(terms, axis=0)))


def _merged(found: Matches, index: SearchIndex, most: int) -> Matches:
    """Sort matches, and leave out redundant ones: those of equal chains, or with most residues in common."""
    best = np.argsort(found.scores, kind="stable")
    names = [index.index[name] for name in ("residue_number", "insertion_code", "residue_name")]
    kept: list[int] = []
    copies: list[int] = []
    by_structure: dict[int, list[int]] = {}
    like: dict[tuple[object, ...], int] = {}
    for match in best.tolist():
        rows = found.rows[match]
        structure = int(index.structures[rows[0]])
        key = (structure, *(name[rows].tobytes() for name in names))
        same = like.get(key)
        if same is None:
            mine = set(rows.tolist())
            for other in by_structure.get(structure, []):
                if 2 * len(mine.intersection(found.rows[kept[other]].tolist())) > len(mine):
                    same = other
                    break
        if same is not None:
            copies[same] += 1
            continue
        if len(kept) == most:
            break
        like[key] = len(kept)
        by_structure.setdefault(structure, []).append(len(kept))
        kept.append(match)
        copies.append(1)
    return found._taken(np.array(kept, np.int64), np.array(copies, np.int64))
