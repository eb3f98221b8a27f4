"""Tables of protein-ligand complexes: a CSV file beside their structure files."""

import csv
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import attrs

from holo_features.structures.selection import Selection
from holo_features.structures.structure import Structure, read_structure
from holo_types import FormatError
from holo_types.files.csv_files import csv_text

from .complex import Complex, SkippedComplex
from .ligands import read_ligand

__all__ = ["ComplexColumns", "ComplexFiles", "complex_files", "read_complex_files"]


@attrs.frozen(kw_only=True)
class ComplexColumns:
    """The names of a table's columns; the last three may be missing from the table if they have their default names.

    Parameters
    ----------
    id
        Name of the complex; each must be unique.
    protein, ligand
        Paths of structure files, relative to the table.
    molecule
        The name of one molecule in a ligand file with several, or one of its residues, such as A:501. If it is empty,
        the first record is used, as in a file of poses; a structure file must then have one molecule only.
    label
        The measured value, a number; may be empty.
    split
        The part of the data set; may be empty.
    """

    id: str = "id"
    protein: str = "protein"
    ligand: str = "ligand"
    molecule: str = "molecule"
    label: str = "label"
    split: str = "split"


@attrs.frozen
class ComplexFiles:
    """The location of a complex of a table.

    Parameters
    ----------
    name, label, split
        As in the table; see `holo_features.complexes.complex.Complex`.
    protein, ligand
        The files.
    molecule
        Name of the molecule in the ligand's file, or one of its residues; see `read_ligand`.
    """

    name: str
    protein: Path
    ligand: Path
    molecule: str | None = None
    label: float | None = None
    split: str | None = None


def complex_files(
    table: str | os.PathLike[str], columns: ComplexColumns | None = None
) -> Iterator[ComplexFiles | SkippedComplex]:
    r"""Read the locations of the complexes of a table.

    Parameters
    ----------
    table
        A CSV file in UTF-8, with a row of column names.
    columns
        Names of the columns; by default those of `ComplexColumns`.

    Yields
    ------
    ComplexFiles or SkippedComplex
        One for each row. Rows without an id or a file, with a label that is not a number, or with the id of an earlier
        row are skipped.

    Raises
    ------
    FormatError
        If the table is missing, is not a CSV file, or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp(), "labels.csv")
    >>> rows = ["id,protein,ligand,pK", "1abc,1abc.pdb,1abc.sdf,6.5", "1abc,2abc.pdb,2abc.sdf,7.1"]
    >>> _ = table.write_text("\n".join(rows))
    >>> found, repeated = complex_files(table, ComplexColumns(label="pK"))
    >>> found.label, repeated.reason
    (6.5, 'row 3 has the id of row 2')
    """
    place = Path(table)
    names = ComplexColumns() if columns is None else columns
    try:
        reader = csv.DictReader(csv_text(place), strict=True)
        _check_columns(place, reader.fieldnames or (), names)
        seen: dict[str, int] = {}
        for row in reader:
            yield _row(row, reader.line_num, place.parent, names, seen)
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{place}: it is not a CSV file in UTF-8 ({error})") from None


def _check_columns(table: Path, there: Iterable[str], names: ComplexColumns) -> None:
    usual = attrs.asdict(ComplexColumns())
    for field, name in attrs.asdict(names).items():
        optional = field in ("molecule", "label", "split") and name == usual[field]
        if name not in there and not optional:
            raise FormatError(f"{table}: it has no column {name!r} ({field}); it has {', '.join(there)}")


def _row(
    row: Mapping[str, str | None], line: int, folder: Path, names: ComplexColumns, seen: dict[str, int]
) -> ComplexFiles | SkippedComplex:
    values = {field: (row.get(name) or "").strip() for field, name in attrs.asdict(names).items()}
    name = values["id"]
    if not name:
        return SkippedComplex(f"row {line}", "it has no id")
    if seen.setdefault(name, line) != line:
        return SkippedComplex(name, f"row {line} has the id of row {seen[name]}")
    if missing := [field for field in ("protein", "ligand") if not values[field]]:
        return SkippedComplex(name, f"row {line} has no {missing[0]} file")
    label = None
    if values["label"]:
        try:
            label = float(values["label"])
        except ValueError:
            label = math.nan
        if not math.isfinite(label):
            return SkippedComplex(name, f"its label is {values['label']!r}; it must be a finite number")
    return ComplexFiles(
        name,
        folder / values["protein"],
        folder / values["ligand"],
        values["molecule"] or None,
        label,
        values["split"] or None,
    )


def read_complex_files(source: ComplexFiles, selection: Selection) -> Complex:
    """Read the structure files of a complex.

    Parameters
    ----------
    source
        Their locations.
    selection
        Which part of the protein's file is used, and whether hydrogens are.

    Raises
    ------
    HoloError
        If a file cannot be read; the message names it.
    """
    protein = attrs.evolve(_read_protein(source.protein, selection), name=source.name)
    ligand = read_ligand(source.ligand, source.molecule, hydrogens=selection.hydrogens)
    return Complex(source.name, protein, ligand, source.label, source.split)


def _read_protein(path: Path, selection: Selection) -> Structure:
    """Read a protein; if it is that of the previous complex, it is not read again, as in series of ligands."""
    try:
        state = path.stat()
    except OSError:
        return read_structure(path, selection)  # which reports the error
    return _last_protein(path, selection, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _last_protein(path: Path, selection: Selection, _changed: int, _size: int) -> Structure:
    return read_structure(path, selection)
