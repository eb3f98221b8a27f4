"""The program ``holo``: it has every command of every package once, starts quickly, and reports."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, Argument

from holo_downstream.cli.program import app as downstream
from holo_features.cli.program import app as features
from holo_lab._version import __version__
from holo_lab.cli.evaluate import evaluate_command
from holo_lab.cli.program import app, main
from holo_types import Holograms, load, save
from holo_vae import Recipe, initial_model, write_model
from holo_vae.cli.program import app as vae

PROGRAMS = (features, vae, downstream)


def commands(program: App) -> set[str]:
    return {name for name in program if not name.startswith("-")}


@pytest.fixture
def files(recipe: Recipe, holograms: Holograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_model(initial_model(recipe, 1.0, "small"), tmp_path / "model")
    save(holograms, tmp_path / "data.h5")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_there_and_no_name_is_mounted_twice() -> None:
    counts = Counter(name for program in PROGRAMS for name in commands(program))
    assert [name for name, count in counts.items() if count > 1] == []
    assert set(counts) <= commands(app)


def test_the_benchs_own_command_takes_the_place_of_the_packages() -> None:
    assert app["evaluate"].default_command is evaluate_command
    assert vae["evaluate"].default_command is not evaluate_command


def test_commands_stand_in_groups_and_the_packages_programs_are_as_they_were(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    assert {"Encode data as holograms", "Work with embeddings"} <= set(_panels(capsys.readouterr().out))
    for program in PROGRAMS:
        program(["--help"], result_action="return_value")
        assert _panels(capsys.readouterr().out) == ["Commands"]


def _panels(text: str) -> list[str]:
    return [line.strip("╭╮─ ") for line in text.splitlines() if line.startswith("╭")]


def test_an_option_that_several_commands_share_means_the_same_in_each() -> None:
    """One definition gives one type and one help; --model is the network, and nothing of a structure."""
    shared = (
        "--chains",
        "--residues",
        "--structure-model",
        "--assembly",
        "--hetero",
        "--workers",
        "--device",
        "--model",
    )
    meanings: dict[str, set[tuple[str, str]]] = {name: set() for name in shared}
    for argument in _arguments(app):
        for name in {*argument.names} & {*shared}:
            meanings[name].add((str(argument.hint), argument.parameter.help))
    assert {name: len(each) for name, each in meanings.items()} == dict.fromkeys(shared, 1)
    assert "folder of a model" in meanings["--model"].pop()[1]


def _arguments(program: App) -> Iterator[Argument]:
    for name in commands(program):
        command = program[name]
        if command.default_command:
            yield from command.assemble_argument_collection(parse_docstring=True)
        yield from _arguments(command)


@pytest.mark.parametrize("command", [[], ["evaluate"], ["structures"], ["affinity", "fit"]])
def test_help_waits_for_nothing_heavy(command: list[str]) -> None:
    code = (
        f"import sys; from holo_lab.cli.program import main; main([*{command}, '--help']); "
        "print(sorted({'torch', 'biotite', 'sklearn', 'mlflow', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_is_the_program() -> None:
    command = [sys.executable, "-m", "holo_lab"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == __version__
    wrong = subprocess.run([*command, "nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "See holo --help." in wrong.stderr


def test_evaluate_writes_figures_and_a_report(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("evaluate", "model", "data.h5", "--label", "residue_name", "--out", "figures.json")
    assert main([*arguments, "--report", "report.html"]) == 0
    assert "80 holograms: cosine loss" in capsys.readouterr().out
    figures = json.loads((files / "figures.json").read_text(encoding="utf-8"))
    page = (files / "report.html").read_text(encoding="utf-8")
    assert f"{figures['reconstruction']['cosine_loss']:.4f}" in page
    assert "data.h5" in page
    # The program of the package alone measures the same, and has no report.
    assert vae([*arguments[:-1], "again.json"], result_action="return_value") == 0
    assert (files / "again.json").read_bytes() == (files / "figures.json").read_bytes()


def test_what_a_package_refuses_is_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "model", "missing.h5"]) == 1
    assert "missing.h5" in capsys.readouterr().err
    assert main(["embed", "data.h5", "--model", "model", "--out", "z.h5"]) == 0
    assert len(load(files / "z.h5")) == 80
