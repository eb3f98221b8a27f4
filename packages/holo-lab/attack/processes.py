"""Reading of damaged files in child processes with limited time and memory, which may crash."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import attrs

from holo_types import HoloError

__all__ = ["ENDED", "EQUAL", "OTHER", "OVER", "REFUSED", "RESULT", "UNFORESEEN", "Outcome", "outcomes"]

SECONDS = 10.0  # seconds for one case; usually a hundredth is enough
MEMORY = 1_500 * 2**20  # bytes, beyond what a child has when it starts

RESULT, REFUSED = "a result", "refused in one line"
EQUAL, OTHER = "the same as without", "other values, without a word"
UNFORESEEN, ENDED, OVER = "an unforeseen error", "the process ended", "the time was over"

_FORK = multiprocessing.get_context(
    "fork"
)  # everything is imported already, so that a child need not import it again


@attrs.frozen
class Outcome:
    """The outcome of a case.

    Parameters
    ----------
    case
        The number of the case.
    verdict
        One of the verdicts of this module.
    detail
        The line of the error.
    seconds
        The time that it took.
    megabytes
        The peak memory of the child until then, beyond its memory at the start.
    """

    case: int
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


def outcomes(run: Callable[[int], str], cases: Sequence[int]) -> Iterator[Outcome]:
    """Run cases one after the other in a child process, which is replaced when a case does not return.

    Parameters
    ----------
    run
        A function that is called in the child with the number of a case and returns a verdict.
    cases
        The numbers of the cases.
    """
    left = list(cases)
    while left:
        here, there = _FORK.Pipe(duplex=False)
        child = _FORK.Process(target=_work, args=(run, tuple(left), there), daemon=True)
        child.start()
        there.close()
        while left:
            case, started = left.pop(0), time.monotonic()
            if not here.poll(SECONDS):
                yield Outcome(case, OVER, seconds=time.monotonic() - started)
                break
            try:
                yield here.recv()
            except EOFError:
                child.join()
                yield Outcome(case, ENDED, f"exit code {child.exitcode}", time.monotonic() - started)
                break
        child.kill()
        child.join()
        here.close()


def _work(run: Callable[[int], str], cases: Sequence[int], answers: Connection) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    had = _most()
    for case in cases:
        started = time.monotonic()
        try:
            verdict, detail = run(case), ""
        except HoloError as error:
            detail = str(error)
            verdict = UNFORESEEN if "\n" in detail.strip() or len(detail) > 2_000 else REFUSED
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the case is about
            verdict, detail = UNFORESEEN, f"{type(error).__name__}: {str(error)[:300]!r}"
        answers.send(Outcome(case, verdict, detail, time.monotonic() - started, _most() - had))
    answers.close()


def _most() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
