"""The processing of one request to ``/invocations``, from its body to embeddings."""

import contextlib
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeout

import attrs
import numpy as np
from jaxtyping import Float

from holo_types import Embeddings, HoloError, Holograms, ModelReference, concatenate
from holo_vae.serving.decoding import Row
from holo_vae.serving.forms import given_rows, is_of_structures, one_batch, structures_of
from holo_vae.serving.holograms import parse_holograms
from holo_vae.serving.limits import Deadline, Limits, RefusedRequest

from .crew import Crew
from .records import records_of
from .waiting import EmbeddedRows, Job, NotFinite

__all__ = ["Abandoned", "Done", "Request"]

_BATCH = 512
_LARGE = (
    2**20
)  # bytes; larger bodies are parsed one at a time, since the parser keeps all other threads waiting
_LOOK = 0.5  # seconds between two checks whether the client is still connected


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


@attrs.frozen(eq=False)
class Done:
    """The result of a request.

    Parameters
    ----------
    embeddings
        One row for each residue or hologram.
    distances
        The distance of each row to the training rows, if the model carries them.
    waited
        The seconds that it waited for others.
    """

    embeddings: Embeddings
    distances: Float[np.ndarray, "n"] | None
    waited: float


class Request:
    """A request in progress.

    Parameters
    ----------
    crew
        The processes that embed.
    limits
        The limits of the request. Its time includes only its own work.
    parsing
        Held while the body is parsed, if it is large.
    decoding
        Limits how many requests' structures are decoded at once.
    """

    def __init__(
        self, crew: Crew, limits: Limits, parsing: threading.Lock, decoding: threading.Semaphore
    ) -> None:
        self._crew, self._limits = crew, limits
        self._parsing, self._decoding = parsing, decoding
        self._abandoned = threading.Event()
        self._jobs: list[tuple[Job, Holograms]] = []
        self._rows = 0
        self._used = self._waited = 0.0

    def abandon(self) -> None:
        """Let nobody work on the request any more."""
        self._abandoned.set()

    def embed(self, body: bytes | bytearray) -> Done:
        """Embed the content of the request's body.

        Raises
        ------
        RefusedRequest
            If the request cannot be answered; one line says why.
        Abandoned
            If the request was abandoned.
        """
        try:
            rows = self._rows_of(body)
            if is_of_structures(rows):
                self._put_structures(structures_of(rows))
            else:
                digest, text = one_batch(rows)
                holograms = parse_holograms(text, digest, self._crew.basis, self._limits, "row 0")
                for start in range(0, len(holograms), _BATCH):
                    self._put(holograms[start : start + _BATCH])
            if not self._jobs:
                raise RefusedRequest(
                    "no residue of the request has an atom of the model's channels around it"
                )
            return self._done()
        finally:
            for job, _ in self._jobs:
                job.future.cancel()

    def deadline(self) -> Deadline:
        """Return when the remaining time of the request is over.

        Raises
        ------
        Abandoned
            If the request was abandoned.
        """
        if self._abandoned.is_set():
            raise Abandoned
        return Deadline(self._limits.max_seconds, self._used)

    def _rows_of(self, body: bytes | bytearray) -> list[dict[str, str]]:
        with self._parsing if len(body) > _LARGE else contextlib.nullcontext():
            deadline = self.deadline()
            rows = given_rows(records_of(body, self._limits), self._limits)
        deadline.check()
        self._used = deadline.seconds - deadline.left
        return rows

    def _put_structures(self, rows: list[Row]) -> None:
        if self._crew.basis.radial is None:
            raise RefusedRequest("the model is one of sphere images; it takes holograms and basis")
        if self._crew.decoders is None:
            raise RefusedRequest("the service has no holo-vae[structures]; it takes holograms and basis")
        began = time.monotonic()
        with self._decoding:
            self._waited = time.monotonic() - began
            deadline = self.deadline()
            for block in self._crew.decoders.holograms(rows, deadline):
                if self._abandoned.is_set():
                    raise Abandoned
                self._put(block)
        self._used = deadline.seconds - deadline.left

    def _put(self, block: Holograms) -> None:
        self._jobs.append((self._crew.waiting.put(block.coefficients, self._rows), block))
        self._rows += len(block)

    def _done(self) -> Done:
        parts: list[Embeddings] = []
        distances = []
        for job, block in self._jobs:
            first = sum(map(len, parts))
            try:
                found = self._result(job)
            except NotFinite:
                raise RefusedRequest(
                    f"not all of rows {first} to {first + len(block) - 1} of the answer would be finite; a value "
                    "that was sent is too large for the model's precision"
                ) from None
            self._used += found.seconds
            if self._used > self._limits.max_seconds:
                raise RefusedRequest(
                    f"the request takes more than {self._limits.max_seconds:g} s; send fewer residues at a time",
                    "DEADLINE_EXCEEDED",
                )
            self._waited = max(self._waited, found.waited)
            parts.append(_embeddings(found, block, self._crew.reference))
            if "training_distance" in found.arrays:
                distances.append(found.arrays["training_distance"])
        return Done(concatenate(parts), np.concatenate(distances) if distances else None, self._waited)

    def _result(self, job: Job) -> EmbeddedRows:
        while not self._abandoned.is_set():
            with contextlib.suppress(FutureTimeout):
                return job.future.result(timeout=_LOOK)
        raise Abandoned


def _embeddings(found: EmbeddedRows, block: Holograms, model: ModelReference) -> Embeddings:
    arrays = found.arrays
    try:
        return Embeddings(
            arrays["invariants"],
            arrays["frames"],
            model,
            block.index,
            centers=block.centers,
            log_variances=arrays.get("log_variances"),
            degenerate=arrays.get("degenerate"),
            reconstruction_cosine_loss=arrays.get("reconstruction_cosine_loss"),
        )
    except HoloError as error:  # a process of the service sent it
        raise RuntimeError(str(error)) from error
