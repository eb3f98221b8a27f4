"""Atoms as the text of a PDB file, whose columns cannot hold every structure."""

import numpy as np
from biotite.structure import AtomArray
from biotite.structure.io.pdb import PDBFile
from jaxtyping import Float

from holo_types import HoloError

from .residue import residue_ids

__all__ = ["pdb_text"]

_MOST_ATOMS = 99_999
_NUMBERS = (-999, 9_999)  # of residues
_TEXTS = {
    "chain_id": ("chain", 1),
    "ins_code": ("insertion code", 1),
    "res_name": ("residue name", 3),
    "atom_name": ("atom name", 4),
    "element": ("element", 2),
}
_VALUES = slice(60, 66)  # columns 61 to 66, the B-factors
_LEAST, _MOST = -99.99, 999.99  # the range of these columns
_NEAREST, _FARTHEST = -999.999, 9_999.999  # Å


def pdb_text(atoms: AtomArray, b_factors: Float[np.ndarray, "atoms"], model: int = 1) -> str:
    """Return atoms as a PDB file, with the given values as their B-factors.

    Parameters
    ----------
    atoms
        Atoms without bonds.
    b_factors
        A value for each atom, which is written with two decimals; NaN becomes blanks.
    model
        Number of the model.

    Raises
    ------
    HoloError
        If the columns of the format cannot hold a name, a number or a value.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> glycine = residue("GLY")
    >>> glycine.bonds, glycine.chain_id[:] = None, "A"
    >>> [line[54:66] for line in pdb_text(glycine[:2], np.array([12.5, np.nan])).splitlines()[:2]]
    ['  1.00 12.50', '  1.00      ']
    """
    _check(atoms, b_factors)
    plain = atoms.copy()
    if "b_factor" in plain.get_annotation_categories():
        plain.del_annotation("b_factor")
    file = PDBFile()
    file.set_structure(plain)
    lines = [
        line[: _VALUES.start] + ("" if np.isnan(value) else f"{value:.2f}").rjust(6) + line[_VALUES.stop :]
        for line, value in zip(file.lines, b_factors.tolist(), strict=True)
    ]
    if model != 1:
        lines = [f"MODEL     {model:4d}", *lines, "ENDMDL"]
    return "\n".join([*lines, "END", ""])


def _check(atoms: AtomArray, b_factors: Float[np.ndarray, "atoms"]) -> None:
    """Refuse values that do not fit the columns, which the writer would cut or shift."""
    if len(atoms) > _MOST_ATOMS:
        raise HoloError(f"a PDB file holds {_MOST_ATOMS} atoms; the structure has {len(atoms)}")
    for annotation, (what, width) in _TEXTS.items():
        for text in np.unique(atoms.get_annotation(annotation)).tolist():
            if len(text) > width or not (text.isascii() and text.isprintable()):
                raise HoloError(
                    f"a PDB file has {width} ASCII letters for a {what}; the structure has {text[:20]!r}"
                )
    least, most = _NUMBERS
    far = np.flatnonzero((atoms.res_id < least) | (atoms.res_id > most))
    if len(far):
        residue = residue_ids(atoms, far[:1])[0]
        raise HoloError(f"a PDB file numbers residues from {least} to {most}; the structure has {residue}")
    if ((atoms.coord < _NEAREST) | (atoms.coord > _FARTHEST)).any():
        raise HoloError(
            f"a PDB file has coordinates from {_NEAREST} to {_FARTHEST} Å; the structure has others"
        )
    if ((b_factors < _LEAST) | (b_factors > _MOST)).any():
        low, high = np.nanmin(b_factors), np.nanmax(b_factors)
        raise HoloError(
            f"a PDB file has B-factors from {_LEAST} to {_MOST}; these go from {low:g} to {high:g}"
        )
