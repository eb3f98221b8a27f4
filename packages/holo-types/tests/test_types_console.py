"""The habits of the console scripts, by a small script."""

import io
import sys
from pathlib import Path
from typing import Literal

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
