"""What ``--help`` says: every command and every option has its line, and none is lost between the packages."""

import re
from collections.abc import Iterator

from cyclopts import App

from holo_lab.cli.program import app

REFERENCE = app.generate_docs(output_format="markdown", recursive=True, usage_name="holo")


def test_every_option_says_what_it_is_for() -> None:
    items = re.findall(r"^\* `(.+?)`:(.*)$", REFERENCE, re.MULTILINE)
    assert len(items) > 150
    assert [name for name, text in items if not re.match(r" [A-Z0-9].{3,}", text)] == []


def commands(group: App, title: str) -> Iterator[tuple[str, App]]:
    """All commands that do something, with what is typed to start them."""
    for name in group:
        if not name.startswith("-"):
            command = group[name]
            yield from commands(command, f"{title} {name}")
            if command.default_command is not None:
                yield f"{title} {name}", command


def test_every_command_ends_with_its_own_example() -> None:
    found = dict(commands(app, "holo"))
    assert len(found) > 20
    assert [
        title for title, command in found.items() if f"`{title}" not in (command.help_epilogue or "")
    ] == []


def test_every_command_begins_with_what_it_does() -> None:
    sections = re.split(r"^#+ (holo .+)$", REFERENCE, flags=re.MULTILINE)[1:]
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        # The usage of a command, or the summary of a group of commands, is followed by a sentence.
        first = re.sub(r"```console.*?```", "", text, flags=re.DOTALL).strip().splitlines()[0]
        assert re.fullmatch(r"[A-Z].+\.", first), title
