"""Processes that work for the service, and the messages through their pipes.

No message is a pickle, since a process that has read a stranger's file cannot be trusted either.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Process", "end", "own_pipes", "pack", "receive", "send", "start", "unpack"]

Process = subprocess.Popen[bytes]

# Ctrl-C in a terminal is for the service; these processes end when it does.
_OWN_GROUP: dict[str, Any] = (
    {"process_group": 0} if os.name == "posix" else {"creationflags": 0x200}  # CREATE_NEW_PROCESS_GROUP
)


def start(function: str) -> Process:
    """Start a process of this Python that calls a function and answers through its output.

    Parameters
    ----------
    function
        The module and name of the function, such as ``"holo_vae.serving.decoder:work"``.
    """
    module, name = function.split(":")
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {module} import {name}; {name}()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # One thread per process: there are as many processes as there is work for.
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        **_OWN_GROUP,
    )


def end(process: Process) -> None:
    """End a process, and wait until it has ended."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # data that was not sent is no longer needed
            pipe.close()  # type: ignore[union-attr]
    process.wait()


def own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return the input and the output of a process that `start` started, which nothing else can then use."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what libraries print must not become part of an answer
    return requests, answers


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
        If the other process has ended.
    """
    assert pipe is not None
    size = int.from_bytes(pipe.read(8))
    content = pipe.read(size)
    if not 0 < size == len(content):
        raise EOFError
    return content


def pack(arrays: Iterable[NDArray[Any]]) -> bytes:
    """Return arrays as the content of a message.

    The format is not ``.npy``, whose headers numpy reads with Python's parser: in Python 3.11 that may raise a
    SystemError when several threads use it at once.
    """
    packed = [np.ascontiguousarray(array) for array in arrays]
    header = json.dumps([(array.dtype.str, array.shape) for array in packed]).encode()
    return b"".join([len(header).to_bytes(8), header, *(array.tobytes() for array in packed)])


def unpack(content: bytes) -> list[NDArray[Any]]:
    """Return the arrays that `pack` packed.

    Raises
    ------
    ValueError
        If the content cannot come from `pack`.
    """
    start = 8 + int.from_bytes(content[:8])
    arrays = []
    for name, shape in json.loads(content[8:start]):
        dtype = np.dtype(name)
        if dtype.hasobject or min(shape, default=0) < 0:  # numpy would interpret the bytes as addresses
            raise ValueError("a message holds arrays of objects or of no shape")
        array: NDArray[Any] = np.ndarray(shape, dtype, content, start)
        arrays.append(array.copy())  # torch writes
        start += array.nbytes
    return arrays
