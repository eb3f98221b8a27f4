"""The habits of the console scripts, by a small script."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from cyclopts import App

from holo_types import HoloError, console
from holo_types.console import Outcome, Skipped, progress, run, write_skipped

app = App(name="holo-test", help="A script.")


@app.command
def encode(files: int, *, fail: Literal["none", "error", "interrupt"] = "none") -> int:
    """Encode some files, of which the second fails."""
    if fail == "error":
        raise HoloError("data.h5: its values are [n, 3];\nthey must be [n, 4]")
    if fail == "interrupt":
        raise KeyboardInterrupt
    return Outcome(succeeded=min(files, 1), failed=max(files - 1, 0)).exit_status


@app.command
def silent() -> None:
    """Return nothing."""


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["encode", "1"], 0, ""),
        (["encode", "2"], 3, ""),
        (["encode", "0"], 1, ""),
        (["silent"], 0, ""),
        (["encode", "two"], 2, "holo-test --help"),
        (["encode"], 2, "requires an argument. See holo-test --help."),
        (["decode"], 2, "decode"),
        (["encode", "1", "--color", "red"], 2, "--color"),
        (["encode", "1", "--fail", "error"], 1, "Error: data.h5: its values are [n, 3]; they must be [n, 4]"),
        (["encode", "1", "--fail", "interrupt"], 130, "Interrupted. What was already written is kept."),
    ],
)
def test_exit_statuses_and_messages(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == bool(message)


def test_help_goes_to_stdout(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["holo-test", "encode", "--help"])
    assert run(app) == 0
    assert "Encode some files" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcome", "status", "summary"),
    [
        (Outcome(3, 0, 0), 0, "3 of 3 files gave results; 0 residues were skipped"),
        (Outcome(3, 0, 1), 0, "3 of 3 files gave results; 1 residue was skipped"),
        (Outcome(1, 2, 0), 3, "1 of 3 files gave results, 2 failed; 0 residues were skipped"),
        (Outcome(0, 1, 0), 1, "0 of 1 file gave results, 1 failed; 0 residues were skipped"),
        (Outcome(), 1, "0 of 0 files gave results; 0 residues were skipped"),
        (Outcome(1, 1, None), 3, "1 of 2 files gave results, 1 failed"),
    ],
)
def test_outcomes(outcome: Outcome, status: int, summary: str) -> None:
    assert (outcome.exit_status, outcome.summary()) == (status, summary)


def test_progress_in_a_log_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with progress(5, "encoding") as advance:
        for _ in range(3):
            advance()
        advance(2, "7 a second")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "encoding: 2/5, 20 s, 30 s left\nencoding: 5/5, 40 s, 0 s left, 7 a second\n"


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress(4, "encoding [a]") as advance:
        advance(4, "7 [a] second")
    assert "encoding [a]" in terminal.getvalue()
    assert "7 [a] second" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()


def test_skipped_things_stand_in_a_table(tmp_path: Path) -> None:
    write_skipped(
        tmp_path / "a.csv", [Skipped("a, b.cif", "A 52A GLY", 'no "CA"'), Skipped("é.cif", "", "empty")]
    )
    assert (tmp_path / "a.csv").read_text("utf-8").splitlines() == [
        "file,residue,reason",
        '"a, b.cif",A 52A GLY,"no ""CA"""',
        "é.cif,,empty",
    ]
    with pytest.raises(HoloError, match=r"a\.csv: cannot be written"):
        write_skipped(tmp_path / "absent" / "a.csv", [])


SCRIPT = """
import sys
from cyclopts import App
from holo_types.console import run
app = App(name="holo-test", help="Lengths are in \\u00c5.")
@app.command
def say(text: str, *, memory: bool = False) -> int:
    if memory:
        raise MemoryError("Unable to allocate 3.64 TiB")
    sys.stdout.write(f"{text} in \\u00c5\\n")
    return 0
@app.command
def place(path: str) -> int:
    with open(path, "wb") as file:
        print("said", flush=True)
    return 0
sys.exit(run(app))
"""
ASCII = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def script(*arguments: str | bytes, shell: str = "", **options: Any) -> "subprocess.CompletedProcess[bytes]":
    command: list[str | bytes] = [sys.executable, "-c", SCRIPT, *arguments]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(command, capture_output=True, check=False, timeout=600, **options)


@pytest.mark.skipif(os.name != "posix", reason="starts a shell")
def test_it_speaks_in_every_locale_and_with_streams_that_are_not_there(tmp_path: Path) -> None:
    done = script("--help", env=ASCII)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Lengths are in" in done.stdout
    done = script("say", b"bad\xff.pdb", env=ASCII)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b" in \\xc5\n")
    done = script("say", "hello", shell=">&-")
    assert (done.returncode, done.stderr) == (0, b"")
    done = script("place", str(tmp_path / "file"), shell=">&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""  # what is printed does not go to a file that was opened
    if Path("/dev/full").exists():
        done = script("say", "hello", shell=">/dev/full")
        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert done.stderr.startswith(b"Error: No space left on device")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
def test_a_pipe_that_nobody_reads_is_one_line() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        command = [sys.executable, "-c", SCRIPT, "say", "hello"]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (1, b"Error: Broken pipe\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried\nat x.cpp"),
            "there is not enough memory",
        ),
        (ImportError("libtorch.so: failed to map segment from shared object"), "failed to map segment"),
    ],
)
def test_what_libraries_say_of_too_little_memory_is_one_line(error, line, capsys) -> None:
    app = App(name="holo-test")

    @app.default
    def fail() -> None:
        raise error

    assert run(app, []) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert line in said
    assert said.count("\n") == 1


def test_an_input_that_is_nested_without_end_is_one_line(capsys) -> None:
    app = App(name="holo-test")

    @app.default
    def deeper() -> None:
        deeper()

    assert run(app, []) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: an input is nested too deeply (maximum recursion depth exceeded")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("columns", "set_to"),
    [
        ("1", "20"),
        ("20", "20"),
        ("132", "132"),
        ("500", "500"),
        ("501", "500"),
        ("999999999", "500"),
        ("9" * 5000, "500"),
        *((odd, None) for odd in ("0", "00", "-3", "wide", "\u00b2", "")),
    ],
)
def test_a_terminal_is_neither_very_narrow_nor_very_wide(columns, set_to, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(app, ["--help"]) == 0
    assert os.environ.get("COLUMNS") == set_to
    assert "Commands" in capsys.readouterr().out


def test_no_work_shows_no_progress_and_no_step_no_guess(capsys, monkeypatch) -> None:
    with progress(0, "encoding") as advance:
        advance(0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "_LOG_INTERVAL", -1.0)
    with progress(2, "encoding") as advance:
        advance(0, "beginning")
    assert capsys.readouterr().err == "encoding: 0/2, 0 s, beginning\n"


def test_other_errors_of_libraries_are_not_hidden() -> None:
    app = App(name="holo-test")

    @app.default
    def fail() -> None:
        raise RuntimeError("expected two tensors")

    with pytest.raises(RuntimeError, match="expected two tensors"):
        run(app, [])


def test_names_of_files_send_nothing_to_the_terminal(capsys) -> None:
    with progress(1, "reading \x1b[2Ja.pdb") as advance:
        advance(1, "b\x07.pdb")
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\x07" not in said
    assert r"reading \x1b[2Ja.pdb: 1/1" in said


def test_too_little_memory_is_one_line() -> None:
    done = script("say", "hello", "--memory")
    assert done.returncode == 1
    assert done.stderr == (
        b"Error: there is not enough memory (Unable to allocate 3.64 TiB); use fewer workers, or less data\n"
    )
