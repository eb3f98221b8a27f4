"""A trial opening of other people's HDF5 files, in a separate process.

A file can be crafted or damaged so that libhdf5 loops forever, takes all memory or crashes the process, and no check in
Python can run before that. So a file that this process has not written is first opened in another process with a
limit of time and memory, which reads as a reader would: all descriptions of the arrays, and all texts, whose sizes only
HDF5 knows. One such process serves any number of files; it ends with this process.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from holo_types.errors import HoloError

from .containment import GROUPS, check_sizes, member_names, open_dataset, root_attributes
from .journal import PagedFile, open_hdf5

__all__ = ["examine", "limit_process", "serve"]

_SECONDS = 1.0  # seconds of computing, and one more for every so many bytes of the file:
_BYTES_PER_SECOND = 1 << 24
_MOST_SECONDS = 600.0
_START, _LOADED = 30.0, 20.0  # seconds to start, and the factor on time, on a loaded machine
_MEMORY = 1 << 30  # bytes, and twice the file
_ROWS = 1 << 14  # texts read at once
_ENDED_BY_LIMIT = (9, 24)  # SIGKILL, by the timer; SIGXCPU
_ENDED_WITH_PARENT = 15  # SIGTERM
_PR_SET_PDEATHSIG = 1  # Linux, `man prctl`

# The message for each outcome.
_HARMLESS, _LARGE, _ENDLESS, _CRASHED, _FAILED = "harmless", "large", "endless", "crashed", "failed"
_ALONE = "alone"  # the thread that started the process has ended, and the process with it
_REASONS = {
    _LARGE: "needs more memory than a file of its size can; it is damaged or malicious",
    _ENDLESS: "is not opened within {seconds:.0f} s of computing; it is damaged or malicious",
    _CRASHED: "crashes the process that opens it; it is damaged or malicious",
    _ALONE: "is not read, because the process that tries files first was ended",
    _FAILED: "is not read, because the process that tries files first cannot be started",
}
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class _Helper:
    """The process that tries files first; it is started when a file needs it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, request: dict[str, Any], patience: float) -> str:
        """Return what the process reports about a file, or how it ended."""
        answer = self._ask_once(request, patience)
        return self._ask_once(request, patience) if answer == _ALONE else answer

    def _ask_once(self, request: dict[str, Any], patience: float) -> str:
        try:
            process = self.process = self.process or _start()
        except OSError:
            return _FAILED
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(patience, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline().decode().strip()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return answer
        self.end()
        if process.returncode >= 0:
            return _FAILED
        if -process.returncode == _ENDED_WITH_PARENT:
            return _ALONE
        return _ENDLESS if -process.returncode in _ENDED_BY_LIMIT else _CRASHED

    def end(self) -> None:
        """End the process."""
        if self.process is None:
            return
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


_helpers = [_Helper()]  # the last one is ours; the others belong to processes that forked this one


def _end() -> None:
    _helpers[-1].end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _helpers.append(_Helper()))
atexit.register(_end)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # so that Ctrl-C does not reach it
    )


def examine(stream: PagedFile) -> None:
    """Open a file in a separate process, unless this process has written it or opened it before.

    Parameters
    ----------
    stream
        The file, opened for reading.

    Raises
    ------
    HoloError
        If libhdf5 does not finish, crashes, or needs more memory than such a file can.
    """
    if stream.trusted():
        return
    size = stream.real_size
    seconds = min(_SECONDS + size / _BYTES_PER_SECOND, _MOST_SECONDS)
    request = {"path": str(stream.path), "seconds": seconds, "memory": _MEMORY + 2 * size}
    helper = _helpers[-1]
    with helper.lock:
        answer = helper.ask(request, _START + _LOADED * seconds)
    outcome, _, tried = answer.partition(" ")
    if outcome != _HARMLESS:
        raise HoloError(_REASONS[outcome].format(seconds=seconds))
    if tried != _described(stream):
        raise HoloError("was replaced or written to while it was opened; open it again")
    stream.trust()


def _described(stream: PagedFile) -> str:
    """Return which file was opened, in which state, so that the file that was tried is the file that is read."""
    return " ".join(map(str, stream.opened))


# The code that runs in the other process


def serve() -> None:
    """Open the requested files, one a line, until there are no more requests or the process that asks has ended."""
    _end_with_parent()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limit_process(request["seconds"], request["memory"])
        sys.stdout.write(_looked_at(Path(request["path"])) + "\n")
        sys.stdout.flush()


def _end_with_parent() -> None:
    """Let Linux end this process if the one that asks is killed, even while HDF5 computes and Python does not."""
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _ENDED_WITH_PARENT, 0, 0, 0)


def limit_process(seconds: float, memory: int) -> None:
    """Let the system end this process if it exceeds a limit of time or memory; Windows does not support this.

    Parameters
    ----------
    seconds
        Seconds of computing from now on.
    memory
        The size of the address space, in bytes.
    """
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, most))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or memory < most:
        resource.setrlimit(resource.RLIMIT_AS, (memory, most))


def _looked_at(path: Path) -> str:
    """Do what reading does with a file, and return the outcome and which file it was.

    Other errors in it are left to its reader to report.
    """
    try:
        with PagedFile(path) as stream:
            return f"{_tried(stream)} {_described(stream)}"
    except MemoryError:
        return _LARGE
    except Exception:  # noqa: BLE001 - the reader opened it: it is another file by now
        return _HARMLESS


def _tried(stream: PagedFile) -> str:
    try:
        with open_hdf5(stream, "r") as file:
            root_attributes(file)
            datasets, texts = list(_datasets(file)), 0
            check_sizes(file, datasets)  # otherwise the walk might not end
            for dataset in datasets:
                texts += _walk(dataset)
                if texts > stream.real_size:
                    return _LARGE
    except MemoryError:
        return _LARGE
    except Exception as error:  # noqa: BLE001 - whatever it is, the reader meets it too
        return _LARGE if "alloc" in str(error) else _HARMLESS
    return _HARMLESS


def _datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    """Yield the datasets of the schema; nothing else of a file is ever opened."""
    for name in sorted({"checksums", *GROUPS}.intersection(member_names(file))):
        try:
            paths = [f"{name}/{inner}" for inner in member_names(file, name)]
        except HoloError:
            paths = [name]
        for path in paths:
            with contextlib.suppress(HoloError, KeyError):
                yield open_dataset(file, path)


def _walk(dataset: h5py.Dataset) -> int:
    """Visit every chunk and read all texts; return the size of the texts in bytes."""
    rows, chunk = len(dataset), dataset.chunks[0]
    others = (0,) * (dataset.ndim - 1)
    for start in range(0, rows, chunk):
        dataset.id.get_chunk_info_by_coord((start, *others))
    if not h5py.check_string_dtype(dataset.dtype):
        return 0
    return sum(len(text) for start in range(0, rows, _ROWS) for text in dataset[start : start + _ROWS])
