"""Data sets of protein-ligand complexes of any kind, complex by complex."""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from holo_features.structures.selection import Selection
from holo_types import FormatError, HoloError

from .atom3d import Atom3dRecord, atom3d_folders, atom3d_records, read_atom3d_record
from .complex import Complex, SkippedComplex
from .tables import ComplexColumns, ComplexFiles, complex_files, read_complex_files

__all__ = ["ComplexSource", "FoundComplexes", "find_complexes", "read_complex", "read_complexes"]

ComplexSource = ComplexFiles | Atom3dRecord


@attrs.frozen
class FoundComplexes:
    """The complexes of a data set, which have not been read yet.

    Parameters
    ----------
    sources
        Their locations; their names are distinct.
    skipped
        Those that cannot be used.
    """

    sources: tuple[ComplexSource, ...]
    skipped: tuple[SkippedComplex, ...]


def find_complexes(path: str | os.PathLike[str], columns: ComplexColumns | None = None) -> FoundComplexes:
    """Find the complexes of a data set.

    Parameters
    ----------
    path
        A CSV file (see `holo_features.complexes.tables.complex_files`), a folder with one, or an ATOM3D LBA data set
        (see `holo_features.complexes.atom3d.atom3d_folders`).
    columns
        Names of the table's columns.

    Raises
    ------
    FormatError
        If there is no data set, a folder has several tables, or the data set cannot be read.

    Examples
    --------
    >>> find_complexes("no such folder")
    Traceback (most recent call last):
        ...
    holo_types.errors.FormatError: no such folder does not exist
    """
    place = Path(path)
    found: dict[str, ComplexSource] = {}
    skipped = []
    for source in _listed(place, columns):
        if isinstance(source, SkippedComplex):
            skipped.append(source)
        elif source.name in found:
            skipped.append(SkippedComplex(source.name, "an earlier complex has its id"))
        else:
            found[source.name] = source
    return FoundComplexes(tuple(found.values()), tuple(skipped))


def _listed(place: Path, columns: ComplexColumns | None) -> Iterator[ComplexSource | SkippedComplex]:
    folders = atom3d_folders(place)
    if folders:
        for folder in folders:
            yield from atom3d_records(folder)
        return
    if not place.is_dir():
        yield from complex_files(place, columns)
        return
    tables = sorted(place.glob("*.csv"))
    if len(tables) != 1:
        names = ", ".join(table.name for table in tables) or "none"
        raise FormatError(
            f"{place}: the folder must hold one CSV file or an ATOM3D data set; of CSV files it has {names}"
        )
    yield from complex_files(tables[0], columns)


def read_complex(source: ComplexSource, selection: Selection | None = None) -> Complex:
    """Read one complex.

    Parameters
    ----------
    source
        The location of the complex.
    selection
        Which part of the protein is used, and whether hydrogens are, also for the ligand; by default the heavy atoms of
        amino acid residues and of the ligand.

    Raises
    ------
    HoloError
        If it cannot be read; the message names the complex.
    """
    chosen = Selection() if selection is None else selection
    try:
        if isinstance(source, Atom3dRecord):
            return read_atom3d_record(source, chosen)
        return read_complex_files(source, chosen)
    except HoloError as error:
        name = f"complex {source.name}: "
        raise type(error)(name + str(error).removeprefix(name)) from None


def read_complexes(
    path: str | os.PathLike[str],
    columns: ComplexColumns | None = None,
    selection: Selection | None = None,
) -> Iterator[Complex | SkippedComplex]:
    """Read the complexes of a data set, one after the other.

    Parameters
    ----------
    path, columns
        As in `find_complexes`.
    selection
        As in `read_complex`.

    Yields
    ------
    Complex or SkippedComplex
        Those that cannot even be located come first; the others follow in the order of the data set.

    Raises
    ------
    FormatError
        As in `find_complexes`.
    """
    found = find_complexes(path, columns)
    yield from found.skipped
    for source in found.sources:
        try:
            yield read_complex(source, selection)
        except HoloError as error:
            yield SkippedComplex(source.name, str(error).removeprefix(f"complex {source.name}: "))
