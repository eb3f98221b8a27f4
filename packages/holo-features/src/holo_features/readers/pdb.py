"""Read the atoms of PDB files."""

import re
from collections.abc import Iterator
from itertools import pairwise

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.typing import NDArray

from holo_types import FormatError

from .assemblies import Copy, UnitSets, are_moved_copies, check_copies
from .columns import decimals, integers, number, text, windows
from .elements import elements_of, is_element
from .names import WATERS
from .pdb_columns import chains_and_names, number_of_five_digits
from .raw import RawAtoms, Remark, atom_name, further_models, listed

__all__ = ["Model", "PdbFile", "filled", "read_pdb", "record_atoms", "record_decimals"]

_WIDTH, _HEAD = 80, 8
_FEW_LINES, _SHORTEST = (
    1 << 20,
    16,
)  # more lines than these have this many bytes on average; records of atoms have 54
_MOST_DIGITS = 18  # of a model's number
# Columns of an atom record.
_HETERO, _NAME, _LABEL, _RESIDUE, _CHAIN = slice(0, 6), slice(12, 16), 16, slice(17, 20), 21
_NUMBER, _INSERTION, _COORDINATES, _OCCUPANCY = slice(22, 26), 26, slice(30, 54), slice(54, 60)
_B_FACTOR = slice(60, 66)
_ELEMENT, _CHARGE = slice(76, 78), slice(78, 80)
_BLANK, _LAST, _NEWLINE = tuple(b" ~\n")
_LOWER, _LETTERS = np.uint8(32), np.uint8(26)
_CHARACTERS = np.array(["", *map(chr, range(1, 256))])
_CHARACTERS[: _BLANK + 1] = ""


@attrs.frozen
class Model:
    """A model's number and the range of its atom records in the file, or a frame of a trajectory."""

    number: int
    first: int
    end: int
    is_frame: bool = False


