"""A trial reading of other people's LMDB files, in a separate process (extra ``atom3d``).

An LMDB file is mapped into memory and trusted by the library that reads it: an invalid page number crashes the process,
and a circular one makes it loop forever. No check in Python can run before that.
"""

import os
import subprocess
import sys
from pathlib import Path

import attrs

from holo_types import FormatError

__all__ = ["Examined", "examine_lmdb", "walk"]

_SECONDS = 10.0  # seconds of computing, and one more for every so many bytes of the file:
_BYTES_PER_SECOND = 1 << 26
_MOST_SECONDS = 600.0
_LOADED = 20.0  # the factor of time that a loaded machine may take
_MEMORY = 1 << 30  # bytes, and twice the file
_PAGE = 4096
_SMALLEST_ENTRY = 12  # bytes, with its place in the page

_Identity = tuple[int, int, int, int]  # device, inode, size and time of a file


@attrs.frozen
class Examined:
    """A file that was read in a separate process.

    Parameters
    ----------
    file
        The file.
    identity
        Its device, inode, size and time of change before it was read.
    entries
        The number of entries that were read, because the number that the file states need not be true. None if reading
        failed, which it will do again.
    """

    file: Path
    identity: _Identity
    entries: int | None

    def check(self) -> None:
        """Refuse the file if it is no longer the one that was read.

        Raises
        ------
        FormatError
            If it was replaced or changed.
        """
        if _identity(self.file) != self.identity:
            raise FormatError(f"{self.file}: was changed while it was read; it must stay as it is")


_known: dict[_Identity, int | None] = {}  # the number of entries of files that were read


def _identity(file: Path) -> _Identity:
    about = file.stat()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def examine_lmdb(file: Path) -> Examined:
    """Read all of an LMDB file in a separate process, unless this process has done so before.

    Parameters
    ----------
    file
        The file ``data.mdb``.

    Returns
    -------
    Examined
        What was read.

    Raises
    ------
    FormatError
        If reading crashes that process, or does not finish.
    """
    identity = _identity(file)
    if identity in _known:
        return Examined(file, identity, _known[identity])
    size = identity[2]
    seconds = min(_SECONDS + size / _BYTES_PER_SECOND, _MOST_SECONDS)
    command = [sys.executable, "-P", "-c", f"import sys; from {__name__} import walk; walk(*sys.argv[1:])"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(
            [*command, str(file.parent), str(int(seconds)), str(_MEMORY + 2 * size)],
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LOADED * seconds,
        )
    except subprocess.TimeoutExpired:
        raise FormatError(f"{file}: is not read within {seconds:.0f} s; it is damaged or malicious") from None
    if done.returncode < 0:  # a Python exception occurs again, and is reported, where the file is read
        raise FormatError(f"{file}: crashes the process that reads it; it is damaged or malicious")
    printed = done.stdout.strip()
    _known[identity] = int(printed) if printed.isdigit() else None
    return Examined(file, identity, _known[identity])


def walk(folder: str, seconds: str, memory: str) -> None:
    """Read every byte of a folder's LMDB file, within limits of time and memory, and print its number of entries.

    Parameters
    ----------
    folder
        The folder that holds ``data.mdb``.
    seconds, memory
        The limits, as text: seconds of computing, and the size of the address space in bytes.
    """
    import lmdb  # noqa: PLC0415

    from holo_types.files.trial import limit_process  # noqa: PLC0415 - needed here alone, in the other process

    limit_process(int(seconds), int(memory))
    with (
        lmdb.open(folder, readonly=True, lock=False, readahead=False, create=False) as environment,
        environment.begin(buffers=True) as transaction,
    ):
        size, pages = Path(folder, "data.mdb").stat().st_size, environment.info()["last_pgno"] + 1
        if size < pages * environment.stat()["psize"]:
            return  # the file is truncated, which its reader reports
        entries = 0
        for key, value in transaction.cursor():
            entries += 1
            if entries * _SMALLEST_ENTRY > size:
                return  # some pages are read again and again
            for found in (value, transaction.get(bytes(key))):
                memoryview(found or b"")[::_PAGE].tobytes()
    sys.stdout.write(str(entries))
