"""Files of others, which another process opens first: what could end or never end this one ends that one."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import holo_types
from holo_types import FormatError, NamedArrays
from holo_types.files import journal, reader, trial

ROWS = 40
NAMES = NamedArrays(
    "Names", {"name": [f"text{row:03}" for row in range(ROWS)], "number": np.arange(ROWS)}, {}
)


def foreign(path: Path) -> Path:
    """Return a file that this process has not written."""
    holo_types.save(NAMES, path.with_name("ours.h5"))
    shutil.copyfile(path.with_name("ours.h5"), path)
    return path


def endless(path: Path) -> Path:
    """A text's header in the heap claims free space of length 0, at which libhdf5 loops forever."""
    content = bytearray(foreign(path).read_bytes())
    place = content.index(b"text005")
    content[place - 16 : place] = bytes(16)
    path.write_bytes(content)
    return path


def test_a_file_that_never_ends_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    begun = time.process_time()
    with pytest.raises(FormatError, match=r"a\.h5: is not opened within 1 s of computing") as caught:
        holo_types.load(endless(tmp_path / "a.h5"))
    assert "\n" not in str(caught.value)
    assert time.process_time() - begun < 1  # it was not this process that tried
    assert holo_types.load(foreign(tmp_path / "b.h5")) == NAMES


def test_texts_that_are_one_text_many_times_are_refused(tmp_path: Path) -> None:
    """A long text to which every row points expands to many times the size of the file."""
    path = tmp_path / "a.h5"
    holo_types.save(NamedArrays("Names", {"name": ["x" * 4000, *["y"] * 4095]}, {}), path)
    with h5py.File(path, "r+") as file:
        names = file["fields/name"]
        mask, stored = names.id.read_direct_chunk((0,))
        assert mask == 1  # HDF5 does not shuffle texts: each is 16 bytes that say where it lies
        names.id.write_direct_chunk((0,), zlib.compress(4096 * zlib.decompress(stored)[:16]), mask)
    with pytest.raises(FormatError, match="needs more memory than a file of its size can"):
        holo_types.load(path)


@pytest.mark.parametrize(
    ("code", "patience", "message"),
    [
        (
            "import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 11)",
            60.0,
            "crashes the process that opens",
        ),
        ("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)", 60.0, "is not opened within 1 s"),
        (
            "import sys; sys.stdin.readline(); sys.exit(1)",
            60.0,
            "tries files first cannot be started",
        ),
        ("import time; time.sleep(60)", 1.0, "is not opened within 1 s"),
    ],
)
def test_how_the_other_process_ends(
    code: str, patience: float, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(trial, "_helpers", [trial._Helper()])
    monkeypatch.setattr(trial, "_start", start)
    monkeypatch.setattr(trial, "_START", patience)
    monkeypatch.setattr(trial, "_LOADED", 0.0)
    with pytest.raises(FormatError, match=message):
        holo_types.load(foreign(tmp_path / "a.h5"))


def test_what_this_process_wrote_or_has_opened_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = foreign(tmp_path / "a.h5")
    assert holo_types.load(path) == NAMES
    monkeypatch.setattr(trial, "_helpers", [])
    assert holo_types.load(path) == holo_types.load(tmp_path / "ours.h5") == NAMES
    path.write_bytes(path.read_bytes())  # somebody may have put another in its place
    with pytest.raises(FormatError, match="list index out of range"):  # there is no other process
        holo_types.load(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_was_forked_asks_one_of_its_own(tmp_path: Path) -> None:
    holo_types.load(foreign(tmp_path / "a.h5"))
    mine = trial._helpers[-1].process
    again = foreign(tmp_path / "b.h5")
    if (child := os.fork()) == 0:
        equal = holo_types.load(again) == NAMES and trial._helpers[-1].process is not mine
        trial._helpers[-1].end()
        os._exit(0 if equal else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert holo_types.load(foreign(tmp_path / "c.h5")) == NAMES
    assert trial._helpers[-1].process is mine


def test_nothing_is_said_when_the_program_ends(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5")
    code = f"import holo_types; print(len(holo_types.load({str(path)!r}).arrays))"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_the_other_process_ends_with_the_one_that_was_killed_while_it_computes(tmp_path: Path) -> None:
    path = endless(tmp_path / "a.h5")
    with path.open("ab") as file:
        file.write(os.urandom(1 << 28))  # so that it may compute for 17 s
    code = (
        "import threading, time\n"
        "import holo_types\n"
        "from holo_types.files import trial\n"
        f"threading.Thread(target=holo_types.load, args=[{str(path)!r}], daemon=True).start()\n"
        "while trial._helpers[-1].process is None: time.sleep(0.01)\n"
        "print(trial._helpers[-1].process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        helper = Path(f"/proc/{int(asking.stdout.readline())}/stat")
        time.sleep(5)  # it has begun to compute
        assert helper.exists()
        asking.kill()
    deadline = time.monotonic() + 5
    while helper.exists() and helper.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_a_process_whose_thread_has_ended_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_helpers", [trial._Helper()])
    first, second = foreign(tmp_path / "a.h5"), foreign(tmp_path / "b.h5")
    thread = threading.Thread(target=holo_types.load, args=[first])
    thread.start()
    thread.join()
    process = trial._helpers[-1].process
    assert process is not None
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert holo_types.load(second) == NAMES
    trial._helpers[-1].end()


def test_a_process_that_cannot_be_started_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> "subprocess.Popen[bytes]":
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(trial, "_helpers", [trial._Helper()])
    monkeypatch.setattr(trial, "_start", start)
    with pytest.raises(FormatError, match="because the process that tries files first cannot be started"):
        holo_types.load(foreign(tmp_path / "a.h5"))


@pytest.mark.parametrize("change", ["replaced", "written", "removed", "journal"])
def test_the_file_that_is_tried_is_the_file_that_is_read(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = foreign(tmp_path / "a.h5"), foreign(tmp_path / "b.h5")

    def changed(stream: journal.PagedFile) -> None:
        if change == "replaced":
            other.replace(path)
        elif change == "written":
            path.write_bytes(other.read_bytes() + b"more")
        elif change == "removed":
            path.unlink()
        else:
            journal.journal_of(path).write_bytes(b"no journal")
        trial.examine(stream)

    monkeypatch.setattr(reader, "examine", changed)
    with pytest.raises(
        FormatError, match=r"a\.h5: was (?:replaced or )?written to (?:while|after) it was opened; open"
    ):
        holo_types.load(path)


@pytest.mark.skipif(os.name != "posix", reason="has no sparse files")
def test_holes_of_a_file_give_no_time_and_no_memory(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5")
    os.truncate(path, 1 << 42)
    with journal.PagedFile(path) as stream:
        assert stream.size == 1 << 42
        if path.stat().st_blocks > 1 << 20:
            pytest.skip("this file system fills holes")
        assert stream.real_size < 1 << 24
    with path.open("wb") as file:
        file.write(os.urandom(1 << 20))
    with journal.PagedFile(path) as stream:
        assert stream.real_size == 1 << 20
