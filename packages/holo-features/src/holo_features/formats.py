"""Structure files, PDB, mmCIF and BinaryCIF, each also gzipped, to the atoms of their first model."""

import gzip
import io
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from biotite import DeserializationError, InvalidFileError
from biotite.structure import AtomArray
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from holo_types import FormatError

__all__ = ["RawAtoms", "is_structure_path", "raw_atoms", "structure_stem"]

_PDB, _MMCIF, _BINARYCIF = (".pdb", ".ent"), (".cif", ".mmcif"), (".bcif",)
_SUFFIXES = (*_PDB, *_MMCIF, *_BINARYCIF)
_COORDINATE_COLUMNS = (slice(30, 38), slice(38, 46), slice(46, 54))  # of a PDB atom record

# What biotite, msgpack and numpy raise when the content is damaged.
_DAMAGE = (
    DeserializationError,
    InvalidFileError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@attrs.frozen(eq=False)
class RawAtoms:
    """All atoms of a file's first model, nothing chosen yet.

    Parameters
    ----------
    atoms
        With every alternate location; elements as the file has them.
    labels : Str[ndarray, "atoms"]
        Labels of the alternate locations, empty where there is one only.
    occupancies : Float[ndarray, "atoms"]
        Occupancies, 1 where the file has none.
    polymer : Bool[ndarray, "atoms"]
        True for the atoms of a chain itself, false for what only carries its letter: ligands and water.
    model
        The model's number in the file.
    """

    atoms: AtomArray
    labels: Shaped[np.ndarray, "atoms"]
    occupancies: Float[np.ndarray, "atoms"]
    polymer: Bool[np.ndarray, "atoms"]
    model: int


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
    if place.is_dir():
        raise FormatError(f"{place} is a folder; it must be a structure file")
    if suffix not in _SUFFIXES:
        raise FormatError(
            f"{place}: its name ends in {place.suffix!r}; it must end in one of "
            f"{', '.join(_SUFFIXES)}, with or without .gz"
        )
    content = _content(place, zipped)
    try:
        if suffix in _BINARYCIF:
            raw = _from_binarycif(content)
        else:
            text = _text(content)
            raw = _from_pdb(text) if suffix in _PDB else _from_mmcif(text)
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{place}: damaged, or no {suffix} file ({reason})") from error
    finite = np.isfinite(raw.atoms.coord).all(axis=1)
    if not finite.all():
        atom = raw.atoms[int(np.argmin(finite))]
        number = f"{atom.res_id}{atom.ins_code}"
        raise FormatError(
            f"{place}: atom {_atom_name(atom.chain_id, number, atom.res_name, atom.atom_name)} is at "
            f"{atom.coord.tolist()}; coordinates must be finite numbers"
        )
    return raw


def _atom_name(chain: object, number: object, residue: object, atom: object) -> str:
    return " ".join(str(part).strip() for part in (chain, number, residue, atom))


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


def _from_pdb(text: str) -> RawAtoms:
    lines, polymer, model = _pdb_atom_lines(text)
    if not lines:
        raise FormatError("it holds no ATOM record, so it is no PDB file, or one without atoms")
    try:
        file = PDBFile.read(io.StringIO("\n".join(lines)))
        with warnings.catch_warnings():
            # Blank elements are filled in by `read_structure`; biotite's own guess needs no warning.
            warnings.filterwarnings("ignore", message=r".*elements were guessed", category=UserWarning)
            warnings.filterwarnings("ignore", message=r"Could not infer element", category=UserWarning)
            atoms = file.get_structure(model=1, altloc="all", extra_fields=["occupancy"])
    except ValueError:
        for line in lines:
            _check_pdb_numbers(line)
        raise
    labels = np.char.strip(atoms.altloc_id)
    occupancies = atoms.occupancy.astype(np.float64)
    atoms.del_annotation("altloc_id")
    atoms.del_annotation("occupancy")
    return RawAtoms(atoms, labels, occupancies, np.array(polymer), model)


def _pdb_atom_lines(text: str) -> tuple[list[str], list[bool], int]:
    """Give the atom records of the first model, whether each is of a chain's polymer, the model's number."""
    lines: list[str] = []
    polymer: list[bool] = []
    ended: set[str] = set()  # chains whose polymer a TER record has ended
    model = 1
    records = text.splitlines()
    for number, record in enumerate(records, start=1):
        if record.startswith(("ATOM  ", "HETATM")):
            line = record.rstrip()
            # The last line of a file may lack its end, but then it must be as long as the one before it.
            usual = min(78, len(lines[-1])) if lines else 0
            whole = number < len(records) or text.endswith("\n") or len(line) >= usual
            if len(line) < _COORDINATE_COLUMNS[-1].stop or not whole:
                raise FormatError(f"line {number} is cut off within an atom: {line!r}")
            chain = line[21]
            if line.startswith("ATOM"):
                ended.discard(chain)
            polymer.append(chain not in ended)
            # Files of modelling programs leave these two out, which biotite does not allow.
            line = line.ljust(66)
            occupancy = line[54:60] if line[54:60].strip() else "  1.00"
            lines.append(
                f"{line[:54]}{occupancy}{'  0.00' if line[60:66].isspace() else line[60:66]}{line[66:]}"
            )
        elif record.startswith("TER") and lines:
            ended.add(lines[-1][21])
        elif record.startswith("MODEL ") and record[10:14].strip().isdigit():
            model = int(record[10:14])
        elif record.startswith("ENDMDL") and lines:
            break
    last = "" if text.endswith("\n") else records[-1]
    if lines and last and ("ATOM  ".startswith(last) or "HETATM".startswith(last)):
        raise FormatError(f"line {len(records)} is cut off: {records[-1]!r}")
    return lines, polymer, model


def _check_pdb_numbers(line: str) -> None:
    atom = _atom_name(line[21], line[22:27], line[17:20], line[12:16])
    for axis, columns in zip("xyz", _COORDINATE_COLUMNS, strict=True):
        try:
            float(line[columns])
        except ValueError:
            raise FormatError(
                f"atom {atom} has {axis} = {line[columns].strip()!r}; it must be a number"
            ) from None


def _from_mmcif(text: str) -> RawAtoms:
    last = text.rstrip().splitlines()[-1]
    if not text.endswith(("\n", "\r")) and last.split(maxsplit=1)[0] in ("ATOM", "HETATM"):
        raise FormatError(f"it is cut off within an atom: {last!r}")
    return _from_blocks(CIFFile.read(io.StringIO(text)))


def _from_binarycif(content: bytes) -> RawAtoms:
    return _from_blocks(BinaryCIFFile.read(io.BytesIO(content)))


def _from_blocks(file: CIFFile | BinaryCIFFile) -> RawAtoms:
    """Read the category atom_site of the first data block that has one."""
    site = next((file[name]["atom_site"] for name in file if "atom_site" in file[name]), None)
    if site is None:
        raise FormatError("it holds no category atom_site, so it has no atoms")

    def column(names: Sequence[str], default: str | None = None) -> Shaped[np.ndarray, "atoms"]:
        for name in names:
            if name in site:
                values: Shaped[np.ndarray, atoms] = site[name].as_array(str, "")
                return values
        if default is None:
            raise FormatError(f"its atom_site has no column {' or '.join(names)}")
        return np.full(site.row_count, default)

    # BinaryCIF stores numbers as they are; through text they would be rounded.
    coordinates = np.stack([_cif_coordinates(site, axis) for axis in "xyz"], axis=1)
    models = column(["pdbx_PDB_model_num"], "1")
    first = models == models[0]
    atoms = AtomArray(int(first.sum()))
    atoms.coord = coordinates[first].astype(np.float32)
    atoms.chain_id = column(["auth_asym_id", "label_asym_id"])[first]
    atoms.res_id = _integers(column(["auth_seq_id", "label_seq_id"])[first])
    atoms.ins_code = column(["pdbx_PDB_ins_code"], "")[first]
    atoms.res_name = column(["auth_comp_id", "label_comp_id"])[first]
    atoms.atom_name = column(["auth_atom_id", "label_atom_id"])[first]
    atoms.element = column(["type_symbol"], "")[first]
    atoms.hetero = column(["group_PDB"], "ATOM")[first] == "HETATM"
    labels = column(["label_alt_id"], "")[first]
    occupancies = column(["occupancy"], "1")[first]
    # Only a residue of a polymer has a number in its sequence.
    polymer = column(["label_seq_id"], "1")[first] != ""
    return RawAtoms(
        atoms,
        labels,
        np.where(occupancies == "", "1", occupancies).astype(np.float64),
        polymer,
        int(models[0]),
    )


def _cif_coordinates(site: Any, axis: str) -> NDArray[np.float64]:
    name = f"Cartn_{axis}"
    if name not in site:
        raise FormatError(f"its atom_site has no column {name}")
    try:
        values: NDArray[np.float64] = site[name].as_array(np.float64, np.nan)
    except ValueError:
        for row, value in enumerate(site[name].as_array(str).tolist()):
            try:
                float(value)
            except ValueError:
                raise FormatError(f"atom {row + 1} has {name} = {value!r}; it must be a number") from None
        raise
    return values


def _integers(values: Shaped[np.ndarray, "atoms"]) -> NDArray[np.int64]:
    return np.where(values == "", "-1", values).astype(np.int64)
