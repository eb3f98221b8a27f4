"""joblib's Dask backend, made to hold where workers are few or are killed."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib._dask import DaskDistributedBackend

__all__ = ["DaskBackend"]


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]
    """Run joblib's tasks on a Dask cluster.

    joblib's own waits for ever for a task whose workers were killed more often than the scheduler allows, as
    it calls back after success only; and where one worker is left it does the work in this process.
    """

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Give the number of workers, two if there is one: joblib takes one for no need of a backend."""
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> "Future[Any]":
        """Send a task to the cluster."""
        future: Future[Any] = super().submit(func, callback)

        def give_up(done: "Future[Any]") -> None:
            if callback is not None and done.exception() is not None:
                callback(done)

        future.add_done_callback(give_up)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Give a task's result, or raise what it, or Dask, has raised."""
        return out.result() if isinstance(out, Future) else super().retrieve_result_callback(out)
