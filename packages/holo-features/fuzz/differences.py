"""The complete list of intended differences to other readers, each with its reason.

A case is not attributed to a difference because a file looks like it: the difference is undone in gemmi's input (or in
both readings), and only if both then read exactly the same does it count. A case that no member of the list explains is
a failure.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import cast

import attrs
import gemmi
import msgpack  # type: ignore[import-untyped]
import numpy as np
from binarycif import atom_site_block
from readings import Atoms, Reading, Refused, other_reading

from holo_features.readers.formats import content_suffix
from holo_features.readers.names import FOUR_LETTERS, dictionary_elements

__all__ = ["CRASH", "DIFFERENCES", "named_differences"]

CRASH = "the other reader crashes"


@attrs.frozen
class _Difference:
    """A way in which another reader differs.

    Parameters
    ----------
    name, reason
        Its name and the reason, for people.
    rewritten
        Changes a file so that gemmi reads it as Holo does.
    adjusted
        Changes a reading of either reader, where no change of the file can express it; called with the rewritten file.
    """

    name: str
    reason: str
    rewritten: Callable[[bytes], bytes] = lambda content: content
    adjusted: Callable[[bytes, Atoms], Atoms] = lambda content, atoms: atoms


def named_differences(form: str, content: bytes, ours: Reading) -> tuple[str, ...]:
    """Return the differences that together explain why gemmi reads a file differently; none if they do not."""
    chosen = list(_BY_FORMAT.get(form, ()))
    if not chosen or not _agree(form, content, cast(Atoms, ours), chosen):
        return ()
    for one in list(chosen):  # leave out those that are not needed
        fewer = [other for other in chosen if other is not one]
        if _agree(form, content, cast(Atoms, ours), fewer):
            chosen = fewer
    return tuple(one.name for one in chosen)


def _agree(form: str, content: bytes, ours: Atoms, differences: Sequence[_Difference]) -> bool:
    """Return whether both read the same once the differences are undone."""
    rewritten = content
    for one in differences:
        rewritten = one.rewritten(rewritten)
    try:
        theirs = cast(Atoms, other_reading("mmcif" if rewritten.startswith(b"data_") else form, rewritten))
    except Refused:
        return False
    for one in differences:
        ours, theirs = one.adjusted(rewritten, ours), one.adjusted(rewritten, theirs)
    return ours == theirs


# ------------------------------------------------------------------------------------------------- PDB


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: b"\n".join(change(content.split(b"\n")))


def _each_atom(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return _lines(lambda lines: [change(line) if _is_atom(line) else line for line in lines])


def _is_atom(line: bytes) -> bool:
    return line.startswith((b"ATOM", b"HETATM"))


def _atoms_and_ends(lines: list[bytes]) -> list[bytes]:
    """Return the lines of a model that Holo reads: atoms, and ends of chains."""
    return [
        line if _is_atom(line) else b"TER" for line in lines if line.startswith((b"ATOM", b"HETATM", b"TER"))
    ]


def _first_model(lines: list[bytes]) -> list[bytes]:
    first: list[bytes] = []
    for line in lines:
        if line.startswith((b"MODEL ", b"ENDMDL")):
            if any(map(_is_atom, first)):
                break
        else:
            first.append(line)
    return first


def _whole_chains(lines: list[bytes]) -> list[bytes]:
    """Blank column 21 unless it is filled in all consecutive atoms of a chain, or belongs to names."""
    changed, stretch = [], []

    def end() -> None:
        names = {line[17:21].decode("latin-1").strip() for line in stretch}
        whole = all(line[20:21].strip() for line in stretch) and not names <= FOUR_LETTERS
        changed.extend(line if whole else line[:20] + b" " + line[21:] for line in stretch)
        stretch.clear()

    for line in lines:
        second = {before[20:21] for before in (*stretch[-1:], line)} - {b" "}
        if not _is_atom(line) or (stretch and stretch[-1][21:22] != line[21:22]) or len(second) > 1:
            end()
        if _is_atom(line):
            stretch.append(line)
        else:
            changed.append(line)
    end()
    return changed


def _three_letters(_: bytes, atoms: Atoms) -> Atoms:
    """Shorten the known four-letter names."""
    changed: Atoms = Counter()
    for (chain, number, insertion, residue, *rest), count in atoms.items():
        name = residue[:3] if residue in FOUR_LETTERS else residue
        changed[chain, number, insertion, name, *rest] += count  # type: ignore[index]
    return changed


def _without_chains(content: bytes, atoms: Atoms) -> Atoms:
    """Leave out the chains of a file that has segments."""
    if not any(line[72:76].strip() for line in re.split(rb"[\r\n]", content) if _is_atom(line)):
        return atoms
    changed: Atoms = Counter()
    for (_, *rest), count in atoms.items():
        changed["", *rest] += count  # type: ignore[index]
    return changed


def _parts(lines: list[bytes]) -> list[bytes]:
    """Leave out END, and everything after it if residues are repeated, as in the next frame of a trajectory."""
    is_end = re.compile(rb"END\s*$")
    modeled = any(line.startswith((b"MODEL ", b"ENDMDL")) for line in lines)
    kept: list[bytes] = []
    seen: set[bytes] = set()
    part: list[bytes] = []
    for line in [*lines, b"END"]:
        if not is_end.match(line):
            part.append(line)
            continue
        residues = {atom[17:27] for atom in part if _is_atom(atom)}
        dry = {name for name in residues if name[:4].strip() not in (b"HOH", b"WAT")} or residues
        if not modeled and seen and dry and 2 * len(dry & seen) >= len(dry):
            break
        kept, seen, part = kept + part, seen | dry, []
    return kept


def _capital_insertions(content: bytes, atoms: Atoms) -> Atoms:
    changed: Atoms = Counter()
    for (chain, number, insertion, *rest), count in atoms.items():
        changed[chain, number, insertion.upper(), *rest] += count  # type: ignore[index]
    return changed


def _unhybrid(content: bytes, atoms: Atoms) -> Atoms:
    """Replace lower-case hybrid-36 numbers by those in capitals, as gemmi does."""
    lower = 26 * 36**3
    changed: Atoms = Counter()
    for (chain, number, *rest), count in atoms.items():
        high = number is not None and number >= lower + 10_000
        changed[chain, number - lower if high and number is not None else number, *rest] += count  # type: ignore[index]
    return changed


def _unsaid_elements(content: bytes, atoms: Atoms) -> Atoms:
    """Leave out elements that the file's columns lack, for atoms that the dictionary does not have.

    One is left out only if it begins the atom's name or is unknown.
    """
    unsaid = {
        (line[17:20].strip().decode("latin-1"), line[12:16].decode("latin-1"))
        for line in content.replace(b"\r", b"\n").split(b"\n")
        if _is_atom(line) and not re.fullmatch(rb" ?[A-Za-z] ?|[A-Za-z]{2}", line[76:78].ljust(2))
    }
    strange = {
        name.strip()
        for residue, name in unsaid
        if name[:2] == "  " or name.strip() not in (dictionary_elements(residue) or {})
    }
    return _without_elements(atoms, strange)


def _without_elements(atoms: Atoms, names: Collection[str]) -> Atoms:
    """Leave out the elements of atoms of some names, if they begin the name or are unknown."""
    changed: Atoms = Counter()
    for atom, count in atoms.items():
        name, element = atom[4], atom[6]
        guessed = name in names and (
            element == "X" or name.strip("0123456789'*\"").upper().startswith(element)
        )
        changed[(*atom[:6], "?" if guessed else element, *atom[7:])] += count
    return changed


def _known_atoms(_: bytes, atoms: Atoms) -> Atoms:
    """Set atoms of known residues to their elements, if the symbol is the beginning of the name."""
    changed: Atoms = Counter()
    for atom, count in atoms.items():
        residue, name, element = atom[3], atom[4].upper(), atom[6]
        begins = len(element) > 1 and name != residue and name.startswith(element)
        known = (dictionary_elements(residue) or {}).get(name, element) if begins else element
        changed[(*atom[:6], known, *atom[7:])] += count
    return changed


_BEGINNINGS = _Difference(
    "symbols that begin a name",
    "CA of an amino acid is carbon to Holo, also where the file calls it calcium",
    adjusted=_known_atoms,
)
_CASE = _Difference(
    "case of insertion codes",
    "residues 4a and 4A are one to gemmi, and get the code of the first",
    adjusted=_capital_insertions,
)
_PDB = (
    _CASE,
    _BEGINNINGS,
    _Difference(
        "\\r ends a line",
        "gemmi ends lines at \\n only, so that a file of an old Macintosh is one line to it",
        lambda content: content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"),
    ),
    _Difference(
        "first model only",
        "Holo reads no further than the first model; gemmi refuses a file for whatever is wrong in later ones",
        _lines(_first_model),
    ),
    _Difference(
        "parts after END",
        "gemmi reads no further than END; Holo reads what follows if it is other residues, as of joined files",
        _lines(_parts),
    ),
    _Difference(
        "record names in capitals",
        "gemmi takes atom, hetatm, Ter and HETATx for records too; the format has ATOM, HETATM and TER only",
        _lines(
            lambda lines: [
                line
                for line in lines
                if _is_atom(line) or line.startswith(b"TER") or not re.match(rb"(?i)(ATOM|HETA|TER)", line)
            ]
        ),
    ),
    _Difference(
        "other records",
        "gemmi refuses a file for records that Holo does not read, such as ANISOU without its atom",
        _lines(_atoms_and_ends),
    ),
    _Difference(
        "charge",
        "gemmi refuses a file for its columns 79-80; what is no charge there says nothing to Holo",
        _each_atom(lambda line: line[:78]),
    ),
    _Difference(
        "column 21 in part of a chain",
        "gemmi reads a chain of two letters wherever column 21 is filled; Holo where it is through the whole chain "
        "and makes no known name of four letters (GLUH), which is read where there is one",
        _lines(_whole_chains),
        _three_letters,
    ),
    _Difference(
        "segments",
        "Holo takes the segment of columns 73-76 for a chain that is blank or names residues twice; gemmi does not",
        adjusted=_without_chains,
    ),
    _Difference(
        "lower-case hybrid-36",
        "gemmi reads residue numbers a000 and higher as A000; hybrid-36 counts on from ZZZZ",
        adjusted=_unhybrid,
    ),
    _Difference(
        "elements of atoms that nobody knows",
        "where columns 77-78 hold none both go by the atom's name, by different rules, but for atoms of the dictionary "
        "whose names are in their columns",
        adjusted=_unsaid_elements,
    ),
    _Difference(
        "no newline at the end",
        "gemmi counts the newline among the 55 characters that an atom's line must have, and the last line may lack it",
        lambda content: content + b"\n",
    ),
)

# ----------------------------------------------------------------------------------- mmCIF and BinaryCIF

_OPEN = (".", "?")


def _only_atom_site(content: bytes) -> bytes:
    """Return only the table of atoms of a file that gemmi cannot read as CIF."""
    try:
        gemmi.cif.read_string(content)
    except (ValueError, RuntimeError):
        tags = rb"(?:_\S+\s+)"
        pattern = (
            rb"(?im)^loop_\s+" + tags + rb"*?_atom_site\.\S+\s+" + tags + rb"*(?:(?!#|loop_|data_|_).*\n?)*"
        )
        found = re.search(pattern, content)
        return b"data_x\n" + found.group() if found else content
    return content


def _of_pdb(content: bytes) -> bytes:
    """Return mmCIF with the atoms of a file whose content is PDB."""
    if content_suffix(content) != ".pdb":
        return content
    for one in _PDB:
        content = one.rewritten(content)
    try:
        return bytes(
            gemmi.read_pdb_string(content.decode("latin-1")).make_mmcif_document().as_string().encode()
        )
    except (ValueError, RuntimeError):
        return content


def _table(content: bytes) -> dict[str, list[str]]:
    """Return the table of atoms of either format, with values as in CIF; empty if it cannot be read."""
    try:
        blocks = gemmi.cif.read_string(content) if content.lstrip().lower().startswith(b"data_") else None
        found = blocks if blocks is not None else [atom_site_block(content)]
    except (ValueError, RuntimeError, Refused):
        return {}
    for block in found:
        loop = block.find_loop("_atom_site.Cartn_x").get_loop()
        if loop is not None:
            values, width = loop.values, loop.width()
            return {
                tag.lower().removeprefix("_atom_site."): values[i::width]
                for i, tag in enumerate(loop.tags)
                if tag.lower().startswith("_atom_site.")
            }
    return {}


def _site(change: Callable[[dict[str, list[str]]], None]) -> Callable[[bytes], bytes]:
    """Change the table of atoms."""

    def rewritten(content: bytes) -> bytes:
        columns = _table(content)
        if not columns:
            return content
        change(columns)
        only = gemmi.cif.Document()
        only.add_new_block("x").init_loop("_atom_site.", list(columns)).set_all_values(list(columns.values()))
        return bytes(only.as_string().encode())

    return rewritten


def _filled(columns: dict[str, list[str]]) -> None:
    """Add columns that gemmi needs and the file lacks, without values."""
    rows = len(next(iter(columns.values())))
    for name in ("id", "type_symbol", "label_alt_id", "label_asym_id"):
        columns.setdefault(name, ["?"] * rows)


def _plain_numbers(columns: dict[str, list[str]]) -> None:
    """Write numbers without quotes, and 0 for those below the smallest float64."""
    for name in {"cartn_x", "cartn_y", "cartn_z", "pdbx_pdb_model_num", "auth_seq_id"} & columns.keys():
        columns[name] = [
            value if value in _OPEN else _plain(gemmi.cif.as_string(value)) for value in columns[name]
        ]


def _plain(number: str) -> str:
    return "0" if re.fullmatch(r"[+-]?[0-9.]+[eE]-[0-9]+", number) and float(number) == 0 else number or "''"


def _known_elements(columns: dict[str, list[str]]) -> None:
    """Write X for symbols that are not elements."""
    symbols = map(gemmi.cif.as_string, columns.get("type_symbol", []))
    known = [symbol if gemmi.Element(symbol).name.upper() == symbol.upper() else "X" for symbol in symbols]
    if known:
        columns["type_symbol"] = known


def _letters(columns: dict[str, list[str]]) -> None:
    """Shorten labels to one letter."""
    for name in {"label_alt_id", "pdbx_pdb_ins_code"} & columns.keys():
        values = columns[name]
        columns[name] = [v if v in _OPEN else gemmi.cif.quote(gemmi.cif.as_string(v)[:1]) for v in values]


def _first_model_number(columns: dict[str, list[str]]) -> None:
    """Write 1 for a missing model number."""
    if "pdbx_pdb_model_num" in columns:
        numbers = columns["pdbx_pdb_model_num"]
        columns["pdbx_pdb_model_num"] = ["1" if number in _OPEN else number for number in numbers]


def _open_elements(content: bytes, atoms: Atoms) -> Atoms:
    """Leave out elements that the file lacks, if they begin the atom's name or are unknown."""
    columns = _table(content)
    names = columns.get("auth_atom_id", columns.get("label_atom_id", []))
    symbols = columns.get("type_symbol", ["?"] * len(names))
    unsaid = {
        gemmi.cif.as_string(name)
        for name, symbol in zip(names, map(gemmi.cif.as_string, symbols), strict=True)
        if gemmi.Element(symbol).name == "X"
    }
    return _without_elements(atoms, unsaid)