@attrs.frozen(eq=False)
class _Lines:
    """A file's text, and the positions of its lines."""

    content: bytes
    octets: UInt8[np.ndarray, "bytes"]
    starts: Int[np.ndarray, "lines"]
    ends: Int[np.ndarray, "lines"]
    heads: Shaped[np.ndarray, "lines"]  # the first eight characters as one integer

    @classmethod
    def of(cls, content: bytes) -> "_Lines":
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if (count := content.count(b"\n")) > max(_FEW_LINES, len(content) // _SHORTEST):
            raise FormatError(f"nearly all of its {count} lines are blank or short, so it is not a PDB file")
        octets = np.frombuffer(content + b" " * _WIDTH, dtype=np.uint8)
        ends = np.flatnonzero(octets == _NEWLINE)
        if not content.endswith(b"\n"):
            ends = np.append(ends, len(content))
        starts = np.concatenate([[0], ends[:-1] + 1])
        return cls(content, octets, starts, ends, windows(octets, _HEAD)[starts].view(np.uint64)[:, 0])

    def beginning(self, word: bytes) -> NDArray[np.bool_]:
        """Return which lines begin with a word."""
        mask, value = np.frombuffer(
            b"\xff" * len(word) + bytes(_HEAD - len(word)) + word.ljust(_HEAD, b"\0"), dtype=np.uint64
        )
        found: NDArray[np.bool_] = (self.heads & mask) == value
        return found

    def starting(self, word: bytes) -> Int[np.ndarray, "lines"]:
        """Return the numbers of the lines that begin with a word of up to eight characters."""
        return np.flatnonzero(self.beginning(word))

    def line(self, i: int) -> str:
        return self.content[self.starts[i] : self.ends[i]].decode("latin-1")

    def records(self, lines: Int[np.ndarray, "rows"]) -> UInt8[np.ndarray, "rows 80"]:
        """Return lines as rows of 80 characters, padded with blanks."""
        rows: NDArray[np.uint8] = windows(self.octets, _WIDTH)[self.starts[lines]]
        lengths = self.ends[lines] - self.starts[lines]
        shortest = int(lengths.min(initial=_WIDTH))
        rows[:, shortest:][np.arange(shortest, _WIDTH) >= lengths[:, None]] = _BLANK
        return rows


@attrs.frozen(eq=False)
class PdbFile:
    """A file of PDB records: its lines, which of them are atoms or end a chain, and its models."""

    lines: _Lines
    atom_lines: Int[np.ndarray, "atoms"]
    ends: Int[np.ndarray, "ends"]
    models: tuple[Model, ...]

    @classmethod
    def of(cls, content: bytes) -> "PdbFile":
        """Parse a file, or raise a FormatError if it has no atoms or ends within one."""
        lines = _Lines.of(content)
        atom_lines = np.flatnonzero(lines.beginning(b"ATOM") | lines.beginning(b"HETATM"))
        _check_end(lines, atom_lines)
        if len(atom_lines) == 0:
            raise FormatError("it holds no ATOM record, so it is not a PDB file, or has no atoms")
        ends = np.flatnonzero(lines.beginning(b"TER"))
        return cls(lines, atom_lines, ends, tuple(_models(lines, atom_lines)))

    def model(self, number: int | None) -> Model:
        """Return the model with a number, or the first model."""
        found = next((model for model in self.models if number in {None, model.number}), None)
        if found is None:
            there = listed(model.number for model in self.models)
            raise FormatError(f"it has no model {number}; it has {there}")
        return found

    def ended(self, model: Model) -> Bool[np.ndarray, "atoms"]:
        """Return which of a model's atoms are the first after a TER record."""
        lines = self.atom_lines[model.first : model.end]
        places = np.searchsorted(lines, self.ends)
        ended = np.zeros(len(lines), dtype=bool)
        ended[places[(places > 0) & (places < len(lines))]] = True
        return ended

    def records(self, model: Model) -> UInt8[np.ndarray, "atoms 80"]:
        """Return a model's atom records, or raise a FormatError if one is cut off or not printable."""
        atom_lines = self.atom_lines[model.first : model.end]
        records = self.lines.records(atom_lines)
        last = _COORDINATES.stop - 1
        cut = np.flatnonzero(records[:, last] <= _BLANK)
        cut = cut[(records[cut, last:] <= _BLANK).all(axis=1)]
        if len(cut):
            line = int(atom_lines[cut[0]])
            raise FormatError(
                f"line {line + 1} is cut off within an atom: {self.lines.line(line).rstrip()!r}"
            )
        if records.min() < _BLANK or records.max() > _LAST:
            line = int(atom_lines[np.argmax(((records < _BLANK) | (records > _LAST)).any(axis=1))])
            raise FormatError(
                f"line {line + 1}, an atom, has other characters than printable ASCII: {self.lines.line(line)!r}"
            )
        return records


def read_pdb(
    content: bytes, model: int | None = None, assembly: str | None = None, *, segments: bool = True
) -> RawAtoms:
    """Read the atoms of one model of a PDB file.

    A HETATM record belongs to a chain's polymer unless it comes after the chain's TER record. Without MODEL records,
    what follows END is a further frame if it repeats the residues before it; otherwise it continues the same structure.
    For columns beyond the format see `holo_features.readers.pdb_columns`.

    Parameters
    ----------
    content
        The file.
    model
        Number of the model; None for the first.
    assembly
        Number of the biomolecule (REMARK 350) whose copies are returned.
    segments
        Whether columns 73-76 may hold the name of a segment.

    Raises
    ------
    FormatError
        If there are no atom records, one is cut off or a value in it is not a number, or there is no such model or
        assembly.
    """
    file = PdbFile.of(content)
    chosen = file.model(model)
    records = file.records(chosen)
    atoms = record_atoms(records, file.ended(chosen), segments=segments)
    occupancies, b_factors = _occupancies(records)
    atoms.set_annotation("b_factor", b_factors)
    return RawAtoms(
        atoms,
        _CHARACTERS[records[:, _LABEL]],
        occupancies,
        _polymer(records, atoms.chain_id, file.atom_lines[chosen.first : chosen.end], file.ends),
        atoms.chain_id,
        chosen.number,
        None if assembly is None else _copies(file.lines, assembly, UnitSets(atoms.chain_id)),
        () if model is not None or len(file.models) == 1 else (_further(file, chosen, atoms),),
    )


def _further(file: PdbFile, chosen: Model, atoms: AtomArray) -> Remark:
    """Return a remark on how many models or frames were passed over."""
    others = [model for model in file.models if model != chosen]
    same = all(model.end - model.first == len(atoms) for model in others)
    places = (
        record_decimals(rows, rows[:, _COORDINATES].reshape(-1, 8), "xyz").reshape(-1, 3)
        for rows in map(file.records, others)
    )
    return further_models(
        len(others), frames=chosen.is_frame, copies=same and are_moved_copies(atoms.coord, places)
    )


def _occupancies(
    records: UInt8[np.ndarray, "atoms 80"],
) -> tuple[Float[np.ndarray, "atoms"], Float[np.ndarray, "atoms"]]:
    """Read occupancies, 1 if there is none, and B-factors, NaN if there is none or it is not a number."""
    whole = np.frombuffer(b"  1.00", dtype=np.uint8)
    if (records[:, _OCCUPANCY] == whole).all():  # as in nearly all files
        occupancies = np.ones(len(records))
    else:
        occupancies = record_decimals(records, filled(records[:, _OCCUPANCY], whole.tobytes()), "occupancy")
    column = records[:, _B_FACTOR]
    b_factors, _ = decimals(filled(column, b"  0.00"))
    b_factors[~np.isfinite(b_factors)] = np.nan
    b_factors[_blanks(column)] = np.nan
    return occupancies, b_factors


def _check_end(lines: _Lines, atom_lines: Int[np.ndarray, "atoms"]) -> None:
    """Refuse a file whose last line is only the beginning of an atom record."""
    if lines.content.endswith(b"\n"):
        return
    last = len(lines.starts) - 1
    line = lines.line(last)
    if len(atom_lines) and atom_lines[-1] == last:
        # A last line without a line end is complete if it is as long as the one before it.
        usual = len(lines.line(int(atom_lines[-2])).rstrip()) if len(atom_lines) > 1 else 0
        if len(line.rstrip()) < min(_ELEMENT.stop, usual):
            raise FormatError(f"line {last + 1} is cut off within an atom: {line.rstrip()!r}")
    elif len(atom_lines) and line and any(record.startswith(line) for record in ("ATOM  ", "HETATM")):
        raise FormatError(f"line {last + 1} is cut off: {line!r}")


def _models(lines: _Lines, atom_lines: Int[np.ndarray, "atoms"]) -> Iterator[Model]:
    """Yield the models that have atoms, in the order of the file."""
    begins = lines.beginning(b"MODEL ")
    bounds = np.flatnonzero(begins | lines.beginning(b"ENDMDL")).tolist()
    if not bounds:
        yield from _frames(lines, atom_lines)
        return
    number, first, opened = 1, 0, False
    for line in bounds:
        end = int(np.searchsorted(atom_lines, line))
        if end > first:
            if opened and begins[line]:
                raise FormatError(f"line {line + 1} begins a model within a model")
            yield Model(number, first, end)
            number, first = number + 1, end
        opened = bool(begins[line])
        given = lines.line(line)[6:].split()
        if begins[line] and given and given[0].isascii() and given[0].isdigit():
            if len(given[0]) > _MOST_DIGITS:
                raise FormatError(
                    f"line {line + 1}: the number of a model has {len(given[0])} digits; it may have {_MOST_DIGITS}"
                )
            number = int(given[0])
    if len(atom_lines) > first:
        yield Model(number, first, len(atom_lines))


def _frames(lines: _Lines, atom_lines: Int[np.ndarray, "atoms"]) -> Iterator[Model]:
    """Yield the parts between END records: frames if residues are repeated, otherwise parts of one structure."""
    ends = [line for line in lines.starting(b"END").tolist() if lines.line(line).strip() == "END"]
    bounds = np.unique([0, *np.searchsorted(atom_lines, ends).tolist(), len(atom_lines)]).tolist()
    if len(bounds) <= 2:
        if len(atom_lines):
            yield Model(1, 0, len(atom_lines))
        return
    firsts, before = [0], _residues(lines, atom_lines[: bounds[1]])
    for first, end in pairwise(bounds[1:]):
        there = _residues(lines, atom_lines[first:end])
        if len(there & before) * 2 >= len(there):
            firsts.append(first)
            before = there
        else:
            before |= there
    for i, (first, end) in enumerate(pairwise([*firsts, len(atom_lines)]), start=1):
        yield Model(i, first, end, is_frame=True)


def _residues(lines: _Lines, atom_lines: Int[np.ndarray, "atoms"]) -> set[bytes]:
    """Return the residues of some atoms by columns 18 to 27; water only if there is nothing else."""
    columns = np.ascontiguousarray(lines.records(atom_lines)[:, _RESIDUE.start : _INSERTION + 1])
    every = set(np.unique(columns.view(f"S{columns.shape[1]}")).tolist())
    return {name for name in every if name[:4].decode("latin-1").strip() not in WATERS} or every


def _polymer(
    records: UInt8[np.ndarray, "atoms 80"],
    chains: Shaped[np.ndarray, "atoms"],
    atom_lines: Int[np.ndarray, "atoms"],
    ends: Int[np.ndarray, "ends"],
) -> Bool[np.ndarray, "atoms"]:
    """Return which atoms belong to their chain's polymer: all but the HETATM records after its TER record."""
    before = np.searchsorted(atom_lines, ends) - 1  # a TER record ends the chain of the atom before it
    ended = np.zeros(len(records) + 1, dtype=bool)
    ended[before] = True
    ended = ended[:-1]  # the last one stood for ends before the first atom
    # An ATOM record continues the chain.
    is_atom = records[:, 0] == ord("A")
    if not ended.any() or is_atom.all():
        return np.ones(len(records), dtype=bool)
    runs = np.flatnonzero(np.append(True, chains[1:] != chains[:-1]))  # sorting all names would be slow
    _, chain_of_run = np.unique(chains[runs], return_inverse=True)
    chain = np.repeat(chain_of_run, np.diff(np.append(runs, len(chains))))
    order = np.argsort(chain, kind="stable")  # all chains one after the other
    begins = np.diff(chain[order], prepend=-1) > 0
    ended, is_atom_there = ended[order], is_atom[order]
    ends_so_far = np.cumsum(ended) - ended
    ends_before = np.maximum.accumulate(np.where(begins, ends_so_far, 0))  # in the chains before
    opened = np.maximum.accumulate(np.where(is_atom_there, ends_so_far, ends_before))
    polymer = np.empty(len(records), dtype=bool)
    polymer[order] = is_atom_there | (ends_so_far <= opened)
    return polymer


def record_atoms(
    records: UInt8[np.ndarray, "atoms 80"], ended: Bool[np.ndarray, "atoms"], *, segments: bool = True
) -> AtomArray:
    """Read atom records, without occupancies and alternate locations; see `chains_and_names`."""
    atoms = AtomArray(len(records))
    atoms.chain_id, atoms.res_name = chains_and_names(records, ended, segments=segments)
    numbers = _integers(records, records[:, _NUMBER])
    atoms.res_id, atoms.ins_code = number_of_five_digits(records, atoms.chain_id, numbers)
    atoms.atom_name = text(records[:, _NAME])
    atoms.hetero = records[:, 0] == ord("H")
    atoms.element = _elements(records, atoms)
    atoms.set_annotation("charge", _charges(records[:, _CHARGE]))
    coordinates = records[:, _COORDINATES].reshape(-1, 8)
    atoms.coord = record_decimals(records, coordinates, "xyz").reshape(-1, 3).astype(np.float32)
    return atoms


def filled(column: UInt8[np.ndarray, "atoms width"], value: bytes) -> UInt8[np.ndarray, "atoms width"]:
    """Return a column with a default value where some programs leave it blank."""
    blank = _blanks(column)
    if len(blank):
        column = column.copy()
        column[blank] = np.frombuffer(value, dtype=np.uint8)
    return column


def _blanks(column: UInt8[np.ndarray, "atoms width"]) -> Int[np.ndarray, "blank"]:
    """Return the blank rows; few rows that end with a blank have any content."""
    rows = np.flatnonzero(column[:, -1] <= _BLANK)
    return rows[(column[rows] <= _BLANK).all(axis=1)]


def _elements(records: UInt8[np.ndarray, "atoms 80"], atoms: AtomArray) -> Shaped[np.ndarray, "atoms"]:
    column = records[:, _ELEMENT]
    symbols = text(column)
    # Old files have line numbers there, or nothing.
    first, second = ((column | _LOWER) - ord("a") < _LETTERS).T
    lettered = first | second
    if (
        lettered.all() and not ((column[:, 0] > _BLANK) & (column[:, 1] > _BLANK)).any()
    ):  # all have one letter
        return elements_of(symbols, atoms.atom_name, atoms.res_name)
    # Two-letter symbols begin one column before the others, except in programs that left-align all names.
    names = records[:, _NAME]
    letters = ((names & ~_LOWER) - ord("A")) < _LETTERS
    if (letters[:, 0] & ~letters[:, 1] & (names[:, 3] <= _BLANK)).any():
        wide = None
    else:
        wide = letters[:, 0] & (names[:, 3] <= _BLANK)
        rows = np.flatnonzero(wide)
        leading = np.char.upper(text(names[rows, :2]))
        wide[rows] = is_element(leading) & (np.char.str_len(leading) > 1)
    # Programs that write no elements follow this at least for HETATM records.
    wide = wide if wide is None else wide & (lettered | atoms.hetero)
    return elements_of(np.where(lettered, symbols, ""), atoms.atom_name, atoms.res_name, wide)


def _charges(column: UInt8[np.ndarray, "atoms 2"]) -> Int[np.ndarray, "atoms"]:
    """Read charges such as ``2-`` or ``-2``; other text that old files have in this column is ignored."""
    charges = np.zeros(len(column), dtype=np.int8)
    for row in np.flatnonzero((column > _BLANK).all(axis=1)).tolist():
        found = re.fullmatch(r"(\d)([+-])|([+-])(\d)", column[row].tobytes().decode("latin-1"))
        if found:
            charges[row] = int((found[2] or found[3]) + (found[1] or found[4]))
    return charges


def _integers(
    records: UInt8[np.ndarray, "atoms 80"], column: UInt8[np.ndarray, "atoms width"]
) -> Int[np.ndarray, "atoms"]:
    values, bad = integers(column, _hybrid)
    if len(bad):
        value = column[bad[0]].tobytes().decode("latin-1")
        raise FormatError(
            f"atom {_atom_name(records[bad[0]])} has residue number {value.strip()!r}; it must be an integer"
        )
    return values


def _hybrid(value: str) -> int:
    """Read a residue number, in hybrid-36 beyond 9999: A000 to ZZZZ in base 36 come next, then a000 to zzzz."""
    found = re.fullmatch(r" *(?:([A-Z][0-9A-Z]{3})|([a-z][0-9a-z]{3})|([+-]?[0-9]+)) *", value)
    if not found:
        raise ValueError
    capital, small, decimal = found.groups()
    if decimal:
        return int(decimal)
    first = int("A000", 36) if capital else int("a000", 36) - 26 * 36**3
    return int(capital or small, 36) - first + 10_000


def record_decimals(
    records: UInt8[np.ndarray, "atoms 80"], column: UInt8[np.ndarray, "values width"], names: str
) -> NDArray[np.float64]:
    """Read numbers of atom records, or raise a FormatError that names the value that is not one.

    `names` is the name of the column, or one letter for each of several consecutive columns.
    """
    values, bad = decimals(column)
    if len(bad):
        per_atom = len(column) // len(records)
        atom, which = divmod(int(bad[0]), per_atom)
        name = names[which] if per_atom > 1 else names
        value = column[bad[0]].tobytes().decode("latin-1").strip()
        raise FormatError(f"atom {_atom_name(records[atom])} has {name} = {value!r}; it must be a number")
    return values


def _atom_name(record: UInt8[np.ndarray, "80"]) -> str:
    line = record.tobytes().decode("latin-1")
    return atom_name(line[20:22], line[22:27], line[_RESIDUE], line[_NAME])


def _copies(lines: _Lines, assembly: str, sets: UnitSets) -> tuple[Copy, ...]:
    """Read a biomolecule's copies from REMARK 350."""
    copies: list[Copy] = []
    there: dict[str, None] = {}
    wanted = False
    chains: set[str] = set()
    units: frozenset[str] | None = None  # set up from the chains when a copy needs them
    rows: list[list[float]] = []
    for i in np.flatnonzero(lines.beginning(b"REMARK")).tolist():
        line = lines.line(i)
        key, _, value = line[10:].partition(":")
        matrix = re.match(r"REMARK 350 +BIOMT([123]) +\d+ (.*)", line)
        if not line.startswith("REMARK 350"):
            continue
        if key.strip() == "BIOMOLECULE":
            names, chains, units = _words(value), set(), None
            there.update(dict.fromkeys(names))
            wanted = assembly in names
        elif key.strip() == "APPLY THE FOLLOWING TO CHAINS":
            chains, units = set(sets.known(_chains(value))), None
        elif key.strip() == "AND CHAINS":
            more = set(sets.known(_chains(value))) - chains
            if more:
                chains.update(more)
                units = None
        elif matrix:
            rows = [] if matrix[1] == "1" else rows
            rows.append(_floats(matrix[2], i))
            if matrix[1] == "3" and wanted:
                if units is None:
                    units = sets.of(chains)
                copies.append(Copy.of(units, rows, f"REMARK 350 of assembly {assembly}"))
                check_copies(len(copies))
    if assembly not in there:
        has = f"it has {listed(there)}" if there else "it describes none (REMARK 350)"
        raise FormatError(f"it has no assembly {assembly!r}; {has}")
    return tuple(copies)


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _chains(value: str) -> list[str]:
    """Return the names of chains; NULL is that of a chain without a name."""
    return ["" if word == "NULL" else word for word in _words(value)]


def _floats(values: str, line: int) -> list[float]:
    try:
        return [number(value) for value in values.split()]
    except ValueError as error:
        raise FormatError(f"line {line + 1}, REMARK 350: {error}") from None
