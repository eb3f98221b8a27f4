"""Molecules of SDF and MOL files (V2000 and V3000)."""

import io
import re
import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
from biotite.structure import AtomArray, create_atom_names
from biotite.structure.io.mol import MOLFile

from holo_features.readers.raw import Molecule
from holo_types import FormatError

__all__ = ["sdf_molecules"]

_END, _V30 = "M  END", "M  V30 "
_SHOWN, _MOST_DIGITS = 40, 18  # characters of a wrong count, and of any
_COUNTS = 3  # index of the line, after three header lines
# Of all characters that Python regards as line ends, only one is: the others occur in other encodings, as in Å.
_NO_ENDS = str.maketrans(dict.fromkeys("\v\f\x1c\x1d\x1e\x85", " "))


def sdf_molecules(text: str) -> Iterator[Molecule]:
    r"""Yield the molecules of an SDF or MOL file: positions, elements, formal charges and bonds.

    Examples
    --------
    >>> lines = ["water", "", "", "  1  0  0  0  0  0  0  0  0  0999 V2000"]
    >>> lines += ["    1.0000    2.0000    3.0000 O   0  0", "M  END", "$$$$"]
    >>> molecule, = sdf_molecules("\n".join(lines))
    >>> molecule.name, molecule.read().coord.tolist()
    ('water', [[1.0, 2.0, 3.0]])
    """
    for record in re.split(r"^\$\$\$\$.*\n?", text, flags=re.MULTILINE):
        if record.strip():
            lines = record.split("\n")
            yield Molecule(lines[0].strip(), partial(_atoms, lines))


def _atoms(lines: list[str]) -> AtomArray:
    end = next((i for i, line in enumerate(lines) if line.startswith(_END)), None)
    if end is None:
        raise FormatError(f"it is cut off: it has no line {_END!r}")
    if end <= _COUNTS:
        raise FormatError(f"its line {_END!r} comes before its atoms")
    counts = lines[_COUNTS]
    said = re.search(r"\bV[0-9]+\b|V[0-9]{4}", counts)
    version = said[0] if said else "V2000"  # old programs write none
    if version not in {"V2000", "V3000"}:
        raise FormatError(f"its counts line {counts!r} does not end in V2000 or V3000")
    if version == "V2000":
        _check_counts(counts, end)
        lines = [*lines[:_COUNTS], f"{counts[:6]:<33} V2000", *lines[_COUNTS + 1 :]]
    else:
        lines = _joined(lines[: end + 1])
        end = len(lines) - 1
        _check_blocks(lines)
    with warnings.catch_warnings():
        # biotite warns that radicals have no charge and query bonds no order, and reads them like that.
        warnings.filterwarnings("ignore", message="Cannot handle MDL", category=UserWarning)
        table = "\n".join(lines[: end + 1]).translate(_NO_ENDS)
        atoms = MOLFile.read(io.StringIO(table)).get_structure()
    atoms.atom_name = np.array(create_atom_names(atoms), dtype=np.str_)
    return atoms


def _joined(lines: list[str]) -> list[str]:
    """Join lines of V3000 that end in a hyphen with the next line, as the format prescribes."""
    joined: list[list[str]] = []
    continues = False
    for line in lines:
        of_table = line.startswith(_V30)
        if continues and of_table:
            joined[-1][-1] = joined[-1][-1].rstrip()[:-1]
            joined[-1].append(line[len(_V30) :])
        else:
            joined.append([line])
        continues = of_table and line.rstrip().endswith("-")
    return ["".join(parts) for parts in joined]


def _check_blocks(lines: list[str]) -> None:
    """Refuse a table of V3000 that has fewer atoms or bonds than it declares."""
    table = [line[len(_V30) :].split(maxsplit=3) for line in lines if line.startswith(_V30)]
    said = next((row[1:3] for row in table if row[:1] == ["COUNTS"]), [])
    for what, count in zip(("ATOM", "BOND"), said, strict=False):
        begins, ends = (
            [i for i, row in enumerate(table) if row == [edge, what]] for edge in ("BEGIN", "END")
        )
        found = ends[0] - begins[0] - 1 if begins and ends else 0
        if not count.isdecimal() or len(count) > _MOST_DIGITS or int(count) > found:
            raise FormatError(f"it has {found} {what.lower()}s; its COUNTS says {count[:_SHOWN]}")


def _check_counts(counts: str, end: int) -> None:
    """Refuse a table that has fewer lines than it declares."""
    needed = [int(counts[0:3]), int(counts[3:6])]
    if min(needed) < 0 or sum(needed) > end - _COUNTS - 1:
        raise FormatError(
            f"it has {end - _COUNTS - 1} lines of atoms, bonds and properties; its counts line says "
            f"{needed[0]} atoms and {needed[1]} bonds"
        )
