"""Write a file in processes that are killed, and check after each kill what is left.

Run by test_types_crash.py in a process of its own, since it forks: ``killed_writer.py MODE FOLDER``. It
prints one line of JSON, and fails if a file is not what it must be.
"""

import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import holo_types
from holo_types.files import journal, reader, writer

BASIS = holo_types.Basis(lmax=4, radial=holo_types.Zernike(6, 10.0), channels=("C", "N"))
BATCHES = 30
STEPS = ("write", "fsync", "replace", "ftruncate", "unlink")


def batch(number: int) -> holo_types.Holograms:
    """Return the rows of one append: 1 to 9 of them, of about 300 bytes each."""
    values = np.random.default_rng(number).standard_normal((1 + number % 9, BASIS.dim)).astype(np.float32)
    index = {"batch": [number] * len(values), "name": [f"number {number}"] * len(values)}
    return holo_types.Holograms(values, BASIS, index)


def expected(batches: int) -> holo_types.Holograms:
    return holo_types.concatenate([batch(number) for number in range(batches)])


def write(path: Path) -> None:
    with holo_types.Writer(path, resume=True) as writer:
        done = writer.index["batch"].max() + 1 if len(writer) else 0
        for number in range(done, BATCHES):
            writer.append(batch(number))


def check(path: Path, at_least: int) -> int:
    """Check that the file holds whole appends, none lost and none doubled; return their number."""
    if not path.exists():
        assert at_least == 0, "a file that was there has gone"
        return 0
    before = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()}
    with holo_types.open(path) as reader:
        there, complete = reader[:], reader.complete
    after = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()}
    assert before == after, "reading changed a file"
    batches = len(set(there.index["batch"].tolist()))
    assert batches >= at_least, "committed rows are lost"
    assert there == expected(batches), "the rows are not the first appends"
    assert batches == BATCHES or not complete, "an interrupted file claims to be complete"
    return batches


def check_finished(path: Path) -> None:
    with holo_types.open(path) as reader:
        assert reader.complete
        assert reader[:] == expected(BATCHES)
    assert not journal.journal_of(path).exists(), "a journal is left"


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)  # the child must not go on with its parent's work
    return child


def die_at(step: int) -> None:
    """Make the process kill itself at one step of what it does to the disk, or in the middle of a write."""
    done = 0

    def dying(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                if name == "write":
                    function(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call

    for name in STEPS:
        setattr(os, name, dying(name, getattr(os, name)))


def kill_at_every_step(folder: Path) -> dict[str, object]:
    """Kill a fresh run at its first step, another at its second, and so on, until one finishes."""
    found, step = set(), 0
    while True:
        step += 1
        path = folder / f"{step}" / "data.h5"
        path.parent.mkdir()

        def work(path: Path = path, step: int = step) -> None:
            die_at(step)
            write(path)

        _, status = os.waitpid(in_child(work), 0)
        found.add(check(path, 0))
        if status == 0:
            break
        assert os.WIFSIGNALED(status), "the child failed by itself"
        write(path)
        check_finished(path)
    return {"kills": step - 1, "states": sorted(found)}


def kill_at_random(folder: Path) -> dict[str, object]:
    """Kill twenty times, each time continuing what is left; a run that finishes is followed by another."""
    chance, kills, runs, reached = random.Random(0), 0, 0, 0
    states = set()
    path = folder / "0.h5"
    start = time.perf_counter()
    os.waitpid(in_child(lambda: write(folder / "whole.h5")), 0)
    whole = time.perf_counter() - start  # so that the kills spread over a run, however slow the disk is now
    while kills < 20:
        child = in_child(lambda path=path: write(path))  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, whole))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        reached = check(path, reached)
        if os.WIFSIGNALED(status):
            kills += 1
            states.add(reached)
        else:
            assert status == 0, "the child failed by itself"
            check_finished(path)
            runs, reached = runs + 1, 0
            path = folder / f"{runs}.h5"
    write(path)
    check_finished(path)
    return {"kills": kills, "states": sorted(states)}


def fill_the_disk(folder: Path) -> dict[str, object]:
    """Make the disk full at many sizes; then give it room again, and continue in the same process."""
    refused: list[bool] = []
    for size in range(2_000, 100_000, 24_000):
        path = folder / f"{size}.h5"
        with holo_types.Writer(path) as writer:
            for number in range(BATCHES):
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
                try:
                    writer.append(batch(number))
                except holo_types.HoloError as error:
                    refused.append(str(error).startswith(f"{path}: cannot be written: File too large"))
                    check(path, 0)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            assert len(writer) == len(expected(BATCHES))
        check_finished(path)
    assert all(refused), "an error does not name the file"
    return {"refused": len(refused)}


def race(folder: Path) -> dict[str, object]:
    """Let two processes begin one file at once: one is refused, and the file is the other's."""
    races = 0
    for number in range(20):
        path = folder / f"{number}.h5"
        ready, start = os.pipe()
        refused, tell = os.pipe()

        def work(own: int, path: Path = path, files: tuple[int, ...] = (ready, start, refused, tell)) -> None:
            os.close(files[1])
            os.read(files[0], 1)  # until the parent closes its end
            try:
                with holo_types.Writer(path) as writer:
                    os.read(files[2], 1)  # until the other one is refused
                    writer.append(batch(own))
            except holo_types.HoloError as error:
                assert "another run is alive" in str(error), error  # noqa: PT017 - this is no test function
                os.write(files[3], b"x")
                os._exit(3)

        children = [in_child(lambda own=own: work(own)) for own in (0, 1)]  # type: ignore[misc]
        for descriptor in (ready, start, refused, tell):
            os.close(descriptor)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(ends) == [0, 3], ends
        with holo_types.open(path) as reader:
            assert reader.complete
            assert reader[:] == batch(ends.index(0))
        assert not list(folder.glob(".*")), "something is left"
        races += 1
    return {"races": races}


def memory(folder: Path) -> dict[str, object]:
    """Return the MB that streaming 100 MB to a file and back adds to the process."""
    basis = holo_types.Basis(lmax=6, radial=holo_types.Zernike(20, 10.0), channels=("C", "N", "O", "S"))
    values = np.random.default_rng(0).standard_normal((200, basis.dim)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with holo_types.Writer(folder / "data.h5") as writer:
        for number in range(75):
            writer.append(holo_types.Holograms(values, basis, {"batch": [number] * 200}))
    with holo_types.open(folder / "data.h5") as reader:
        assert sum(len(part) for part in reader.chunks(500)) == 15_000
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"added": (after - before) / (1e3 if sys.platform == "linux" else 1e6)}


MODES = {
    "steps": kill_at_every_step,
    "random": kill_at_random,
    "race": race,
    "full": fill_the_disk,
    "memory": memory,
}

if __name__ == "__main__":
    # Of a killed process the system keeps all that it wrote; waiting for the disk only helps in a power cut.
    os.fsync = lambda _descriptor: None  # type: ignore[assignment]
    # All files are its own, but of many processes, each of which would start one more to look at them.
    reader.examine = lambda _: None
    if sys.argv[1] != "memory":
        writer._COMMIT_BYTES = 6_000 if sys.argv[1] != "steps" else 16_000  # commits every few appends
    sys.stdout.write(json.dumps(MODES[sys.argv[1]](Path(sys.argv[2]))) + "\n")
