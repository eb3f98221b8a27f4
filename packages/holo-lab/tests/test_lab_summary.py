"""Every command with a summary can print it as JSON, or print nothing, all by one definition."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from holo_lab.cli.program import app, main
from holo_types.options import SummaryOptions

# What they print is not what came of work, but what was asked for; `serve` never ends by itself.
WITHOUT_SUMMARY = {"describe", "recipes", "recipes list", "recipes show", "serve"}


def commands(group: App, title: str = "") -> Iterator[tuple[str, App]]:
    for name in group:
        if not name.startswith("-"):
            command, called = group[name], f"{title} {name}".strip()
            yield from commands(command, called)
            if command.default_command is not None:
                yield called, command


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("called", sorted(COMMANDS))
def test_a_command_that_says_what_came_out_has_the_options_of_all(called: str) -> None:
    arguments = COMMANDS[called].assemble_argument_collection(parse_docstring=True)
    options = {name: argument.parameter.help for argument in arguments for name in argument.names}
    if called in WITHOUT_SUMMARY:
        assert not options.keys() & {"--quiet", "--json"}
    else:
        assert options["--quiet"] == "Print nothing but errors."
        assert options["--json"] == "Print the summary as one JSON object instead of text."
        assert [argument.hint for argument in arguments].count(SummaryOptions) == 1


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    from holo_features.datasets import example_structures

    path = tmp_path / "1zr0_B.bcif.gz"
    (shipped,) = [each for each in example_structures() if each.name == path.name]
    path.write_bytes(shipped.read_bytes())
    return path


@pytest.mark.parametrize("option", ["", "--json", "--quiet"])
def test_the_summary_has_the_form_that_was_asked_for(
    option: str, structure: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.h5"
    small = ("--lmax", "1", "--nmax", "2")
    assert main(["structures", str(structure), "--out", str(out), *small, *filter(None, [option])]) == 0
    said, complained = capfd.readouterr()
    assert out.exists()
    if option == "--json":
        summary = json.loads(said)
        assert (summary["status"], summary["rows"], summary["files"], summary["files_failed"]) == (
            0,
            63,
            1,
            0,
        )
        assert summary["out"] == str(out)
        assert summary["lines"][0].startswith("63 holograms in ")
    elif option == "--quiet":
        assert (said, complained) == ("", "")
    else:
        assert said.startswith("63 holograms in ")


def test_errors_are_said_however_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.h5"
    assert main(["structures", str(tmp_path / "nosuch.pdb"), "--out", str(out), "--quiet"]) == 1
    said, complained = capfd.readouterr()
    assert said == ""
    assert "nosuch.pdb" in complained


def test_both_forms_at_once_are_wrong_usage(
    structure: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ["structures", str(structure), "--out", str(tmp_path / "out.h5"), "--quiet", "--json"]
    assert main(given) == 2
    assert "--quiet and --json are both given" in capfd.readouterr().err
