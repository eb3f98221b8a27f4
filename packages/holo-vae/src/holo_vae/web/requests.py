"""What is done with one request to ``/invocations``: from its body to embeddings."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout

import attrs
import numpy as np
from jaxtyping import Float

from holo_types import Embeddings, HoloError, Holograms, concatenate
from holo_vae.serving.forms import given_rows, is_of_structures, one_batch, structures_of
from holo_vae.serving.holograms import parse_holograms
from holo_vae.serving.limits import Deadline, Limits, RefusedRequest

from .bodies import records_of
from .crew import Crew
from .waiting import EmbeddedRows, Job, NotFinite

__all__ = ["Abandoned", "Done", "embed_body"]

_BATCH = 512
_LOOK = 0.5  # seconds between two looks at whether the client is still there


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


@attrs.frozen(eq=False)
class Done:
    """What came of a request.

    Parameters
    ----------
    embeddings
        One row for each residue or hologram.
    distances
        Of each row to the training rows, if the model carries them.
    waited
        Seconds that it waited for others.
    """

    embeddings: Embeddings
    distances: Float[np.ndarray, "n"] | None
    waited: float


def embed_body(
    body: bytes, crew: Crew, limits: Limits, decoding: threading.Semaphore, cancelled: threading.Event
) -> Done:
    """Embed what a request holds.

    Parameters
    ----------
    body
        Of the request.
    crew
        Who embeds.
    limits
        What the request may ask for. Its time is that of its own work.
    decoding
        How many requests' structures are decoded at once.
    cancelled
        Set when nobody waits for the answer any more.

    Raises
    ------
    RefusedRequest
        If the request cannot be answered; one line says why.
    Abandoned
        If it was cancelled.
    """
    rows = given_rows(records_of(body), limits)
    jobs: list[tuple[Job, Holograms]] = []
    count = 0
    waited = 0.0
    deadline = Deadline(limits.max_seconds)
    try:
        if is_of_structures(rows):
            if crew.basis.radial is None or crew.decoders is None:
                raise RefusedRequest("the model is one of sphere images; it takes holograms and basis")
            started = time.monotonic()
            with decoding:
                waited += time.monotonic() - started
                deadline = Deadline(limits.max_seconds)
                for block in crew.decoders.holograms(structures_of(rows), deadline):
                    jobs.append((crew.waiting.put(block.coefficients, count), block))
                    count += len(block)
        else:
            digest, text = one_batch(rows)
            for block in _blocks(parse_holograms(text, digest, crew.basis, limits, "row 0")):
                jobs.append((crew.waiting.put(block.coefficients, count), block))
                count += len(block)
        if not jobs:
            raise RefusedRequest("no residue of the request has an atom of the model's channels around it")
        return _collected(jobs, crew, limits, limits.max_seconds - deadline.left, waited, cancelled)
    finally:
        for job, _ in jobs:
            job.future.cancel()


def _blocks(holograms: Holograms) -> Iterator[Holograms]:
    for start in range(0, len(holograms), _BATCH):
        yield holograms[start : start + _BATCH]


def _collected(
    jobs: list[tuple[Job, Holograms]],
    crew: Crew,
    limits: Limits,
    used: float,
    waited: float,
    cancelled: threading.Event,
) -> Done:
    parts: list[Embeddings] = []
    distances: list[np.ndarray] = []
    first = 0
    for job, block in jobs:
        try:
            found = _result(job, cancelled)
        except NotFinite:
            raise RefusedRequest(
                f"of rows {first} to {first + len(block) - 1} of the answer not all would be finite; a value "
                "that was sent is too large for the model's precision"
            ) from None
        used += found.seconds
        if used > limits.max_seconds:
            raise RefusedRequest(
                f"the request takes more than {limits.max_seconds:g} s; send fewer residues at a time",
                "DEADLINE_EXCEEDED",
            )
        waited = max(waited, found.waited)
        parts.append(_embeddings(found, block, crew))
        if "training_distance" in found.arrays:
            distances.append(found.arrays["training_distance"])
        first += len(block)
    return Done(concatenate(parts), np.concatenate(distances) if distances else None, waited)


def _result(job: Job, cancelled: threading.Event) -> EmbeddedRows:
    while not cancelled.is_set():
        try:
            return job.future.result(timeout=_LOOK)
        except FutureTimeout:
            continue
    raise Abandoned


def _embeddings(found: EmbeddedRows, block: Holograms, crew: Crew) -> Embeddings:
    arrays = found.arrays
    try:
        return Embeddings(
            arrays["invariants"],
            arrays["frames"],
            crew.reference,
            block.index,
            centers=block.centers,
            log_variances=arrays.get("log_variances"),
            degenerate=arrays.get("degenerate"),
            reconstruction_cosine_loss=arrays.get("reconstruction_cosine_loss"),
        )
    except HoloError as error:  # a process of ours sent it
        raise RuntimeError(str(error)) from error
