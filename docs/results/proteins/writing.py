"""Results to a folder: one JSON file, one page of tables, the pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from matplotlib.figure import Figure

from holo_types.atomic import replacing

__all__ = ["markdown_table", "write_figures"]


def write_figures(
    folder: Path, figures: attrs.AttrsInstance, tables: Mapping[str, str], pictures: Mapping[str, Figure]
) -> None:
    """Write ``figures.json``, ``tables.md`` and a PNG for each picture.

    Each table stands between ``<!-- NAME -->`` and ``<!-- end NAME -->``, so that a page can include it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "figures.json") as new:
        new.write_text(json.dumps(attrs.asdict(figures), indent=1) + "\n", encoding="utf-8")
    with replacing(folder / "tables.md") as new:
        parts = (f"<!-- {name} -->\n\n{table}\n\n<!-- end {name} -->\n" for name, table in tables.items())
        new.write_text("\n".join(parts), encoding="utf-8")
    for name, figure in pictures.items():
        figure.savefig(folder / f"{name}.png", dpi=150)


def markdown_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Give a table; the first column is text, the others are numbers.

    Examples
    --------
    >>> print(markdown_table(("", "cosine"), [("helix", "0.10")]))
    |  | cosine |
    | --- | ---: |
    | helix | 0.10 |
    """
    rules = ("---", *["---:"] * (len(headings) - 1))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))
