"""What the command lines share that go through structure files: which files, and what was skipped."""

import contextlib
import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holo_types import HoloError
from holo_types.console import Skipped, write_skipped

from .encoding import structure_names
from .formats import is_structure_path

if TYPE_CHECKING:
    from .encoding import EncodedStructure

__all__ = ["show_errors", "skipped_rows", "skipped_table", "structure_files", "structure_names"]

_ERRORS_SHOWN = 10  # on the screen; skipped.csv has all of them


def structure_files(inputs: Iterable[Path]) -> tuple[list[Path], list[Skipped]]:
    """Replace folders by the structure files in them, and name those folders that hold none."""
    paths: list[Path] = []
    empty: list[Skipped] = []
    for place in inputs:
        if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
            paths.append(place)
            continue
        found = sorted(path for path in place.iterdir() if path.is_file() and is_structure_path(path))
        paths += found
        if not found:
            empty.append(Skipped(str(place), "", f"{place}: the folder holds no structure file"))
    return paths, empty


def skipped_rows(encoded: "EncodedStructure") -> Iterator[Skipped]:
    """Give a row for all that a structure file did not give: itself, residues, atoms."""
    file = str(encoded.path)
    if encoded.error is not None:
        yield Skipped(file, "", str(encoded.error))
    for residue in encoded.skipped:
        name = f"{residue.chain} {residue.residue_number}{residue.insertion_code} {residue.residue_name}"
        yield Skipped(file, name, residue.reason)
    for atom in encoded.left_out_atoms:
        name = f"{atom.chain} {atom.residue_number}{atom.insertion_code} {atom.residue_name}"
        yield Skipped(
            file, name, f"atom {atom.atom_name} was left out: its element {atom.element!r} is unknown"
        )


def show_errors(errors: Sequence[Skipped], table: Path) -> None:
    """Tell on stderr why files gave nothing: of the first ten, and where the rest is."""
    for error in errors[:_ERRORS_SHOWN]:
        sys.stderr.write(f"{error.reason}\n")
    if len(errors) > _ERRORS_SHOWN:
        sys.stderr.write(f"and {len(errors) - _ERRORS_SHOWN} more, see {table}\n")


@contextlib.contextmanager
def skipped_table(path: Path, kept: Iterable[Path]) -> Iterator[Callable[[Skipped], None]]:
    """Write skipped.csv row by row, so that a killed run leaves it; keep an earlier run's rows of some files.

    Raises
    ------
    HoloError
        If there is an earlier table and it cannot be read.
    """
    files = set(map(str, kept))
    earlier: list[Skipped] = []
    if files and path.exists():
        try:
            with path.open(encoding="utf-8", newline="") as file:
                earlier = [Skipped(**row) for row in csv.DictReader(file) if row["file"] in files]
        except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error):
            raise HoloError(f"{path}: is no table of what was skipped; move it out of the way") from None
    write_skipped(path, earlier)
    with path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")

        def skip(row: Skipped) -> None:
            writer.writerow((row.file, row.residue, row.reason))
            file.flush()

        yield skip
