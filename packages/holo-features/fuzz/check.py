"""The check of one file: read by the package under test and by another reader, and compared."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
from differences import named_differences
from readings import Reading, Refused, holo_chosen, holo_reading, other_reading

from holo_types import HoloError

__all__ = ["EQUAL", "FAILED", "NAMED", "REFUSED", "REFUSED_ALONE", "Outcome", "check"]

REFUSED, REFUSED_ALONE, EQUAL, NAMED, FAILED = (
    "refused by both",
    "refused by Holo",
    "equal",
    "named",
    "FAILED",
)


@attrs.frozen
class Outcome:
    """The outcome for one file.

    Parameters
    ----------
    verdict
        One of the five above.
    detail
        Names of the differences, the reason of a refusal, or what failed.
    """

    verdict: str
    detail: tuple[str, ...] = ()


def check(form: str, path: Path, stage: Callable[[str], None] = lambda _: None) -> Outcome:
    """Read a file twice and compare.

    Parameters
    ----------
    form
        pdb, mmcif, binarycif, off or idx.
    path
        The file.
    stage
        Called with the name of the current reader, so that an observer knows which one crashed.
    """
    stage("holo")
    ours: Reading | None = None
    reason = ""
    try:
        ours = holo_reading(form, path)
        holo_chosen(form, path, ours)
    except HoloError as error:
        if fault := _fault(error, path):
            return Outcome(FAILED, (fault,))
        reason = str(error).replace(str(path), "").strip(": ")[:60]
    except Exception as error:  # noqa: BLE001 - any other error is what is looked for
        return Outcome(FAILED, (f"{type(error).__name__}: {error}"[:300],))
    stage("other")
    content = _content(path)
    if ours is None:
        return Outcome(REFUSED_ALONE if content is not None and _read(form, content) else REFUSED, (reason,))
    if content is None:
        return Outcome(FAILED, ("it was read, but the gzip data are damaged",))
    return _compared(form, content, ours)


def _compared(form: str, content: bytes, ours: Reading) -> Outcome:
    try:
        theirs = other_reading(form, content)
        reason = ""
    except Refused as error:
        theirs, reason = None, str(error)
    if theirs == ours:
        return Outcome(EQUAL)
    if names := named_differences(form, content, ours):
        return Outcome(NAMED, names)
    if theirs is None:
        return Outcome(FAILED, (f"only the other reader refuses: {' '.join(reason.split())}"[:300],))
    return Outcome(FAILED, (_apart(ours, theirs),))


def _apart(ours: Reading, theirs: Reading) -> str:
    """Return how two readings differ."""
    if not isinstance(ours, Counter) or not isinstance(theirs, Counter):
        return f"{str(ours)[:100]} and {str(theirs)[:100]}"
    more, less = list((ours - theirs).elements()), list((theirs - ours).elements())
    counts = f"{ours.total()} and {theirs.total()} atoms, {len(more)} and {len(less)} differ"
    return f"{counts}: {more[:1]} and {less[:1]}"


def _fault(error: HoloError, path: Path) -> str | None:
    """Return what is wrong with an error itself, or None."""
    text = str(error)
    if "\n" in text or str(path) not in text:
        return f"the error is not one line that names the file: {text[:200]!r}"
    cause = error.__cause__
    if isinstance(cause, MemoryError) or "allocate" in text or "MemoryError" in text:
        return f"it asked for more memory than there is: {text[:200]!r}"
    return None


def _read(form: str, content: bytes) -> bool:
    """Return whether the other reader reads a file."""
    try:
        other_reading(form, content)
    except Refused:
        return False
    return True


def _content(path: Path) -> bytes | None:
    """Return the decompressed bytes, or None if that fails."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":  # whatever the suffix
        return content
    try:
        return gzip.decompress(content) if len(content) < 200_000 else None
    except (EOFError, OSError, zlib.error):
        return None
