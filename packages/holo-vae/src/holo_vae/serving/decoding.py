"""Conversion of the structures in requests to holograms, in separate processes that may be lost.

Structures are read nowhere else. A file on which a reader never finishes, or which fills the memory, thus ends only a
process that holds no model and no other request.
"""

import json
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
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
        self._setting = {"basis": basis.to_dict(), "limits": attrs.asdict(limits)}
        self._changing = threading.Lock()
        self._living: dict[Process, Path] = {}  # with the folder of their temporary files
        self._idle = [self._start()]
        self.close = weakref.finalize(self, _end, self._living)

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
            lost = [process for process in self._idle if process.poll() is not None]
            alive = [process for process in self._idle if process not in lost]
            process = alive.pop() if alive else self._start()
            self._idle = alive or [self._start()]
            _end({process: self._living.pop(process) for process in lost})
        return process

    def _give_back(self, process: Process, *, fit: bool) -> None:
        with self._changing:
            if fit and len(self._idle) < _KEPT:
                self._idle.append(process)
                return
            folder = self._living.pop(process)
        _end({process: folder})

    def _start(self) -> Process:
        # A process that is killed while it reads a structure cannot remove its file.
        folder = Path(tempfile.mkdtemp(prefix="holo-"))
        process = start("holo_vae.serving.decoder:work")
        self._living[process] = folder
        send(process.stdin, json.dumps({**self._setting, "folder": str(folder)}).encode())
        return process


def _end(processes: dict[Process, Path]) -> None:
    """End processes and remove their folders."""
    for process, folder in list(processes.items()):
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def send_holograms(pipe: IO[bytes], holograms: Holograms) -> None:
    """Send holograms: the names of their index columns, and the arrays."""
    assert holograms.centers is not None
    send(pipe, json.dumps({"columns": list(holograms.index)}).encode())
    send(pipe, pack((holograms.coefficients, holograms.centers, *holograms.index.values())))


def _unpacked(content: bytes, columns: list[str], basis: Basis) -> Holograms:
    coefficients, centers, *values = unpack(content)
    return Holograms(coefficients, basis, Index(dict(zip(columns, values, strict=True))), centers=centers)
