"""Matches of a site: residues that are similar to its residues in z and arranged alike in space."""

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from holo_downstream.matching.correspondences import Correspondences, Site
from holo_downstream.matching.placing import NONE, placed
from holo_downstream.matching.triples import seed_sets

from .chance import ANY_TYPE
from .index import SearchIndex

__all__ = ["Matches", "match_site"]

_OF_ANY_TYPE = 0.05  # of all residues, those that are nearest in z


@attrs.frozen(eq=False)
class Matches:
    """Matches of a site without duplicates, the best first.

    Parameters
    ----------
    rows : Int[ndarray, "m k"]
        The partner of each residue of the site, as rows of the index; -1 where it has none.
    scores : Float[ndarray, "m"]
        The logarithm of the number of equally good matches expected if z and position were independent; lower is
        better.
    distances, p_values : Float[ndarray, "m k"]
        Of each pair of partners; NaN where there is none.
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


def match_site(
    index: SearchIndex, site: Site, allowed: Bool[np.ndarray, "n"], most: int, *, any_type: bool = False
) -> Matches:
    """Find the best matches of a site: sets of residues that are partners of three of its residues or more.

    Parameters
    ----------
    index
        The index to search, which must have centers.
    site
        Of two residues or more; of two, both have a partner.
    allowed : Bool[ndarray, "n"]
        Rows that may be partners.
    most
        The maximum number of matches.
    any_type
        Allow residues of any type that are among the nearest twentieth in z, not only those of the site's types.
    """
    assert index.centers is not None
    found = _correspondences(index, site, allowed, any_type)
    matches = placed(seed_sets(found, site), found, site)
    there = matches.members != NONE
    rows = np.where(there, found.rows[matches.members], NONE)
    kept, copies = _merged(rows, matches.scores, index, most)
    rows, there = rows[kept], there[kept]
    distances, p_values = np.full(rows.shape, np.nan), np.full(rows.shape, np.nan)
    for place, kind in enumerate(site.types):
        some = there[:, place]
        apart = np.linalg.norm(index.vectors[rows[some, place]] - site.vectors[place], axis=1)
        distances[some, place] = apart
        p_values[some, place] = index.chance.of(ANY_TYPE if any_type else kind, apart.astype(np.float64))
    return Matches(
        rows,
        matches.scores[kept],
        distances,
        p_values,
        matches.rmsd[kept],
        matches.rotations[kept],
        matches.translations[kept],
        copies,
    )


def _correspondences(
    index: SearchIndex, site: Site, allowed: NDArray[np.bool_], any_type: bool
) -> Correspondences:
    """Find what may stand for each residue of a site."""
    assert index.centers is not None
    parts = _of_any_type(index, site, allowed) if any_type else _of_the_same_type(index, site, allowed)
    counts = [len(rows) for rows, _ in parts]
    rows, shares = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort([shares, index.structures[rows]])
    rows = rows[order]
    return Correspondences(
        np.repeat(np.arange(len(site)), counts)[order],
        rows,
        shares[order],
        index.structures[rows],
        index.centers[rows],
        index.directions[rows],
    )


_Part = tuple[NDArray[np.int64], NDArray[np.float64]]


def _of_the_same_type(index: SearchIndex, site: Site, allowed: NDArray[np.bool_]) -> list[_Part]:
    parts = []
    for kind, vector in zip(site.types, site.vectors, strict=True):
        of_type = index.rows_by_type.get(kind, np.empty(0, np.int64))
        rows = of_type[allowed[of_type]]
        apart = np.linalg.norm(index.vectors[rows] - vector, axis=1).astype(np.float64)
        parts.append((rows, index.chance.of(kind, apart) * (len(of_type) / len(index))))
    return parts


def _of_any_type(index: SearchIndex, site: Site, allowed: NDArray[np.bool_]) -> list[_Part]:
    near = index.chance.within(ANY_TYPE, _OF_ANY_TYPE)
    lengths = np.einsum("kd,kd->k", site.vectors, site.vectors)
    parts = []
    for products, length in zip(site.vectors @ index.vectors.T, lengths, strict=True):
        squares = index.squares - 2 * products + length
        rows = np.flatnonzero((squares <= near**2) & allowed)
        apart = np.sqrt(np.maximum(squares[rows], 0)).astype(np.float64)
        parts.append((rows, index.chance.of(ANY_TYPE, apart)))
    return parts


def _merged(
    rows: NDArray[np.int64], scores: NDArray[np.float64], index: SearchIndex, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order matches and leave out those that say the same again: of like chains, or with most residues in common."""
    names = [index.index[name] for name in ("residue_number", "insertion_code", "residue_name")]
    kept: list[int] = []
    copies: list[int] = []
    by_structure: dict[int, list[tuple[int, set[int]]]] = {}
    like: dict[tuple[object, ...], int] = {}
    for match in np.argsort(scores, kind="stable").tolist():
        there = rows[match] != NONE
        partners = rows[match][there]
        mine = set(partners.tolist())
        structure = int(index.structures[partners[0]])
        key = (structure, there.tobytes(), *(name[partners].tobytes() for name in names))
        same = like.get(key)
        if same is None:
            for other, its in by_structure.get(structure, []):
                if 2 * len(mine & its) > min(len(mine), len(its)):
                    same = other
                    break
        if same is not None:
            copies[same] += 1
            continue
        if len(kept) == most:
            break
        like[key] = len(kept)
        by_structure.setdefault(structure, []).append((len(kept), mine))
        kept.append(match)
        copies.append(1)
    return np.array(kept, np.int64), np.array(copies, np.int64)
