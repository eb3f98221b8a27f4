"""Structures in tar and zip archives, each read in place; nothing is unpacked to disk.

A member is named by a path below that of the archive, such as ``proteome.tar/AF-P69905-F1-model_v4.cif.gz``. The
content of an archive is not trusted: names are labels that are looked up only in the archive; links are not followed;
and sizes are checked against the file and a limit.
"""

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from holo_types import FormatError
from holo_types.contents import regular_file

__all__ = ["SkippedMember", "archive_members", "archive_of", "is_archive_path", "read_member"]

_SUFFIXES = (".tar", ".zip")
LARGEST_MEMBER = 1 << 28  # bytes, packed or unpacked; ten times the largest mmCIF file of AlphaFold DB
_LARGEST_HEADER = 1 << 16  # bytes, for a long name in a tar archive
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # in a zip archive: signature, lengths of name and extra field
_MOST_HEADERS = 16  # before one member; tar writes at most four
_NAMES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_SHOWN = 100  # characters of a name that is refused


class SkippedMember(NamedTuple):
    """A member that is not read, or the rest of a damaged archive, and the reason."""

    name: str
    reason: str


class _Place(NamedTuple):
    """The location of a member."""

    offset: int
    packed: int
    size: int
    deflated: bool = False
    checksum: int | None = None


class _Found(NamedTuple):
    members: Mapping[str, _Place]
    skipped: tuple[SkippedMember, ...]


