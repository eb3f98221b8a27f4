"""Journals are sent to the tracking store: by a thread while training goes on, which never waits for it, or later."""

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

_EVERY = 2.0  # seconds between requests, each with all that has come meanwhile
_LONGEST = 60.0  # between tries at a store that does not answer
# Sending to a local store is work: 0.2 ms of CPU a metric, while which training gets no Python done. So the thread
# rests nine times as long, and costs a tenth of training's time at most; what it then cannot send in time is sent
# at the end.
_REST = 9.0
_PATIENCE = 10.0  # seconds that `wait` waits in all for a store that does not answer
_LOOK = 0.05  # seconds after which `wait` looks again

_logger = logging.getLogger(__name__)


class Sender:
    """Sends what comes into a journal, and tries again, ever less often, where the store does not answer.

    Parameters
    ----------
    store
        Where to send.
    journal
        What to send.

    Attributes
    ----------
    failure
        Why the store did not take what was sent last; None if it did.
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
        """Whether the store has all that is in the journal."""
        return self._store.sent.offset >= self._journal.size

    def wait(self) -> bool:
        """Wait until the store has all that is in the journal, and say whether it has.

        That takes as long as it takes while the store answers; for one that does not, all waits together last
        10 s at most.
        """
        self._hurry.set()
        while not self.done and self._patience > 0:
            time.sleep(_LOOK)
            if self.failure is not None:
                self._patience -= _LOOK
        self._hurry.clear()
        return self.done

    def close(self, patience: float = math.inf) -> None:
        """Send what is left, within what `wait` has left of its time or less, and end."""
        self._patience = min(self._patience, patience)
        self.wait()
        self._end.set()
        self._hurry.set()
        # A request under way is not waited for: the thread is a daemon, and what it sends twice comes once.
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
            except Exception as error:  # noqa: BLE001 - whatever a store raises, training goes on
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
                "%s: the tracking store does not take what is sent; the run goes on, and keeps it in %s (%s)",
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
    """Send what the runs in a folder could not send; what the store has is not sent again.

    Parameters
    ----------
    folder
        The folder of a training run. ``MLFLOW_TRACKING_URI`` may say where the server is now; the run must be known
        there if it was before.

    Returns
    -------
    tuple of Store
        Of each run, with what was `sent`.

    Raises
    ------
    HoloError
        If the folder holds no tracked run, one of them is still under way, or the store does not answer.
    """
    folder = Path(folder)
    found = journals(folder)
    if not found:
        raise HoloError(f"{folder}: holds no tracked run; give the folder of a training run")
    return tuple(_sent(path, folder) for path in found)


def _sent(path: Path, folder: Path) -> Store:
    journal = Journal(path)
    try:
        if journal.start is None:
            raise HoloError(f"{path}: holds no run; delete its folder, or go on with the training (--resume)")
        if journal.running:  # its process was killed, for we have the journal
            journal.append(Status("KILLED", time.time_ns() // 1_000_000))
        store = Store(path, folder)
        try:
            store.send()
        except FormatError:  # of the journal
            raise
        except Exception as error:  # noqa: BLE001 - a store raises what its database and its server do
            raise HoloError(f"{path}: cannot be sent to {shown(store.uri)} ({reason(error)})") from None
    finally:
        journal.close()
    return store
