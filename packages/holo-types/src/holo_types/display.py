"""How objects are displayed when they are printed, and in a notebook."""

import html
from collections.abc import Mapping

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Displayed", "Summary", "shown"]

_ROWS = 3
_COLUMNS = 6
_NUMBERS = 3


@attrs.frozen
class Summary:
    """A short description of an object that has one row for each of many things.

    Parameters
    ----------
    title
        One line that says what it is.
    facts
        Names and values, each shown on a line.
    table
        Columns of the first rows, as text; none by default.
    more_rows
        Number of rows that the object has beyond those of the table.
    more_columns
        Names of columns that the table leaves out.

    Examples
    --------
    >>> print(Summary("Two letters", {"alphabet": "Latin"}, {"letter": ["a", "b"]}))
    Two letters
      alphabet: Latin
      letter
      a
      b
    """

    title: str
    facts: Mapping[str, str]
    table: Mapping[str, list[str]] = attrs.field(factory=dict)
    more_rows: int = 0
    more_columns: tuple[str, ...] = ()

    @property
    def _more(self) -> str:
        rows = [f"{self.more_rows:,} more rows"] if self.more_rows else []
        columns = [f"more columns: {', '.join(self.more_columns)}"] if self.more_columns else []
        return "; ".join(rows + columns)

    def __str__(self) -> str:
        """Return the lines, the columns aligned."""
        lines = [self.title, *(f"  {name}: {value}" for name, value in self.facts.items())]
        columns = [[name, *cells] for name, cells in self.table.items()]
        padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
        lines += [f"  {'  '.join(row)}".rstrip() for row in zip(*padded, strict=True)]
        return "\n".join(lines + ([f"  ({self._more})"] if self._more else []))

    def html(self) -> str:
        """Return the summary as HTML; every name and value is escaped."""
        facts = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self.facts.items()
        )
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in self.table)
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in zip(*self.table.values(), strict=True)
        )
        table = f"<table><tr>{heads}</tr>{rows}</table>" if self.table else ""
        more = f"<small>{html.escape(self._more)}</small>" if self._more else ""
        return f"<div><b>{html.escape(self.title)}</b><table>{facts}</table>{table}{more}</div>"


class Displayed:
    """A base class whose objects are printed, and shown in a notebook, as their summary."""

    __slots__ = ()

    def summary(self) -> Summary:
        """Return what is shown of the object."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().html()


def shown(
    title: str,
    facts: Mapping[str, str],
    columns: Mapping[str, NDArray[np.generic]],
    vectors: Mapping[str, NDArray[np.number]],
    rows: int,
) -> Summary:
    """Return the summary of an object that has an index and vectors, with a table of its first rows.

    Parameters
    ----------
    title, facts
        As in `Summary`.
    columns
        The object's index.
    vectors
        One vector of numbers for each row, of which the first components are shown.
    rows
        Number of rows.

    Examples
    --------
    >>> print(shown("One", {}, {"chain": np.array(["A"])}, {"z": np.array([[1.0, -2.0, 0.5, 4.0]])}, rows=1))
    One
      chain  z
      A      1 -2 0.5 ...
    """
    names = list(columns)
    table = {name: [str(value) for value in columns[name][:_ROWS].tolist()] for name in names[:_COLUMNS]}
    for name, values in vectors.items():
        ending = " ..." if values.shape[1] > _NUMBERS else ""
        table[name] = [
            " ".join(f"{number:.3g}" for number in row[:_NUMBERS]) + ending for row in values[:_ROWS]
        ]
    return Summary(title, facts, table, max(rows - _ROWS, 0), tuple(names[_COLUMNS:]))
