"""Matches of a site: sets of three residues are superposed on it, and then extended by all partners in place."""

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from .correspondences import Correspondences, Site
from .ragged import first_of_each, runs
from .superposition import superpose

__all__ = ["MOST_RMSD", "Placed", "placed"]

MOST_RMSD = 1.5  # Å, of the centers of a site and its match
_WITHIN = 2.0  # Å, the largest distance of a partner from its place
_ROUNDS = 2
_FREE = 3.2  # Å, the radius of a ball that holds one residue of a protein
_CLOSE = 0.1  # Å, and radians: smaller differences do not count, as structures are not known better
NONE = -1


@attrs.frozen(eq=False)
class Placed:
    """Sets of residues that are superposed on a site.

    Parameters
    ----------
    members : Int[ndarray, "m k"]
        The correspondence of each residue of the site, by its number; -1 where it has no partner.
    scores : Float[ndarray, "m"]
        The logarithm of the number of equally good sets expected if z and position were independent; lower is
        better.
    rmsd : Float[ndarray, "m"]
        The RMSD of the centers, in Å.
    rotations : Float[ndarray, "m 3 3"]
        R, where R x + t moves the match onto the site.
    translations : Float[ndarray, "m 3"]
        t, in Å.
    """

    members: Int[np.ndarray, "m k"]
    scores: Float[np.ndarray, "m"]
    rmsd: Float[np.ndarray, "m"]
    rotations: Float[np.ndarray, "m 3 3"]
    translations: Float[np.ndarray, "m 3"]


def placed(sets: Int[np.ndarray, "sets size"], found: Correspondences, site: Site) -> Placed:
    """Superpose sets on a site, and add the other residues that have a partner at their place.

    Parameters
    ----------
    sets : Int[ndarray, "sets size"]
        Numbers of correspondences.
    found
        The possible partners.
    site
        The site.
    """
    members = np.full((len(sets), len(site)), NONE)
    np.put_along_axis(members, found.places[sets], sets, 1)
    rotations, translations, rmsd = _laid(members, found, site)
    chosen = np.flatnonzero(rmsd <= MOST_RMSD)
    if len(site) > sets.shape[1]:
        members = members[chosen]
        for _ in range(_ROUNDS):
            members = _grown(members, rotations[chosen], translations[chosen], found, site)
            rotations, translations, rmsd = _laid(members, found, site)
            chosen = np.arange(len(members))
        once = np.unique(members, axis=0, return_index=True)[1]
        chosen = once[rmsd[once] <= MOST_RMSD]
    members, rotations, translations, rmsd = (
        members[chosen],
        rotations[chosen],
        translations[chosen],
        rmsd[chosen],
    )
    return Placed(members, _scores(members, rotations, rmsd, found, site), rmsd, rotations, translations)


def _laid(
    members: NDArray[np.int64], found: Correspondences, site: Site
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    shape = (*members.shape, 3)
    targets, target_directions = np.broadcast_to(site.centers, shape), np.broadcast_to(site.directions, shape)
    return superpose(
        found.centers[members], targets, members != NONE, found.directions[members], target_directions
    )


def _grown(
    members: NDArray[np.int64],
    rotations: NDArray[np.float64],
    translations: NDArray[np.float64],
    found: Correspondences,
    site: Site,
) -> NDArray[np.int64]:
    """Choose for each residue of the site the best partner that lies at its place, each partner once."""
    some = members.max(axis=1)
    starts = np.searchsorted(found.structures, found.structures[some])
    owners, candidates = runs(starts, np.searchsorted(found.structures, found.structures[some], "right"))
    # The site is moved to the candidates, not they to it, because its residues are fewer.
    places = np.einsum("tji,tkj->tki", rotations, site.centers - translations[:, None])
    off = np.linalg.norm(found.centers[candidates] - places[owners, found.places[candidates]], axis=1)
    near = np.flatnonzero(off <= _WITHIN)
    owners, candidates, off = owners[near], candidates[near], off[near]
    cost = np.log(found.shares[candidates]) + 3 * np.log(np.maximum(off, _CLOSE))
    # Partners that two residues of the site would share go to the one that they fit better.
    for key in (found.rows, found.places):
        order = np.lexsort([cost, key[candidates], owners])
        owners, candidates, cost = owners[order], candidates[order], cost[order]
        pairs = owners * (int(key.max(initial=0)) + 1) + key[candidates]
        kept = first_of_each(pairs, 1)
        owners, candidates, cost = owners[kept], candidates[kept], cost[kept]
    grown = np.full_like(members, NONE)
    grown[owners, found.places[candidates]] = candidates
    lost = (grown != NONE).sum(axis=1) < 2
    grown[lost] = members[lost]
    return grown


def _scores(
    members: NDArray[np.int64],
    rotations: NDArray[np.float64],
    rmsd: NDArray[np.float64],
    found: Correspondences,
    site: Site,
) -> NDArray[np.float64]:
    """Return the logarithm of the number of sets that would be as good by chance.

    It is the sum over the partners of the logarithms of the shares of residues that are at least as similar and of
    directions that are as close, and of a term for the positions: 3k - 6 degrees of freedom, each with the RMSD
    relative to the radius of the space that one residue has.
    """
    there = members != NONE
    directions = found.directions[members]
    cosines = np.einsum("tij,tkj,ki->tk", rotations, directions, site.directions)
    known = there & directions.any(axis=2) & site.directions.any(axis=1)
    turned = np.where(known, np.maximum((1 - cosines) / 2, _CLOSE**2), 1.0)
    alike = np.where(there, found.shares[members], 1.0)
    free = np.maximum(3 * there.sum(axis=1) - 6, 1)
    in_space = free * np.log(np.maximum(rmsd, _CLOSE) / _FREE)
    scores: NDArray[np.float64] = in_space + np.log(turned).sum(axis=1) + np.log(alike).sum(axis=1)
    return scores
