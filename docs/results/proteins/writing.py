"""Writing results to a folder as one JSON file, one page of tables, and pictures."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from matplotlib.figure import Figure
from PIL import Image

from holo_downstream import Interval
from holo_types.files.atomic import replacing

__all__ = ["markdown_table", "signed", "write_figures"]


def write_figures(
    folder: Path, figures: attrs.AttrsInstance, tables: Mapping[str, str], pictures: Mapping[str, Figure]
) -> None:
    """Write ``figures.json``, ``tables.md`` and a PNG for each picture.

    Each table is written between ``<!-- NAME -->`` and ``<!-- end NAME -->``, so that a page can include it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "figures.json") as new:
        new.write_text(json.dumps(attrs.asdict(figures), indent=1) + "\n", encoding="utf-8")
    with replacing(folder / "tables.md") as new:
        parts = (f"<!-- {name} -->\n\n{table}\n\n<!-- end {name} -->\n" for name, table in tables.items())
        new.write_text("\n".join(parts), encoding="utf-8")
    for name, figure in pictures.items():
        _write_picture(figure, folder / f"{name}.png")


def _write_picture(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colors, which is a third as large and looks the same."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=140)
    with Image.open(drawn) as picture, replacing(path) as new:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(new, format="png", optimize=True)


def markdown_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table; the first column is text, the others are numbers.

    Examples
    --------
    >>> print(markdown_table(("", "cosine"), [("helix", "0.10")]))
    |  | cosine |
    | --- | ---: |
    | helix | 0.10 |
    """
    rules = ("---", *["---:"] * (len(headings) - 1))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))


def signed(interval: Interval | None) -> str:
    """Write a difference with its interval, or nothing if there is none."""
    if interval is None:
        return ""
    return f"{interval.estimate:+.3f} [{interval.lower:+.3f}, {interval.upper:+.3f}]"
