"""ATOM3D's data set of protein-ligand complexes, LBA, in its published form: LMDB files of JSON records."""

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int, Shaped

from holo_features.readers.raw import RawAtoms
from holo_features.readers.symbols import HYDROGENS
from holo_features.readers.tables import ListColumn
from holo_features.structures.residue import ResidueId, of_residues
from holo_features.structures.selection import Selection
from holo_features.structures.structure import Structure, structure_of
from holo_types import FormatError
from holo_types.contents import gunzipped
from holo_types.extras import extra
from holo_types.reading import reading

from .complex import Complex, SkippedComplex
from .ligands import Ligand
from .lmdb_trial import examine_lmdb

if TYPE_CHECKING:
    import lmdb

__all__ = ["Atom3dRecord", "atom3d_folders", "atom3d_records", "read_atom3d_record"]

_DATA = "data.mdb"
_SPLITS = ("train", "val", "test")
# The columns that frames of atoms must have. In ATOM3D's frames, ``hetero`` is blank for a chain's residues, "W" for
# water and "H_..." for everything else.
_COLUMNS = ("chain", "residue", "insertion_code", "resname", "hetero", "name", "element", "x", "y", "z")


@attrs.frozen
class Atom3dRecord:
    """The location of a complex in an ATOM3D data set.

    Parameters
    ----------
    name
        Its id.
    folder
        The folder that holds the LMDB file.
    number
        The number of the record, from 0.
    split
        The part of the data set.
    """

    name: str
    folder: Path
    number: int
    split: str | None = None


