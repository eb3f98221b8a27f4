"""The page of all changes, made from the changelogs of the packages."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ["changes"]

_HEAD = "# Changes\n\nEach package is released by itself, and has its own changelog.\n"


def changes(changelogs: Iterable[Path]) -> str:
    """Return the changelogs one after the other, each under the name of its package with headings one level deeper."""
    parts = [_HEAD]
    for path in changelogs:
        _title, *lines = path.read_text(encoding="utf-8").splitlines()
        deeper = (f"#{line}" if line.startswith("#") else line for line in lines)
        parts.append("\n".join([f"## {path.parent.name}", *deeper, ""]))
    return "\n".join(parts)
