"""PDB files to atoms."""

import io
import warnings

import attrs
import numpy as np
from biotite.structure.io.pdb import PDBFile

from holo_types import FormatError

from .raw import RawAtoms, atom_name

__all__ = ["read_pdb"]

# Columns of an atom record.
_CHAIN, _COORDINATES, _OCCUPANCY, _B_FACTOR = 21, slice(30, 54), slice(54, 60), slice(60, 66)
_ELEMENT_END = 78


@attrs.define
class _Records:
    """Atom records, and whether each is of a chain's polymer."""

    lines: list[str] = attrs.field(factory=list)
    polymer: list[bool] = attrs.field(factory=list)
    model: int = 1


def read_pdb(text: str) -> RawAtoms:
    """Read the atoms of the first model of a PDB file.

    A HETATM record is of a chain's polymer unless it comes after the chain's TER record.

    Raises
    ------
    FormatError
        If there is no atom record, one is cut off, or a coordinate is no number.
    """
    records = _first_model(text)
    if not records.lines:
        raise FormatError("it holds no ATOM record, so it is no PDB file, or one without atoms")
    try:
        file = PDBFile.read(io.StringIO("\n".join(records.lines)))
        with warnings.catch_warnings():
            # `read_structure` leaves out by name what biotite cannot infer; a blank element needs no warning.
            warnings.filterwarnings("ignore", message=r".*elements were guessed", category=UserWarning)
            warnings.filterwarnings("ignore", message=r"Could not infer element", category=UserWarning)
            atoms = file.get_structure(model=1, altloc="all", extra_fields=["occupancy"])
    except ValueError:
        for line in records.lines:
            _check_coordinates(line)
        raise
    labels = np.char.strip(atoms.altloc_id)
    occupancies = atoms.occupancy.astype(np.float64)
    atoms.del_annotation("altloc_id")
    atoms.del_annotation("occupancy")
    return RawAtoms(atoms, labels, occupancies, np.array(records.polymer), records.model)


def _first_model(text: str) -> _Records:
    found = _Records()
    ended: set[str] = set()  # chains whose polymer a TER record has ended
    lines = text.splitlines()
    closed = text.endswith(("\n", "\r"))
    for number, line in enumerate(lines, start=1):
        last = number == len(lines) and not closed
        if line.startswith(("ATOM  ", "HETATM")):
            record = line.rstrip()
            # A last line without an end is whole if it is as long as the one before it.
            usual = min(_ELEMENT_END, len(found.lines[-1])) if last and found.lines else 0
            if len(record) < max(_COORDINATES.stop, usual):
                raise FormatError(f"line {number} is cut off within an atom: {record!r}")
            chain = record[_CHAIN]
            if record.startswith("ATOM"):
                ended.discard(chain)
            found.polymer.append(chain not in ended)
            found.lines.append(_filled(record))
        elif line.startswith("TER") and found.lines:
            ended.add(found.lines[-1][_CHAIN])
        elif line.startswith("MODEL ") and line[6:].strip().isdigit():
            found.model = int(line[6:])
        elif line.startswith("ENDMDL") and found.lines:
            break
        elif last and found.lines and any(record.startswith(line) for record in ("ATOM  ", "HETATM")):
            raise FormatError(f"line {number} is cut off: {line!r}")
    return found


def _filled(record: str) -> str:
    """Fill in what programs leave blank and biotite needs: occupancy and temperature factor."""
    record = record.ljust(_B_FACTOR.stop)
    occupancy = record[_OCCUPANCY] if record[_OCCUPANCY].strip() else "  1.00"
    b_factor = record[_B_FACTOR] if record[_B_FACTOR].strip() else "  0.00"
    return record[: _OCCUPANCY.start] + occupancy + b_factor + record[_B_FACTOR.stop :]


def _check_coordinates(record: str) -> None:
    for i, axis in enumerate("xyz"):
        start = _COORDINATES.start + 8 * i
        value = record[start : start + 8]
        try:
            float(value)
        except ValueError:
            atom = atom_name(record[_CHAIN], record[22:27], record[17:20], record[12:16])
            raise FormatError(f"atom {atom} has {axis} = {value.strip()!r}; it must be a number") from None
