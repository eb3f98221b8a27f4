"""Shared code of commands that process files: which files, what was skipped, and how rows are written."""

import contextlib
import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

import holo_types
from holo_features.readers.archives import archive_members, is_archive_path
from holo_features.readers.formats import is_structure_path, split_suffix, structure_stem
from holo_types import FormatError, HoloError, PartsWriter, Writer
from holo_types.console import Outcome, Skipped, progress, say, visible, write_skipped
from holo_types.files.atomic import replacing
from holo_types.files.csv_files import csv_cell, of_csv_cell
from holo_types.files.locks import PathLock
from holo_types.folders import no_link

from .parallel import workers_lost

if TYPE_CHECKING:
    from holo_features.complexes.complex import SkippedComplex
    from holo_features.structures.structure import LeftOutAtom, RepeatedResidue
    from holo_features.surroundings.centers import SkippedResidue
    from holo_types import Embeddings, Holograms

    from .structures import EncodedStructure

__all__ = [
    "WORKERS_LOST",
    "FileRows",
    "NotRead",
    "Report",
    "Written",
    "counted",
    "rows_of",
    "structure_files",
    "unusable",
    "write_rows",
]

_REPEATED = {
    True: "an earlier residue has this name too; both are there",
    False: "it lies where an earlier residue of this name does",
}
# Which of a model's files in an archive is used.
_FORMATS = {suffix: rank for rank, suffix in enumerate((".cif", ".mmcif", ".bcif", ".pdb", ".ent"))}
_ERRORS_SHOWN = 10  # on the screen; skipped.csv lists all
_NAMES_SHOWN = 3
_REPEATS, _EARLIER = "residue repeated", "line of the run before"
WORKERS_LOST = "worker process lost"
# What the summary reports for one of a kind, and for several.
_COUNTED = {
    _REPEATS: ("residue repeats the name of an earlier one", "residues repeat the name of an earlier one"),
    "atom left out": ("atom was left out", "atoms were left out"),
    "residue renamed": ("residue was renamed", "residues were renamed"),
    "residue put aside": (
        "residue that looks like an amino acid is of no chain",
        "residues that look like amino acids are of no chain",
    ),
    "model passed over": ("model was passed over", "models were passed over"),
    "read so": ("file was read in one of several ways", "files were read in one of several ways"),
    _EARLIER: ("line is of the run before", "lines are of the run before"),
    WORKERS_LOST: (
        "worker process was lost, killed or out of memory, and its work done again",
        "worker processes were lost, killed or out of memory, and their work done again",
    ),
}


@attrs.frozen
class NotRead(Skipped):
    """Files of a folder that cannot be read: not an error, and not in the table, but counted on the screen.

    Parameters
    ----------
    names
        Names of the files, and of subfolders, which are not searched.
    """

    names: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class FileRows:
    """The result of one input file, or of a part of it.

    Parameters
    ----------
    file
        The file.
    rows
        The rows to write; None if the file gave none.
    skipped
        Everything that was left out of it.
    skipped_residues
        Number of residues among these.
    counts
        Numbers of all other things that were left out or done differently, by kind.
    error
        The reason why the file gave nothing.
    steps
        By how much the progress advances.
    """

    file: Path
    rows: "Holograms | Embeddings | None"
    skipped: tuple[Skipped, ...] = ()
    skipped_residues: int = 0
    counts: Mapping[str, int] = attrs.field(factory=dict)
    error: str | None = None
    steps: int = 1


@attrs.frozen
class Written:
    """What an earlier run has left in the output: the number of rows, and the structures."""

    rows: int = 0
    structures: frozenset[str] = frozenset()


def structure_files(inputs: Iterable[Path]) -> tuple[list[Path], list[Skipped]]:
    """Replace folders and archives by the structure files in them, and list what is not read (`NotRead`).

    A folder's archives count as its files. If members of an archive differ only in the format, such as the mmCIF and
    the PDB file of each model in those of AlphaFold DB, only one of them is used, preferably mmCIF.
    """
    paths: list[Path] = []
    skipped: list[Skipped] = []
    for place in inputs:
        if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
            there = sorted(path for path in place.iterdir() if not path.name.startswith("."))
            found = [
                path
                for path in there
                if path.is_file() and (is_structure_path(path) or is_archive_path(path))
            ]
            if not found:
                skipped.append(Skipped(str(place), "", f"{place}: the folder holds no structure file"))
            else:
                others = tuple(path.name for path in there if path not in found)
                skipped += [NotRead(str(place), "", f"{place}: they are not read", others)] if others else []
        else:
            found = [place]
        for path in found:
            if not is_archive_path(path):
                paths.append(path)
                continue
            members, left_out = _members(path)
            paths += members
            skipped += left_out
    return paths, skipped


