"""CSV files as columns of text."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from holo_types import FormatError
from holo_types.files.csv_files import csv_text, of_csv_cell

__all__ = ["read_csv"]


def read_csv(path: Path) -> Mapping[str, list[str]]:
    r"""Read a CSV file (UTF-8, with a header and lines of equal length) column by column; empty lines are skipped.

    Raises
    ------
    FormatError
        If it cannot be read, has no header, a column is repeated, or a line has more or fewer values than the header.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "labels.csv")
    >>> _ = path.write_text("id,label\n1abc,6.5\n")
    >>> read_csv(path)
    {'id': ['1abc'], 'label': ['6.5']}
    """
    try:
        header, *rows = [row for row in csv.reader(csv_text(path), strict=True) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            f"{path}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}"
        ) from None
    header = list(map(of_csv_cell, header))
    if not header:
        raise FormatError(f"{path}: is empty; it must have a header")
    if repeated := [name for name, count in Counter(header).items() if count > 1]:
        raise FormatError(f"{path}: has the column {repeated[0]!r} twice; each must come once")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise FormatError(f"{path}: row {number} has {len(row)} values; the header has {len(header)}")
    return {name: [of_csv_cell(row[column]) for row in rows] for column, name in enumerate(header)}
