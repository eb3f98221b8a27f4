"""Read the atoms of one model from structure files: PDB, mmCIF and BinaryCIF, each also gzipped."""

import contextlib
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from holo_types import FormatError
from holo_types.contents import check_lines, gunzipped, read_content

from .archives import LARGEST_MEMBER, archive_of, read_member
from .mmcif import read_binarycif, read_mmcif
from .pdb import read_pdb
from .pdbqt import read_pdbqt
from .raw import RawAtoms, atom_name

__all__ = [
    "content_suffix",
    "damage_named",
    "file_content",
    "is_structure_path",
    "raw_atoms",
    "split_suffix",
    "structure_stem",
]

_PDB, _MMCIF, _BINARYCIF = (".pdb", ".ent"), (".cif", ".mmcif"), (".bcif",)
_ASSEMBLY = re.compile(r"\.(pdb|ent)[0-9]+")  # .pdb1 and the like are the wwPDB's assembly files
_SUFFIXES = (*_PDB, *_MMCIF, *_BINARYCIF)
# Structures too, but mostly of ligands: one is read as a structure only if it is named explicitly.
_PDBQT = (".pdbqt",)
_READERS = {
    **dict.fromkeys(_PDB, read_pdb),
    **dict.fromkeys(_MMCIF, read_mmcif),
    **dict.fromkeys(_BINARYCIF, read_binarycif),
    **dict.fromkeys(_PDBQT, read_pdbqt),
}

_BINARY = 0x80  # the first byte of BinaryCIF is not less
_GZIP = b"\x1f\x8b"


def split_suffix(path: str | os.PathLike[str]) -> tuple[str, bool]:
    """Return the suffix of a file's name in lower case, without .gz, and whether it has .gz; .pdb1 counts as .pdb.

    Examples
    --------
    >>> split_suffix("folder/1abc.CIF.gz"), split_suffix("1abc.pdb1")
    (('.cif', True), ('.pdb', False))
    """
    name = Path(path).name.lower()
    plain = name.removesuffix(".gz")
    suffix = Path(plain).suffix
    return _ASSEMBLY.sub(r".\1", suffix) if _ASSEMBLY.fullmatch(suffix) else suffix, plain != name


def is_structure_path(path: str | os.PathLike[str]) -> bool:
    """Return whether a name has the suffix of a structure file.

    Examples
    --------
    >>> is_structure_path("1abc.cif.gz"), is_structure_path("1abc.csv")
    (True, False)
    """
    return split_suffix(path)[0] in _SUFFIXES


def structure_stem(path: str | os.PathLike[str]) -> str:
    """Return a file's name without the suffixes of its format.

    Examples
    --------
    >>> structure_stem("folder/1abc.bcif.gz")
    '1abc'
    """
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    return Path(name).stem if split_suffix(name)[0] in _READERS else name


def raw_atoms(
    path: str | os.PathLike[str], model: int | None = None, assembly: str | None = None
) -> RawAtoms:
    """Read every atom of one model of a structure file.

    Parameters
    ----------
    path
        A file .pdb, .ent, .cif, .mmcif, .bcif or .pdbqt, optionally with .gz; the content decides, whatever the name.
    model
        Number of the model; None for the first.
    assembly
        Name of the assembly whose copies are returned.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind, has no atoms, a coordinate that is not a finite
        number, or no such model or assembly; the message names the file and, if one atom is at fault, the atom.
    """
    place = Path(path)
    suffix, zipped = split_suffix(place)
    if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise FormatError(f"{place} is a folder; it must be a structure file")
    if suffix not in _READERS:
        if not place.suffix and not os.path.lexists(place):
            raise FormatError(f"{place} does not exist")
        raise FormatError(
            f"{place}: its name ends in {place.suffix!r}; it must end in one of "
            f"{', '.join(_READERS)}, with or without .gz"
        )
    content = file_content(place, zipped)
    with damage_named(place, suffix):
        found = content_suffix(content)
        if found is not None and not (found == ".pdb" and suffix in _PDBQT):
            suffix = found
        read = _READERS[suffix]
        if read is not read_binarycif and b"\0" in content:
            raise FormatError("it holds binary data; it must be text")
        raw = read(content, model, assembly)
    finite = np.isfinite(raw.atoms.coord).all(axis=1)
    if not finite.all():
        atom = raw.atoms[int(np.argmin(finite))]
        name = atom_name(atom.chain_id, f"{atom.res_id}{atom.ins_code}", atom.res_name, atom.atom_name)
        raise FormatError(
            f"{place}: atom {name} is at {atom.coord.tolist()}; coordinates must be finite numbers"
        )
    return raw