def _members(archive: Path) -> tuple[list[Path], list[Skipped]]:
    try:
        names, left_out = archive_members(archive)
    except FormatError as error:
        return [], [Skipped(str(archive), "", str(error))]
    skipped = [
        Skipped(f"{archive}/{name}", "", f"{archive}: member {name}: {reason}") for name, reason in left_out
    ]
    chosen: dict[Path, Path] = {}
    for path in (archive / name for name in names if is_structure_path(name)):
        model = path.with_name(structure_stem(path))
        if model not in chosen or _rank(path) < _rank(chosen[model]):
            chosen[model] = path
    if not chosen:
        skipped.append(Skipped(str(archive), "", f"{archive}: the archive holds no structure file"))
    return list(chosen.values()), skipped


def _rank(path: Path) -> int:
    return _FORMATS.get(split_suffix(path)[0], len(_FORMATS))


def unusable(complexes: "Iterable[SkippedComplex]") -> list[Skipped]:
    """Return the complexes that a data set lists but that cannot be read."""
    return [Skipped(bad.name, "", f"complex {bad.name}: {bad.reason}") for bad in complexes]


def rows_of(encoded: "EncodedStructure", rows: "Holograms | Embeddings | None") -> FileRows:
    """Return the result of a structure file, with the name of each residue and atom that was left out."""
    file = str(encoded.path)
    left_out = sum(not residue.kept for residue in encoded.repeated_residues)
    counts: Counter[str] = Counter()
    counts[_REPEATS] = len(encoded.repeated_residues) - left_out
    counts["atom left out"] = len(encoded.left_out_atoms)
    for remark in encoded.remarks:
        counts[remark.kind] += remark.count
    skipped = [
        *((_name(residue), residue.reason) for residue in encoded.skipped),
        *((_name(residue), _REPEATED[residue.kept]) for residue in encoded.repeated_residues),
        *(
            (_name(atom), f"atom {atom.atom_name} was left out: {atom.reason}")
            for atom in encoded.left_out_atoms
        ),
        *((remark.subject, remark.reason) for remark in encoded.remarks),
    ]
    return FileRows(
        encoded.path,
        rows,
        tuple(Skipped(file, name, reason) for name, reason in skipped),
        len(encoded.skipped) + left_out,
        counts,
        None if encoded.error is None else str(encoded.error),
    )


def _name(of: "SkippedResidue | RepeatedResidue | LeftOutAtom") -> str:
    return of.residue.words(of.residue_name)


@attrs.frozen
class Report:
    """The results of a run that are reported.

    Parameters
    ----------
    what
        Name of the rows, such as ``"hologram"``.
    count
        Number of rows of the output.
    outcome
        How the files fared.
    errors
        The files that gave nothing, with the reasons.
    table
        The table of everything that was skipped.
    """

    what: str
    count: int
    outcome: Outcome
    errors: tuple[Skipped, ...]
    table: Path

    def show(self, out: Path) -> int:
        """Print the errors to stderr and one line of results to stdout; return the exit status."""
        for error in self.errors[:_ERRORS_SHOWN]:
            sys.stderr.write(f"{visible(error.reason)}\n")
        if len(self.errors) > _ERRORS_SHOWN:
            sys.stderr.write(visible(f"and {len(self.errors) - _ERRORS_SHOWN} more, see {self.table}\n"))
        rows = f"{self.count} {self.what}" + ("" if self.count == 1 else "s")
        made = f"{rows} in {out}" if self.count else f"No {self.what} was made"
        say(
            f"{made}; {self.outcome.summary()}; what was skipped: {self.table}",
            rows=self.count,
            out=out,
            files=self.outcome.succeeded + self.outcome.failed,
            files_failed=self.outcome.failed,
            residues_skipped=self.outcome.skipped_residues,
            skipped=self.table,
        )
        return self.outcome.exit_status


