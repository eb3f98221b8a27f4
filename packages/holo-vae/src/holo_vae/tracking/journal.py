"""The journal of a tracked run: everything that is to reach the tracking store, one line of JSON for each entry.

An entry is on disk before anything else happens with it, so it is lost neither if the tracking server goes away nor if
the process is killed. `holo_vae.tracking.store` sends the content of a journal. Each line ends with its digest, so
that a damaged one is not sent; older lines may have no digest.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import cattrs
from cattrs.strategies import configure_tagged_union

from holo_types import FormatError, HoloError
from holo_types.contents import regular_file
from holo_types.files.atomic import write_errors
from holo_types.files.locks import lock
from holo_types.folders import check_folder
from holo_vae.recipes.conversion import strict_converter

__all__ = [
    "DataSet",
    "Entry",
    "File",
    "Journal",
    "LoggedModel",
    "Metrics",
    "Parameters",
    "Registration",
    "RunStart",
    "Status",
    "Tags",
    "journals",
    "open_journal",
    "read_journal",
]


@attrs.frozen
class RunStart:
    """The first entry: the identity of a run.

    Parameters
    ----------
    experiment
        Name of the MLflow experiment.
    store
        Tracking URI without its password; None for a sqlite file in the run's folder, even after that is moved.
    key
        Identifies the run before a store has given it an id, so that it is not created twice.
    time
        Milliseconds since 1970, as in all entries.
    tags
        Tags of MLflow: who ran what.
    """

    experiment: str
    store: str | None
    key: str
    time: int
    tags: Mapping[str, str]


@attrs.frozen
class Parameters:
    """Settings, which never change."""

    values: Mapping[str, str]


@attrs.frozen
class Tags:
    """Properties of the run, which may change."""

    values: Mapping[str, str]


@attrs.frozen
class Metrics:
    """A point of each of several curves."""

    time: int
    step: int
    values: Mapping[str, float]


@attrs.frozen
class DataSet:
    """The rows that a run reads.

    Parameters
    ----------
    name, source
        The name of the data, and where it came from.
    context
        The purpose of the data, such as ``training``.
    digest
        SHA-256 of the coefficients.
    rows, dim, dtype
        The number of rows, the dimension and the dtype of the table of coefficients.
    """

    name: str
    source: str
    context: str
    digest: str
    rows: int
    dim: int
    dtype: str


@attrs.frozen
class File:
    """A file, by its path, that goes to a folder of the run's artifacts."""

    path: str
    target: str | None


@attrs.frozen
class LoggedModel:
    """A model in MLflow's format, by its folder."""

    path: str


@attrs.frozen
class Registration:
    """The registration of the last model under a name, with the alias that it gets if it passes the gate."""

    name: str
    alias: str | None = None


@attrs.frozen
class Status:
    """The status of the run: ``RUNNING`` (again), ``FINISHED``, ``FAILED`` or ``KILLED``."""

    status: str
    time: int


Entry = RunStart | Parameters | Tags | Metrics | DataSet | File | LoggedModel | Registration | Status

_converter = strict_converter()
configure_tagged_union(Entry, _converter, tag_name="entry")
_DIGEST, _END = b', "line_digest": "', b'"}'  # the end of a line; the digest covers all before it
_DIGITS = 16  # number of digits kept of a SHA-256
_LONGEST = 1 << 24  # bytes of a line


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[Entry, int]]:
    """Yield the entries from a position on, each with the position after it; an incomplete last line is ignored.

    Raises
    ------
    FormatError
        If it is not a regular file, or a line is not an entry, or does not match its digest.
    """
    with regular_file(path).open("rb") as file:
        file.seek(offset)
        while line := file.readline(_LONGEST):
            if not line.endswith(b"\n") and not _sealed(line[:-1]):
                if len(line) == _LONGEST:
                    raise FormatError(
                        f"{path}: the line at byte {offset} is longer than any entry of a journal"
                    )
                return  # a line that a killed process did not complete
            offset += len(line)
            try:
                entry: Entry = _converter.structure(json.loads(_content(line)), Entry)  # type: ignore[arg-type]
            except (ValueError, TypeError, KeyError, RecursionError, cattrs.BaseValidationError):
                raise FormatError(
                    f"{path}: the line that ends at byte {offset} is not an entry of a journal, or is damaged"
                ) from None
            yield entry, offset