@contextlib.contextmanager
def damage_named(what: object, suffix: str) -> Iterator[None]:
    """Turn errors in reading a damaged file into one error that names the file, or its part."""
    try:
        with np.errstate(all="ignore"):  # an overflow is detected as a coordinate that is not finite
            yield
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from None
    except OSError:
        raise
    except Exception as error:  # parsers raise all kinds of exceptions: no list of classes is complete
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{what}: damaged, or no {suffix} file ({reason})") from error


# The beginnings of files whose kind differs from their suffix; those that are not supported have names.
_PACKED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"(\xb5/\xfd": "zstd",
    b"PK\3\4": "zip",
    b"\x1f\x9d": "compress",
    b"7z\xbc\xaf": "7-Zip",
}
# Possessive quantifiers, because a file may consist of blank lines: going back would take far more memory than it has.
_FOREIGN = (
    (
        rb"(?i)\s*+<(?:!doctype html|html|head)",
        "a web page (HTML), such as a server sends in place of a file",
    ),
    (rb"\s*+<\?xml", "XML; PDBML is not read"),
    (rb"\s*+[{\[]\s*+[\"{\[]", "JSON"),
    (rb"(?:#[^\n]*+\n|\s++)*+@<TRIPOS>", "MOL2, a file of small molecules"),
    (rb"(?:[^\n]*+\n){3}[^\n]*V[23]000", "a MOL or SDF file, of small molecules"),
)
_IS_MMCIF = re.compile(rb"(?:[ \t\r\n]++|#[^\n]*+\n)*+data_", re.IGNORECASE)
_IS_PDB = re.compile(
    rb"\s*+(?:HEADER|OBSLTE|TITLE |COMPND|SOURCE|KEYWDS|EXPDTA|AUTHOR|REVDAT|REMARK|SEQRES|CRYST1|MODEL |ATOM  |HETATM)"
)
_MARK = b"\xef\xbb\xbf"  # the byte order mark of UTF-8


def content_suffix(content: bytes) -> str | None:
    r"""Return the format of a structure file by its content, whatever its name, or None if the content is unclear.

    Raises
    ------
    FormatError
        If it is of a kind that is not supported; the message names it.

    Examples
    --------
    >>> content_suffix(b"# made by a program\ndata_1ABC"), content_suffix(b"x, y, z")
    ('.cif', None)
    """
    if _IS_MMCIF.match(content):
        return ".cif"
    if _IS_PDB.match(content):
        return ".pdb"
    if b"dataBlocks" in content[:256] and content[:1] and (content[0] >> 4 == 8 or content[0] == 0xDE):
        return ".bcif"
    for beginning, name in _PACKED.items():
        if content.startswith(beginning):
            raise FormatError(f"its content is packed by {name}; it must be unpacked")
    for pattern, name in _FOREIGN:
        if re.match(pattern, content):
            raise FormatError(f"its content is {name}")
    return None


def file_content(place: Path, zipped: bool) -> bytes:
    """Return the content of a file, or of a member of an archive, uncompressed.

    Raises
    ------
    FormatError
        If it is missing, empty or cannot be read, or its gzip data are damaged or expand to far more than real files
        do; the message names the file.
    """
    try:
        archive = archive_of(place)
        content = (
            read_content(place)
            if archive is None
            else read_member(archive, place.relative_to(archive).as_posix())
        )
        packed = content.startswith(_GZIP)
        if packed or (zipped and content and not _is_text(content)):
            content = gunzipped(content, place, None if archive is None else LARGEST_MEMBER)
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{place}: damaged or truncated gzip data ({error})") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    content = content.removeprefix(_MARK)
    if not content.strip():
        raise FormatError(f"{place} is empty")
    if content[0] < _BINARY:
        check_lines(content, place)
    return content


def _is_text(content: bytes) -> bool:
    """Return whether a file with the suffix .gz is in fact plain text."""
    return bool(
        _IS_MMCIF.match(content) or _IS_PDB.match(content) or b"M  END" in content or b"@<TRIPOS>" in content
    )
