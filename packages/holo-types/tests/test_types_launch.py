"""How programs begin, in processes of their own."""

import signal
import subprocess
import sys
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