def _line(entry: Entry) -> bytes:
    content = json.dumps(_converter.unstructure(entry, unstructure_as=Entry)).encode()
    return content[:-1] + _DIGEST + _digest(content) + _END + b"\n"


def _content(line: bytes) -> bytes:
    """Return the JSON of a line without its digest."""
    content, digest, _ = line.rpartition(_DIGEST)
    if not digest:
        return line
    if not (line.endswith(b"\n") and _sealed(line[:-1])):
        raise ValueError("it does not match its digest")
    return content + b"}"


def _sealed(line: bytes) -> bool:
    """Return whether a line, without its newline, is complete and matches its digest."""
    content, _, end = line.rpartition(_DIGEST)
    return end == _digest(content + b"}") + _END


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_DIGITS].encode()


class Journal:
    """A journal that is open for writing; threads may share it.

    Parameters
    ----------
    path
        The file, which is created if it does not exist. An incomplete line of a killed process is cut off.

    Attributes
    ----------
    start
        The first entry; None if there was none when the journal was opened.
    last
        The highest step of each curve when the journal was opened.
    files
        The paths of the `File` and `LoggedModel` entries when the journal was opened.
    described
        Whether the run's settings and data had been recorded, which ends with `Tags` that name the basis.
    finished, running
        Whether the run had finished; whether it had not ended at all, not even with an error.
    size
        The number of bytes that have been written.

    Raises
    ------
    HoloError
        If another process has the journal open, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                regular_file(path)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        if not lock(self._descriptor):
            os.close(self._descriptor)
            raise HoloError(f"{path}: another process writes or sends this journal; wait until it has ended")
        self.start: RunStart | None = None
        self.last: dict[str, int] = {}
        self.files: set[str] = set()
        self.described = self.finished = self.running = False
        self.size = 0
        for entry, self.size in read_journal(path):
            if isinstance(entry, RunStart):
                self.start, self.running = entry, True
            elif isinstance(entry, Metrics):
                for name in entry.values:
                    self.last[name] = max(entry.step, self.last.get(name, entry.step))
            elif isinstance(entry, Status):
                self.finished, self.running = entry.status == "FINISHED", entry.status == "RUNNING"
            elif isinstance(entry, Tags):
                self.described |= "basis_digest" in entry.values
            elif isinstance(entry, File | LoggedModel):
                self.files.add(entry.path)
        os.ftruncate(self._descriptor, self.size)

    def append(self, entry: Entry) -> None:
        """Write an entry; once this returns, the entry survives the process.

        Raises
        ------
        HoloError
            If it cannot be written, for example because the disk is full.
        """
        line = _line(entry)
        with self._turn, write_errors(self.path):
            left = memoryview(line)
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:
                os.ftruncate(self._descriptor, self.size)  # an incomplete line would spoil the next one
                raise
            self.size += len(line)

    def close(self) -> None:
        """Release the journal for other processes."""
        os.close(self._descriptor)


def open_journal(folder: Path, *, resume: bool) -> Journal:
    """Open the journal of a new run in a folder or, with `resume`, that of the last run.

    Each run in a folder has its own journal: ``tracking/1/journal.jsonl``, ``tracking/2/journal.jsonl`` and so on.

    Raises
    ------
    FormatError
        As for `journals`, or if the journal is damaged.
    HoloError
        If another process has the journal open.
    """
    found = journals(folder)
    if resume and found:
        return Journal(found[-1])
    number = int(found[-1].parent.name) + 1 if found else 1
    return Journal(folder / "tracking" / str(number) / "journal.jsonl")


def journals(folder: Path) -> list[Path]:
    """Return the journals of the runs in a folder, the oldest first.

    Raises
    ------
    FormatError
        If the folder contains a link: what a run sends must be its own.
    """
    check_folder(folder)
    found = [path for path in folder.glob("tracking/*/journal.jsonl") if path.parent.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.parent.name))