def _one_letter(content: bytes, atoms: Atoms) -> Atoms:
    changed: Atoms = Counter()
    for (chain, number, insertion, residue, name, label, *rest), count in atoms.items():
        changed[chain, number, insertion[:1], residue, name, label[:1], *rest] += count  # type: ignore[index]
    return changed


def _without_label_numbers(columns: dict[str, list[str]]) -> None:
    """Leave out the labels' residue numbers if there are those of the authors."""
    if "auth_seq_id" in columns:
        columns.pop("label_seq_id", None)


def _wrapped(content: bytes, atoms: Atoms) -> Atoms:
    """Truncate numbers of more than 32 bits to 32 bits."""
    changed: Atoms = Counter()
    for (chain, number, *rest), count in atoms.items():
        wrapped = None if number is None else (number + 2**31) % 2**32 - 2**31
        changed[chain, None if wrapped == -(2**31) else wrapped, *rest] += count  # type: ignore[index]
    return changed


def _unnumbered(content: bytes, atoms: Atoms) -> Atoms:
    """Leave out the number of atoms for which no column has one."""
    columns = _table(content)
    if not {"cartn_x", "cartn_y", "cartn_z"} <= columns.keys():
        return atoms
    rows = range(len(columns["cartn_x"]))
    numbers = [columns[name] for name in ("auth_seq_id", "label_seq_id") if name in columns]
    bare = {
        tuple(np.float32(_decimal(columns[f"cartn_{axis}"][row])).item() for axis in "xyz")
        for row in rows
        if all(column[row] in _OPEN for column in numbers)
    }
    changed: Atoms = Counter()
    for (chain, number, *rest), count in atoms.items():
        changed[chain, None if tuple(rest[-3:]) in bare else number, *rest] += count  # type: ignore[index]
    return changed


