"""Solvent-accessible surface area of atoms."""

from functools import lru_cache

import numpy as np
from biotite.structure import AtomArray, filter_monoatomic_ions, filter_solvent, sasa
from biotite.structure.info import vdw_radius_protor, vdw_radius_single
from jaxtyping import Float

from holo_features.readers.symbols import HYDROGENS

__all__ = ["surface_areas"]

# For an atom whose residue and element do not determine more; biotite's own default.
_USUAL_RADIUS = 1.8


def surface_areas(atoms: AtomArray) -> Float[np.ndarray, "atoms"]:
    """Return the solvent-accessible surface area of each atom.

    A water, a sphere of radius 1.4 Å, rolls over the atoms. Radii are those of ProtOr if the Chemical Component
    Dictionary contains the atom: they include the hydrogens that it carries, so it does not matter whether these were
    read. Otherwise they are those of the element.

    Parameters
    ----------
    atoms
        All atoms that shield one another: a structure, or a complex with its ligand.

    Returns
    -------
    Float[ndarray, "atoms"]
        Areas in Å², float32; 0 for atoms without an area of their own: hydrogens, waters, monatomic ions.

    Notes
    -----
    Shrake and Rupley, *J. Mol. Biol.* 79, 351 (1973), in biotite's implementation with 1,000 points for each atom;
    radii by Tsai et al., *J. Mol. Biol.* 290, 253 (1999). The points do not rotate with the structure, which changes an
    atom's area by up to 2 Å², and the sum by a thousandth.

    Examples
    --------
    The area of a single carbon is 4 pi (1.7 + 1.4)².

    >>> atom = AtomArray(1)
    >>> atom.element[:], atom.res_name[:], atom.atom_name[:], atom.coord[:] = "C", "LIG", "C99", 0
    >>> f"{surface_areas(atom)[0]:.1f}"
    '120.8'
    """
    areas = np.zeros(len(atoms), dtype=np.float32)
    counted = np.flatnonzero(
        ~np.isin(atoms.element, HYDROGENS) & ~filter_solvent(atoms) & ~filter_monoatomic_ions(atoms)
    )
    if len(counted) == 0:
        return areas
    shielding = atoms[counted]
    described = zip(
        shielding.res_name.tolist(), shielding.atom_name.tolist(), shielding.element.tolist(), strict=True
    )
    radii = np.array([_radius(*description) for description in described], dtype=np.float32)
    areas[counted] = sasa(shielding, ignore_ions=False, vdw_radii=radii)
    return areas


@lru_cache(maxsize=1 << 14)
def _radius(residue_name: str, atom_name: str, element: str) -> float:
    """Return the van der Waals radius in Å, including the atom's hydrogens if they are known."""
    try:
        radius = vdw_radius_protor(residue_name, atom_name)
    except (KeyError, ValueError, IndexError):  # an unknown atom, or a name mistaken for a hydrogen's
        radius = None
    if radius is None:
        radius = vdw_radius_single(element)
    return _USUAL_RADIUS if radius is None else float(radius)
