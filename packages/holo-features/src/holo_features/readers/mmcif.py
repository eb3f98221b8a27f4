"""mmCIF and BinaryCIF files to atoms."""

from collections.abc import Mapping

import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float, Int, Shaped

from holo_types import FormatError

from .assemblies import Copy, operations
from .binarycif import binary_categories
from .cif import aligned_loop, categories
from .elements import elements_of
from .raw import RawAtoms, listed
from .tables import Table

__all__ = ["read_binarycif", "read_mmcif"]

_SITE, _GENERATORS, _OPERATIONS = "atom_site", "pdbx_struct_assembly_gen", "pdbx_struct_oper_list"
_ROWS = (b"ATOM", b"HETATM")
_TEXT = bytes({*b"\t\n\r", *range(0x20, 0x100)} - {0x7F})  # what CIF may hold, in whatever encoding
_CATEGORIES = (_SITE, _GENERATORS, _OPERATIONS)


def read_mmcif(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    """Read the atoms of one model of an mmCIF file.

    Authors' names and numbers are taken where there are two. A HETATM row is of a chain's polymer if it has a
    ``label_seq_id``, or if the file has no such column.

    Parameters
    ----------
    content
        The file.
    model
        Number of the model; None takes the first.
    assembly
        Name of the biological assembly whose copies are wanted.

    Raises
    ------
    FormatError
        If there is no category ``atom_site``, it lacks a column or ends within a row, a number in it is none,
        or there is no such model or assembly.
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
            return _read({_SITE: site}, model, None)
    return _read(_first_with_atoms(categories(_text(content), _CATEGORIES)), model, assembly)


def read_binarycif(content: bytes, model: int | None = None, assembly: str | None = None) -> RawAtoms:
    """Read the atoms of one model of a BinaryCIF file, as `read_mmcif` does.

    Raises
    ------
    FormatError
        If it is damaged, there is no category ``atom_site`` or it lacks a column, a number in it is none, or
        there is no such model or assembly.
    """
    return _read(_first_with_atoms(binary_categories(content, _CATEGORIES)), model, assembly)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_end(content: bytes) -> None:
    """Refuse a file whose last line is the beginning of an atom's row."""
    if content.endswith(b"\n"):
        return
    before, last = (b"\n\n" + content).splitlines()[-2:]
    row, usual = last.split(), before.split()
    # A last line without an end is whole if it has as many values as the one before it, and ends as that does.
    whole = len(row) == len(usual) and (row[-1:] == usual[-1:] or len(last) == len(before))
    if row and row[0] in _ROWS and not whole:
        raise FormatError(f"it is cut off within an atom: {last.decode('latin-1')!r}")


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
    atoms.chain_id = _text_of(site, "auth_asym_id", "label_asym_id")
    atoms.res_id = _residue_numbers(site)
    atoms.ins_code = _text_of(site, "pdbx_pdb_ins_code", default="")
    atoms.res_name = _text_of(site, "auth_comp_id", "label_comp_id")
    atoms.atom_name = _text_of(site, "auth_atom_id", "label_atom_id")
    atoms.element = elements_of(_text_of(site, "type_symbol", default=""), atoms.atom_name, atoms.res_name)
    atoms.hetero = _text_of(site, "group_pdb", default="ATOM") == "HETATM"
    atoms.set_annotation(
        "charge", _integers(site, "pdbx_formal_charge", default=0).clip(-128, 127).astype(np.int8)
    )
    raw = RawAtoms(
        atoms,
        _text_of(site, "label_alt_id", default=""),
        _numbers(site, "occupancy", 1.0, needed=False),
        ~atoms.hetero | _present(site, "label_seq_id"),
        _text_of(site, "label_asym_id", "auth_asym_id"),
        chosen,
        None if assembly is None else _copies(block, assembly),
    )
    return raw if rows.all() else raw[rows]


def _name(site: Table, *names: str) -> str:
    """Give the first column that is there."""
    found = next((name for name in names if name in site.columns), None)
    if found is None:
        shown = " or ".join(name.replace("cartn", "Cartn") for name in names)
        raise FormatError(f"its {site.name} has no column {shown}")
    return found


def _text_of(site: Table, *names: str, default: str | None = None) -> Shaped[np.ndarray, "rows"]:
    """Give a column as text, empty where the file says '.' or '?'."""
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


def _residue_numbers(site: Table) -> Int[np.ndarray, "rows"]:
    """Give the authors' numbers; ``label_seq_id``, in their place, has none for what is in no sequence: -1."""
    name = _name(site, "auth_seq_id", "label_seq_id")
    if name == "auth_seq_id" and not site.columns[name].present().all():
        row = int(np.argmin(site.columns[name].present()))
        raise FormatError(f"row {row + 1} of its {site.name} has no auth_seq_id")
    return site.columns[name].integers(-1)


def _copies(block: Mapping[str, Table], assembly: str) -> tuple[Copy, ...]:
    """Read the copies that make an assembly."""
    if _GENERATORS not in block or _OPERATIONS not in block:
        raise FormatError(f"it has no assembly {assembly!r}; it describes none ({_GENERATORS})")
    generators = [
        _text_of(block[_GENERATORS], name) for name in ("assembly_id", "oper_expression", "asym_id_list")
    ]
    matrices = _matrices(block[_OPERATIONS])
    names = generators[0].tolist()
    if assembly not in names:
        raise FormatError(f"it has no assembly {assembly!r}; it has {listed(names)}")
    copies = []
    for name, expression, units in zip(*(column.tolist() for column in generators), strict=True):
        for steps in operations(expression) if name == assembly else ():
            missing = next((step for step in steps if step not in matrices), None)
            if missing is not None:
                raise FormatError(
                    f"assembly {assembly} names operation {missing!r}; it has {listed(matrices)}"
                )
            matrix = np.eye(4)
            for step in steps:
                matrix = matrix @ matrices[step]
            members = frozenset(unit.strip() for unit in units.split(","))
            copies.append(Copy.of(members, matrix[:3].tolist(), f"assembly {assembly}"))
    return tuple(copies)


def _matrices(table: Table) -> dict[str, Float[np.ndarray, "4 4"]]:
    matrices = np.tile(np.eye(4), (table.rows, 1, 1))
    for i in range(3):
        for j in range(3):
            matrices[:, i, j] = _numbers(table, f"matrix[{i + 1}][{j + 1}]", np.nan)
        matrices[:, i, 3] = _numbers(table, f"vector[{i + 1}]", np.nan)
    return dict(zip(_text_of(table, "id").tolist(), matrices, strict=True))
