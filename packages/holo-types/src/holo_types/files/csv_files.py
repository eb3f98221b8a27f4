"""CSV files, which appear whole or not at all.

Spreadsheets read a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return as a formula, and the
names of files and chains come from strangers. Such text is written with an apostrophe before it; numbers are written as
they are. Holo's readers remove one apostrophe again, so that every text comes back unchanged.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from holo_types.contents import read_content

from .atomic import replacing

__all__ = ["csv_cell", "csv_text", "of_csv_cell", "write_csv"]

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def csv_cell(value: object) -> object:
    """Return a value as it is written to a cell: text that a spreadsheet would evaluate gets an apostrophe.

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell("-1.5"), csv_cell(-1.5), csv_cell("1abc")
    ("'=1+1", '-1.5', -1.5, '1abc')
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def of_csv_cell(text: str) -> str:
    """Return the text from which `csv_cell` made a cell.

    Examples
    --------
    >>> of_csv_cell("'=1+1"), of_csv_cell("'quoted'")
    ('=1+1', "'quoted'")
    """
    return text[1:] if _GUARDED.match(text) else text


def csv_text(path: str | os.PathLike[str]) -> io.StringIO:
    r"""Return the text of a CSV file (UTF-8, with or without a byte order mark) as the module csv expects it.

    Raises
    ------
    FormatError
        If it is not a regular file, or is too large; see `holo_types.contents.read_content`.
    OSError, UnicodeDecodeError
        If it cannot be read, or is not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "table.csv")
    >>> _ = path.write_text("id,label\n1abc,6.5\n")
    >>> list(csv.reader(csv_text(path)))
    [['id', 'label'], ['1abc', '6.5']]
    """
    return io.StringIO(read_content(path).decode("utf-8-sig"), newline="")


def write_csv(path: str | os.PathLike[str], header: Iterable[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows to a CSV file (UTF-8), which appears whole or not at all, and return their number.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    header
        Names of the columns.
    rows
        Rows, which are taken one by one. None becomes an empty cell, text passes through `csv_cell`, and what is not
        valid Unicode, as names of files may be, is escaped.

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
        writer.writerow(map(csv_cell, header))
        for count, row in enumerate(rows, start=1):  # noqa: B007 - it is how many there were
            writer.writerow(map(csv_cell, row))
    return count