def atom3d_folders(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Return the folders of the LMDB files of an ATOM3D data set.

    Parameters
    ----------
    path
        A folder that holds ``data.mdb``, or one with such folders ``train``, ``val`` and ``test``, in itself or
        in ``data``.

    Returns
    -------
    tuple of Path
        The folders that hold ``data.mdb``; none if `path` is not such a data set.

    Examples
    --------
    >>> atom3d_folders("no such folder")
    ()
    """
    place = Path(path)
    if (place / _DATA).is_file():
        return (place,)
    for parent in (place, place / "data"):
        found = tuple(parent / split for split in _SPLITS if (parent / split / _DATA).is_file())
        if found:
            return found
    return ()


def atom3d_records(folder: str | os.PathLike[str]) -> Iterator[Atom3dRecord | SkippedComplex]:
    """List the records of an LMDB file, in their order.

    Parameters
    ----------
    folder
        The folder that holds ``data.mdb``; if it is called ``train``, ``val`` or ``test``, that is the split.

    Yields
    ------
    Atom3dRecord or SkippedComplex
        One for each record. A record is skipped if a later one has the same id.

    Raises
    ------
    FormatError
        If the file is not one of ATOM3D's LMDB files, is damaged, or has records that are pickled or in msgpack.
    HoloError
        If the extra ``atom3d`` is missing.
    """
    place = Path(folder)
    with _opened(place) as (transaction, entries):
        form = _entry(place, transaction, "serialization_format").decode("utf-8", "replace")
        if form != "json":
            raise FormatError(
                f"{place}: its records are serialized as {form!r}; they must be JSON, as ATOM3D publishes them"
                + (" (a pickle can run any program when it is read)" if form in ("pkl", "pickle") else "")
            )
        numbers = _parsed(place, "id_to_idx", _entry(place, transaction, "id_to_idx"))
        count = _parsed(place, "num_examples", _entry(place, transaction, "num_examples"))
    if (
        not isinstance(numbers, dict)
        or not all(type(number) is int for number in numbers.values())
        or type(count) is not int
        or not 0 <= count <= entries
    ):
        raise FormatError(f"{place}: id_to_idx and num_examples are not those of an ATOM3D data set")
    names = {number: name for name, number in numbers.items()}
    split = place.name if place.name in _SPLITS else None
    for number in range(count):
        if number in names:
            yield Atom3dRecord(names[number], place, number, split)
        else:
            yield SkippedComplex(
                f"record {number}", f"{place}: id_to_idx has no id for it, a later record has it"
            )


def read_atom3d_record(source: Atom3dRecord, selection: Selection) -> Complex:
    """Read one record.

    The label is -log10 of the affinity in mol/l (``scores``), and the pocket is the residues of ``atoms_pocket``.

    Parameters
    ----------
    source
        The record.
    selection
        Which atoms of ``atoms_protein`` are used, and whether hydrogens are.

    Raises
    ------
    FormatError
        If the record is missing, damaged or incomplete; the message names the data set.
    HoloError
        If the extra ``atom3d`` is missing.
    """
    place, key = source.folder, str(source.number)
    with _opened(place) as (transaction, _):
        packed = _entry(place, transaction, key)
    try:
        content = gunzipped(packed, f"{place}: record {key}")
    except (EOFError, OSError, zlib.error) as error:
        raise FormatError(f"{place}: record {key} is damaged ({error})") from None
    record = _parsed(place, f"record {key}", content)
    if not isinstance(record, dict):
        raise FormatError(f"{place}: record {key} is a {type(record).__name__}; it must be an object")
    try:
        with reading("it", "a complex"):
            return _complex(source, record, selection)
    except FormatError as error:
        raise FormatError(f"{place}: record {key}: {error}") from None


def _complex(source: Atom3dRecord, record: Mapping[str, Any], selection: Selection) -> Complex:
    frames = {part: _Frame.of(record, f"atoms_{part}") for part in ("protein", "pocket", "ligand")}
    protein = structure_of(_raw(frames["protein"]), source.name, selection)
    label = _label(record)
    ligand = frames["ligand"].atoms()
    if not selection.hydrogens:
        ligand = ligand[~np.isin(ligand.element, HYDROGENS)]
    listed = _listed(protein, frames["pocket"])
    return Complex(source.name, protein, Ligand(source.name, ligand), label, source.split, listed)


@contextlib.contextmanager
def _opened(folder: Path) -> "Iterator[tuple[lmdb.Transaction, int]]":
    """Open an LMDB file that was read before; yield how it is read, and the number of its entries."""
    with extra("holo-features[atom3d]"):
        import lmdb  # noqa: PLC0415
    if not (folder / _DATA).is_file():
        raise FormatError(f"{folder}: it holds no {_DATA}, so it is not an ATOM3D data set")
    examined = examine_lmdb(folder / _DATA)
    try:
        with lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False) as environment:
            examined.check()  # before anything of the file is used
            # The file is mapped into memory: the system kills a process that reads beyond its end.
            size = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            if (folder / _DATA).stat().st_size < size:
                raise FormatError(f"{folder / _DATA}: it is truncated; it must have {size} bytes")
            if examined.entries is None:
                raise FormatError(f"{folder / _DATA}: cannot be read to its end; it is damaged or malicious")
            with environment.begin() as transaction:
                yield transaction, examined.entries
    except lmdb.Error as error:
        raise FormatError(f"{folder / _DATA}: damaged, or no LMDB file ({error})") from None


def _entry(folder: Path, transaction: "lmdb.Transaction", key: str) -> bytes:
    value = transaction.get(key.encode())
    if value is None:
        raise FormatError(f"{folder}: it has no entry {key!r}")
    return bytes(value)


def _parsed(folder: Path, what: str, content: bytes) -> object:
    try:
        parsed: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{folder}: {what} is not JSON ({error})") from None
    return parsed


@attrs.frozen(eq=False)
class _Frame:
    """A frame of atoms, by columns."""

    name: str
    columns: Mapping[str, list[Any]]

    @classmethod
    def of(cls, record: Mapping[str, Any], name: str) -> "_Frame":
        """Return a frame that pandas wrote: columns, index and data, row by row."""
        frame = record.get(name)
        if not (isinstance(frame, dict) and isinstance(frame.get("columns"), list)):
            raise FormatError(f"it has no frame {name!r} with columns and data")
        columns, rows = frame["columns"], frame.get("data")
        if missing := [column for column in _COLUMNS if column not in columns]:
            raise FormatError(f"{name} has no column {missing[0]!r}")
        if not isinstance(rows, list) or any(
            not isinstance(row, list) or len(row) != len(columns) for row in rows
        ):
            raise FormatError(f"{name} has rows that are not as long as its columns, {len(columns)}")
        values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        return cls(name, {column: list(values[columns.index(column)]) for column in _COLUMNS})

    def text(self, column: str) -> Shaped[np.ndarray, "atoms"]:
        """Return a column as text without blanks; missing values are empty, and pandas may have written integers."""
        values = self.columns[column]
        if not set(map(type, values)) <= {str, int, type(None)}:
            raise FormatError(f"{self.name}: column {column!r} holds something that is not text")
        texts = ["" if value is None else str(value).strip() for value in values]
        try:
            return ListColumn(column, texts).text()
        except FormatError as error:
            raise FormatError(f"{self.name}: {error}") from None

    def numbers(self, column: str) -> Float[np.ndarray, "atoms"]:
        """Return a column of numbers."""
        with contextlib.suppress(OverflowError):
            if self._holds_numbers(column):
                return np.array(self.columns[column], dtype=np.float64)
        raise FormatError(f"{self.name}: column {column!r} holds something that is not a number")

    def integers(self, column: str) -> Int[np.ndarray, "atoms"]:
        """Return a column of whole numbers, which pandas may have written as 1.0."""
        with contextlib.suppress(OverflowError, ValueError):  # of infinity and NaN
            if self._holds_numbers(column):
                whole = list(map(int, self.columns[column]))
                if whole == self.columns[column]:
                    return np.array(whole, dtype=np.int64)
        raise FormatError(f"{self.name}: column {column!r} holds something that is not an integer")

    def _holds_numbers(self, column: str) -> bool:
        return set(map(type, self.columns[column])) <= {int, float}  # a truth value is of another type

    def atoms(self) -> AtomArray:
        """Return the atoms, with elements in upper case."""
        count = len(self.columns["x"])
        if count == 0:
            raise FormatError(f"{self.name} has no atom")
        atoms = AtomArray(count)
        coord = np.stack([self.numbers(axis) for axis in "xyz"], axis=1)
        with np.errstate(over="ignore"):
            atoms.coord = coord.astype(np.float32)
        if not np.isfinite(atoms.coord).all():
            raise FormatError(f"{self.name} has a coordinate that is not a finite number")
        atoms.chain_id, atoms.ins_code = self.text("chain"), self.text("insertion_code")
        atoms.res_id = self.integers("residue")
        atoms.res_name, atoms.atom_name = self.text("resname"), self.text("name")
        atoms.element = np.char.upper(self.text("element"))
        atoms.hetero = self.text("hetero") != ""
        atoms.set_annotation("charge", np.zeros(count, dtype=np.int8))
        return atoms


def _raw(frame: _Frame) -> RawAtoms:
    """Return the protein's atoms as readers of structure formats do; each atom occurs once."""
    atoms = frame.atoms()
    count = len(atoms)
    return RawAtoms(
        atoms,
        labels=np.full(count, ""),
        occupancies=np.ones(count),
        polymer=frame.text("hetero") != "W",
        units=atoms.chain_id,
        model=1,
    )


def _label(record: Mapping[str, Any]) -> float | None:
    """Return the measured value: ``scores`` is {"neglog_aff": value}, or a series that pandas wrote."""
    scores = record.get("scores")
    if scores is None:
        return None
    if isinstance(scores, dict) and isinstance(scores.get("index"), list):
        scores = dict(zip(scores["index"], scores.get("data") or [], strict=False))
    value = scores.get("neglog_aff") if isinstance(scores, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise FormatError("its scores have no number 'neglog_aff'")
    return float(value)


def _listed(protein: Structure, pocket: _Frame) -> Bool[np.ndarray, "atoms"]:
    """Return which of the protein's atoms belong to the listed residues of the pocket."""
    columns = (pocket.text("chain"), pocket.integers("residue"), pocket.text("insertion_code"))
    return of_residues(protein.atoms, set(map(ResidueId, *(column.tolist() for column in columns))))
