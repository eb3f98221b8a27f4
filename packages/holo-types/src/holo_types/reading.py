"""The one place where an error in reading somebody else's file becomes one of Holo's errors."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from holo_types.errors import FormatError, HoloError

__all__ = ["reading", "reads"]

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST = 200  # characters of a reason


@contextlib.contextmanager
def reading(name: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Turn any error in reading a file into a one-line `FormatError` that names the file.

    Parsers raise all kinds of exceptions on damaged or hostile content, so that no list of them is complete. The
    original exception is kept as the cause.

    Parameters
    ----------
    name
        Name of the file, or of the part of it that is read.
    kind
        What it must be, such as ``"a recipe"``.

    Raises
    ------
    FormatError
        In place of every exception that is not already a `HoloError`.

    Examples
    --------
    >>> with reading("numbers.json", "a list of numbers"):
    ...     {}["numbers"]
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: numbers.json: cannot be read as a list of numbers (KeyError: 'numbers')
    """
    try:
        yield
    except HoloError:
        raise
    except Exception as error:
        raise FormatError(f"{os.fspath(name)}: cannot be read as {kind} ({_reason(error)})") from error


def reads(kind: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose first argument is a path so that it raises only Holo's errors; see `reading`.

    Parameters
    ----------
    kind
        What the file must be.

    Examples
    --------
    >>> @reads("a number")
    ... def number(path: str) -> float:
    ...     return float("x")
    >>> number("one.txt")
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: one.txt: cannot be read as a number (could not convert string to float: 'x')
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def read(*given: P.args, **named: P.kwargs) -> R:
            path = given[0] if given else next(iter(named.values()))
            with reading(str(path), kind):
                return function(*given, **named)

        return read

    return decorated


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = " ".join(str(error).split())
    if not isinstance(error, ValueError):
        words = f"{type(error).__name__}: {words}"
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
