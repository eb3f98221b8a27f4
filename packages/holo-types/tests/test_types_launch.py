"""How programs begin, in processes of their own."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")

BEGIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where the tests run
from holo_types.launch import launch
sys.exit(launch("program"))
"""
WAIT = "print('here', flush=True); import time; time.sleep(100)"


def interrupted(folder: Path, program: str) -> tuple[int, str]:
    """Run a program, send it Ctrl-C once it reports that it has started, and return its status and its stderr."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    return process.wait(), process.communicate()[1]


def test_ctrl_c_while_a_program_is_imported_is_no_traceback(tmp_path: Path) -> None:
    assert interrupted(tmp_path, WAIT) == (-signal.SIGINT, "")


def test_ctrl_c_in_a_program_is_its_own(tmp_path: Path) -> None:
    caught = f"def main():\n    try:\n        {WAIT}\n    except KeyboardInterrupt:\n        return 130"
    assert interrupted(tmp_path, caught) == (130, "")


def test_ctrl_c_after_a_program_is_no_traceback(tmp_path: Path) -> None:
    atexit = f"import atexit\ndef main():\n    atexit.register(lambda: exec({WAIT!r}))\n    return 0"
    assert interrupted(tmp_path, atexit) == (-signal.SIGINT, "")


def test_a_working_directory_that_was_removed_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    (tmp_path / "program.py").write_text("raise OSError('imported')", encoding="utf-8")
    begin = f"import os, sys; os.rmdir({str(folder)!r}); sys.path.append({str(tmp_path)!r})\n{BEGIN}"
    done = subprocess.run(
        [sys.executable, "-c", begin], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: the working directory no longer exists\n"


COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from cyclopts import App
from holo_types.console import run
app = App(name="program")
SECOND = "for _ in range(100): time.sleep(0.01)"
"""


def ended(folder: Path, body: str, *signals: signal.Signals) -> tuple[int, str, str]:
    """Run a command with the body, send it a signal each time that it says it is here, and return what it leaves."""
    (folder / "slow.py").write_text(
        "import time\nprint('here', flush=True)\n" + 100 * "time.sleep(0.01)\n" + "print('imported')",
        encoding="utf-8",
    )
    text = f"{COMMAND}\n@app.default\ndef command():\n{textwrap.indent(body, '    ')}\nsys.exit(run(app, []))"
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for each in signals:
        assert process.stdout.readline() == "here\n"
        process.send_signal(each)
    out, err = process.communicate()
    return process.returncode, out, err


SIGNALS = pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "Interrupted. What was already written is kept.\n"),
        (signal.SIGTERM, 143, "Ended by SIGTERM. What was already written is kept.\n"),
    ],
)


@SIGNALS
def test_a_signal_waits_for_the_end_of_an_import(
    tmp_path: Path, number: signal.Signals, status: int, line: str
) -> None:
    """Compiled code that is imported, such as torch's, would abort the process."""
    body = "import slow\nprint('and on')\ntime.sleep(100)"
    assert ended(tmp_path, body, number) == (status, "imported\nand on\n", line)


@SIGNALS
def test_a_signal_whose_exception_is_lost_in_a_callback_comes_again(
    tmp_path: Path, number: signal.Signals, status: int, line: str
) -> None:
    body = """
import weakref
class Thing: pass
thing = Thing()
def called(_):
    print("here", flush=True)
    exec(SECOND)
keep = weakref.ref(thing, called)
del thing
try:
    time.sleep(100)
finally:
    exec(SECOND)
    print("cleaned")
"""
    assert ended(tmp_path, body, number) == (status, "cleaned\n", line)


def test_what_is_no_signal_is_reported_as_ever(tmp_path: Path) -> None:
    body = """
class Thing:
    def __del__(self): raise ValueError("of a destructor")
thing = Thing()
del thing
"""
    status, _, err = ended(tmp_path, body)
    assert status == 0
    assert "ValueError: of a destructor" in err


def test_a_second_sigterm_kills(tmp_path: Path) -> None:
    body = """
try:
    print("here", flush=True)
    time.sleep(100)
finally:
    print("here", flush=True)
    time.sleep(100)
"""
    assert ended(tmp_path, body, signal.SIGTERM, signal.SIGTERM) == (-signal.SIGTERM, "", "")


@SIGNALS
def test_a_signal_whose_exception_is_swallowed_comes_again(
    tmp_path: Path, number: signal.Signals, status: int, line: str
) -> None:
    """RDKit catches every exception of a descriptor and takes 0 for its value, and goes on."""
    body = """
try:
    print('here', flush=True)
    time.sleep(100)
except:
    value = 0.0
for _ in range(1000):
    time.sleep(0.01)
print('a wrong value')
"""
    assert ended(tmp_path, body, number) == (status, "", line)


@SIGNALS
def test_whoever_settles_a_signal_ends_it(
    tmp_path: Path, number: signal.Signals, status: int, line: str
) -> None:
    body = """
from holo_types.signals import settle
try:
    print('here', flush=True)
    time.sleep(100)
except KeyboardInterrupt as end:
    settle(end)
time.sleep(0.2)
print('stopped')
"""
    assert ended(tmp_path, body, number) == (0, "stopped\n", "")
