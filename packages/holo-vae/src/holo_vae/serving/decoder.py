"""A process of `Decoders`, which reads and encodes the structures of one request after the other."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from holo_types import Basis, Holograms

from .decoding import Row, send_holograms
from .faults import report
from .limits import Deadline, Limits, RefusedRequest
from .processes import own_pipes, receive, send
from .structures import holograms_of, read_structures

__all__ = ["work"]

_EXAMPLE = Path(__file__).parents[1] / "shipped" / "tripeptide.pdb"
_TOO_LARGE = "decoding the structures takes more memory than a request may have"


def work() -> None:
    """Answer the requests that arrive on the input until the service has ended."""
    requests, answers = own_pipes()
    folder = None
    with contextlib.suppress(OSError, EOFError):
        setting = json.loads(receive(requests))
        folder = tempfile.tempdir = setting["folder"]
        basis, limits = Basis.from_dict(setting["basis"]), Limits(**setting["limits"])
        # Import everything, and compute once what is reused, before the first request.
        list(_decode([(_EXAMPLE.name, _EXAMPLE.read_text(), None)], basis, Limits(), Deadline(60)))
        _limit_memory(limits.max_memory)
        fit = True
        while fit:
            request = json.loads(receive(requests))
            _limit_time(request["seconds"])
            refused, fit = None, True
            try:
                for holograms in _decode(request["rows"], basis, limits, Deadline(request["seconds"])):
                    send_holograms(answers, holograms)
            except RefusedRequest as error:
                refused = error.reason, error.error_code
            except MemoryError:
                refused, fit = (_TOO_LARGE, "DEADLINE_EXCEEDED"), False
            except BrokenPipeError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug in the service: it is logged, and the service continues
                report("decoding", error)
                refused = "the service failed; its log says why", "INTERNAL_ERROR"
            send(answers, json.dumps({"columns": None, "refused": refused, "fit": fit}).encode())
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)  # the service does so too, unless it was killed
    os._exit(0)


def _decode(rows: list[Row], basis: Basis, limits: Limits, deadline: Deadline) -> Iterator[Holograms]:
    for requested in read_structures(rows, basis, limits, deadline):
        for holograms in holograms_of(requested, basis):
            deadline.check()
            yield holograms


def _limit_memory(most: int) -> None:
    """Limit how many bytes the address space may grow by, on systems that support it."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + most
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _limit_time(seconds: float) -> None:
    """Let the system end this process in case the service, which would do so, no longer exists."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
