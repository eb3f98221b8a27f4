"""The parts of the page of a report: embedded pictures, tables with explanations, and sections."""

import base64
import html
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from holo_types.files.atomic import replacing

__all__ = ["DASH", "beside", "figure", "paragraph", "script", "section", "table", "write_page"]

DASH = "–"  # the cell of a table without a value
_PIXELS = 88  # pixels of the page per inch of a figure
_LEAST = 800  # pixels; figures narrower than this shrink to any screen


def figure(drawing: Figure, alt: str, caption: str) -> str:
    """Return a picture that shrinks to the screen, or is scrolled if its text would become too small."""
    buffer = io.BytesIO()
    # WebP, because the pictures are smooth and several times smaller than as PNG.
    drawing.savefig(buffer, format="webp", dpi=170, pil_kwargs={"quality": 88})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = round(_PIXELS * drawing.get_figwidth())
    least = f"min({width}px, 36rem)" if width > _LEAST else "0"
    image = (
        f'<img alt="{html.escape(alt)}" width="{width}" style="min-width: {least}" '
        f'src="data:image/webp;base64,{data}">'
    )
    caption = f"<figcaption>{html.escape(caption)}</figcaption>"
    return f'<figure><div class="frame">{image}</div>{caption}</figure>'


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], explanations: Sequence[str] = ()) -> str:
    """Return a table with optional explanations below the names of its first column; dashes are explained below it."""

    def cell(tag: str, place: int, value: str, note: str = "") -> str:
        kind = ' class="number"' if place else ""
        below = f"<small>{html.escape(note)}</small>" if note else ""
        return f"<{tag}{kind}>{html.escape(value)}{below}</{tag}>"

    head = "".join(cell("th", place, value) for place, value in enumerate(headings))
    body = ""
    for line, row in enumerate(rows):
        note = explanations[line] if line < len(explanations) else ""
        cells = (cell("td", place, value, "" if place else note) for place, value in enumerate(row))
        body += f"<tr>{''.join(cells)}</tr>"
    dashes = any(value == DASH for row in rows for value in row)
    note = paragraph(f"{DASH} stands for a value that does not exist here.", "note") if dashes else ""
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>{note}'


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph with a class of the style sheet such as ``note``."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{html.escape(text)}</p>"


def section(title: str, *parts: str) -> str:
    """Return a heading with the parts below it."""
    return f"<section><h2>{html.escape(title)}</h2>{''.join(parts)}</section>"


def beside(left: str, right: str, kind: str = "beside") -> str:
    """Put two parts side by side, or one below the other on a narrow screen."""
    return f'<div class="{kind}"><div>{left}</div><div>{right}</div></div>'


def script(name: str) -> str:
    """Return a script of the templates for embedding in the page."""
    text = files("holo_lab.report").joinpath("templates", name).read_text(encoding="utf-8")
    return f"<script>\n{text}</script>"


def write_page(path: Path, heading: str, lead: str, sections: Sequence[str], key: str = "") -> None:
    """Write a page that fetches nothing.

    Parameters
    ----------
    path
        The HTML file, which is replaced if it exists.
    heading, lead
        The text at the top of the page.
    sections
        The sections, as returned by `section`.
    key
        HTML between the top and the sections, with the key figures.
    """
    template = Template(
        files("holo_lab.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    )
    text = template.substitute(
        heading=html.escape(heading), lead=paragraph(lead), key=key, sections="\n".join(sections)
    )
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")
