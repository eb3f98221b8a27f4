"""What a command prints when it is done: lines for people, one JSON object for programs, or nothing."""

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal

import attrs

__all__ = ["Form", "Summary", "is_quiet", "say", "summarizing", "visible"]

Form = Literal["lines", "json", "nothing"]


def visible(text: str) -> str:
    r"""Return text that is safe on a terminal: an escape sequence in a file's name is shown, not executed.

    Examples
    --------
    >>> visible("a\x1b[2Jb.pdb")
    'a\\x1b[2Jb.pdb'
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )


@attrs.define
class Summary:
    """What a command has reported so far.

    Parameters
    ----------
    form
        How it is printed.
    lines
        The lines, which are not printed if the form is JSON.
    figures
        The same information as values, by name.
    """

    form: Form
    lines: list[str] = attrs.field(factory=list)
    figures: dict[str, object] = attrs.field(factory=dict)

    def json(self, status: int) -> str:
        """Return the figures as one JSON object, with the exit status; NaN and infinity become null."""
        return json.dumps({"status": status, "lines": self.lines, **_plain_items(self.figures)})


_CURRENT: ContextVar[Summary | None] = ContextVar("summary", default=None)


def say(*lines: str, **figures: object) -> None:
    """Report results.

    Parameters
    ----------
    *lines
        Text for people, printed on standard output; nothing in it is interpreted as markup.
    **figures
        The same information for programs, by name, printed if the command was asked for JSON: text, numbers, and lists
        and mappings of these.

    Examples
    --------
    >>> say("2 holograms in out.h5", holograms=2)
    2 holograms in out.h5
    >>> with summarizing("json") as summary:
    ...     say("2 holograms in out.h5", holograms=2)
    >>> print(summary.json(0))
    {"status": 0, "lines": ["2 holograms in out.h5"], "holograms": 2}
    """
    current = _CURRENT.get()
    if current is None or current.form == "lines":
        sys.stdout.writelines(f"{visible(line)}\n" for line in lines)
    elif current.form == "json":
        current.lines += lines
        current.figures |= figures


def is_quiet() -> bool:
    """Return whether a command was asked to print nothing but its errors."""
    current = _CURRENT.get()
    return current is not None and current.form == "nothing"


@contextlib.contextmanager
def summarizing(form: Form) -> Iterator[Summary]:
    """Print what `say` reports inside the context in a given form."""
    summary = Summary(form)
    before = _CURRENT.set(summary)
    try:
        yield summary
    finally:
        _CURRENT.reset(before)


def _plain_items(items: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value) for name, value in items.items()}


def _plain(value: object) -> object:
    """Return a value as JSON can hold it: paths become text, NaN and infinities null."""
    if isinstance(value, Mapping):
        return _plain_items(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return str(value)
