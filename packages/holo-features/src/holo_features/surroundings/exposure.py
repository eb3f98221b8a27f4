"""The exposure of each residue to the solvent."""

from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from holo_features.structures.residue import residue_numbers
from holo_features.structures.structure import Structure
from holo_features.structures.surface import surface_areas

from .centers import alpha_carbons

__all__ = ["burial", "relative_surface_areas"]

# Å², for residue X in Gly-X-Gly, the maximum over all backbone angles: Tien et al., table 1, theoretical.
_MOST = MappingProxyType(
    {
        "ALA": 129.0,
        "ARG": 274.0,
        "ASN": 195.0,
        "ASP": 193.0,
        "CYS": 167.0,
        "GLN": 225.0,
        "GLU": 223.0,
        "GLY": 104.0,
        "HIS": 224.0,
        "ILE": 197.0,
        "LEU": 201.0,
        "LYS": 236.0,
        "MET": 224.0,
        "PHE": 240.0,
        "PRO": 159.0,
        "SER": 155.0,
        "THR": 172.0,
        "TRP": 285.0,
        "TYR": 263.0,
        "VAL": 174.0,
    }
)


def relative_surface_areas(structure: Structure) -> Float[np.ndarray, "residues"]:
    """Return the solvent-accessible fraction of each residue's surface.

    This is the area of a residue's atoms in the structure, divided by the largest area that its type can have between
    two glycines.

    Parameters
    ----------
    structure
        A structure from `read_structure`; all its atoms shield one another.

    Returns
    -------
    Float[ndarray, "residues"]
        One number for each of `alpha_carbons`, in their order: about 0 inside a protein, about 1 if nothing covers the
        residue, and somewhat more at a chain's ends. NaN for residues other than the twenty amino acids.

    Notes
    -----
    Areas are those of `holo_features.structures.surface.surface_areas`, and the largest areas are those of Tien, Meyer,
    Sydykova, Spielman and Wilke, *PLoS ONE* 8, e80635 (2013).

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> shares = relative_surface_areas(read_structure(example_structures()[0]))
    >>> len(shares), bool(np.median(shares) < 0.3)
    (153, True)
    """
    atoms = structure.atoms
    numbers = residue_numbers(atoms)
    areas = np.bincount(numbers, weights=surface_areas(atoms))
    about = alpha_carbons(structure)
    most = np.array([_MOST.get(name, np.nan) for name in about.index["residue_name"].tolist()], dtype=float)
    shares: NDArray[np.float64] = areas[numbers[about.atoms]] / most
    return shares


def burial(structure: Structure) -> Shaped[np.ndarray, "residues"]:
    """Return for each residue whether it is ``"buried"``, ``"intermediate"`` or ``"exposed"``.

    Parameters
    ----------
    structure
        A structure from `read_structure`.

    Returns
    -------
    Shaped[ndarray, "residues"]
        One text for each of `alpha_carbons`: buried below a relative surface area of 9 %, exposed from 36 %; empty for
        residues other than the twenty amino acids.

    Notes
    -----
    The thresholds are those of Rost and Sander, *Proteins* 20, 216 (1994).

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> burial(read_structure(example_structures()[0]))[:3].tolist()
    ['exposed', 'buried', 'exposed']
    """
    shares = relative_surface_areas(structure)
    names = np.array(["buried", "intermediate", "exposed"])[np.digitize(np.nan_to_num(shares), (0.09, 0.36))]
    return np.where(np.isnan(shares), "", names)
