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

MOST_ROWS = 128  # in a batch of several requests; larger batches are not faster
_ROW_SECONDS = 0.004  # approximate time for one row; see `Waiting.put`


class NotFinite(Exception):
    """Some rows of a job have an embedding that is not finite."""


@attrs.frozen(eq=False)
class EmbeddedRows:
    """The result of a job.

    Parameters
    ----------
    arrays
        The fields of `Embeddings`, and ``training_distance`` if the model carries training rows.
    seconds
        The duration of the job: its share of a batch.
    waited
        Seconds before it started.
    """

    arrays: dict[str, NDArray[Any]]
    seconds: float
    waited: float


@attrs.define(eq=False)
class Job:
    """The rows of one request.

    Parameters
    ----------
    coefficients
        The coefficients of each row, ``[n, dim]``.
    turn
        The time of its turn, in seconds of the clock.
    """

    coefficients: NDArray[Any]
    turn: float
    future: "Future[EmbeddedRows]" = attrs.field(factory=Future, init=False)
    put: float = attrs.field(factory=time.monotonic, init=False)
    alone: bool = attrs.field(default=False, init=False)  # whether it was in a batch whose process was lost


class Waiting:
    """The jobs that wait for the processes of one model.

    Parameters
    ----------
    together
        Whether small jobs may be combined into one batch.
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
        """Add rows to the jobs that wait.

        Parameters
        ----------
        coefficients
            The rows.
        before
            The number of rows of the same request that were added before. They have their turn first, and the turn of
            these rows is later by the time that they take, as if the rows came one after the other. A request of ten
            thousand rows therefore does not delay small ones, and is not delayed by others forever.
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
        """Wait for jobs, and return those of one batch; none if there will be no more."""
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
        """Stop waiting for more jobs once all are done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
