"""Write structures as mmCIF or PDB files, with a value for each atom where viewers look for it."""

import os
import string
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from biotite.structure import AtomArray
from biotite.structure.io import pdbx
from jaxtyping import Float

from holo_types import HoloError
from holo_types.files.atomic import replacing

from .pdb_text import pdb_text
from .residue import ResidueId
from .structure import Structure

__all__ = ["values_of_atoms", "write_structure"]

_CIF, _PDB = (".cif", ".mmcif"), (".pdb", ".ent")
_PLAIN = frozenset(string.ascii_letters + string.digits + "-_.")
_MISSING = pdbx.MaskValue.MISSING


def values_of_atoms(structure: Structure, values: Mapping[ResidueId, float]) -> Float[np.ndarray, "atoms"]:
    """Return for each atom the value of its residue, for use in `write_structure`; NaN if there is none.

    Parameters
    ----------
    structure
        The structure of the atoms.
    values
        A value for each of some residues.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> values = values_of_atoms(structure, {ResidueId("A", 5): 2.5})
    >>> set(structure.atoms.res_id[values == 2.5].tolist())
    {5}
    """
    atoms = structure.atoms
    names = zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True)
    return np.array([values.get(ResidueId(*name), np.nan) for name in names])


def write_structure(
    structure: Structure,
    path: str | os.PathLike[str],
    b_factors: Float[np.ndarray, "atoms"] | None = None,
) -> None:
    """Write a structure as mmCIF or PDB, with the given values as its B-factors.

    Viewers can color by these: ``spectrum b`` in PyMOL, ``color bfactor`` in ChimeraX.

    Parameters
    ----------
    structure
        A structure from `read_structure`. Atoms that were not read, such as waters, are not written.
    path
        A path that ends in ``.cif``, ``.mmcif``, ``.pdb`` or ``.ent``. The file appears whole or not at all.
    b_factors
        A value for each atom; by default the structure's own. NaN is written as ``?`` in mmCIF and as blanks in PDB,
        which readers interpret as missing.

    Raises
    ------
    HoloError
        If the path ends otherwise, there is not one value for each atom, a value is infinite, the file cannot be
        written, or the structure does not fit the columns of a PDB file.

    Examples
    --------
    >>> import tempfile
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> path = Path(tempfile.mkdtemp(), "colored.cif")
    >>> write_structure(structure, path, np.arange(len(structure.atoms)) / 100)
    >>> read_structure(path).atoms.b_factor[:3].round(2).tolist()
    [0.0, 0.01, 0.02]
    """
    target, atoms = Path(path), structure.atoms
    if target.suffix.lower() not in _CIF + _PDB:
        raise HoloError(f"{target}: the name of the file must end in {' or '.join(_CIF + _PDB)}")
    values = np.asarray(atoms.b_factor if b_factors is None else b_factors, dtype=np.float64)
    if values.shape != (len(atoms),) or np.isinf(values).any():
        raise HoloError(
            f"{target}: the B-factors are {list(values.shape)} numbers, {int(np.isinf(values).sum())} infinite; "
            f"they must be [{len(atoms)}], one for each atom, finite or NaN"
        )
    if target.suffix.lower() in _CIF:
        text = _cif_text(structure, values)
    else:
        try:
            text = pdb_text(_plain(atoms), values, structure.model)
        except HoloError as error:
            raise HoloError(f"{target}: {error}; write mmCIF instead, to a file that ends in .cif") from None
    with replacing(target) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def _cif_text(structure: Structure, values: Float[np.ndarray, "atoms"]) -> str:
    file, atoms = pdbx.CIFFile(), structure.atoms
    pdbx.set_structure(file, _plain(atoms), data_block=_block_name(structure.name))
    columns = file.block["atom_site"]
    # With the decimals of the format's dictionary; float32 would show its rounding.
    shown = np.array(["?" if np.isnan(value) else f"{value:.3f}" for value in values.tolist()])
    masks = np.where(np.isnan(values), _MISSING, pdbx.MaskValue.PRESENT).astype(np.uint8)
    columns["B_iso_or_equiv"] = pdbx.CIFColumn(shown, masks if np.isnan(values).any() else None)
    for axis, places in zip("xyz", atoms.coord.astype(np.float64).T, strict=True):
        columns[f"Cartn_{axis}"] = pdbx.CIFColumn(np.array([f"{place:.3f}" for place in places.tolist()]))
    columns["pdbx_PDB_model_num"] = pdbx.CIFColumn(np.full(len(atoms), str(structure.model)))
    return str(file.serialize())


def _plain(atoms: AtomArray) -> AtomArray:
    """Return the atoms without bonds, which would otherwise be written too.

    Atoms that do not belong to a chain are marked as HETATM, which viewers draw differently.
    """
    plain = atoms.copy()
    plain.bonds = None
    if "amino_acid" in plain.get_annotation_categories():
        plain.hetero = ~plain.amino_acid
    return plain


def _block_name(name: str) -> str:
    """Return a name that is valid for a data block: printable, without blanks."""
    return "".join(letter if letter in _PLAIN else "_" for letter in name)
