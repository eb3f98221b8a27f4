"""The results of two readers for the same bytes, in one form that can be compared.

An atom is (chain, residue number, insertion code, residue, atom, alternate location, element, x, y, z). Coordinates are
rounded to float32, the precision of both. A symbol that is not an element is X. Readers differ in the order of atoms,
because gemmi groups the residues of a chain, so atoms are counted rather than listed.
"""

import math
import re
import struct
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import gemmi
import numpy as np
from binarycif import Refused, atom_site_block
from biotite.structure import AtomArray
from numpy.typing import ArrayLike

from holo_features import read_structure
from holo_features.readers.formats import raw_atoms
from holo_features.spheres.idx import read_idx
from holo_features.spheres.meshes import center, read_mesh

__all__ = ["Atoms", "Inconsistent", "Reading", "Refused", "holo_chosen", "holo_reading", "other_reading"]

Atom = tuple[str, int | None, str, str, str, str, str, float, float, float]
Atoms = Counter[Atom]
Mesh = tuple[bytes, Counter[tuple[int, ...]]]  # positions, and triangles starting from their lowest corner
Array = tuple[str, tuple[int, ...], bytes]  # type, shape, elements in big-endian order
Reading = Atoms | Mesh | Array

_ELEMENTS = frozenset(gemmi.Element(number).name.upper() for number in range(1, 119)) | {"D"}


class Inconsistent(Exception):
    """The reader's selection contradicts its rules."""


def holo_reading(form: str, path: Path) -> Reading:
    """Read a file with the package under test."""
    return _HOLO[form](path)


def holo_chosen(form: str, path: Path, reading: Reading) -> None:
    """Process a reading further, which may refuse it, but must not lead to inconsistent results.

    Raises
    ------
    Inconsistent
        If it does lead to them.
    """
    if form == "off":
        _centered(path)
    elif form != "idx":
        _selected(path, cast(Atoms, reading))


def other_reading(form: str, content: bytes) -> Reading:
    """Read the first model with gemmi, a mesh or an array with the readers below.

    Raises
    ------
    Refused
        With the reason for the refusal.
    """
    return _OTHERS[form](content)


# ------------------------------------------------------------------------------------- the package under test


def _element(symbol: str) -> str:
    name = symbol.strip().upper()
    return name if name in _ELEMENTS else "X"


def _holo_atoms(path: Path) -> Atoms:
    """Read every atom of the first model with the package under test."""
    raw = raw_atoms(path)
    return _counted(raw.atoms, raw.labels)


def _counted(atoms: AtomArray, labels: ArrayLike) -> Atoms:
    columns = (
        atoms.chain_id.tolist(),
        atoms.res_id.tolist(),
        atoms.ins_code.tolist(),
        atoms.res_name.tolist(),
        atoms.atom_name.tolist(),
        np.asarray(labels).tolist(),
        map(_element, atoms.element.tolist()),
        *atoms.coord.T.astype(np.float32).tolist(),
    )
    return Counter(zip(*columns, strict=True))


def _selected(path: Path, raw: Atoms) -> None:
    """Check that the selected atoms of a structure are in the file, of one conformer, heavy, and known elements."""
    structure = read_structure(path)
    kept = structure.atoms
    # The twenty may be renamed, and alternate locations are reduced to one.
    chosen = Counter((*atom[:3], atom[4], *atom[6:]) for atom in _counted(kept, [""] * len(kept)).elements())
    if chosen - Counter((*atom[:3], atom[4], *atom[6:]) for atom in raw.elements()):
        raise Inconsistent("an atom was chosen that is not in the file")
    if set(kept.element.tolist()) & {"H", "D", "T", "X", ""} or not set(kept.element.tolist()) <= _ELEMENTS:
        raise Inconsistent(f"elements {sorted(set(kept.element.tolist()))} were chosen")
    if not np.isfinite(kept.coord).all() or len(kept) == 0:
        raise Inconsistent("a coordinate is not finite, or no atom was chosen")


def _holo_mesh(path: Path) -> Mesh:
    mesh = read_mesh(path)
    return mesh.vertices.astype("<f8").tobytes(), Counter(map(_turned, mesh.faces.tolist()))


def _turned(triangle: list[int]) -> tuple[int, ...]:
    a, b, c = triangle
    return min((a, b, c), (b, c, a), (c, a, b))


def _centered(path: Path) -> None:
    mesh = center(read_mesh(path))
    if not np.isfinite(mesh.vertices).all() or not np.isclose(
        np.linalg.norm(mesh.vertices, axis=1).max(), 1.0
    ):
        raise Inconsistent("the farthest vertex of a centered mesh is not at distance 1")


def _holo_array(path: Path) -> Array:
    array = read_idx(path)
    return array.dtype.str[1:], array.shape, array.astype(array.dtype.newbyteorder(">")).tobytes()


