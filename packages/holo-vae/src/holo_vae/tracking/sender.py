"""Sending journals to the tracking store, in a thread that training never waits for, or after the run."""

import logging
import math
import threading
import time
from pathlib import Path

from holo_types import FormatError, HoloError
from holo_vae.networks.stores import reason, shown

from .journal import Journal, Status, journals
from .store import Store

__all__ = ["Sender", "send_journals"]

_EVERY = 2.0  # seconds between requests, each with everything recorded since the last
_LONGEST = 60.0  # seconds between attempts to reach a store that does not answer
# Sending to a local store takes 0.2 ms of CPU per metric, during which training cannot run any Python. The thread
# therefore rests nine times as long, which costs training at most a tenth of its time; whatever it cannot send in time
# is sent at the end.
_REST = 9.0
_PATIENCE = 10.0  # seconds in total that `wait` waits for a store that does not answer
_LOOK = 0.05  # seconds between two checks of `wait`

_logger = logging.getLogger(__name__)


class Sender:
    """A thread that sends the entries of a journal, and retries at growing intervals if the store does not answer.

    Parameters
    ----------
    store
        The store to send to.
    journal
        The journal to send.

    Attributes
    ----------
    failure
        Why the store did not accept the last entries; None if it did.
    """

    def __init__(self, store: Store, journal: Journal) -> None:
        self.failure: str | None = None
        self._store, self._journal = store, journal
        self._hurry, self._end = threading.Event(), threading.Event()
        self._patience = _PATIENCE
        self._spent = 0.0
        self._thread = threading.Thread(target=self._work, name="holo-vae tracking", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the store has everything in the journal."""
        return self._store.sent.offset >= self._journal.size

    def wait(self) -> bool:
        """Wait until the store has everything in the journal, and return whether it does.

        If the store answers, this takes as long as needed; if it does not, all waits together last at most 10 s.
        """
        self._hurry.set()
        while not self.done and self._patience > 0:
            time.sleep(_LOOK)
            if self.failure is not None:
                self._patience -= _LOOK
        self._hurry.clear()
        return self.done

    def close(self, patience: float = math.inf) -> None:
        """Send what is left within `patience`, and within the remaining time of `wait`; then end the thread."""
        self._patience = min(self._patience, patience)
        self.wait()
        self._end.set()
        self._hurry.set()
        # A request in progress is not waited for: the thread is a daemon, and what it sends twice is recorded once.
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        delay = _EVERY
        while True:
            if self._hurry.wait(delay):
                self._end.wait(_LOOK if self.failure is None else min(delay, 1.0))
            if self._end.is_set():
                return
            try:
                self._spent = time.thread_time()
                self._store.send(self._rest)
            except Exception as error:  # noqa: BLE001 - whatever a store raises, training continues
                self._failed(reason(error))
                delay = min(2 * delay, _LONGEST)
            else:
                self._succeeded()
                delay = _EVERY

    def _rest(self) -> None:
        self._hurry.wait(_REST * (time.thread_time() - self._spent))
        self._spent = time.thread_time()

    def _failed(self, failure: str) -> None:
        if self.failure is None:
            _logger.warning(
                "%s: the tracking store does not accept what is sent; the run continues, and keeps it in %s (%s)",
                shown(self._store.uri),
                self._journal.path,
                failure,
            )
        self.failure = failure

    def _succeeded(self) -> None:
        if self.failure is not None:
            _logger.warning(
                "%s: the tracking store answers again; it has all that was kept", shown(self._store.uri)
            )
        self.failure = None


def send_journals(folder: Path | str) -> tuple[Store, ...]:
    """Send what the runs in a folder could not send; what the store already has is not sent again.

    Parameters
    ----------
    folder
        The folder of a training run. ``MLFLOW_TRACKING_URI`` may name the current address of the server; it must know
        the run if the run has been sent to it before.

    Returns
    -------
    tuple of Store
        The store of each run, with its state `sent`.

    Raises
    ------
    HoloError
        If the folder holds no tracked run, one of its runs is still in progress, or the store does not answer.
    """
    folder = Path(folder)
    found = journals(folder)
    if not found:
        raise HoloError(f"{folder}: holds no tracked run; name the folder of a training run")
    return tuple(_sent(path, folder) for path in found)


def _sent(path: Path, folder: Path) -> Store:
    journal = Journal(path)
    try:
        if journal.start is None:
            raise HoloError(f"{path}: holds no run; delete its folder, or resume the training (--resume)")
        if journal.running:  # its process was killed, since the journal could be opened
            journal.append(Status("KILLED", time.time_ns() // 1_000_000))
        store = Store(path, folder)
        try:
            store.send()
        except FormatError:  # from the journal
            raise
        except Exception as error:  # noqa: BLE001 - a store raises whatever its database and its server raise
            raise HoloError(f"{path}: cannot be sent to {shown(store.uri)} ({reason(error)})") from None
    finally:
        journal.close()
    return store
