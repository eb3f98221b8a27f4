"""Runs that are told to end, in separate processes: no worker stays, and what was written is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import holo_types
from holo_features.datasets import example_structures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux lists them")

# Two workers that are busy for longer than any test, and let no other thread of theirs run.
BUSY = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where the tests run
import ctypes
from functools import partial
from holo_features.encoding.parallel import map_in_order
list(map_in_order(partial(eval, "__import__('ctypes').PyDLL(None).sleep(seconds)"), [{"seconds": 100}] * 2, 2))
"""


def children(process: int) -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        if parent == process:
            found.add(int(status.parent.name))
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition) -> None:
    end = time.monotonic() + 300  # however busy the machine is
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(number):
    parent = subprocess.Popen([sys.executable, "-c", BUSY], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(children(parent.pid)) == 2)
    workers = children(parent.pid)
    parent.send_signal(number)
    parent.wait()
    wait_until(lambda: not any(map(alive, workers)))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_that_is_told_to_end_keeps_what_it_has(tmp_path, number, status, workers):
    paths = example_structures()[:12]
    slow = [
        sys.executable,
        "-c",
        SLOW,
        "structures",
        *map(str, paths),
        "--out",
        "out.h5",
        "--workers",
        workers,
    ]
    run = subprocess.Popen(slow, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until((tmp_path / "taken").exists)
    os.killpg(run.pid, number)  # as a terminal does
    _, said = run.communicate()
    assert run.returncode == status
    assert said.splitlines()[-1].endswith(". What was already written is kept.")
    assert "Traceback" not in said
    with holo_types.open(tmp_path / "out.h5") as reader:
        assert not reader.complete
        assert reader.index["structure"][0] == paths[0].name.partition(".")[0]
    assert {path.name for path in tmp_path.iterdir()} == {"out.h5", "out.skipped.csv", "taken"}


# The command, which waits for ever after it has taken three results.
SLOW = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where the tests run
import sys, time
from pathlib import Path
from holo_features.cli.program import main
from holo_types import Writer
append, count = Writer.append, 0
def slow(writer, rows):
    global count
    append(writer, rows)
    count += 1
    if count == 3:
        Path("taken").touch()
        while True:
            time.sleep(0.05)  # one long sleep would not see a signal that came just before it
Writer.append = slow
sys.exit(main())
"""
