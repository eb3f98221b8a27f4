"""The journal of a tracked run: all that is to reach the tracking store, one line of JSON for each entry.

An entry is on disk before anything else happens with it, so neither a tracking server that goes away nor a
process that is killed loses it. `holo_vae.tracking.store` sends what is in a journal. Each line ends with its digest,
so that a damaged one is not sent; lines of before there were digests have none.
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
from holo_types.files.atomic import write_errors
from holo_types.files.locks import lock

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
    """The first entry: what a run is.

    Parameters
    ----------
    experiment
        Name of the MLflow experiment.
    store
        Tracking URI, without its password; None for a sqlite file in the run's folder, wherever that is moved to.
    key
        Names the run before a store has given it an id, and so keeps it from being made twice.
    time
        Milliseconds since 1970, as in all entries.
    tags
        Of MLflow: who ran what.
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
        What it is called and where it came from.
    context
        What it is used for, such as ``training``.
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
    """A file, by its path, for a folder of the run's artifacts."""

    path: str
    target: str | None


@attrs.frozen
class LoggedModel:
    """A model in MLflow's form, by its folder."""

    path: str


@attrs.frozen
class Registration:
    """The registration of the last model under a name, and the alias that is to point at it if it passes the gate."""

    name: str
    alias: str | None = None


@attrs.frozen
class Status:
    """What has become of the run: ``RUNNING`` (again), ``FINISHED``, ``FAILED`` or ``KILLED``."""

    status: str
    time: int


Entry = RunStart | Parameters | Tags | Metrics | DataSet | File | LoggedModel | Registration | Status

_converter = cattrs.Converter(forbid_extra_keys=True)
configure_tagged_union(Entry, _converter, tag_name="entry")
_DIGEST, _END = b', "line_digest": "', b'"}'  # the end of a line, about all before it
_DIGITS = 16  # of a SHA-256


def read_journal(path: Path, offset: int = 0) -> Iterator[tuple[Entry, int]]:
    """Read entries from a position on, each with the position after it. A last line that is not whole is left.

    Raises
    ------
    FormatError
        If a line is no entry, or does not match its digest.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n") and not _sealed(line[:-1]):
                return  # what a killed process wrote of a line
            offset += len(line)
            try:
                entry: Entry = _converter.structure(json.loads(_content(line)), Entry)  # type: ignore[arg-type]
            except (ValueError, TypeError, KeyError, RecursionError, cattrs.BaseValidationError):
                raise FormatError(
                    f"{path}: the line that ends at byte {offset} is no entry of a journal, or is damaged"
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
    """Say whether a line without its end of line is whole, with a digest that it matches."""
    content, _, end = line.rpartition(_DIGEST)
    return end == _digest(content + b"}") + _END


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_DIGITS].encode()


class Journal:
    """A journal that is open for writing; threads may share it.

    Parameters
    ----------
    path
        The file; made if there is none. What a killed process left of a line is cut off.

    Attributes
    ----------
    start
        The first entry; None if there was none when the journal was opened.
    last
        The highest step of each curve that was there then.
    files
        The paths of the `File` and `LoggedModel` entries that were there then.
    described
        Whether the run's settings and data were there, which `Tags` with their basis follow.
    finished, running
        Whether the run had come to its end; whether it had come to none, not even by an error.
    size
        Bytes that are written.

    Raises
    ------
    HoloError
        If another process has it open, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
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
        """Write an entry; when this returns, it survives the process.

        Raises
        ------
        HoloError
            If it cannot be written, the disk being full for example.
        """
        line = _line(entry)
        with self._turn, write_errors(self.path):
            left = memoryview(line)
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:
                os.ftruncate(self._descriptor, self.size)  # half a line would spoil the next one
                raise
            self.size += len(line)

    def close(self) -> None:
        """Give the journal free for others."""
        os.close(self._descriptor)


def open_journal(folder: Path, *, resume: bool) -> Journal:
    """Open the journal of a new run in a folder, or with `resume` that of the last one.

    Each run of a folder has its own: ``tracking/1/journal.jsonl``, ``tracking/2/journal.jsonl`` and so on.
    """
    found = journals(folder)
    if resume and found:
        return Journal(found[-1])
    number = int(found[-1].parent.name) + 1 if found else 1
    return Journal(folder / "tracking" / str(number) / "journal.jsonl")


def journals(folder: Path) -> list[Path]:
    """Return the journals of the runs in a folder, the oldest first."""
    found = [path for path in folder.glob("tracking/*/journal.jsonl") if path.parent.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.parent.name))
