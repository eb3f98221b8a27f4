"""Structure files, PDB, mmCIF and BinaryCIF, each also gzipped, to the atoms of their first model."""

import gzip
import os
import zlib
from pathlib import Path

import numpy as np
from biotite import DeserializationError, InvalidFileError

from holo_types import FormatError

from .mmcif import read_binarycif, read_mmcif
from .pdb import read_pdb
from .raw import RawAtoms, atom_name

__all__ = ["is_structure_path", "raw_atoms", "structure_stem"]

_PDB, _MMCIF, _BINARYCIF = (".pdb", ".ent"), (".cif", ".mmcif"), (".bcif",)
_SUFFIXES = (*_PDB, *_MMCIF, *_BINARYCIF)

# What biotite, msgpack and numpy raise when the content is damaged.
_DAMAGE = (
    DeserializationError,
    InvalidFileError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)


def _suffixes(path: Path) -> tuple[str, bool]:
    """Give a path's last suffix in lower case, less .gz, and whether there was a .gz."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    return Path(plain).suffix, plain != name


def is_structure_path(path: str | os.PathLike[str]) -> bool:
    """Say whether a name ends as a structure file's does.

    Examples
    --------
    >>> is_structure_path("1abc.cif.gz"), is_structure_path("1abc.csv")
    (True, False)
    """
    return _suffixes(Path(path))[0] in _SUFFIXES


def structure_stem(path: str | os.PathLike[str]) -> str:
    """Give a file's name without the suffixes of its format.

    Examples
    --------
    >>> structure_stem("folder/1abc.bcif.gz")
    '1abc'
    """
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    return Path(name).stem if is_structure_path(path) else name


def raw_atoms(path: str | os.PathLike[str]) -> RawAtoms:
    """Read every atom of the first model of a structure file.

    Parameters
    ----------
    path
        A file .pdb, .ent, .cif, .mmcif or .bcif, also with .gz.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind, holds no atom, or a coordinate is no
        finite number; the message names the file, and the atom where it is one atom's fault.
    """
    place = Path(path)
    suffix, zipped = _suffixes(place)
    if os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise FormatError(f"{place} is a folder; it must be a structure file")
    if suffix not in _SUFFIXES:
        raise FormatError(
            f"{place}: its name ends in {place.suffix!r}; it must end in one of "
            f"{', '.join(_SUFFIXES)}, with or without .gz"
        )
    content = _content(place, zipped)
    try:
        with np.errstate(all="ignore"):  # what overflows is found below, as a coordinate that is not finite
            raw = _parsed(content, suffix)
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{place}: damaged, or no {suffix} file ({reason})") from error
    finite = np.isfinite(raw.atoms.coord).all(axis=1)
    if not finite.all():
        atom = raw.atoms[int(np.argmin(finite))]
        name = atom_name(atom.chain_id, f"{atom.res_id}{atom.ins_code}", atom.res_name, atom.atom_name)
        raise FormatError(
            f"{place}: atom {name} is at {atom.coord.tolist()}; coordinates must be finite numbers"
        )
    return raw


def _parsed(content: bytes, suffix: str) -> RawAtoms:
    if suffix in _BINARYCIF:
        return read_binarycif(content)
    return read_pdb(_text(content)) if suffix in _PDB else read_mmcif(_text(content))


def _content(place: Path, zipped: bool) -> bytes:
    try:
        content = place.read_bytes()
        if zipped and content:
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{place}: damaged or truncated gzip data ({error})") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None
    if not content.strip():
        raise FormatError(f"{place} is empty")
    return content


def _text(content: bytes) -> str:
    if b"\0" in content:
        raise FormatError("it holds binary data; it must be text")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # old PDB files have such author names
