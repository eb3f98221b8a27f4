"""Numbers of an amino acid at a site, and of the change by an exchange."""

from collections.abc import Sequence

import numpy as np

from holo_features.surroundings.numbers import Numbers
from holo_types import HoloError

from .amino_acids import PROPERTIES, properties
from .sites import SiteNumbers

__all__ = ["placed_numbers"]

# Numbers of the site by which properties are multiplied, because they matter more the deeper the site is buried.
_DEPTHS = {
    "burial": ("heavy atoms within 10 Å of the side chain", 100.0),
    "neighbors": ("side-chain neighbors", 5.0),
}
_IN_DEPTH = ("hydrophobicity", "volume")


def placed_numbers(sites: SiteNumbers, residue_names: Sequence[str]) -> Numbers:
    """Describe an amino acid at each site: its properties, and those that depend on the site.

    The difference of two amino acids at one site describes the effect of an exchange: on hydrophobicity and volume,
    also multiplied by the burial of the site, on the charge in the field of its neighbors, and on the propensity for a
    helix or sheet if it is in one.

    Parameters
    ----------
    sites
        The numbers of the sites, from `site_numbers`.
    residue_names
        One of the twenty for each site.

    Returns
    -------
    Numbers
        One row for each site: `PROPERTIES`; hydrophobicity and volume times burial and times neighbors; the size of the
        charge times burial, and the charge times the sum of the surrounding charges divided by distance; propensities
        if the site is in a helix or sheet; and glycine times the sine of φ, which is positive where other residues are
        rare.

    Raises
    ------
    HoloError
        If the numbers of names and sites differ, or a name is not one of the twenty.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.mutations.sites import site_numbers
    >>> from holo_features.structures.structure import read_structure
    >>> sites = site_numbers(read_structure(example_structures()[0]))
    >>> placed = placed_numbers(sites, ["LEU"] * len(sites))
    >>> placed.values.shape, placed.names[-1]
    ((153, 21), 'glycine times sine of φ')
    """
    if len(residue_names) != len(sites):
        raise HoloError(
            f"placed_numbers: {len(residue_names)} amino acids for {len(sites)} sites; there must be one each"
        )
    own = dict(zip(PROPERTIES, properties(residue_names).T, strict=True))
    numbers = dict(own)
    for depth, (name, scale) in _DEPTHS.items():
        for of in _IN_DEPTH:
            numbers[f"{of} times {depth}"] = own[of] * sites.column(name) / scale
    name, scale = _DEPTHS["burial"]
    numbers["size of charge times burial"] = np.abs(own["charge"]) * sites.column(name) / scale
    numbers["charge times charges"] = own["charge"] * sites.column("charges over distance")
    for where in ("helix", "sheet"):
        numbers[f"{where} propensity in one"] = own[f"{where} propensity"] * sites.column(where)
    numbers["proline times bonds of N"] = own["proline"] * sites.column("bonds of N")
    numbers["glycine times sine of φ"] = own["glycine"] * sites.column("sine of φ")
    return Numbers(tuple(numbers), np.stack(list(numbers.values()), axis=1))
