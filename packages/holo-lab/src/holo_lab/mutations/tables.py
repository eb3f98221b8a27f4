"""Tables of mutations and their measured changes of stability."""

import math
from collections.abc import Mapping
from pathlib import Path

import attrs

from holo_downstream.vectors.csv_files import read_csv
from holo_features import Mutation, ResidueId
from holo_types import FormatError, HoloError

__all__ = ["MutationRow", "MutationTable", "read_mutations"]

_COLUMNS = ("file", "chain", "residue", "wild_type", "mutant")
_MOSTLY, _MANY = 2 / 3, 30  # the share of positive values, of so many at least, that is remarked on


@attrs.frozen
class MutationRow:
    """A row of a table.

    Parameters
    ----------
    line
        The number of the row in the table, where 1 is the first row below the header.
    file
        The file of the structure, relative to the folder of structures.
    mutation
        The mutation.
    ddg
        The measured change of stability in kcal/mol, where negative values destabilize, or None if the table has no
        such column.
    cells
        All cells of the row, by column.
    """

    line: int
    file: str
    mutation: Mutation
    ddg: float | None
    cells: Mapping[str, str]

    def __str__(self) -> str:
        return f"row {self.line}, {self.file} {self.mutation}"


@attrs.frozen
class MutationTable:
    """A table of mutations, and the rows that cannot be read.

    Parameters
    ----------
    columns
        All columns, in their order.
    rows
        The rows that can be read.
    skipped
        For each other row, its number and what is wrong with it.
    """

    columns: tuple[str, ...]
    rows: tuple[MutationRow, ...]
    skipped: tuple[str, ...]

    def other_sign(self) -> str | None:
        """Return a warning if the signs suggest that positive values destabilize, else None.

        Most mutations of a natural protein destabilize it, so most values must be negative.
        """
        values = [row.ddg for row in self.rows if row.ddg]
        positive = sum(value > 0 for value in values)
        if len(values) < _MANY or positive <= _MOSTLY * len(values):
            return None
        return (
            f"{positive} of {len(values)} values of ddg are positive, while most mutations destabilize, which must be "
            "negative: if positive values destabilize in this table, change their sign"
        )


def read_mutations(path: Path, *, measured: bool = False) -> MutationTable:
    r"""Read a table of mutations, and list the rows that cannot be read.

    Parameters
    ----------
    path
        CSV file with the columns file, chain, residue (number and insertion code, as in the file), wild_type and mutant
        (one-letter codes), and ddg if it was measured. Other columns are kept unchanged.
    measured
        Whether each row must have a ddg, in kcal/mol.

    Raises
    ------
    FormatError
        If the file cannot be read, or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "mutations.csv")
    >>> _ = path.write_text("file,chain,residue,wild_type,mutant,ddg\na.pdb,A,57,V,L,-1.5\na.pdb,A,58,V,B,0\n")
    >>> table = read_mutations(path, measured=True)
    >>> str(table.rows[0]), table.rows[0].ddg
    ('row 1, a.pdb A:V57L', -1.5)
    >>> table.skipped
    ("row 2, a.pdb: amino acid 'B': it must be one of ACDEFGHIKLMNPQRSTVWY",)
    """
    table = {name.strip(): values for name, values in read_csv(path).items()}
    columns = tuple(table)
    needed = (*_COLUMNS, *(["ddg"] if measured else []))
    for name in needed:
        if name not in columns:
            raise FormatError(f"{path}: has no column {name!r}; it has {', '.join(columns)}")
    rows, skipped = [], []
    for number, values in enumerate(zip(*table.values(), strict=True), start=1):
        cells = dict(zip(columns, map(str.strip, values), strict=True))
        try:
            rows.append(_row(number, cells, measured))
        except HoloError as error:
            skipped.append(f"row {number}, {cells['file']}: {error}")
    return MutationTable(columns, tuple(rows), tuple(skipped))


def _row(number: int, cells: Mapping[str, str], measured: bool) -> MutationRow:
    ddg: float | None = None
    if measured:
        try:
            ddg = float(cells["ddg"])
        except ValueError:
            ddg = math.nan
        if not math.isfinite(ddg):
            raise HoloError(f"its ddg is {cells['ddg']!r}; it must be a finite number, in kcal/mol")
    if not cells["file"]:
        raise HoloError("it names no file")
    residue = ResidueId.parse(f"{cells['chain']}:{cells['residue']}")
    return MutationRow(
        number, cells["file"], Mutation(residue, cells["mutant"], cells["wild_type"]), ddg, cells
    )