def write_rows(
    encode: Callable[[Written], Iterator[FileRows]],
    files: Mapping[Path, str],
    out: Path,
    *,
    doing: str,
    what: str,
    settings: Mapping[str, str],
    resume: bool,
    steps: int | None = None,
    of_residues: bool = True,
    table: Path | None = None,
    empty: Sequence[Skipped] = (),
    parts: bool = False,
    half: bool = False,
) -> Report:
    """Write the results of input files to an HDF5 file or a folder, with progress and a table of what was skipped.

    Rows are committed as they are computed. With `resume`, a run that was stopped is continued: files that are in the
    output are not read again, and their entries in the table stay; all other entries are made again.

    Parameters
    ----------
    encode
        Called with what has already been written; yields the remaining results, in order.
    files
        The input files, and their names in the index's column ``structure``, if it has one.
    out
        The output; the table is written beside it, as ``NAME.skipped.csv``.
    doing
        Text of the progress, such as ``"encoding structures"``.
    what
        Name of the rows, such as ``"hologram"``.
    settings
        How the rows are made; an output begun with other settings is not continued.
    resume
        Continue an existing output.
    steps
        Number of steps of the progress; by default the number of files.
    of_residues
        Whether the summary counts skipped residues.
    table
        Another path for the table.
    empty
        Inputs that hold no files.
    parts, half
        Write a folder of Parquet files instead of an HDF5 file; see `holo_types.PartsWriter`.

    Returns
    -------
    Report
        What is to be reported; it counts everything in the table.

    Raises
    ------
    HoloError
        If the output cannot be written or continued, or another run is writing it or the table.
    """
    if not out.name:
        raise HoloError(f"--out is {str(out)!r}; it must name a file")
    table = out.with_suffix(".skipped.csv") if table is None else table
    errors = [one for one in empty if not isinstance(one, NotRead)]
    skipped_residues = 0 if of_residues else None
    counts: Counter[str] = Counter()
    lost_before = workers_lost()
    writer = (
        PartsWriter(out, resume=resume, settings=settings, half=half)
        if parts
        else Writer(out, resume=resume, settings=settings)
    )
    with writer, PathLock(table):  # the table too, because a.h5 and a.csv share one
        written = _written(writer) if len(writer) else Written()
        succeeded = {path for path, name in files.items() if name in written.structures}
        with (
            _skipped_table(table, kept=succeeded) as (skip, counts[_EARLIER]),
            progress(len(files) if steps is None else steps, doing) as advance,
        ):
            for error in errors:
                skip(error)
            advance(len(succeeded) if steps is None else written.rows)
            for result in encode(written):
                if result.error is not None:
                    errors.append(Skipped(str(result.file), "", result.error))
                    skip(errors[-1])
                for row in result.skipped:
                    skip(row)
                if result.rows is not None:
                    writer.append(result.rows)  # type: ignore[arg-type]  # parts are of embeddings
                    succeeded.add(result.file)
                if skipped_residues is not None:
                    skipped_residues += result.skipped_residues
                counts.update(result.counts)
                advance(result.steps)
        count = len(writer)
    if count and len(files) == 1:
        succeeded.update(files)
    counts[WORKERS_LOST] = workers_lost() - lost_before
    not_read = [name for one in empty if isinstance(one, NotRead) for name in one.names]
    outcome = Outcome(len(succeeded), len(errors), skipped_residues, counted(counts, not_read))
    return Report(what, count, outcome, tuple(errors), table)


def counted(counts: Mapping[str, int], not_read: Sequence[str] = ()) -> tuple[str, ...]:
    """Return how many there are of each kind, and how many files cannot be read."""
    found = [
        f"{counts[kind]} {words[counts[kind] > 1]}" for kind, words in _COUNTED.items() if counts.get(kind)
    ]
    if not_read:
        names = ", ".join(not_read[:_NAMES_SHOWN]) + ", ..." * (len(not_read) > _NAMES_SHOWN)
        were = "file in the folder was" if len(not_read) == 1 else "files in folders were"
        found.append(f"{len(not_read)} {were} not read ({names})")
    return tuple(found)


def _written(writer: Writer | PartsWriter) -> Written:
    if isinstance(writer, PartsWriter):
        return Written(len(writer), writer.written("structure"))
    with holo_types.open(writer.path) as reader:
        names = reader.column("structure").tolist() if "structure" in reader.columns else ()
        return Written(len(reader), frozenset(names))


@contextlib.contextmanager
def _skipped_table(path: Path, kept: Iterable[Path]) -> Iterator[tuple[Callable[[Skipped], None], int]]:
    """Write skipped.csv row by row, so that it survives a kill; keep and count earlier rows of some files.

    If it is removed during the run, it is written again at the end.

    Raises
    ------
    HoloError
        If there is an earlier table that cannot be read, or another file takes the place of the table.
    """
    files = set(map(str, kept))
    earlier: list[Skipped] = []
    if files and no_link(path).exists():
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [
                    Skipped(**dict(zip(row, map(of_csv_cell, row.values()), strict=True)))
                    for row in csv.DictReader(file)
                ]
                earlier = [row for row in rows if row.file in files]
        except (OSError, UnicodeDecodeError, KeyError, TypeError, csv.Error):
            raise HoloError(f"{path}: is not a table of what was skipped; move it elsewhere") from None
    write_skipped(path, earlier)
    with path.open("a+", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")

        def skip(row: Skipped) -> None:
            writer.writerow(map(csv_cell, (row.file, row.residue, row.reason)))
            file.flush()

        yield skip, len(earlier)
        if not no_link(path).exists():
            file.seek(0)
            with replacing(path) as new:
                new.write_text(file.read(), encoding="utf-8", newline="")
        elif not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            raise HoloError(f"{path}: was replaced by another file during the run; move that file elsewhere")