_HOLO: dict[str, Callable[[Path], Reading]] = {
    "pdb": _holo_atoms,
    "mmcif": _holo_atoms,
    "binarycif": _holo_atoms,
    "off": _holo_mesh,
    "idx": _holo_array,
}


# -------------------------------------------------------------------------------------------------- gemmi


def _gemmi_atoms(read: Callable[[bytes], gemmi.Structure], content: bytes) -> Atoms:
    try:
        structure = read(content)
    except (RuntimeError, ValueError, IndexError, TypeError, OverflowError, UnicodeDecodeError) as error:
        raise Refused(str(error)) from error
    if not len(structure) or not structure[0].count_atom_sites():
        raise Refused("no atoms")
    found: Atoms = Counter()
    try:
        for chain in structure[0]:
            for residue in chain:
                place = chain.name, residue.seqid.num, residue.seqid.icode.strip(" \0"), residue.name
                for atom in residue:
                    with np.errstate(over="ignore"):
                        position = tuple(np.array(atom.pos.tolist(), dtype=np.float32).tolist())
                    label = atom.altloc.strip("\0")
                    found[(*place, atom.name, label, _element(atom.element.name), *position)] += 1
    except UnicodeDecodeError as error:
        raise Refused(str(error)) from error
    return found


def _pdb(content: bytes) -> gemmi.Structure:
    return gemmi.read_pdb_string(content)


def _mmcif(content: bytes) -> gemmi.Structure:
    for block in gemmi.cif.read_string(content):
        if any(block.find_values(f"_atom_site.{name}") for name in ("Cartn_x", "Cartn_y", "Cartn_z")):
            return gemmi.make_structure_from_block(block)
    raise Refused("no atom_site")


def _binarycif(content: bytes) -> gemmi.Structure:
    return gemmi.make_structure_from_block(atom_site_block(content))


# ------------------------------------------------------------------------------------------ meshes and arrays


def _off(content: bytes) -> Mesh:
    """Read a mesh line by line; one whose form differs from its header is refused."""
    try:
        plain = [line.partition(b"#")[0].decode("ascii") for line in re.split(rb"\r\n|\r|\n", content)]
        if any(ord(letter) < 32 and letter not in "\t\f\v" for line in plain for letter in line):
            raise Refused("control characters")
        lines = [words for line in plain if (words := line.split())]
        if not lines or not re.match(r"(ST)?C?N?OFF", lines[0][0]):
            raise Refused("no OFF at its beginning")
        if first := lines[0][0].partition("OFF")[2]:
            lines[0][0] = first
        else:
            del lines[0][0]
        (points, polygons, *edges), *rest = lines if lines[0] else lines[1:]
        count, faces = _natural(points), _natural(polygons)
        positions = [[_decimal(word) for word in line[:3]] for line in rest[:count]]
        if (
            len(edges) > 1
            or _natural(*edges or "0") < 0
            or len(rest) != count + faces
            or faces == 0
            or any(len(position) != 3 for position in positions)
        ):
            raise Refused("another number of lines than the header says")
        triangles: Counter[tuple[int, ...]] = Counter()
        for length, *corners in rest[count:]:
            polygon = [_natural(word) for word in corners[: _natural(length)]]
            if len(polygon) != int(length) or len(polygon) < 3 or max(polygon) >= count:
                raise Refused("a face without its corners")
            triangles.update(_turned([polygon[0], *polygon[i : i + 2]]) for i in range(1, len(polygon) - 1))
    except (ValueError, IndexError) as error:
        raise Refused(str(error)) from error
    return struct.pack(f"<{3 * count}d", *(value for position in positions for value in position)), triangles


def _natural(word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", word) or int(word) < 0:
        raise Refused(f"{word} is no count")
    return int(word)


def _decimal(word: str) -> float:
    if not re.fullmatch(r"[0-9.eE+-]+", word):
        raise Refused(f"{word} is no number")
    return float(word)


def _idx(content: bytes) -> Array:
    """Read an array whose size is exactly that of its header."""
    kinds = {
        8: ("u1", "B"),
        9: ("i1", "b"),
        11: ("i2", "h"),
        12: ("i4", "i"),
        13: ("f4", "f"),
        14: ("f8", "d"),
    }
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in kinds:
        raise Refused("no idx")
    name, code = kinds[content[2]]
    try:
        shape = struct.unpack_from(f">{content[3]}I", content, 4)
    except struct.error as error:
        raise Refused(str(error)) from error
    elements = content[4 + 4 * len(shape) :]
    if len(elements) != math.prod(shape) * struct.calcsize(code):
        raise Refused("another number of elements")
    return name, shape, elements


_OTHERS: dict[str, Callable[[bytes], Reading]] = {
    "pdb": partial(_gemmi_atoms, _pdb),
    "mmcif": partial(_gemmi_atoms, _mmcif),
    "binarycif": partial(_gemmi_atoms, _binarycif),
    "off": _off,
    "idx": _idx,
}
