"""What an amino acid would be at a site, and what an exchange changes."""

from collections.abc import Sequence

import numpy as np

from holo_features.surroundings.numbers import Numbers
from holo_types import HoloError

from .amino_acids import PROPERTIES, properties
from .sites import SiteNumbers

__all__ = ["placed_numbers"]

# What counts the more the deeper a site lies, and by which numbers of the site: of how much is around it.
_DEPTHS = {
    "burial": ("heavy atoms within 10 Å of the side chain", 100.0),
    "neighbors": ("side-chain neighbors", 5.0),
}
_IN_DEPTH = ("hydrophobicity", "volume")


def placed_numbers(sites: SiteNumbers, residue_names: Sequence[str]) -> Numbers:
    """Describe an amino acid at each site: its properties, and those that depend on where it is.

    The difference of two amino acids at one site says what an exchange changes: hydrophobicity and volume, also times
    the burial of the site, a charge in the field of those around, a helix's or a sheet's propensity where there is one.

    Parameters
    ----------
    sites
        From `site_numbers`.
    residue_names
        One of the twenty for each site.

    Returns
    -------
    Numbers
        A row for each site: `PROPERTIES`; hydrophobicity and volume times burial and times neighbors; the size of the
        charge times burial and the charge times the charges around over their distance; propensities where there is
        a helix or a sheet; glycine times the sine of φ, which is positive where the others hardly go.

    Raises
    ------
    HoloError
        If there are more or fewer names than sites, or a name is none of the twenty.

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
