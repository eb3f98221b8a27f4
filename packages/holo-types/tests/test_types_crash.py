"""Writers that are killed, that find the disk full, that meet each other."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import holo_types
from holo_types import HoloError, Holograms, Writer
from holo_types.files import journal
from holo_types.files.csv_files import write_csv
from holo_types.files.json_files import write_json
from holo_types.files.locks import PathLock

BASIS = holo_types.Basis(lmax=1, radial=None, channels=("image",))
ROWS = Holograms(np.arange(12.0).reshape(3, 4), BASIS, {"image": [0, 1, 2]})

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


def run(mode: str, folder: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("killed_writer.py")
    command = [sys.executable, str(script), mode, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=600
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)  # type: ignore[no-any-return]


@needs_fork
def test_a_writer_killed_at_any_step_leaves_a_file_that_opens_and_resumes(tmp_path: Path) -> None:
    result = run("steps", tmp_path)
    assert result["kills"] > 40  # every write (in its middle), fsync, rename, truncation and removal
    assert len(result["states"]) >= 5


@needs_fork
def test_a_writer_killed_at_twenty_random_times_loses_and_doubles_nothing(tmp_path: Path) -> None:
    result = run("random", tmp_path)
    assert result["kills"] == 20
    assert len(result["states"]) >= 4  # the kills did not all fall before the first commit


@needs_fork
def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    assert run("full", tmp_path)["refused"] >= 8


@needs_fork
def test_streaming_takes_little_memory(tmp_path: Path) -> None:
    assert run("memory", tmp_path)["added"] < 80  # MB, while 100 MB pass through


def test_a_journal_that_is_not_whole_or_another_files_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(ROWS, path)
    size = path.stat().st_size
    page = b"\xff" * journal.PAGE
    good = journal._Journal(size, size, {0: page}).to_bytes()
    for content in (b"", good[:100], good[:-1], good[:-1] + b"x", b"x" + good[1:]):
        journal.journal_of(path).write_bytes(content)
        assert holo_types.load(path) == ROWS
    journal.journal_of(path).write_bytes(journal._Journal(size + 1, size + 1, {0: page}).to_bytes())
    assert holo_types.load(path) == ROWS
    journal.journal_of(path).write_bytes(good)
    with pytest.raises(holo_types.FormatError, match=r"a\.h5: "):
        holo_types.load(path)  # which shows that a whole journal of this file is heeded
    holo_types.save(ROWS, path)
    assert not journal.journal_of(path).exists()


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with Writer(path) as first:
        first.append(ROWS)
        first.commit()
        for refused in (
            lambda: Writer(path),
            lambda: Writer(path, resume=True),
            lambda: holo_types.save(ROWS, path),
        ):
            with pytest.raises(
                HoloError, match=r"a\.h5: another run is alive and writes it \(process \d+ on "
            ):
                refused()
    with Writer(path, resume=True) as second:
        assert len(second) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_has_its_file_before_there_is_anything_to_write(tmp_path: Path) -> None:
    with Writer(tmp_path / "a.h5") as first:
        with pytest.raises(HoloError, match="another run is alive"):
            Writer(tmp_path / "a.h5")
        first.append(ROWS)
    assert holo_types.load(tmp_path / "a.h5") == ROWS


@needs_fork
def test_of_two_runs_that_begin_one_file_at_once_one_is_refused(tmp_path: Path) -> None:
    assert run("race", tmp_path)["races"] == 20


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_or_replaced_is_not_said_to_be_written(
    replaced: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    writer = Writer(path)
    writer.append(ROWS)
    writer.commit()
    path.unlink()
    if replaced:
        path.write_bytes(b"of somebody else")
    writer.append(ROWS)
    with pytest.raises(
        HoloError, match=r"a\.h5: was removed or replaced while this run wrote it; the 3 rows"
    ):
        writer.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"] * replaced
    assert not replaced or path.read_bytes() == b"of somebody else"


def test_after_some_seconds_what_was_appended_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Writer(tmp_path / "a.h5") as writer:
        writer.append(ROWS)
        assert not (tmp_path / "a.h5").exists()
        now[0] += 3.0
        writer.append(ROWS)
        assert len(holo_types.load(tmp_path / "a.h5")) == 6
        writer.append(ROWS)
        assert len(holo_types.load(tmp_path / "a.h5")) == 6


def test_what_killed_runs_left_unfinished_is_removed_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    left = [tmp_path / name for name in (".a.h5.01234567.tmp", ".a.h5.01234567.tmp-journal", ".a.h5.lock")]
    others = [
        tmp_path / name
        for name in (".b.h5.01234567.tmp", ".a.h5.tmp", "a.h5.01234567.tmp", ".ah5.0123abcd.tmp")
    ]
    for file in (*left, *others):
        file.write_bytes(b"")
    holo_types.save(ROWS, path)
    assert set(tmp_path.iterdir()) == {path, *others}


def test_a_lock_of_a_folder_makes_it_and_removes_it_if_nothing_came(tmp_path: Path) -> None:
    for kept in (False, True):
        with PathLock(tmp_path / "new" / "run", folder=True) as first:
            assert first.held()
            assert not first.others()
            with pytest.raises(HoloError, match="run: another run is alive and writes into it"):
                PathLock(tmp_path / "new" / "run", folder=True)
            if kept:
                (tmp_path / "new" / "run" / "file").touch()
                assert first.others()
        assert (tmp_path / "new" / "run").exists() == kept
    assert [file.name for file in (tmp_path / "new" / "run").iterdir()] == ["file"]


def test_a_lock_notices_that_its_folder_is_gone_or_another_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with PathLock(folder, folder=True) as first:
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(HoloError, match="run: was removed or replaced while this run wrote to it"):
            first.check()
        with PathLock(folder, folder=True) as second:
            assert not first.held()
            first.release()
            second.check()


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_an_interrupt_waits_until_the_commit_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    write = journal.PagedFile.write

    def interrupted(self: journal.PagedFile, content: object) -> int:
        signal.raise_signal(signal.SIGINT)
        return write(self, content)

    writer = Writer(path)
    writer.append(ROWS)
    monkeypatch.setattr(journal.PagedFile, "write", interrupted)
    # A shell starts what it runs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            writer.commit()
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert holo_types.load(path) == ROWS
    writer.append(ROWS)
    writer.close()
    assert holo_types.load(path) == holo_types.concatenate([ROWS, ROWS])


def test_a_commit_that_fails_after_its_journal_is_whole_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "a.h5", tmp_path / "links" / "b.h5"
    link.parent.mkdir()
    try:
        link.symlink_to(path)  # whichever name is used, there is one journal
    except OSError:
        link = path  # this system makes no links

    def fail(_self: object, _journal: object) -> None:
        raise OSError(5, "Input/output error")

    with Writer(link) as writer:
        writer.append(ROWS)
        writer.commit()
        writer.append(ROWS)
        with monkeypatch.context() as patch:
            patch.setattr(journal.PagedFile, "_apply", fail)
            with pytest.raises(HoloError, match=r"\.h5: cannot be written: Input/output error"):
                writer.commit()
        assert journal.journal_of(path).exists()
        assert len(writer) == len(holo_types.load(path)) == 6
    assert holo_types.load(path) == holo_types.concatenate([ROWS, ROWS])


def test_what_is_forgotten_is_closed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.h5")
    writer.append(ROWS)
    writer.commit()
    del writer
    gc.collect()
    with Writer(tmp_path / "a.h5", resume=True) as second:  # the lock is free
        assert len(second) == 3


def test_a_writer_works_in_a_thread(tmp_path: Path) -> None:
    thread = threading.Thread(target=holo_types.save, args=(ROWS, tmp_path / "a.h5"))
    thread.start()
    thread.join()
    assert holo_types.load(tmp_path / "a.h5") == ROWS


def test_a_lock_whose_release_is_interrupted_closes_its_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of the closed file may be of another one by the time that the lock is deleted."""
    lock, close = PathLock(tmp_path / "rows.h5"), os.close

    def interrupted(descriptor: int) -> None:
        close(descriptor)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.release()
    lock.release()


