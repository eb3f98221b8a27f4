"""Conversion of the structures in requests to holograms, in separate processes that may be lost.

Structures are read nowhere else. A file on which a reader never finishes, or which fills the memory, thus ends only a
process that holds no model and no other request.
"""

import json
import os
import threading
import weakref
from collections.abc import Iterator
from typing import IO

import attrs

from holo_types import Basis, Holograms, Index

from .limits import Deadline, Limits, RefusedRequest
from .processes import Process, end, pack, receive, send, start, unpack

__all__ = ["Decoders", "Row", "send_holograms"]

Row = tuple[str, str, str | None]  # a structure's name, content, and choice of residues

_KEPT = os.cpu_count() or 1
_GRACE = 0.25  # seconds that a process gets after its time is over to report that itself
_OVER = "decoding the structures takes more memory than a request may have, or ends the process that does it"


class Decoders:
    """Processes that turn the structures of requests into holograms; one of them is always waiting.

    Parameters
    ----------
    basis
        The basis of the encoding.
    limits
        The limits of a request.
    """

    def __init__(self, basis: Basis, limits: Limits) -> None:
        self._basis = basis
        self._setting = json.dumps({"basis": basis.to_dict(), "limits": attrs.asdict(limits)}).encode()
        self._changing = threading.Lock()
        self._living: set[Process] = set()
        self._idle = [self._start()]
        self.close = weakref.finalize(self, _end_all, self._living)

    def holograms(self, rows: list[Row], deadline: Deadline) -> Iterator[Holograms]:
        """Read and encode the structures of a request, a block of residues at a time.

        Raises
        ------
        RefusedRequest
            If the structures cannot be used or exceed a limit; with status 504 if the process had to be ended.
        """
        deadline.check()
        process = self._take()
        timer = threading.Timer(deadline.left + _GRACE, process.kill)
        timer.daemon = True
        timer.start()
        fit = False  # whether the process can be used for another request
        try:
            send(process.stdin, json.dumps({"rows": rows, "seconds": deadline.left}).encode())
            while (answer := json.loads(receive(process.stdout)))["columns"] is not None:
                yield _unpacked(receive(process.stdout), answer["columns"], self._basis)
            fit = answer["fit"]
            if answer["refused"]:
                reason, error_code = answer["refused"]
                if error_code == "DEADLINE_EXCEEDED":
                    deadline.check()
                raise RefusedRequest(reason, error_code)
        except (OSError, EOFError):
            deadline.check()
            raise RefusedRequest(_OVER, "DEADLINE_EXCEEDED") from None
        finally:
            timer.cancel()
            self._give_back(process, fit=fit and deadline.left > 0)  # the timer may have ended it by then

    def _take(self) -> Process:
        with self._changing:
            alive = [process for process in self._idle if process.poll() is None]
            process = alive.pop() if alive else self._start()
            self._idle = alive or [self._start()]
        return process

    def _give_back(self, process: Process, *, fit: bool) -> None:
        with self._changing:
            if fit and len(self._idle) < _KEPT:
                self._idle.append(process)
                return
            self._living.discard(process)
        end(process)

    def _start(self) -> Process:
        process = start("holo_vae.serving.decoder:work")
        self._living.add(process)
        send(process.stdin, self._setting)
        return process


def _end_all(living: set[Process]) -> None:
    for process in list(living):
        end(process)


def send_holograms(pipe: IO[bytes], holograms: Holograms) -> None:
    """Send holograms: the names of their index columns, and the arrays."""
    assert holograms.centers is not None
    send(pipe, json.dumps({"columns": list(holograms.index)}).encode())
    send(pipe, pack((holograms.coefficients, holograms.centers, *holograms.index.values())))


def _unpacked(content: bytes, columns: list[str], basis: Basis) -> Holograms:
    coefficients, centers, *values = unpack(content)
    return Holograms(coefficients, basis, Index(dict(zip(columns, values, strict=True))), centers=centers)
