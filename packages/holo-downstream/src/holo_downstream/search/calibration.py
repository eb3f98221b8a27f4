"""Searches for random sites of an index within the index itself, which show what is found by chance."""

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_downstream.matching.correspondences import Site

from .index import SearchIndex
from .matching import match_site
from .site_chance import SIZES, SiteChance

__all__ = ["random_sites", "site_chance_of", "site_of"]

_SITES = 200  # for each size
_MOST = 100  # matches of each site; larger values of E are not distinguished
_WITHIN = 12.0  # Å from the residue around which a random site is drawn
_STRUCTURES = 600  # that are searched for random sites; of more structures, a sample is used


def site_chance_of(index: SearchIndex, *, seed: int = 0) -> SiteChance:
    """Search for random sites in all other structures, or clusters if known, and keep the best score in each of them.

    Relatives have a site in common and are hits together, so each cluster counts once. Otherwise a few random sites
    from large families would have most of the hits.

    Parameters
    ----------
    index
        An index with centers.
    seed
        The seed of the random sites.
    """
    generator = np.random.default_rng(seed)
    chosen = _sample(index, generator)
    among, groups = _part(index, chosen), index.groups[chosen]
    scores: dict[bool, dict[int, NDArray[np.float64]]] = {False: {}, True: {}}
    for size in SIZES:
        sites = random_sites(index, size, _SITES, generator)
        for any_type, of_size in scores.items():
            found = [np.empty(0)]
            for rows in sites:
                unrelated = groups != index.groups[rows[0]]
                matches = match_site(among, site_of(index, rows), unrelated, _MOST, any_type=any_type)
                clusters = groups[matches.rows.max(axis=1)]  # of one partner: all are of one structure
                _, best = np.unique(clusters, return_index=True)  # matches are in the order of their scores
                found.append(matches.scores[best])
            of_size[size] = np.sort(np.concatenate(found))
    return SiteChance(scores[False], scores[True], _SITES * len(among) / len(index))


def _sample(index: SearchIndex, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows of some of the structures."""
    numbers = np.unique(index.structures)
    chosen = generator.choice(numbers, min(_STRUCTURES, len(numbers)), replace=False)
    return np.flatnonzero(np.isin(index.structures, chosen))


def _part(index: SearchIndex, rows: NDArray[np.int64]) -> SearchIndex:
    """Return some rows of an index, with what is known of all."""
    assert index.centers is not None
    return attrs.evolve(
        index,
        vectors=index.vectors[rows],
        frames=index.frames[rows],
        centers=index.centers[rows],
        index=index.index.take(rows),
        lists=None,
    )


def random_sites(
    index: SearchIndex, size: int, count: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Draw sites of an index: neighboring residues of one structure, or fewer sites if the proteins are too small.

    Parameters
    ----------
    index
        An index with centers.
    size
        The number of residues of a site.
    count
        The number of sites.
    generator
        The random generator.
    """
    assert index.centers is not None
    order = np.argsort(index.structures, kind="stable")
    codes = index.structures[order]
    sites = []
    for row in generator.integers(len(index), size=4 * count).tolist():
        code = index.structures[row]
        own = order[np.searchsorted(codes, code) : np.searchsorted(codes, code, "right")]
        apart = np.linalg.norm(index.centers[own] - index.centers[row], axis=1)
        near = own[(apart <= _WITHIN) & (own != row)]
        if len(near) >= size - 1:
            others = generator.choice(near, size - 1, replace=False)
            sites.append(np.concatenate([[row], others]))
        if len(sites) == count:
            break
    return sites


def site_of(index: SearchIndex, rows: NDArray[np.int64]) -> Site:
    """Return rows of an index as a site."""
    assert index.centers is not None
    return Site(index.vectors[rows], index.types[rows].tolist(), index.centers[rows], index.directions[rows])
