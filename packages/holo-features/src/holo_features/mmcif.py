"""mmCIF and BinaryCIF files to atoms."""

import io
from typing import Any

import numpy as np
from biotite.structure import AtomArray
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from holo_types import FormatError

from .raw import RawAtoms

__all__ = ["read_binarycif", "read_mmcif"]


def read_mmcif(text: str) -> RawAtoms:
    """Read the atoms of the first model of an mmCIF file.

    Authors' names and numbers are taken where there are two. A HETATM row is of a chain's polymer if it has a
    ``label_seq_id``, or if the file has no such column.

    Raises
    ------
    FormatError
        If there is no category ``atom_site``, it lacks a column or ends within a row, or a coordinate is no
        number.
    """
    last = text.rstrip().splitlines()[-1]
    if not text.endswith(("\n", "\r")) and last.split(maxsplit=1)[0] in ("ATOM", "HETATM"):
        raise FormatError(f"it is cut off within an atom: {last!r}")
    return _read(CIFFile.read(io.StringIO(text)))


def read_binarycif(content: bytes) -> RawAtoms:
    """Read the atoms of the first model of a BinaryCIF file, as `read_mmcif` does.

    Raises
    ------
    FormatError
        If there is no category ``atom_site``, or it lacks a column.
    """
    return _read(BinaryCIFFile.read(io.BytesIO(content)))


def _read(file: CIFFile | BinaryCIFFile) -> RawAtoms:
    site = next((file[name]["atom_site"] for name in file if "atom_site" in file[name]), None)
    if site is None:
        raise FormatError("it holds no category atom_site, so it has no atoms")
    # Not through text, which would round the numbers of BinaryCIF.
    coordinates = np.stack([_coordinates(site, axis) for axis in "xyz"], axis=1)
    models = _column(site, "pdbx_PDB_model_num", default="1")
    first = models == models[0]
    hetero = _column(site, "group_PDB", default="ATOM") == "HETATM"
    numbers = _column(site, "auth_seq_id", "label_seq_id")
    occupancies = _column(site, "occupancy", default="1")
    atoms = AtomArray(int(first.sum()))
    atoms.coord = coordinates[first].astype(np.float32)
    atoms.chain_id = _column(site, "auth_asym_id", "label_asym_id")[first]
    atoms.res_id = np.where(numbers == "", "-1", numbers)[first].astype(np.int64)
    atoms.ins_code = _column(site, "pdbx_PDB_ins_code", default="")[first]
    atoms.res_name = _column(site, "auth_comp_id", "label_comp_id")[first]
    atoms.atom_name = _column(site, "auth_atom_id", "label_atom_id")[first]
    atoms.element = _column(site, "type_symbol", default="")[first]
    atoms.hetero = hetero[first]
    return RawAtoms(
        atoms,
        labels=_column(site, "label_alt_id", default="")[first],
        occupancies=np.where(occupancies == "", "1", occupancies)[first].astype(np.float64),
        polymer=(~hetero | (_column(site, "label_seq_id", default="1") != ""))[first],
        model=int(models[0]),
    )


def _column(site: Any, *names: str, default: str | None = None) -> Shaped[np.ndarray, "rows"]:
    """Give the first column that is there as text, empty where the file says '.' or '?'."""
    for name in names:
        if name in site:
            values: NDArray[Any] = site[name].as_array(str, "")
            return values
    if default is None:
        raise FormatError(f"its atom_site has no column {' or '.join(names)}")
    return np.full(site.row_count, default)


def _coordinates(site: Any, axis: str) -> Float[np.ndarray, "rows"]:
    name = f"Cartn_{axis}"
    if name not in site:
        raise FormatError(f"its atom_site has no column {name}")
    try:
        values: NDArray[np.float64] = site[name].as_array(np.float64, np.nan)
    except ValueError:
        for row, value in enumerate(site[name].as_array(str).tolist(), start=1):
            try:
                float(value)
            except ValueError:
                raise FormatError(f"atom {row} has {name} = {value!r}; it must be a number") from None
        raise
    return values
