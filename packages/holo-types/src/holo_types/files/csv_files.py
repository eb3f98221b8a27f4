"""Tables as CSV files, which appear whole or not at all."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .atomic import replacing

__all__ = ["write_csv"]


def write_csv(path: str | os.PathLike[str], header: Iterable[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows to a CSV file (UTF-8), which appears whole or not at all, and give their number.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    header
        Names of the columns.
    rows
        Taken one by one. None becomes empty; what is no valid Unicode, as names of files may be, is escaped.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "table.csv")
    >>> write_csv(path, ["id", "label"], [["1abc", None]])
    1
    >>> path.read_text().split()
    ['id,label', '1abc,']
    """
    count = 0
    with (
        replacing(Path(path)) as new,
        new.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for count, row in enumerate(rows, start=1):  # noqa: B007 - it is how many there were
            writer.writerow(row)
    return count