def is_archive_path(path: str | os.PathLike[str]) -> bool:
    """Return whether a name has the suffix of an archive.

    Examples
    --------
    >>> is_archive_path("UP000005640_9606_HUMAN_v4.tar"), is_archive_path("models.tar.gz")
    (True, False)
    """
    return Path(path).suffix.lower() in _SUFFIXES


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path leads into, or None.

    Examples
    --------
    >>> archive_of(Path("folder/1abc.cif")) is None
    True
    """
    if not any(
        suffix in os.fspath(path).lower() for suffix in _SUFFIXES
    ):  # looking at all parents takes longer
        return None
    return next((place for place in path.parents if is_archive_path(place) and place.is_file()), None)


def archive_members(archive: Path) -> tuple[list[str], tuple[SkippedMember, ...]]:
    """Return the names of the regular files of an archive in its order, and what is skipped.

    Parameters
    ----------
    archive
        A .tar file (not compressed as a whole) or a .zip file.

    Raises
    ------
    FormatError
        If it cannot be read or is not such an archive. If it is damaged further on, the members before are returned.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "models.zip")
    >>> with zipfile.ZipFile(path, "w") as file:
    ...     for name in ("human/1abc.cif", "../2xyz.cif"):
    ...         file.writestr(name, "data_1ABC")
    >>> archive_members(path)  # doctest: +NORMALIZE_WHITESPACE
    (['human/1abc.cif'], (SkippedMember(name="'../2xyz.cif'", reason='its name leads out of the archive; it must
    be a path inside it'),))
    >>> read_member(path, "human/1abc.cif")
    b'data_1ABC'
    """
    found = _found(archive)
    return list(found.members), found.skipped


def read_member(archive: Path, name: str) -> bytes:
    """Read a member of an archive.

    Raises
    ------
    FormatError
        If there is none of this name, or it is damaged.
    """
    place = _found(archive).members.get(name)
    if place is None:
        raise FormatError(f"{archive}: holds no regular file {name!r}")
    with archive.open("rb") as file:
        file.seek(place.offset)
        if place.checksum is None:
            return file.read(place.size)
        header = file.read(_LOCAL_HEADER.size)
        signature, *lengths = _LOCAL_HEADER.unpack(header.ljust(_LOCAL_HEADER.size, b"\0"))
        file.seek(sum(lengths), os.SEEK_CUR)
        content = file.read(place.packed)
    if signature != b"PK\3\4":
        raise FormatError(f"{archive}/{name}: damaged zip archive (no member begins at byte {place.offset})")
    if place.deflated:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, place.size + 1)
        except zlib.error as error:
            raise FormatError(f"{archive}/{name}: damaged zip archive ({error})") from None
    if len(content) != place.size or zlib.crc32(content) != place.checksum:
        raise FormatError(f"{archive}/{name}: damaged zip archive (its size or checksum is another)")
    return content


def _found(archive: Path) -> _Found:
    try:
        status = regular_file(archive).stat()
        return _index(archive, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise FormatError(f"{archive} cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=2)  # a process reads one archive after the other
def _index(archive: Path, size: int, _: int) -> _Found:
    members: dict[str, _Place] = {}
    skipped: list[SkippedMember] = []
    listed = _in_zip(archive) if archive.suffix.lower() == ".zip" else _in_tar(archive)
    for name, place in listed:
        label, reason = _label(name)
        if isinstance(place, str):
            reason = reason or place
        elif max(place.size, place.packed) > LARGEST_MEMBER:
            reason = reason or f"it has {max(place.size, place.packed)} bytes; {LARGEST_MEMBER} are the most"
        elif not 0 <= place.offset <= place.offset + place.packed <= size:
            reason = reason or "the archive ends before it does"
        elif label in members:
            reason = "an earlier member has this name, which is taken"
        if reason:
            skipped.append(SkippedMember(label, reason))
        elif not isinstance(place, str):
            members[label] = place
    return _Found(members, tuple(skipped))


def _label(name: str) -> tuple[str, str]:
    """Return the name of a member and, if that is not allowed, the reason."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        return ascii(name[:_SHOWN]), "its name leads out of the archive; it must be a path inside it"
    if not name.isprintable() or not path.parts:
        return ascii(name[:_SHOWN]), "its name holds no printable text"
    return str(path), ""


def _in_zip(archive: Path) -> Iterator[tuple[str, _Place | str]]:
    try:
        with zipfile.ZipFile(archive) as file:
            found = file.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise FormatError(f"{archive}: damaged, or no zip archive ({error})") from None
    for info in found:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        place: _Place | str
        if kind not in (0, stat.S_IFREG):
            place = "it is a link or a device; only regular files are read"
        elif info.flag_bits & 1:
            place = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            place = f"it is packed by method {info.compress_type}; it must be stored or deflated"
        else:
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            place = _Place(info.header_offset, info.compress_size, info.file_size, deflated, info.CRC)
        yield info.filename, place


class _TarMember(tarfile.TarInfo):
    """A tar header that is refused if a name in it would fill the memory, or names follow each other without end."""

    def _proc_member(self, file: tarfile.TarFile) -> tarfile.TarInfo:
        headers = getattr(file, "headers_before_member", 0) + 1 if self.type in _NAMES else 0
        file.headers_before_member = headers  # type: ignore[attr-defined]
        if headers > _MOST_HEADERS:  # tarfile reads each within the one before
            raise tarfile.ReadError(f"a member has more than {_MOST_HEADERS} headers")
        if headers and not 0 <= self.size <= _LARGEST_HEADER:
            raise tarfile.ReadError(f"a name has {self.size} bytes; {_LARGEST_HEADER} are the most")
        return super()._proc_member(file)  # type: ignore[misc,no-any-return]


def _in_tar(archive: Path) -> Iterator[tuple[str, _Place | str]]:
    end = 0
    try:
        with tarfile.open(archive, "r:", tarinfo=_TarMember) as file:
            while (member := file.next()) is not None:
                file.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                if file.offset <= end:
                    raise tarfile.ReadError("a size is negative")
                end = file.offset
                if member.isdir():
                    continue
                regular = member.isreg() and not member.issparse()
                yield (
                    member.name,
                    _Place(member.offset_data, member.size, member.size)
                    if regular
                    else "it is a link, a device or sparse; only regular files are read",
                )
        with archive.open("rb") as content:  # where tarfile found no further header and does not report why
            content.seek(end)
            if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no header and no end mark follows")
    except (tarfile.TarError, ValueError, OverflowError) as error:
        if not end:
            raise FormatError(f"{archive}: damaged, or no tar archive ({error})") from None
        yield archive.name, f"the archive is damaged after byte {end} ({error}); what lies before is read"