def _decimal(value: str) -> float:
    try:
        return float(gemmi.cif.as_string(value))
    except ValueError:
        return math.nan


_READ = frozenset(
    """group_PDB type_symbol label_alt_id label_asym_id auth_asym_id auth_comp_id auth_atom_id auth_seq_id
    pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy pdbx_PDB_model_num pdbx_formal_charge""".lower().split()
)


def _only_read(content: bytes) -> bytes:
    """Return only the table of atoms, with the columns that Holo reads: the authors', or otherwise the labels'."""
    try:
        file = msgpack.unpackb(content)
        categories = [category for block in file["dataBlocks"] for category in block["categories"]]
        site = next(one for one in categories if str(one.get("name")).lower().lstrip("_") == "atom_site")
        columns = {str(column.get("name")).lower(): column for column in site["columns"]}
    except (ValueError, TypeError, LookupError, AttributeError, StopIteration):
        return content
    read = set(_READ)
    for item in ("comp_id", "atom_id", "seq_id"):
        if f"auth_{item}" not in columns:
            read.add(f"label_{item}")
    kept = [{**column, "name": name} for name, column in columns.items() if name in read]
    category = {"name": "_atom_site", "rowCount": site.get("rowCount"), "columns": kept}
    return bytes(msgpack.packb({"dataBlocks": [{"header": "x", "categories": [category]}]}))


