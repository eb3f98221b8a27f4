"""Copy tables that programs write into the pages, so that GitHub shows them too: ``python docs/page_tables.py``.

A page marks the place of a table by ``<!-- table: FILE NAME -->`` and ``<!-- end table -->``. In the file, the table is
between ``<!-- NAME -->`` and ``<!-- end NAME -->``.
"""

import re
from pathlib import Path

__all__ = ["PLACES", "inlined"]

PLACES = re.compile(
    r"^<!-- table: (?P<file>\S+) (?P<name>\S+) -->\n(?P<table>.*?)^<!-- end table -->$",
    re.MULTILINE | re.DOTALL,
)


def inlined(page: Path) -> str:
    """Return the text of a page with the current tables of the files."""

    def filled(place: re.Match[str]) -> str:
        file, name = place["file"], place["name"]
        text = (page.parent / file).read_text(encoding="utf-8")
        found = re.search(
            rf"<!-- {re.escape(name)} -->\n(.*?)<!-- end {re.escape(name)} -->", text, re.DOTALL
        )
        if found is None:
            raise ValueError(f"{page.name}: {file} has no table {name}")
        return f"<!-- table: {file} {name} -->\n\n{found[1].strip()}\n\n<!-- end table -->"

    return PLACES.sub(filled, page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    here = Path(__file__).parent
    for each in [here / "performance.md", *sorted(here.glob("results/*.md"))]:
        each.write_text(inlined(each), encoding="utf-8")
