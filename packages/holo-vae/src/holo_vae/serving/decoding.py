"""Structures of requests become holograms in other processes, of which one may be lost.

They are read nowhere else. A file that a reader never comes to the end of, or that fills the memory, takes with it a
process that has no model and no other request.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import IO, Any

import attrs
import numpy as np
from numpy.lib import format as npy

from holo_types import Basis, Holograms, Index

from .limits import Deadline, Limits, RefusedRequest

__all__ = ["Decoders", "Row", "receive", "send", "send_holograms"]

Row = tuple[str, str, str | None]  # a structure's name, content, and choice of residues

Process = subprocess.Popen[bytes]

_KEPT = os.cpu_count() or 1
_GRACE = 0.25  # seconds after its time that a process has to say itself that it is over
_OVER = "decoding the structures takes more memory than a request may have, or ends the process that does it"
# Ctrl-C in a terminal is the service's: these end when it does.
_OWN_GROUP: dict[str, Any] = (
    {"process_group": 0} if os.name == "posix" else {"creationflags": 0x200}  # CREATE_NEW_PROCESS_GROUP
)


class Decoders:
    """Processes that make holograms of requests' structures; there is always one that waits.

    Parameters
    ----------
    basis
        The one to encode in.
    limits
        What a request may ask for.
    """

    def __init__(self, basis: Basis, limits: Limits) -> None:
        self._basis = basis
        self._setting = json.dumps({"basis": basis.to_dict(), "limits": attrs.asdict(limits)}).encode()
        self._changing = threading.Lock()
        self._living: set[Process] = set()
        self._idle = [self._start()]
        weakref.finalize(self, _end_all, self._living)

    def holograms(self, rows: list[Row], deadline: Deadline) -> Iterator[Holograms]:
        """Read and encode the structures of a request, a block of residues at a time.

        Raises
        ------
        RefusedRequest
            If they cannot be used or are over a limit; with status 504 if the process had to be ended.
        """
        deadline.check()
        process = self._take()
        timer = threading.Timer(deadline.left + _GRACE, process.kill)
        timer.daemon = True
        timer.start()
        fit = False  # for another request
        try:
            send(process.stdin, json.dumps({"rows": rows, "seconds": deadline.left}).encode())
            while (answer := json.loads(receive(process.stdout)))["columns"] is not None:
                yield _unpack(receive(process.stdout), answer["columns"], self._basis)
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
            self._give_back(process, fit=fit and deadline.left > 0)  # later the timer may have struck

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
        _end(process)

    def _start(self) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from holo_vae.serving.decoder import work; work()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Each thread would take of the address space what is meant for the request.
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            **_OWN_GROUP,
        )
        self._living.add(process)
        send(process.stdin, self._setting)
        return process


def _end(process: Process) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not sent is not missed
            pipe.close()  # type: ignore[union-attr]
    process.wait()


def _end_all(living: set[Process]) -> None:
    for process in list(living):
        _end(process)


# What goes through the pipes: messages with their length before them. None is a pickle, as what comes from a process
# that has read a stranger's file is not to be trusted either.


def send(pipe: IO[bytes] | None, content: bytes) -> None:
    """Send a message."""
    assert pipe is not None
    pipe.write(len(content).to_bytes(8))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes] | None) -> bytes:
    """Wait for a message.

    Raises
    ------
    EOFError
        If the other process is gone.
    """
    assert pipe is not None
    size = int.from_bytes(pipe.read(8))
    content = pipe.read(size)
    if not 0 < size == len(content):
        raise EOFError
    return content


def send_holograms(pipe: IO[bytes], holograms: Holograms) -> None:
    """Send holograms: the names of their index's columns, and the arrays."""
    file = io.BytesIO()
    assert holograms.centers is not None
    for array in (holograms.coefficients, holograms.centers, *holograms.index.values()):
        npy.write_array(file, array, allow_pickle=False)
    send(pipe, json.dumps({"columns": list(holograms.index)}).encode())
    send(pipe, file.getvalue())


def _unpack(content: bytes, columns: list[str], basis: Basis) -> Holograms:
    file = io.BytesIO(content)
    coefficients, centers, *values = (
        npy.read_array(file, allow_pickle=False) for _ in range(2 + len(columns))
    )
    index = Index(dict(zip(columns, values, strict=True)))
    return Holograms(np.asarray(coefficients), basis, index, centers=centers)
