"""A thread that sends a journal to the tracking store while training goes on, which never waits for it."""

import logging
import threading
import time

from holo_vae.networks.registry import reason

from .journal import Journal
from .store import Store

__all__ = ["Sender"]

_EVERY = 2.0  # seconds between requests, each with all that has come meanwhile
_LONGEST = 60.0  # between tries at a store that does not answer
# Sending to a local store is work: 0.2 ms of CPU a metric, while which training gets no Python done. So the thread
# rests nine times as long, and costs a tenth of training's time at most; what it then cannot send in time is sent
# at the end.
_REST = 9.0
_PATIENCE = 30.0  # seconds that `wait` waits in all for a store that does not answer

_logger = logging.getLogger(__name__)


class Sender:
    """Sends what comes into a journal, and tries again, ever less often, where the store does not answer.

    Parameters
    ----------
    store
        Where to send.
    journal
        What to send.
    """

    def __init__(self, store: Store, journal: Journal) -> None:
        self.failure: str | None = None
        self._store, self._journal = store, journal
        self._turn = threading.Condition()
        self._waiting = self._ended = False
        self._patience = _PATIENCE
        self._spent = 0.0
        self._thread = threading.Thread(target=self._work, name="holo-vae tracking", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the store has all that is in the journal."""
        return self._store.progress.offset >= self._journal.size

    def wait(self) -> bool:
        """Wait until the store has all that is in the journal, and say whether it has.

        That takes as long as it takes while the store answers; for one that does not, all waits together last
        30 s at most.
        """
        with self._turn:
            self._waiting = True
            self._turn.notify_all()
            while not self.done and self._patience > 0:
                since = time.monotonic()
                self._turn.wait(0.2)
                if self.failure is not None:
                    self._patience -= time.monotonic() - since
            self._waiting = False
            return self.done

    def close(self, patience: float = _PATIENCE) -> None:
        """Send what is left, within what `wait` has left of its time or less, and end."""
        self._patience = min(self._patience, patience)
        self.wait()
        with self._turn:
            self._ended = True
            self._turn.notify_all()
        # A request under way is not waited for: the thread is a daemon, and what it sends twice comes once.
        self._thread.join(timeout=1.0)

    def _work(self) -> None:
        delay = _EVERY
        while True:
            with self._turn:
                if not self._waiting or self.failure is not None:
                    self._turn.wait(min(delay, 1.0) if self._waiting else delay)
                if self._ended:
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
            with self._turn:
                self._turn.notify_all()

    def _rest(self) -> None:
        with self._turn:
            if not self._waiting:
                self._turn.wait(_REST * (time.thread_time() - self._spent))
        self._spent = time.thread_time()

    def _failed(self, failure: str) -> None:
        if self.failure is None:
            _logger.warning(
                "%s: the tracking store does not take what is sent; the run goes on, and keeps it in %s (%s)",
                self._store.uri,
                self._journal.path,
                failure,
            )
        self.failure = failure

    def _succeeded(self) -> None:
        if self.failure is not None:
            _logger.warning("%s: the tracking store answers again; it has all that was kept", self._store.uri)
        self.failure = None
