"""Supervised processes that run cases, with little memory and little time, and that may die."""

import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

import attrs
from cases import outcomes
from check import FAILED, NAMED, Outcome
from differences import CRASH

__all__ = ["MEMORY", "SECONDS", "Result", "results"]

SECONDS = 20.0  # of processor time for one reading of one file; a hundredth of this is usual
MEMORY = 2**30  # bytes, beyond what a worker has when it starts

_FORK = multiprocessing.get_context("fork")  # so that replacements of dead processes need not import again


@attrs.frozen
class Result:
    """The result for one file of a case.

    Parameters
    ----------
    form, name
        The case.
    outcome
        The outcome.
    content
        The file if it failed, with its name; otherwise None.
    """

    form: str
    name: str
    outcome: Outcome
    content: tuple[str, bytes] | None = None


@attrs.define
class _Worker:
    """A process, the cases that it still has to run, and its last message."""

    folder: Path
    cases: list[tuple[str, str]]
    connection: Connection = attrs.field(init=False)
    process: multiprocessing.process.BaseProcess = attrs.field(init=False)
    stage: str = ""
    since: float = 0.0

    def start(self) -> None:
        self.connection, inner = _FORK.Pipe()
        self.process = _FORK.Process(target=_work, args=(inner, self.folder, self.cases), daemon=True)
        self.process.start()
        inner.close()
        self.stage, self.since = "", self.processor_seconds()

    def processor_seconds(self) -> float:
        """Return how long it has computed; on a busy machine it may wait for minutes, which does not count."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(connection: Connection, folder: Path, cases: Sequence[tuple[str, str]]) -> None:
    """Run cases one after the other, and send their outcomes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for form, name in cases:
        for outcome, path in outcomes(form, name, folder, lambda stage: connection.send(("stage", stage))):
            content = (path.name, path.read_bytes()) if outcome.verdict == FAILED else None
            connection.send(("result", Result(form, name, outcome, content)))
        connection.send(("next", None))
    connection.close()


def results(cases: Sequence[tuple[str, str]], count: int) -> Iterator[Result]:
    """Run cases in processes, and yield the outcome of each file.

    If a process dies or takes too long while the package under test reads, that is a failure; while another reader
    reads, it is a difference, ``the other reader crashes``. Another process then continues with the next case.
    """
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    workers = [_Worker(place / str(i), list(cases[i::count])) for i in range(count)]
    try:
        for worker in workers:
            worker.folder.mkdir()
            worker.start()
        while workers:
            ready = wait([worker.connection for worker in workers], timeout=1.0)
            for worker in list(workers):
                if worker.connection in ready:
                    yield from _heard(worker, workers)
                elif worker.processor_seconds() - worker.since > SECONDS:
                    worker.process.kill()
                    yield _lost(worker, f"it took more than {SECONDS:.0f} s")
                    _go_on(worker, workers)
    finally:
        for worker in workers:
            worker.process.kill()
        shutil.rmtree(place)


def _heard(worker: _Worker, workers: list[_Worker]) -> Iterator[Result]:
    try:
        kind, value = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        if not worker.cases:
            workers.remove(worker)
            return
        code = worker.process.exitcode or 0
        yield _lost(
            worker, f"its process died: {signal.Signals(-code).name if code < 0 else f'exit status {code}'}"
        )
        _go_on(worker, workers)
        return
    worker.since = worker.processor_seconds()
    if kind == "stage":
        worker.stage = value
    elif kind == "result":
        worker.stage = ""
        yield value
    else:
        worker.stage = ""
        del worker.cases[0]


def _lost(worker: _Worker, reason: str) -> Result:
    form, name = worker.cases[0]
    if worker.stage == "other":
        return Result(form, name, Outcome(NAMED, (CRASH,)))
    path = max(worker.folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    return Result(form, name, Outcome(FAILED, (reason,)), (path.name, path.read_bytes()))


def _go_on(worker: _Worker, workers: list[_Worker]) -> None:
    worker.process.join()
    worker.connection.close()
    del worker.cases[0]
    if worker.cases:
        worker.start()
    else:
        workers.remove(worker)
