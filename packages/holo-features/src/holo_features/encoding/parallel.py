"""Work spread over processes of this machine, or over other machines by Dask, in the order of its items."""

import contextlib
import ctypes
import itertools
import os
import pickle  # nosec B403 # only between our own processes
import signal
import subprocess
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, TypeVar

import attrs

from holo_types import HoloError
from holo_types.extras import extra

__all__ = ["map_files", "map_in_order", "work", "workers_lost"]

About = TypeVar("About")
Item = TypeVar("Item")
Result = TypeVar("Result")

# The files of one task, so that it takes some tens of milliseconds, much longer than sending it.
_BATCH_BYTES = 1 << 18
_BATCH_FILES = 16
_PACKED = {".gz": 8, ".bcif": 4}  # how many times smaller these files are than the same as text
_MOST_WORKERS = 1 << 10
_UNDER_WAY = 4  # items for each worker
_ATTEMPTS = 3  # how many times workers may end before an item is given up
_PR_SET_PDEATHSIG = 1
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def map_files(
    encode: Callable[[Path, About], Result],
    files: Iterable[tuple[Path, About]],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Apply a function to files, several in one task, and yield the results in their order.

    Parameters
    ----------
    encode
        Called with a file's path and the additional information; see `map_in_order`.
    files
        Paths, each with additional information, such as its name.
    workers, scheduler
        As in `map_in_order`.

    Yields
    ------
    Result
        One for each file.

    Raises
    ------
    HoloError
        As in `map_in_order`.

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
        with contextlib.suppress(OSError):  # the reader will report the error
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


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Apply a function to items in several processes, and yield the results in the order of the items.

    At most four items for each worker are in progress or waiting to be taken, so the results need little memory,
    however many items there are and however slowly they are taken. If a worker process ends (killed, or out of memory),
    another one repeats its work.

    Parameters
    ----------
    function
        It must return equal results for equal items; it and its items must be picklable.
    items
        The items, which are taken as needed.
    workers
        Number of processes on this machine, each with one thread; with 1, everything happens in this process.
    scheduler
        Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, whose workers then do all the work. This needs
        the extra ``dask``.

    Yields
    ------
    Result
        One for each item. Exceptions of the function are raised here.

    Raises
    ------
    HoloError
        If `workers` is less than 1 or more than 1024, the scheduler's address has no port, the scheduler cannot be
        reached or has no workers, the extra is missing, or workers end three times over one item.

    Examples
    --------
    >>> list(map_in_order(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    if not 1 <= workers <= _MOST_WORKERS:
        raise HoloError(f"workers is {workers}; it must be at least 1, and at most {_MOST_WORKERS}")
    if scheduler is None and workers == 1:
        return map(function, items)
    return _map_in_processes(function, items, workers, scheduler)


@attrs.frozen
class _Pool:
    """The workers: their number, how they are called, and the error of a call whose worker ends."""

    workers: int
    submit: Callable[[Callable[[], Any]], Any]
    ended: type[Exception]


def _map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, scheduler: str | None
) -> Iterator[Result]:
    source = iter(items)
    under_way: deque[tuple[Item, Any]] = deque()
    with _processes(workers) if scheduler is None else _cluster(scheduler) as pool:
        while True:
            for item in itertools.islice(source, _UNDER_WAY * pool.workers - len(under_way)):
                under_way.append((item, pool.submit(partial(function, item))))
            if not under_way:
                return
            yield _take_first(function, under_way, pool)


def _take_first(
    function: Callable[[Item], Result], under_way: deque[tuple[Item, Any]], pool: _Pool
) -> Result:
    item, future = under_way.popleft()
    for attempt in range(_ATTEMPTS):
        if attempt:
            # Alone, so that it has the memory; if its worker ends again, this item is the cause.
            for _, other in under_way:
                other.exception()  # waits
            future = pool.submit(partial(function, item))
        try:
            result: Result = future.result()
        except pool.ended:
            _lost[pool.ended] += 1
        else:
            return result
    raise HoloError(
        f"worker processes have ended {_ATTEMPTS} times, killed or out of memory, over {item}; take it away, "
        "or use fewer workers"
    )


_lost: Counter[type[Exception]] = Counter()  # by the error of calls whose worker ended


def workers_lost() -> int:
    """Return how many workers of this process have ended during their work so far, which others have repeated.

    Examples
    --------
    >>> before = workers_lost()
    >>> list(map_in_order(abs, [-1, 2], workers=2)), workers_lost() - before
    ([1, 2], 0)
    """
    return _lost.total()


# The processes of this machine. For each, a thread here sends calls and waits for their results. This process holds
# only its own ends of a worker's pipes, so that reading from a worker that is killed, at any point, ends. A worker ends
# as soon as this process is gone, however it ended and whatever the worker is doing.


class _WorkerEnded(Exception):
    """The worker process ended during a call."""


@contextlib.contextmanager
def _processes(workers: int) -> Iterator[_Pool]:
    living: list[subprocess.Popen[bytes]] = []
    idle: list[subprocess.Popen[bytes]] = []
    changing, over = threading.Lock(), threading.Event()
    calls: SimpleQueue[tuple[Future[Any], bytes] | None] = SimpleQueue()

    def run(call: bytes) -> Any:
        with changing:
            if over.is_set():
                raise _WorkerEnded
            if not idle:
                living.append(_start())
                idle.append(living[-1])
            process = idle.pop()
        try:
            _send(process.stdin, call)  # type: ignore[arg-type]
            outcome = _receive(process.stdout)  # type: ignore[arg-type]
        except (OSError, EOFError):
            with changing:
                living.remove(process)
            _end(process)
            raise _WorkerEnded from None
        with changing:
            idle.append(process)
        result, error = pickle.loads(outcome)  # nosec B301 # of our own worker
        if error is not None:
            raise error
        return result

    def serve() -> None:
        _leave_interrupts_to_others()
        while (task := calls.get()) is not None:
            future, call = task
            try:
                future.set_result(run(call))
            except BaseException as error:  # noqa: BLE001 - it is raised where the results are taken
                future.set_exception(error)

    def submit(call: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        calls.put((future, pickle.dumps(call, pickle.HIGHEST_PROTOCOL)))
        return future

    try:
        # Nobody waits for these threads, because Ctrl-C may interrupt this one inside a lock that they need.
        for _ in range(workers):
            threading.Thread(target=serve, daemon=True).start()
        yield _Pool(workers, submit, _WorkerEnded)
    finally:
        with changing:
            over.set()
            left = list(living)
        for process in left:
            _end(process)
        for _ in range(workers):
            calls.put(None)


def _leave_interrupts_to_others() -> None:
    """Block Ctrl-C, which a terminal also sends to workers, in this thread and in the processes that it starts."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {__name__} import work; work({os.getpid()})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # shields it from Ctrl-C on Windows
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # nothing that was not sent is needed
            pipe.close()  # type: ignore[union-attr]
    process.wait()


def _send(pipe: BinaryIO, content: bytes) -> None:
    pipe.write(len(content).to_bytes(8))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: BinaryIO) -> bytes:
    size = int.from_bytes(pipe.read(8))
    content = pipe.read(size)
    if not 0 < size == len(content):
        raise EOFError
    return content


def work(parent: int) -> None:
    """Run a worker process: make the calls that arrive on the input, and send their results back.

    Parameters
    ----------
    parent
        The process that it works for.
    """
    _end_with(parent)
    calls, outcomes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # the output of libraries is not a result
    waiting: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> None:
        try:
            while True:
                waiting.put(_receive(calls))
        except (OSError, EOFError):  # the process that it works for is gone
            os._exit(0)

    threading.Thread(target=receive, daemon=True).start()  # notices the end of the input during a call
    try:
        while True:
            _send(outcomes, _outcome(waiting.get()))
    except OSError:
        os._exit(0)


def _end_with(parent: int) -> None:
    """Make Linux kill this process when its parent ends; a thread would wait for compiled code that holds the GIL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it had already ended
            os._exit(0)


def _outcome(call: bytes) -> bytes:
    """Make a call and pickle its result and None, or None and its exception."""
    try:
        return pickle.dumps((pickle.loads(call)(), None), pickle.HIGHEST_PROTOCOL)  # nosec B301 # of its parent
    except Exception as error:  # noqa: BLE001 - it is raised where the results are taken
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        try:
            content = pickle.dumps((None, error))
            pickle.loads(content)  # nosec B301 # made in the line above
        except Exception:  # noqa: BLE001 - of a class that cannot be pickled
            return pickle.dumps((None, RuntimeError(traceback.format_exc())))
        return content


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[_Pool]:
    with extra("holo-features[dask]"):
        from distributed import Client, KilledWorker  # noqa: PLC0415
    if "://" not in address.removeprefix("tcp://") and not address.rpartition(":")[2].isdecimal():
        raise HoloError(f"scheduler {address}: has no port; it must be an address such as tcp://host:8786")
    try:
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise HoloError(f"scheduler {address}: cannot be reached ({reason})") from None
    with contextlib.closing(client):
        workers = sum(client.ncores().values())  # type: ignore[no-untyped-call]
        if not workers:
            raise HoloError(f"scheduler {address}: has no workers; start some (dask worker {address})")
        yield _Pool(workers, partial(client.submit, pure=False), KilledWorker)
