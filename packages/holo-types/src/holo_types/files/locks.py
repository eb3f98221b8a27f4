"""The lock that lets only one run at a time write a file or a folder, and the remains of killed runs."""

import contextlib
import os
import platform
import re
import stat
from pathlib import Path

from holo_types.errors import HoloError

from .atomic import owned, place_of, write_errors

__all__ = ["PathLock", "lock", "remove_unfinished"]

_OF_FOLDER = ".lock"
_MARK = b"process "  # how the content of a lock begins
# A link is not followed, and a pipe without readers does not block; Windows has neither flag.
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def lock(descriptor: int) -> bool:
    """Try to take the only lock of a file, which lasts until it is closed or the process dies; return the success."""
    try:
        if os.name == "posix":
            import fcntl  # noqa: PLC0415 - each system has only one of the two

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt  # noqa: PLC0415

            os.lseek(descriptor, 1 << 62, os.SEEK_SET)  # far beyond what readers read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks
    return True


class PathLock:
    """The right of one run to write a file, or into a folder, until it is released or the process dies.

    It is taken before there is anything to write, as a lock on a small file: ``.NAME.lock`` beside a file, ``.lock`` in
    a folder. This small file is removed at the end; one that a killed process left is taken over. The holder of the
    lock removes what a killed run left unfinished (`remove_unfinished`). A locked folder is Holo's own until it is
    released (`holo_types.files.atomic.owned`).

    Parameters
    ----------
    path
        The file or folder, which need not exist.
    folder
        Whether it is a folder. The folder is created, and removed at the end if it is still empty.

    Raises
    ------
    HoloError
        If another run holds the lock, nothing can be written there, or in the place of the small file is a link or
        something else that is no lock.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "rows.h5")
    >>> with PathLock(path):
    ...     try:
    ...         PathLock(path)
    ...     except HoloError as error:
    ...         "rows.h5: another run is alive and writes it (process" in str(error)
    True
    >>> list(path.parent.iterdir())
    []
    """

    def __init__(self, path: Path, *, folder: bool = False) -> None:
        self.path = path
        self._descriptor, self._process = -1, os.getpid()
        self._owned = contextlib.ExitStack()
        place = Path(os.path.realpath(path)) if folder else place_of(path)
        self._made = place if folder and not place.exists() else None
        with write_errors(path):
            if not folder and place.is_dir():
                raise IsADirectoryError(None, "it is a folder")
            self._file = place / _OF_FOLDER if folder else place.with_name(f".{place.name}.lock")
            while not self.held():  # the previous holder may have removed it after we opened it
                self._open(folder)
            remove_unfinished(place if folder else place.parent, None if folder else place.name)
        if folder:
            self._owned.enter_context(owned(place))

    def __enter__(self) -> "PathLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()

    def held(self) -> bool:
        """Return whether the lock's file still exists; it does not if the folder was removed, for example."""
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(self._file.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Check that the file or folder that this run writes is still in its place.

        Raises
        ------
        HoloError
            If it is not.
        """
        if not self.held():
            raise HoloError(f"{self.path}: was removed or replaced while this run wrote to it")

    def others(self) -> bool:
        """Return whether a locked folder holds anything but the lock."""
        return any(path.name != _OF_FOLDER for path in self._file.parent.iterdir())

    def release(self) -> None:
        """Release the lock, so that others can write."""
        self._owned.close()
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if self._process == os.getpid() and self.held():  # not in a forked child
                self._file.unlink()
        self._close()
        if self._made is not None:
            with contextlib.suppress(OSError):  # the folder is not empty
                self._made.rmdir()

    def _open(self, folder: bool) -> None:
        self._close()
        if folder:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._descriptor = os.open(self._file, _FLAGS, 0o666)
        except FileNotFoundError:
            if folder:  # the previous holder has just removed the folder
                return
            raise
        except OSError as error:
            if self._file.is_symlink() or self._file.is_dir():
                raise self._no_lock() from error
            raise
        self._check_place()
        if lock(self._descriptor):
            start = os.read(self._descriptor, len(_MARK))
            if not _MARK.startswith(start):  # a killed run may have left a part of it
                raise self._no_lock()
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, _MARK + f"{os.getpid()} on {platform.node()}".encode())
            return
        owner = os.read(self._descriptor, 200).decode(errors="replace")
        self._close()
        raise HoloError(
            f"{self.path}: another run is alive and writes {'into ' if folder else ''}it ({owner}); wait until it "
            f"has ended, or choose another {'folder' if folder else 'file'}"
        )

    def _check_place(self) -> None:
        """Refuse what somebody else may have put in the lock's place: writing to it would change a file of theirs."""
        status = os.fstat(self._descriptor)
        if self._file.is_symlink() or not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise self._no_lock()

    def _no_lock(self) -> HoloError:
        self._close()
        return HoloError(
            f"{self.path}: is not written, because {self._file} is no lock of Holo (it is a link, or somebody else's "
            "file); remove it, or write elsewhere"
        )

    def _close(self) -> None:
        # Forgotten first: if a signal interrupts the close, nobody closes a number that may be of another file by then.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def remove_unfinished(folder: Path, name: str | None = None) -> None:
    """Remove the unfinished files that killed processes left (see `holo_types.files.atomic`).

    Parameters
    ----------
    folder
        The folder; nothing happens if it does not exist, and its subfolders are not searched.
    name
        Name of the file that they belong to; with None, those of all files are removed.
    """
    file = ".+" if name is None else re.escape(name)
    # SQLite, if it is killed while it creates a database, leaves its journal too.
    unfinished = re.compile(rf"\.{file}\.[0-9a-f]{{8}}\.tmp(-journal|-wal|-shm)?", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(folder) as there:
        for entry in list(there):
            if unfinished.fullmatch(entry.name):
                Path(entry).unlink(missing_ok=True)