_COLUMNS = (
    _Difference(
        "missing columns",
        "gemmi finds no atoms without id, type_symbol, label_alt_id or label_asym_id; Holo needs none of them",
        _site(_filled),
    ),
    _Difference(
        "form of numbers",
        "gemmi has NaN for a coordinate in quotes, in a text field, or below 1e-324, and refuses such a model number",
        _site(_plain_numbers),
    ),
    _Difference(
        "elements that are none",
        "gemmi reads the first two letters of nan as sodium; Holo leaves such an atom out by name",
        _site(_known_elements),
    ),
    _BEGINNINGS,
    _Difference(
        "elements left open",
        "Holo goes by the atom's name, as for PDB; gemmi has no element",
        adjusted=_open_elements,
    ),
    _Difference(
        "labels of several letters",
        "gemmi refuses insertion codes and alternate locations of more than one character; Holo keeps them as they are",
        _site(_letters),
        _one_letter,
    ),
    _Difference(
        "model number left open",
        "Holo takes it for 1, as where there is no such column; gemmi for a model 0",
        _site(_first_model_number),
    ),
    _Difference(
        "label_seq_id",
        "gemmi refuses what is no number there; to Holo it only says, by being there, what belongs to a polymer",
        _site(_without_label_numbers),
    ),
    _CASE,
    _Difference(
        "large residue numbers",
        "gemmi reads residue numbers into 32 bits, whatever they are; Holo has 64",
        adjusted=_wrapped,
    ),
    _Difference(
        "residues without a number",
        "Holo numbers them on from the last of their chain; gemmi gives them none",
        adjusted=_unnumbered,
    ),
)
_MMCIF = (
    _Difference(
        "content of another format",
        "Holo goes by a file's content, and reads PDB whatever its name is",
        _of_pdb,
    ),
    _Difference(
        "\\r ends a line",
        "gemmi ends lines at \\n only, so that a comment or text field of an old Macintosh ends nowhere",
        lambda content: content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"),
    ),
    _Difference(
        "other categories",
        "gemmi refuses a file for damage in categories that Holo does not read",
        _only_atom_site,
    ),
    *_COLUMNS,
)

_BINARYCIF = (
    _Difference(
        "other categories and columns",
        "Holo decodes no more than the columns of atom_site that it uses; damage elsewhere does not hinder it",
        _only_read,
    ),
    *_COLUMNS,
)

_BY_FORMAT: dict[str, tuple[_Difference, ...]] = {"pdb": _PDB, "mmcif": _MMCIF, "binarycif": _BINARYCIF}

DIFFERENCES = {
    CRASH: "a signal or a hang while gemmi reads, after Holo did",
    **{one.name: one.reason for differences in _BY_FORMAT.values() for one in differences},
}
