"""Faults of ours in a log: where they are, and nothing of the request that met them."""

import traceback
from pathlib import Path

__all__ = ["where"]

_FRAMES = 12


def where(error: BaseException) -> str:
    """Return an exception's type and the lines that led to it, without its message, which may quote what was sent.

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
