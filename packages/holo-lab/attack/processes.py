"""Cases in child processes, each with little time and little memory, which may die of what they read."""

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

SECONDS = 10.0  # for one case; a hundredth is usual
MEMORY = 1_500 * 2**20  # bytes, beyond what a child has when it starts

RESULT, REFUSED = "a result", "refused in one line"
EQUAL, OTHER = "the same as without", "other values, without a word"
UNFORESEEN, ENDED, OVER = "an unforeseen error", "the process ended", "the time was over"

_FORK = multiprocessing.get_context("fork")  # all is imported: a child need not import it again


@attrs.frozen
class Outcome:
    """What came of a case.

    Parameters
    ----------
    case
        Its number.
    verdict
        One of this module's words.
    detail
        The error's line.
    seconds
        How long it took.
    megabytes
        How much memory the child has taken at most until then, beyond what it had when it started.
    """

    case: int
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


def outcomes(run: Callable[[int], str], cases: Sequence[int]) -> Iterator[Outcome]:
    """Run cases one after the other in a child; the next in another, when one does not come back.

    Parameters
    ----------
    run
        Called in the child with the number of a case; it gives a verdict.
    cases
        The numbers.
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
    """Return how many MB this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