def linked(path: Path, target: Path) -> Path:
    """Make a link, as somebody else may have left one in a folder."""
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")
    return path


@pytest.mark.parametrize("way", ["link", "second name", "content", "pipe", "folder"])
@pytest.mark.parametrize("folder", [False, True])
def test_only_a_lock_of_holo_is_written_to(way: str, folder: bool, tmp_path: Path) -> None:
    """Whoever made the folder may have put the name of one of the user's files in the place of the lock."""
    other, path = tmp_path / "other", tmp_path / "run" / "rows.h5"
    path.parent.mkdir()
    place = path.parent / (".lock" if folder else ".rows.h5.lock")
    other.write_text("process of the user" if way == "second name" else "mine")
    if way == "link":
        linked(place, other)
    elif way == "second name":
        place.hardlink_to(other)
    elif way == "pipe" and hasattr(os, "mkfifo"):
        os.mkfifo(place)
    elif way == "folder":
        place.mkdir()
    else:
        place.write_text("mine")
    kept = other.read_bytes(), place.lstat().st_size
    with pytest.raises(HoloError, match=r"is not written, because .*lock is no lock of Holo") as caught:
        PathLock(path.parent if folder else path, folder=folder)
    assert "\n" not in str(caught.value)
    assert (other.read_bytes(), place.lstat().st_size) == kept


