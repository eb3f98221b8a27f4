"""The processes that hold a model, and their jobs."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec

import attrs

from holo_types import Basis, HoloError, ModelReference
from holo_vae.serving.decoding import Decoders
from holo_vae.serving.faults import where
from holo_vae.serving.limits import RefusedRequest
from holo_vae.serving.processes import Process, end, pack, receive, send, start, unpack

from .logs import complain
from .settings import Settings
from .waiting import EmbeddedRows, Job, NotFinite, Waiting

__all__ = ["Crew"]

_GRACE = 5.0  # seconds beyond a request's time after which its process counts as lost
_AGAIN = 1.0  # seconds between two attempts to start a process
_FAULT = "the service failed; its log says why"
Noted = Callable[[int, int], None]  # receives the number of requests and of rows in a batch


@attrs.frozen(eq=False)
class _Hello:
    model: ModelReference
    basis: Basis
    alike: bool
    training_z: bool


class Crew:
    """The processes that hold one model.

    Parameters
    ----------
    source
        The model, as for `holo_vae.load`.
    settings
        The settings, with the number of processes and the limits of a request.
    on_batch
        Called with the number of requests and of rows in each batch.

    Raises
    ------
    HoloError
        If there is no such model.
    """

    def __init__(self, source: str, settings: Settings, on_batch: Noted = lambda jobs, rows: None) -> None:
        self._settings = settings
        self._on_batch = on_batch
        self._changing = threading.Condition()
        self._ready, self._used, self._ending, self._closed = 0, 0, False, False
        self._starting: set[Process] = set()
        first, hello = self._start(source)
        self.reference, self.basis = hello.model, hello.basis
        self.together, self.training_z = hello.alike, hello.training_z
        # The alias may move meanwhile: all processes hold the version that the first one found.
        name, version = hello.model.name, hello.model.version
        self.source = f"models:/{name}/{version}" if source.startswith("models:/") else source
        self.waiting = Waiting(hello.alike)
        readable = hello.basis.radial is not None and find_spec("holo_features") is not None
        self.decoders = Decoders(hello.basis, settings.limits) if readable else None
        others: list[Process | None] = [first, *[None] * (settings.workers - 1)]
        self._threads = [threading.Thread(target=self._serve, args=(each,), daemon=True) for each in others]
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> int:
        """The number of processes that hold the model now."""
        return self._ready

    def engage(self) -> bool:
        """Keep the processes for a request until `release`; return False if they are ending."""
        with self._changing:
            self._used += not self._ending
            return not self._ending

    def release(self) -> None:
        """Release what `engage` kept."""
        with self._changing:
            self._used -= 1
            self._changing.notify_all()

    def close(self) -> None:
        """End the processes once nobody uses them any more."""
        with self._changing:
            self._ending = True
            while self._used:
                self._changing.wait()
            self._closed = True
            for process in self._starting:
                process.kill()
        self.waiting.close()
        for thread in self._threads:
            thread.join()
        if self.decoders is not None:
            self.decoders.close()

    def _start(self, source: str) -> tuple[Process, _Hello]:
        process = start("holo_vae.web.embedder:work")
        with self._changing:
            self._starting.add(process)
        try:
            send(process.stdin, json.dumps({"model": source}).encode())
            hello = json.loads(receive(process.stdout))
        except (OSError, EOFError):
            end(process)
            raise HoloError(
                f"{source}: the process that loads it ended (status {process.returncode})"
            ) from None
        finally:
            with self._changing:
                self._starting.discard(process)
        if hello["refused"] is not None:
            end(process)
            raise HoloError(hello["refused"])
        found = _Hello(
            ModelReference(**hello["model"]),
            Basis.from_dict(hello["basis"]),
            hello["alike"],
            hello["training_z"],
        )
        return process, found

    def _started(self) -> Process | None:
        """Start a process with the model, repeatedly if needed; return None once there is nothing left to do."""
        while not self._closed:
            with contextlib.suppress(HoloError, OSError):
                process, hello = self._start(self.source)
                if hello.model.digest == self.reference.digest:
                    return process
                end(process)
            time.sleep(_AGAIN)
        return None

    def _serve(self, process: Process | None) -> None:
        while (process := process or self._started()) is not None:
            self._count(1)
            lost = False
            while not lost and (jobs := self.waiting.take()):
                lost = not self._embed(process, jobs)
            self._count(-1)
            end(process)
            process = None
            if not lost:
                return

    def _count(self, change: int) -> None:
        with self._changing:
            self._ready += change

    def _embed(self, process: Process, jobs: list[Job]) -> bool:
        """Embed a batch; return False if the process is lost."""
        began = time.monotonic()
        over = threading.Event()

        def strike() -> None:
            over.set()
            process.kill()

        timer = threading.Timer(self._settings.max_seconds + _GRACE, strike)
        timer.daemon = True
        timer.start()
        rows = sum(len(job.coefficients) for job in jobs)
        left = list(jobs)
        try:
            send(process.stdin, pack(job.coefficients for job in jobs))
            while left:
                found = json.loads(receive(process.stdout))
                arrays = {}
                if found["refused"] is None:
                    names = found["arrays"]
                    arrays = dict(zip(names, unpack(receive(process.stdout)), strict=True))
                job = left.pop(0)
                if found["refused"] is None:
                    share = (time.monotonic() - began) * len(job.coefficients) / rows
                    job.future.set_result(EmbeddedRows(arrays, share, began - job.put))
                elif found["refused"] == "infinite":
                    job.future.set_exception(NotFinite())
                else:
                    self._retry(job, batch=len(jobs) > 1, over=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread continues with another process
            if not isinstance(error, (OSError, EOFError)):
                complain("fault", fault=where(error))
            for job in left:
                self._retry(job, batch=len(jobs) > 1, over=over.is_set())
            return False
        finally:
            timer.cancel()
        self._on_batch(len(jobs), rows)
        return True

    def _retry(self, job: Job, *, batch: bool, over: bool) -> None:
        """Repeat a job of a failed batch alone, since it is unknown which job caused the failure."""
        if batch:
            self.waiting.put_back(job)
        elif over:
            job.future.set_exception(
                RefusedRequest(
                    f"the request takes more than {self._settings.max_seconds:g} s; send fewer residues at a time",
                    "DEADLINE_EXCEEDED",
                )
            )
        else:
            job.future.set_exception(RefusedRequest(_FAULT, "INTERNAL_ERROR"))
