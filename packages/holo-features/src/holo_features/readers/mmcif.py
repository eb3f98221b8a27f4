"""Read the atoms of mmCIF and BinaryCIF files."""

from collections.abc import Mapping

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int, Shaped

from holo_types import FormatError

from .assemblies import Copy, UnitSets, are_moved_copies, check_copies, operations
from .binarycif import binary_categories
from .cif import aligned_loop, categories
from .elements import elements_of
from .raw import RawAtoms, Remark, further_models, listed
from .tables import Table

__all__ = ["read_binarycif", "read_mmcif"]

_SITE, _GENERATORS, _OPERATIONS = "atom_site", "pdbx_struct_assembly_gen", "pdbx_struct_oper_list"
_METRIC = "ma_qa_metric"
_ROWS = (b"ATOM", b"HETATM")
_TEXT = bytes({*b"\t\n\r", *range(0x20, 0x100)} - {0x7F})  # characters that CIF may contain, in any encoding
_CATEGORIES = (_SITE, _GENERATORS, _OPERATIONS, _METRIC)


def read_mmcif(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    """Read the atoms of one model of an mmCIF file.

    The authors' names and numbers are preferred, row by row. Residues without a number continue the numbers of their
    chain; a row without any id is left out, with a remark. A HETATM row belongs to a chain's polymer if it has a
    ``label_seq_id``, or if the file has no such column.

    Parameters
    ----------
    content
        The file.
    model
        Number of the model; None for the first.
    assembly
        Name of the biological assembly whose copies are returned.

    Raises
    ------
    FormatError
        If there is no category ``atom_site``, it lacks a column or ends within a row, a value is not a number, or there
        is no such model or assembly.
    """
    foreign = content.translate(None, _TEXT)
    if foreign:
        raise FormatError(f"it holds the control character {foreign[:1]!r}; it must be text")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    _check_end(content)
    if assembly is None:
        site = aligned_loop(content, _SITE, _ROWS)
        if site is not None:
            return _read({_SITE: site, **_metrics(content)}, model, None)
    return _read(_first_with_atoms(categories(_text(content), _CATEGORIES)), model, assembly)


def read_binarycif(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    """Read the atoms of one model of a BinaryCIF file, as `read_mmcif` does.

    Raises
    ------
    FormatError
        If it is damaged, there is no category ``atom_site`` or it lacks a column, a value is not a number, or there is
        no such model or assembly.
    """
    return _read(_first_with_atoms(binary_categories(content, _CATEGORIES)), model, assembly)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_end(content: bytes) -> None:
    """Refuse a file whose last line is only the beginning of an atom's row."""
    if content.endswith(b"\n"):
        return
    before, last = (b"\n\n" + content).rsplit(b"\n", 2)[-2:]
    row, usual = last.split(), before.split()
    if not row or row[0] not in _ROWS:
        return
    if len(row) != len(usual) or not _follows(row[-1], usual[-1], len(last) == len(before)):
        raise FormatError(f"it is cut off within an atom: {last.decode('latin-1')!r}")


def _follows(last: bytes, before: bytes, same_length: bool) -> bool:
    """Return whether a row's last value is complete by the one above: the same, the next integer, as many decimals."""
    if last == before:
        return True
    if last.isdigit() and before.isdigit():
        # Python does not convert thousands of digits to an integer.
        return max(len(last), len(before)) < 20 and int(last) == int(before) + 1
    if b"." in last and b"." in before:
        return len(last.rpartition(b".")[2]) == len(before.rpartition(b".")[2])
    return same_length


def _first_with_atoms(blocks: list[dict[str, Table]]) -> dict[str, Table]:
    found = next((block for block in blocks if _SITE in block), None)
    if found is None:
        raise FormatError("it holds no category atom_site, so it has no atoms")
    return found


def _read(block: Mapping[str, Table], model: int | None, assembly: str | None) -> RawAtoms:
    site = block[_SITE]
    if site.rows == 0:
        raise FormatError("its category atom_site has no rows, so it has no atoms")
    models = _integers(site, "pdbx_pdb_model_num", default=1)
    chosen = int(models[0]) if model is None else model
    rows = models == chosen
    if not rows.any():
        raise FormatError(f"it has no model {chosen}; it has {listed(models.tolist())}")
    atoms = AtomArray(site.rows)
    coordinates = [_numbers(site, name, np.nan) for name in ("cartn_x", "cartn_y", "cartn_z")]
    atoms.coord = np.stack(coordinates, axis=1).astype(np.float32)
    atoms.chain_id = _named(site, "asym_id")
    atoms.ins_code = _text_of(site, "pdbx_pdb_ins_code", default="")
    atoms.res_name = _named(site, "comp_id")
    atoms.atom_name = _named(site, "atom_id")
    labels = _text_of(site, "label_alt_id", default="")
    units = _text_of(site, "label_asym_id", "auth_asym_id")
    atoms.res_id, numbered = _residue_numbers(site)
    remarks: tuple[Remark, ...] = () if model is not None or rows.all() else (_further(atoms, models),)
    if not numbered.all():
        bare = ~numbered & (atoms.chain_id == "") & (atoms.res_name == "")
        remarks += tuple(_without_id(atoms, row) for row in np.flatnonzero(bare & rows).tolist())
        rows &= ~bare
        if not rows.any():
            raise FormatError(f"no row of its {site.name} has an id")
        _number(atoms, labels, units, np.flatnonzero(rows), numbered)
    atoms.element = elements_of(_text_of(site, "type_symbol", default=""), atoms.atom_name, atoms.res_name)
    atoms.hetero = _text_of(site, "group_pdb", default="ATOM") == "HETATM"
    atoms.set_annotation(
        "charge", _integers(site, "pdbx_formal_charge", default=0).clip(-128, 127).astype(np.int8)
    )
    atoms.set_annotation("b_factor", _b_factors(site))
    raw = RawAtoms(
        atoms,
        labels,
        _numbers(site, "occupancy", 1.0, needed=False),
        ~atoms.hetero | _present(site, "label_seq_id"),
        units,
        chosen,
        None if assembly is None else _copies(block, assembly, UnitSets(units)),
        remarks,
        _says_plddt(block),
    )
    return raw if rows.all() else raw[rows]


def _b_factors(site: Table) -> Float[np.ndarray, "rows"]:
    """Return B-factors, NaN if there are none; a column of anything else is ignored."""
    try:
        values = _numbers(site, "b_iso_or_equiv", np.nan, needed=False)
    except FormatError:
        return np.full(site.rows, np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _says_plddt(block: Mapping[str, Table]) -> bool:
    """Return whether the file lists a local pLDDT among its quality metrics, as ModelCIF does."""
    if _METRIC not in block:
        return False
    metric = block[_METRIC]
    columns = [_text_of(metric, name, default="").tolist() for name in ("mode", "type", "name")]
    return any(
        mode.lower() == "local" and "plddt" in (kind + name).lower()
        for mode, kind, name in zip(*columns, strict=True)
    )


def _metrics(content: bytes) -> dict[str, Table]:
    """Read the quality metrics alone, if a file has them before its atoms."""
    start = content.find(b"\n_ma_qa_metric.")
    if start < 0:
        return {}
    start = content.rfind(b"\n", 0, start) + 1  # one line earlier, which may begin a loop
    end = content.find(b"\n#", start + 1)
    text = b"data_x\n" + content[start : end if end > 0 else len(content)]
    try:
        return categories(_text(text), (_METRIC,))[0]
    except FormatError:
        return {}


def _further(atoms: AtomArray, models: Int[np.ndarray, "rows"]) -> Remark:
    """Return a remark on how many models were passed over."""
    numbers, counts = np.unique(models, return_counts=True)
    first = atoms.coord[models == models[0]]
    copies = bool((counts == len(first)).all())
    if copies:
        each = atoms.coord[np.argsort(models, kind="stable")].reshape(len(numbers), *first.shape)
        copies = are_moved_copies(first, each[numbers != models[0]])
    return further_models(len(numbers) - 1, frames=False, copies=copies)


def _without_id(atoms: AtomArray, row: int) -> Remark:
    reason = f"row {row + 1}, the atom {atoms.atom_name[row]}, was left out, for it has no id of a residue or a chain"
    return Remark("atom left out", reason)


def _number(
    atoms: AtomArray,
    labels: Shaped[np.ndarray, "rows"],
    units: Shaped[np.ndarray, "rows"],
    rows: Int[np.ndarray, "chosen"],
    numbered: Bool[np.ndarray, "rows"],
) -> None:
    """Assign numbers to residues that have none, in place, continuing from the last one of their chain.

    A new residue begins where the chain, the name or the unit changes, or an atom's name is repeated.
    """
    names_of_chains, chain = np.unique(atoms.chain_id[rows], return_inverse=True)
    largest = np.zeros(len(names_of_chains), dtype=np.int64)
    np.maximum.at(largest, chain[numbered[rows]], atoms.res_id[rows[numbered[rows]]])
    last = dict(zip(names_of_chains.tolist(), largest.tolist(), strict=True))
    residue: tuple[str, str, str] | None = None
    names: set[tuple[str, str]] = set()
    for row in rows[~numbered[rows]].tolist():
        here = (atoms.chain_id[row], atoms.res_name[row], units[row])
        atom = (atoms.atom_name[row], labels[row])
        if here != residue or atom in names:
            residue, names = here, set()
            last[here[0]] += 1
        names.add(atom)
        atoms.res_id[row] = last[here[0]]


def _name(site: Table, *names: str) -> str:
    """Return the name of the first column that exists."""
    found = next((name for name in names if name in site.columns), None)
    if found is None:
        shown = " or ".join(name.replace("cartn", "Cartn") for name in names)
        raise FormatError(f"its {site.name} has no column {shown}")
    return found


def _text_of(site: Table, *names: str, default: str | None = None) -> Shaped[np.ndarray, "rows"]:
    """Return a column as text, empty where the file has '.' or '?'."""
    if default is not None and names[0] not in site.columns:
        return np.full(site.rows, default)
    return site.columns[_name(site, *names)].text()


def _numbers(site: Table, name: str, missing: float, *, needed: bool = True) -> Float[np.ndarray, "rows"]:
    if not needed and name not in site.columns:
        return np.full(site.rows, missing)
    return site.columns[_name(site, name)].numbers(missing)


def _integers(site: Table, name: str, default: int) -> Int[np.ndarray, "rows"]:
    if name not in site.columns:
        return np.full(site.rows, default)
    return site.columns[name].integers(default)


def _present(site: Table, name: str) -> Bool[np.ndarray, "rows"]:
    return site.columns[name].present() if name in site.columns else np.ones(site.rows, dtype=bool)


def _named(site: Table, item: str) -> Shaped[np.ndarray, "rows"]:
    """Return the authors' names, or the labels in rows that have none."""
    names = _text_of(site, f"auth_{item}", f"label_{item}")
    if {f"auth_{item}", f"label_{item}"} <= site.columns.keys():
        there = site.columns[f"auth_{item}"].present()
        if not there.all():
            return np.where(there, names, site.columns[f"label_{item}"].text())
    return names


def _residue_numbers(site: Table) -> tuple[Int[np.ndarray, "rows"], Bool[np.ndarray, "rows"]]:
    """Return the authors' numbers, or the labels' in rows that have none, and which rows have any."""
    name = _name(site, "auth_seq_id", "label_seq_id")
    numbers, there = site.columns[name].integers(0), site.columns[name].present()
    if not there.all() and name == "auth_seq_id" and "label_seq_id" in site.columns:
        labels = site.columns["label_seq_id"]
        numbers, there = np.where(there, numbers, labels.integers(0)), there | labels.present()
    return numbers, there


def _copies(block: Mapping[str, Table], assembly: str, sets: UnitSets) -> tuple[Copy, ...]:
    """Read the copies that make up an assembly."""
    if _GENERATORS not in block or _OPERATIONS not in block:
        raise FormatError(f"it has no assembly {assembly!r}; it describes none ({_GENERATORS})")
    generators = [
        _text_of(block[_GENERATORS], name) for name in ("assembly_id", "oper_expression", "asym_id_list")
    ]
    matrices = _matrices(block[_OPERATIONS])
    names = generators[0].tolist()
    if assembly not in names:
        raise FormatError(f"it has no assembly {assembly!r}; it has {listed(names)}")
    copies: list[Copy] = []
    read: dict[str, frozenset[str]] = {}
    for name, expression, units in zip(*(column.tolist() for column in generators), strict=True):
        if name != assembly:
            continue
        if units not in read:
            read[units] = sets.of(unit.strip() for unit in units.split(","))
        members = read[units]
        for steps in operations(expression):
            missing = next((step for step in steps if step not in matrices), None)
            if missing is not None:
                raise FormatError(
                    f"assembly {assembly} names operation {missing!r}; it has {listed(matrices)}"
                )
            matrix = np.eye(4)
            for step in steps:
                matrix = matrix @ matrices[step]
            copies.append(Copy.of(members, matrix[:3].tolist(), f"assembly {assembly}"))
            check_copies(len(copies))
    return tuple(copies)


def _matrices(table: Table) -> dict[str, Float[np.ndarray, "4 4"]]:
    matrices = np.tile(np.eye(4), (table.rows, 1, 1))
    for i in range(3):
        for j in range(3):
            matrices[:, i, j] = _numbers(table, f"matrix[{i + 1}][{j + 1}]", np.nan)
        matrices[:, i, 3] = _numbers(table, f"vector[{i + 1}]", np.nan)
    return dict(zip(_text_of(table, "id").tolist(), matrices, strict=True))
