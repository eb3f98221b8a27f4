"""Molecules of MOL2 files (Tripos), which biotite does not read."""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
from biotite.structure import AtomArray, BondList, BondType
from jaxtyping import Shaped
from numpy.typing import NDArray

from holo_features.readers.columns import integer, number
from holo_features.readers.raw import Molecule
from holo_features.readers.tables import check_length
from holo_types import FormatError

from .atom_types import type_elements

__all__ = ["mol2_molecules"]

_BONDS = {
    "1": BondType.SINGLE,
    "2": BondType.DOUBLE,
    "3": BondType.TRIPLE,
    "am": BondType.SINGLE,  # amide
    "ar": BondType.AROMATIC,
    "du": BondType.ANY,
    "un": BondType.ANY,
}
_NOT_CONNECTED = "nc"
# Fields of an atom: number, name, x, y, z, type, residue number, residue name, partial charge.
_NAME, _TYPE, _RESIDUE_NUMBER, _RESIDUE_NAME, _CHARGE = 1, 5, 6, 7, 8


def mol2_molecules(text: str) -> Iterator[Molecule]:
    r"""Yield the molecules of a MOL2 file: positions, elements, bonds and, if present, partial charges.

    Examples
    --------
    >>> lines = ["@<TRIPOS>MOLECULE", "water", "1 0", "SMALL", "USER_CHARGES"]
    >>> lines += ["@<TRIPOS>ATOM", "1 O1 1.0 2.0 3.0 O.3 1 HOH -0.8"]
    >>> molecule, = mol2_molecules("\n".join(lines))
    >>> molecule.name, molecule.read().element.tolist()
    ('water', ['O'])
    """
    for record in re.split(r"^@<TRIPOS>MOLECULE", text, flags=re.MULTILINE)[1:]:
        # The rest of the marker's line is empty.
        name = [*record.split("\n"), ""][1].strip()
        yield Molecule("" if name == "****" else name, partial(_atoms, record))


def _atoms(record: str) -> AtomArray:
    head, *others = re.split(r"^@<TRIPOS>", record, flags=re.MULTILINE)
    sections = {section.partition("\n")[0].strip(): section.partition("\n")[2] for section in others}
    lines = head.split("\n")[1:]
    counts = lines[1].split() if len(lines) > 1 else []
    if not counts:
        raise FormatError("its MOLECULE has no line of counts")
    rows = _rows(sections.get("ATOM", ""))
    bonds = _rows(sections.get("BOND", ""))
    for what, found, said in (("atoms", rows, counts[:1]), ("bonds", bonds, counts[1:2])):
        if said and len(found) != integer(said[0]):
            raise FormatError(f"it has {len(found)} {what}; its MOLECULE says {said[0]}")
    short = next((row for row in rows if len(row) <= _TYPE), None)
    if short is not None:
        raise FormatError(f"its atom {' '.join(short)!r} is cut off; it must have x, y, z and a type")
    atoms = AtomArray(len(rows))
    atoms.coord = np.array([_position(row) for row in rows], dtype=np.float32).reshape(-1, 3)
    atoms.atom_name = _names(rows, _NAME, "name")
    atoms.element = np.array(type_elements(_names(rows, _TYPE, "type").tolist()), dtype=np.str_)
    if all(len(row) > _RESIDUE_NAME for row in rows):
        atoms.res_name = _names(rows, _RESIDUE_NAME, "residue name")
    charge_type = lines[3].strip() if len(lines) > 3 else ""
    if charge_type != "NO_CHARGES" and all(len(row) > _CHARGE for row in rows):
        atoms.set_annotation(
            "partial_charge", np.array([number(row[_CHARGE]) for row in rows], dtype=np.float32)
        )
    places = {row[0]: i for i, row in enumerate(rows)}
    atoms.set_annotation("charge", _formal_charges(_rows(sections.get("UNITY_ATOM_ATTR", "")), places))
    if "BOND" in sections:
        pairs = [_bond(row, places) for row in bonds if row[-1] != _NOT_CONNECTED]
        atoms.bonds = BondList(len(rows), np.array(pairs, dtype=np.int64).reshape(-1, 3))
    return atoms


def _rows(section: str) -> list[list[str]]:
    """Return the fields of each line; a trailing backslash continues a line, and a leading # makes it a comment."""
    joined = re.sub(r"\\[ \t]*\n", " ", section)
    return [line.split() for line in joined.split("\n") if line.strip() and not line.startswith("#")]


def _names(rows: list[list[str]], field: int, name: str) -> Shaped[np.ndarray, "atoms"]:
    """Return a field of each atom, unless an array as wide as the longest would be far larger than the file."""
    values = [row[field] for row in rows]
    longest = max(range(len(values)), key=lambda row: len(values[row]), default=0)
    if values:
        check_length(name, len(values), longest, len(values[longest]))
    return np.array(values, dtype=np.str_)


def _position(row: list[str]) -> list[float]:
    try:
        return [number(value) for value in row[2:5]]
    except ValueError:
        raise FormatError(
            f"its atom {row[1]!r} is at {' '.join(row[2:5])!r}; it must be at three numbers"
        ) from None


def _formal_charges(lines: list[list[str]], places: dict[str, int]) -> NDArray[np.int8]:
    """Read formal charges, which some programs write as atom attributes: one line for the atom, one for each."""
    charges = np.zeros(len(places), dtype=np.int8)
    atom = ""
    for key, value in (line[:2] for line in lines if len(line) > 1):
        if key == "charge":
            if atom not in places:
                raise FormatError(f"its UNITY_ATOM_ATTR has a charge {value} of no atom")
            charges[places[atom]] = _whole(value)
        elif key in places:
            atom = key
    return charges


def _whole(charge: str) -> int:
    """Read a formal charge; a value that is not an integer is another kind of charge, and is ignored."""
    try:
        value = number(charge)
    except ValueError:
        return 0
    return int(value) if value.is_integer() and abs(value) < 100 else 0


def _bond(row: list[str], places: dict[str, int]) -> tuple[int, int, int]:
    _, first, second, kind = [*row, "", "", "", ""][:4]
    if first not in places or second not in places or kind not in _BONDS:
        raise FormatError(f"its bond {' '.join(row)!r} must have two of its atoms and a type")
    return places[first], places[second], int(_BONDS[kind])
