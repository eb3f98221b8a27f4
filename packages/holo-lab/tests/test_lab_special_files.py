"""Special files where a file belongs: every command refuses them in one line, and none waits for them."""

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from cyclopts import App

from holo_lab.cli.program import app, main

_SECONDS = 60  # long enough for the slowest import on a busy machine; a pipe is waited for without end
_INPUTS = {
    "model",
    "data",
    "inputs",
    "input",
    "predictor",
    "store",
}  # what may be a path, and is typed as text
_ENDINGS = {
    "compare": "out.csv",
    "density": "out.ccp4",
    "paint": "out.cif",
    "pool": "out.csv",
    "recipes show": "recipe.yaml",
}


def commands(group: App, title: str = "") -> Iterator[tuple[str, App]]:
    """All commands that do something, with their names."""
    for name in group:
        if not name.startswith("-"):
            command = group[name]
            yield from commands(command, f"{title} {name}".strip())
            if command.default_command is not None:
                yield f"{title} {name}".strip(), command


COMMANDS = dict(commands(app))


def arguments(title: str, special: Path, folder: Path) -> list[str]:
    """Return a command line in which every path to read is the special one; none for a command that reads nothing."""
    positional, options = [], []
    for argument in COMMANDS[title].assemble_argument_collection():
        name = argument.field_info.name
        path = "Path" in str(argument.hint)
        if argument.field_info.kind.name in ("POSITIONAL_ONLY", "VAR_POSITIONAL"):
            positional.append(str(special) if path or name in _INPUTS else "A:1:L")
        elif name in ("out", "report"):
            options += [f"--{name}", str(folder / _ENDINGS.get(title, "out.h5"))] if argument.required else []
        elif path or name in _INPUTS:
            options += [argument.name, str(special)]
        elif argument.required:
            options += [argument.name, "x"]
    return [*positional, *options] if str(special) in [*positional, *options] else []


@pytest.fixture(scope="module")
def special_files() -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as name:  # its path is short enough for a socket
        folder = Path(name)
        found = {"device.h5": Path("/dev/zero")}
        for ending in ("h5", "pdb"):
            os.mkfifo(folder / f"pipe.{ending}")
            (folder / f"loop.{ending}").symlink_to(f"loop.{ending}")
            (folder / os.fsdecode(b"odd\xff." + ending.encode())).write_bytes(b"neither HDF5 nor atoms")
        pipes = folder / "pipes"
        pipes.mkdir()
        for inside in (
            "a.pdb",
            "a.off",
            "labels.csv",
            "model.json",
            "predictor.h5",
            "search.h5",
            "recipe.yaml",
        ):
            os.mkfifo(pipes / inside)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / "socket.h5"))
            yield found | {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("title", COMMANDS)
def test_what_is_no_file_is_refused_in_one_line_at_once(
    title: str,
    special_files: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{title} waits")

    # A service starts processes for each; the loader of models is the same everywhere. Any free port will do.
    paths, port = list(special_files.values()), []
    if title == "serve":
        paths, port = [special_files["pipes"]], ["--port", "0"]
    before = signal.signal(signal.SIGALRM, late)
    try:
        for given in filter(None, (arguments(title, path, tmp_path) for path in paths)):
            signal.alarm(_SECONDS)
            assert main([*title.split(), *given, *port]) in (1, 2), given
            lines = capsys.readouterr().err.splitlines()
            assert 1 <= len(lines) <= 2, lines  # what was skipped or logged, and the error
            assert "Traceback" not in lines[0]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
