"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from holo_types.errors import HoloError

__all__ = ["owned", "place_of", "replacing", "sync_folder", "uninterrupted", "write_errors"]

_owned: list[Path] = []  # folders, as `os.path.realpath` gives them


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Mark a folder as one that only Holo writes, so that `replacing` follows no link of a file in it.

    A user may name a link as an output, and means the file that it leads to. Inside of a model or a run, however, Holo
    makes no links: one that is there came with the folder, and whoever made it could choose which file is overwritten.

    Examples
    --------
    >>> import tempfile
    >>> there = Path(tempfile.mkdtemp())
    >>> (there / "model").mkdir()
    >>> _ = (there / "notes.txt").write_text("mine")
    >>> (there / "model" / "config.json").symlink_to(there / "notes.txt")
    >>> with owned(there / "model"), replacing(there / "model" / "config.json") as new:
    ...     _ = new.write_text("{}")
    >>> (there / "notes.txt").read_text()
    'mine'
    """
    place = Path(os.path.realpath(folder))
    _owned.append(place)
    try:
        yield
    finally:
        _owned.remove(place)


def place_of(path: Path) -> Path:
    """Return what is written as `path`: the target of a link, or in a folder that is `owned` the link itself."""
    itself = Path(os.path.realpath(path.parent), path.name)
    if any(itself.is_relative_to(folder) for folder in _owned):
        return itself
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a `HoloError` that names the file."""
    try:
        yield
    except OSError as error:
        raise HoloError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM until the end: HDF5 crashes if an exception interrupts a write."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    handlers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raising = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in raising:
        signal.signal(number, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in raising.items():
            signal.signal(number, handler)
        for number, frame in received[:1]:
            raising[number](number, frame)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure, where the system allows a folder to be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a new file in the same folder, which replaces `path` at the end.

    If `path` is a link, the file that it leads to is replaced; in a folder that is `owned`, the link itself.

    If anything fails before then, `path` is unchanged. A process that is killed in between leaves an unfinished
    ``.NAME.XXXXXXXX.tmp``, which the next run that holds the path's lock removes (`holo_types.files.locks`).

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "note.txt") as new:
    ...     _ = new.write_text("whole")
    >>> [file.name for file in folder.iterdir()]
    ['note.txt']
    """
    with write_errors(path):
        target = place_of(path)
        new = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(None, "it is a folder")
        if target.exists() and not (target.is_file() or target.is_symlink()):
            raise OSError(None, "it is not a regular file")
        try:
            yield new
            descriptor = os.open(new, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(new, target)  # noqa: PTH105 - one call that tests can interrupt
        finally:
            new.unlink(missing_ok=True)
        sync_folder(target.parent)
