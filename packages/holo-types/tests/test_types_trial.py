"""Files of others, which another process opens first: what could end or never end this one ends that one."""

import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

import holo_types
from holo_types import FormatError, NamedArrays
from holo_types.files import trial

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
    with pytest.raises(IndexError):
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
