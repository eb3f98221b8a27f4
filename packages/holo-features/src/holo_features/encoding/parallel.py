"""Work spread over processes, here by loky or on other machines by Dask, in the order of its items."""

import contextlib
import itertools
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from holo_types import HoloError
from holo_types.extras import extra

__all__ = ["map_files", "map_in_order"]

About = TypeVar("About")
Item = TypeVar("Item")
Result = TypeVar("Result")

# A task's files together, so that it takes some tens of milliseconds, far more than it takes to send it.
_BATCH_BYTES = 1 << 18
_BATCH_FILES = 16
_PACKED = {".gz": 8, ".bcif": 4}  # how much less these files are than the same as text
_UNNOTICED = 2.0  # seconds; loky sees at once that a worker has ended, but for one case
_ATTEMPTS = 3  # as often may workers end before an item is given up


def map_files(
    encode: Callable[[Path, About], Result],
    files: Iterable[tuple[Path, About]],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Apply a function to files, several in one task, and give the results in their order.

    Parameters
    ----------
    encode
        Called with a file's path and what else there is to know about it; see `map_in_order`.
    files
        Paths, and what there is to know about each, such as its name.
    workers, scheduler
        As for `map_in_order`.

    Yields
    ------
    Result
        One for each file.

    Raises
    ------
    HoloError
        As for `map_in_order`.

    Examples
    --------
    >>> list(map_files(lambda path, name: f"{path} is {name}", [(Path("1abc.pdb"), "1abc")]))
    ['1abc.pdb is 1abc']
    """
    if scheduler is None and workers == 1:
        return (encode(path, about) for path, about in files)
    results = map_in_order(partial(_encode_batch, encode), _batches(files), workers, scheduler)
    return itertools.chain.from_iterable(results)


def _batches(files: Iterable[tuple[Path, About]]) -> Iterator[tuple[tuple[Path, About], ...]]:
    batch: list[tuple[Path, About]] = []
    size = 0.0
    for path, about in files:
        batch.append((path, about))
        with contextlib.suppress(OSError):  # who reads it says what is wrong
            size += path.stat().st_size * _PACKED.get(path.suffix.lower(), 1)
        if size >= _BATCH_BYTES or len(batch) == _BATCH_FILES:
            yield tuple(batch)
            batch, size = [], 0.0
    if batch:
        yield tuple(batch)


def _encode_batch(
    encode: Callable[[Path, About], Result], batch: tuple[tuple[Path, About], ...]
) -> list[Result]:
    return [encode(path, about) for path, about in batch]


@attrs.frozen
class _Pool:
    """Workers: how many, how they are started on a window of items, and what they raise when one ends."""

    workers: int
    launch: Callable[[Callable[[Any], Any], Sequence[Any]], Generator[Any, None, None]]
    ended: type[Exception]


@attrs.frozen
class _Window(Generic[Item, Result]):
    """Items that are under way together: those whose result has not been taken, and the results."""

    left: deque[Item]
    results: Generator[Result, None, None]


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Apply a function to items in several processes, and give the results in the order of the items.

    At most four items a worker are under way or wait to be taken, so the results need little memory however
    many items there are and however slowly they are taken. When a worker process ends (killed, out of
    memory), what it was doing is done again by another.

    Parameters
    ----------
    function
        It must give equal results for equal items, and it and its items must be picklable.
    items
        What to apply it to; taken as needed.
    workers
        Number of processes on this machine, of one thread each; with 1 everything happens in this process.
    scheduler
        Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``: its workers then do the work, all of
        them. Needs the extra ``dask``.

    Yields
    ------
    Result
        One for each item. What the function raises is raised here.

    Raises
    ------
    HoloError
        If `workers` is less than 1, the scheduler cannot be reached or has no workers, the extra is missing,
        or workers end three times over one item.

    Examples
    --------
    >>> list(map_in_order(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    if workers < 1:
        raise HoloError(f"workers is {workers}; it must be at least 1")
    if scheduler is None and workers == 1:
        return map(function, items)
    return _map_in_processes(function, items, workers, scheduler)


def _map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, scheduler: str | None
) -> Iterator[Result]:
    source = iter(items)
    failures = 0  # since the last result
    running: deque[_Window[Item, Result]] = deque()
    with _processes(workers) if scheduler is None else _cluster(scheduler) as pool:
        try:
            while True:
                # One window is under way while the results of the one before it are taken. After a failure
                # one item goes alone: if it fails again, it is the one to blame.
                while len(running) < (1 if failures else 2):
                    window = list(itertools.islice(source, 1 if failures else 2 * pool.workers))
                    if not window:
                        break
                    running.append(_Window(deque(window), pool.launch(function, window)))
                if not running:
                    return
                first = running[0]
                try:
                    for result in first.results:
                        first.left.popleft()
                        failures = 0
                        yield result
                except pool.ended:
                    failures += 1
                    if failures == _ATTEMPTS:
                        raise HoloError(
                            f"worker processes have ended {_ATTEMPTS} times, killed or out of memory, over "
                            f"{first.left[0]}; take it away, or use fewer workers"
                        ) from None
                    unfinished = [item for window in running for item in window.left]
                    _stop(running)
                    source = itertools.chain(unfinished, source)
                    continue
                running.popleft()
        finally:
            _stop(running)


def _stop(running: "deque[_Window[Any, Any]]") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib warns of results that no one has taken
        while running:
            with contextlib.suppress(Exception):  # of a pool that is broken: it is what we come from
                running.pop().results.close()


@contextlib.contextmanager
def _processes(workers: int) -> Iterator[_Pool]:
    from joblib import Parallel, delayed, parallel_config  # noqa: PLC0415 - only who uses workers waits for it
    from joblib.externals.loky.process_executor import BrokenProcessPool  # noqa: PLC0415

    executors: list[Any] = []  # the one in use is the last

    def launch(function: Callable[[Any], Any], window: Sequence[Any]) -> Generator[Any, None, None]:
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
            parallel = Parallel(return_as="generator", pre_dispatch="all", batch_size=1)
        results: Generator[Any, None, None] = parallel(delayed(_in_worker)(function, item) for item in window)
        executors[:] = [parallel._backend._workers]
        return results

    over = threading.Event()
    watch = threading.Thread(target=_tell_of_dead_workers, args=(executors, over), daemon=True)
    watch.start()
    try:
        yield _Pool(workers, launch, BrokenProcessPool)
    finally:
        over.set()
        watch.join()


def _in_worker(function: Callable[[Item], Result], item: Item) -> Result:
    """Leave Ctrl-C, which a terminal sends to workers too, to the process that they work for.

    It would tear a result that is being sent, and loky would wait for the rest for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return function(item)


def _tell_of_dead_workers(executors: Sequence[Any], over: threading.Event) -> None:
    """Let loky see that a worker is dead which was killed while it sent its result.

    loky then reads the rest of that result, which never comes, since it holds the other end of the pipe open
    itself, and looks at nothing else.
    """
    suspects: set[int] = set()
    while not over.wait(_UNNOTICED):
        for executor in executors:
            processes = dict(executor._processes or {})
            dead = {number for number, process in processes.items() if process.exitcode is not None}
            if dead & suspects and executor._flags.broken is None:
                for process in processes.values():
                    process.terminate()
                executor._result_queue._writer.close()
            suspects = dead


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[_Pool]:
    with extra("holo-features[dask]"):
        from distributed import Client, KilledWorker  # noqa: PLC0415
    from joblib import Parallel, delayed  # noqa: PLC0415

    from .dask_backend import DaskBackend  # noqa: PLC0415

    try:
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise HoloError(f"scheduler {address}: cannot be reached ({reason})") from None
    with contextlib.closing(client):
        workers = sum(client.ncores().values())  # type: ignore[no-untyped-call]
        if not workers:
            raise HoloError(f"scheduler {address}: has no workers; start some (dask worker {address})")

        def launch(function: Callable[[Any], Any], window: Sequence[Any]) -> Generator[Any, None, None]:
            # A backend of its own for each window: one serves one call at a time.
            backend = DaskBackend(client=client)
            parallel = Parallel(
                n_jobs=workers, backend=backend, return_as="generator", pre_dispatch="all", batch_size=1
            )
            results: Generator[Any, None, None] = parallel(delayed(function)(item) for item in window)
            return results

        yield _Pool(workers, launch, KilledWorker)
