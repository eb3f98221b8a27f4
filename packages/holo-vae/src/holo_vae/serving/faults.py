"""Log messages for bugs in the service, which show where they are and nothing of the request."""

import json
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["report", "where"]

_FRAMES = 12


def where(error: BaseException) -> str:
    """Return the type of an exception and the lines that led to it, without the message, which may quote the request.

    Examples
    --------
    >>> try:
    ...     int("what was sent")
    ... except ValueError as error:
    ...     where(error).partition(" at ")[0]
    'ValueError'
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    lines = (f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {', from '.join(lines)}"


def report(what: str, error: BaseException) -> None:
    """Write an error to stderr, as a line of the service's log."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": time, "level": "error", "event": "fault", "what": what, "fault": where(error)})
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
