"""Rows that wait to be embedded, in the order of their turns."""

import heapq
import itertools
import threading
import time
from concurrent.futures import Future
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_ROWS", "EmbeddedRows", "Job", "NotFinite", "Waiting"]

MOST_ROWS = 128  # of several requests in a batch: more are not faster
_ROW_SECONDS = 0.004  # about what a row takes; see `Waiting.put`


class NotFinite(Exception):
    """Of a job's rows not all have an embedding that is finite."""


@attrs.frozen(eq=False)
class EmbeddedRows:
    """What came of a job.

    Parameters
    ----------
    arrays
        The fields of `Embeddings`, and ``training_distance`` if the model carries training rows.
    seconds
        What the job took, its share of a batch.
    waited
        Seconds before it began.
    """

    arrays: dict[str, NDArray[Any]]
    seconds: float
    waited: float


@attrs.define(eq=False)
class Job:
    """Rows of one request.

    Parameters
    ----------
    coefficients
        Of each row, ``[n, dim]``.
    turn
        When it is its turn, in seconds of the clock.
    """

    coefficients: NDArray[Any]
    turn: float
    future: "Future[EmbeddedRows]" = attrs.field(factory=Future, init=False)
    put: float = attrs.field(factory=time.monotonic, init=False)
    alone: bool = attrs.field(default=False, init=False)  # it was in a batch whose process was lost


class Waiting:
    """Jobs for the processes of one model.

    Parameters
    ----------
    together
        Whether small ones may be put into one batch.
    """

    def __init__(self, together: bool) -> None:
        self.together = together
        self._jobs: list[tuple[float, int, Job]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, coefficients: NDArray[Any], before: int = 0) -> Job:
        """Let rows wait.

        Parameters
        ----------
        coefficients
            The rows.
        before
            How many of the same request were put already. They have their turn first, and so much later is that of
            these, as if they came one after the other: a request of ten thousand rows holds up no small one, and is
            held up by none for ever.
        """
        job = Job(coefficients, time.monotonic() + _ROW_SECONDS * before)
        self._put(job)
        return job

    def put_back(self, job: Job) -> None:
        """Let a job wait once more, for a batch of its own."""
        job.alone = True
        self._put(job)

    def _put(self, job: Job) -> None:
        with self._changed:
            heapq.heappush(self._jobs, (job.turn, next(self._number), job))
            self._changed.notify()

    def take(self) -> list[Job]:
        """Wait for jobs, and take those of one batch; none if there will be no more."""
        with self._changed:
            while not (taken := self._next()):
                if self._closed:
                    return []
                self._changed.wait()
            return taken

    def _next(self) -> list[Job]:
        taken: list[Job] = []
        left: list[tuple[float, int, Job]] = []
        rows = 0
        while self._jobs:
            entry = heapq.heappop(self._jobs)
            job = entry[2]
            if job.future.cancelled():
                continue
            fits = not taken or (
                self._joins(taken[0]) and self._joins(job) and rows + len(job.coefficients) <= MOST_ROWS
            )
            if not fits:
                left.append(entry)
                if rows >= MOST_ROWS or not self._joins(taken[0]):
                    break
            elif job.alone or job.future.set_running_or_notify_cancel():
                taken.append(job)
                rows += len(job.coefficients)
        for entry in left:
            heapq.heappush(self._jobs, entry)
        return taken

    def _joins(self, job: Job) -> bool:
        small = len(job.coefficients) < MOST_ROWS and job.coefficients.dtype == np.float32
        return self.together and small and not job.alone

    def close(self) -> None:
        """Let nobody wait for more once all is done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