@pytest.mark.parametrize(
    "left", [b"", b"proc", b"process 1 on a machine with a long name that is no longer there"]
)
def test_the_lock_of_a_killed_run_is_taken_over(left: bytes, tmp_path: Path) -> None:
    (tmp_path / ".rows.h5.lock").write_bytes(left)
    with PathLock(tmp_path / "rows.h5"):
        assert (tmp_path / ".rows.h5.lock").read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_neither_read_nor_written_through_a_link(tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", tmp_path / "other"
    holo_types.save(ROWS, path)
    other.write_bytes(b"mine")
    linked(journal.journal_of(path), other)
    with pytest.raises(HoloError, match=r"a\.h5\.journal is a link or no regular file"):
        holo_types.load(path)
    with pytest.raises(HoloError, match=r"a\.h5\.journal is a link or no regular file"):
        Writer(path, resume=True)
    journal.journal_of(path).unlink()
    with Writer(path, resume=True) as writer:
        writer.append(ROWS)
        linked(journal.journal_of(path), other)  # after the writer began
        writer.commit()
    assert other.read_bytes() == b"mine"
    assert len(holo_types.load(path)) == 6


def test_a_journal_is_read_only_if_its_size_fits(tmp_path: Path) -> None:
    """A journal without end, or one that claims more pages than the file has, would fill the memory."""
    path = tmp_path / "a.h5"
    holo_types.save(ROWS, path)
    size, place = path.stat().st_size, journal.journal_of(path)
    with place.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(HoloError, match=r"a\.h5\.journal has 1099511627776 bytes; it may have"):
        holo_types.load(path)
    header = journal._HEADER.pack(journal._MAGIC, size, size, 10_000)
    with place.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 10_000 * (8 + journal.PAGE) + 32)
    tracemalloc.start()
    assert holo_types.load(path) == ROWS
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 24
    if hasattr(os, "mkfifo"):
        place.unlink()
        os.mkfifo(place)
        with pytest.raises(HoloError, match=r"a\.h5\.journal is a link or no regular file"):
            holo_types.load(path)


def test_no_link_is_followed_in_a_folder_that_only_holo_writes(tmp_path: Path) -> None:
    other, run = tmp_path / "other", tmp_path / "run"
    holo_types.save(ROWS, other)
    kept = other.read_bytes()
    (run / "model").mkdir(parents=True)
    names = ("a.json", "a.csv", "a.h5", "b.h5", "model/c.json")
    for name in names:
        linked(run / name, other)
    with PathLock(run, folder=True):
        write_json(run / "a.json", {})
        write_csv(run / "a.csv", ["id"], [])
        holo_types.save(ROWS, run / "a.h5")
        with pytest.raises(HoloError, match=r"b\.h5"), Writer(run / "b.h5", resume=True) as writer:
            writer.append(ROWS)
        with Writer(run / "b.h5") as writer:
            writer.append(ROWS)
        write_json(run / "model" / "c.json", {})
    assert other.read_bytes() == kept
    assert not any((run / name).is_symlink() for name in names)
    linked(tmp_path / "named.json", tmp_path / "elsewhere.json")
    write_json(tmp_path / "named.json", {})  # a link that the user names is followed
    assert (tmp_path / "elsewhere.json").exists()
