"""Searches for random sites of an index within the index itself, which show what is found by chance."""

import numpy as np
from numpy.typing import NDArray

from .index import SearchIndex
from .matching import Site, match_site
from .site_chance import SiteChance

__all__ = ["random_sites", "site_chance_of", "site_of"]

SIZES = (2, 3, 4)
_SITES = 400  # for each size
_MOST = 100  # matches of each site; larger values of E are not distinguished
_WITHIN = 12.0  # Å from the residue around which a random site is drawn
_STRUCTURES = 600  # that are searched for random sites; of more structures, a sample is used


def site_chance_of(index: SearchIndex, *, seed: int = 0) -> SiteChance:
    """Search for random sites in all other structures, or other clusters if known, and keep the scores of the hits.

    Parameters
    ----------
    index
        An index with centers.
    seed
        The seed of the random sites.
    """
    assert index.centers is not None
    generator = np.random.default_rng(seed)
    numbers = np.unique(index.structures)
    among = np.ones(len(index), bool)
    if len(numbers) > _STRUCTURES:
        among = np.isin(index.structures, generator.choice(numbers, _STRUCTURES, replace=False))
    times = len(index) / int(among.sum())  # the factor by which all rows contain more hits
    scores: dict[int, NDArray[np.float64]] = {}
    for size in SIZES:
        found = [np.empty(0)]
        for rows in random_sites(index, size, _SITES, generator):
            unrelated = among & (index.groups != index.groups[rows[0]])
            found.append(match_site(index, site_of(index, rows), unrelated, _MOST).scores + np.log(times))
        scores[size] = np.sort(np.concatenate(found))
    return SiteChance(scores, _SITES / times)


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
