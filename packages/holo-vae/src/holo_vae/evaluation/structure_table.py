"""The structures that a model is judged on, and their properties: a folder with ``structures.csv``."""

import csv
from pathlib import Path

import attrs

from holo_types import FormatError, HoloError
from holo_types.files.csv_files import csv_text

__all__ = ["OPTIONAL", "TABLE", "StructureRow", "StructureTable", "read_structure_table"]

TABLE = "structures.csv"
_NEEDED = ("file", "split")
OPTIONAL = ("chain", "cluster", "protein", "relative", "ligand")
_EXTENTS = ("whole", "pocket")
_SPLITS = ("train", "valid", "test")


@attrs.frozen
class StructureRow:
    """A line of the table.

    Parameters
    ----------
    path
        The path of the structure file.
    split
        ``"train"``, ``"valid"`` or ``"test"``.
    chains
        The chains to use, by the authors' names; empty for all.
    cluster
        Structures of one cluster have similar sequences; by default each structure is its own cluster.
    protein
        The same value for crystals of one protein; empty if that is unknown.
    relative
        The same value for proteins that are relatives of one another. The residues of a structure with a value are
        searched for in its relatives, those of one without in crystals of its own protein.
    ligand
        A file with the ligand, in the coordinates of the structure. The residues around the ligand, its pocket, are
        then the ones that are searched for.
    whole
        Whether the file holds the surroundings of all its residues. If it is complete for the pocket only, other
        residues are not used at all.
    clusterings
        Further columns whose names begin with ``cluster``, with their values: alternative clusterings.
    """

    path: Path
    split: str
    chains: tuple[str, ...]
    cluster: str
    protein: str
    relative: str
    ligand: Path | None
    whole: bool
    clusterings: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class StructureTable:
    """The lines of ``structures.csv``, and the optional columns that it lacks."""

    rows: tuple[StructureRow, ...]
    missing: tuple[str, ...]

    def of(self, *splits: str) -> list[StructureRow]:
        """Return the structures of one or more splits."""
        return [row for row in self.rows if row.split in splits]


def read_structure_table(folder: Path) -> StructureTable:
    """Read a folder's ``structures.csv``.

    The columns ``file`` and ``split`` are required. Optional are ``chain`` (several separated by spaces), ``cluster``,
    ``protein``, ``relative`` and ``ligand``, see `StructureRow`; files are relative to the folder. Also optional are
    ``extent``, which is ``pocket`` if the file holds only what is around the pocket, and other clusterings, such as
    ``cluster30``.

    Raises
    ------
    FormatError
        If there is no such table, or it cannot be read.
    HoloError
        If it lacks a required column, or a line has an unknown split or no file.
    """
    path = folder / TABLE
    try:
        reader = csv.DictReader(csv_text(path), restval="")
        lines, names = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: cannot be read as a table ({error})") from None
    if lacking := [name for name in _NEEDED if name not in names]:
        raise HoloError(f"{path}: has no column {', '.join(lacking)}; it must have {', '.join(_NEEDED)}")
    rows = tuple(_row(path, number, line) for number, line in enumerate(lines, start=2))
    return StructureTable(rows, tuple(name for name in OPTIONAL if name not in names))


def _row(path: Path, number: int, line: dict[str, str]) -> StructureRow:
    if line["split"] not in _SPLITS:
        raise HoloError(
            f"{path}: line {number} has split {line['split']!r}; it must be one of {', '.join(_SPLITS)}"
        )
    if not line["file"]:
        raise HoloError(f"{path}: line {number} has no file; it must name a structure file")
    extent = line.get("extent") or "whole"
    if extent not in _EXTENTS:
        raise HoloError(
            f"{path}: line {number} has extent {extent!r}; it must be one of {', '.join(_EXTENTS)}"
        )
    ligand = line.get("ligand", "")
    if extent == "pocket" and not ligand:
        raise HoloError(f"{path}: line {number} has extent 'pocket' and no ligand; it must name one")
    return StructureRow(
        path=path.parent / line["file"],
        split=line["split"],
        chains=tuple(line.get("chain", "").split()),
        cluster=line.get("cluster") or line["file"],
        protein=line.get("protein", ""),
        relative=line.get("relative", ""),
        ligand=path.parent / ligand if ligand else None,
        whole=extent == "whole",
        clusterings=tuple((name, value) for name, value in line.items() if _is_clustering(name)),
    )


def _is_clustering(name: str | None) -> bool:
    # In a line that is too long, the surplus values have the key None.
    return name is not None and name.startswith("cluster") and name != "cluster"
