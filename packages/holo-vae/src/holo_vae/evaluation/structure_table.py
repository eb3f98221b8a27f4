"""Which structures a model is judged on, and what is known of each: a folder with ``structures.csv``."""

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
        The chains to take, by the authors' names; none for all.
    cluster
        Structures of one cluster are alike in sequence; by default each is one by itself.
    protein
        The same for crystals of one protein; empty where that is not known.
    relative
        The same for proteins that are relatives of one another: a structure that has it is looked for in those, one
        that has none in crystals of its own protein.
    ligand
        A file with the ligand, in the structure's axes: the residues around it, the pocket, are then what is asked
        about.
    whole
        Whether the file holds the surroundings of all its residues. Where it holds those of the pocket alone, other
        residues are not even looked at.
    clusterings
        Further columns whose name begins with ``cluster``, with their values: other ways to say what is alike.
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
    """The lines of ``structures.csv``, and which optional columns it lacks."""

    rows: tuple[StructureRow, ...]
    missing: tuple[str, ...]

    def of(self, *splits: str) -> list[StructureRow]:
        """Return the structures of some splits."""
        return [row for row in self.rows if row.split in splits]


def read_structure_table(folder: Path) -> StructureTable:
    """Read a folder's ``structures.csv``.

    The columns ``file`` and ``split`` must be there. ``chain`` (several between spaces), ``cluster``, ``protein``,
    ``relative`` and ``ligand`` may be, see `StructureRow`; files are named relative to the folder. So may ``extent``:
    ``pocket`` where the file holds only what is around the pocket; and other clusterings, such as ``cluster30``.

    Raises
    ------
    FormatError
        If there is no such table, or it cannot be read.
    HoloError
        If it lacks a column that it must have, or a line has another split or no file.
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
    # A line that is too long has its last values under None.
    return name is not None and name.startswith("cluster") and name != "cluster"
