"""Tables of mutations: which residue of which file becomes what, and what that was measured to cost."""

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
        Its number in the table, 1 for the first row below the header.
    file
        The structure, relative to the folder of structures.
    mutation
        The exchange.
    ddg
        What was measured, in kcal/mol, negative destabilizes; None where the table has no such column.
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
    """Mutations, and the rows that name none.

    Parameters
    ----------
    columns
        All columns, in their order.
    rows
        Those that can be read.
    skipped
        For each of the others, where it is and what is wrong.
    """

    columns: tuple[str, ...]
    rows: tuple[MutationRow, ...]
    skipped: tuple[str, ...]

    def other_sign(self) -> str | None:
        """Say whether the values look as if positive ones destabilized; None if not.

        Most exchanges in a natural protein destabilize it, so that most values must be negative.
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
    r"""Read a table of mutations; rows that cannot be used are named.

    Parameters
    ----------
    path
        CSV file with the columns file, chain, residue (number and insertion code, as in the file), wild_type and mutant
        (letters), and ddg where it was measured; others are kept as they are.
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
