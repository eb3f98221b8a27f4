"""The files that are mutated: pieces of the example structures, small meshes, small arrays.

Structures are cut from chains that come with the package, and supplemented by features of real entries that these
chains lack: alternate locations, insertion codes, negative numbers, a modified residue, a ligand and water after the
chain, hydrogens, a second model, and blank elements.
"""

import gzip
import io
import struct
from functools import cache

import gemmi
import numpy as np
from binarycif import atom_site_block
from biotite.structure.io.pdbx import (
    BinaryCIFBlock,
    BinaryCIFCategory,
    BinaryCIFColumn,
    BinaryCIFData,
    BinaryCIFFile,
    CIFFile,
    compress,
)

from holo_features.datasets import example_structures

__all__ = ["FORMATS", "originals"]

FORMATS = ("pdb", "mmcif", "binarycif", "off", "idx")
# Number of the chain, first residue, number of residues.
_PIECES = ((0, 0, 14), (3, 20, 12), (4, 5, 10), (17, 30, 12), (30, 2, 16), (38, 40, 9))


@cache
def originals(name: str) -> tuple[bytes, ...]:
    """Return the files of a format."""
    return _ORIGINALS[name]()


@cache
def _structures() -> tuple[gemmi.Structure, ...]:
    return tuple(_structure(*piece, number) for number, piece in enumerate(_PIECES))


def _structure(chain: int, first: int, count: int, number: int) -> gemmi.Structure:
    """Cut a piece from a chain and vary it."""
    whole = gemmi.make_structure_from_block(
        atom_site_block(gzip.decompress(example_structures()[chain].read_bytes()))
    )
    structure = gemmi.Structure()
    structure.name, structure.spacegroup_hm = f"PIECE{number}", "P 1"
    structure.cell = gemmi.UnitCell(40.0, 50.0, 60.0, 90, 90, 90)
    model, piece = gemmi.Model(1), gemmi.Chain("A")
    for residue in list(whole[0][0])[first : first + count]:
        for atom in residue:
            atom.pos = gemmi.Position(*(round(value, 3) for value in atom.pos.tolist()))
        piece.add_residue(residue)
    for i, residue in enumerate(piece):
        residue.seqid = gemmi.SeqId(
            str(i - 3) if i < 8 else f"4{'ABCDEFGH'[i - 8]}" if i < 11 else str(i - 6)
        )
        residue.entity_type = gemmi.EntityType.Polymer
    _vary(piece, number)
    model.add_chain(piece)
    _add_others(model, piece[-1][0].pos)
    structure.add_model(model)
    if number % 2:
        second = model.clone()
        second.num = 2
        structure.add_model(second)
    structure.setup_entities()
    structure.assign_serial_numbers()
    return structure


def _vary(piece: gemmi.Chain, number: int) -> None:
    others = [atom.clone() for atom in list(piece[2])[:4]]
    for i, other in enumerate(others):
        piece[2][i].altloc, piece[2][i].occ = "A", (0.3, 0.5)[i % 2]
        other.altloc, other.occ = "B", (0.7, 0.5)[i % 2]
        other.pos += gemmi.Position(0.5, -0.25, 0.125)
    for other in others:
        piece[2].add_atom(other)
    if number % 3 == 0:
        piece[4].name, piece[4].het_flag = "MSE", "H"
    hydrogen = piece[0][0].clone()
    hydrogen.name, hydrogen.element = "H", gemmi.Element("H" if number % 2 else "D")
    piece[0].add_atom(hydrogen)


def _add_others(model: gemmi.Model, place: gemmi.Position) -> None:
    """Add a ligand and waters after the chain's end."""
    for name, atoms in (("CA", (("CA", "Ca"),)), ("GOL", (("C1", "C"), ("O1", "O"))), ("HOH", (("O", "O"),))):
        residue = gemmi.Residue()
        residue.name, residue.het_flag = name, "H"
        residue.seqid = gemmi.SeqId(str(300 + len(name) + ord(name[0])))
        residue.entity_type = gemmi.EntityType.Water if name == "HOH" else gemmi.EntityType.NonPolymer
        for i, (atom_name, element) in enumerate(atoms):
            atom = gemmi.Atom()
            atom.name, atom.element = atom_name, gemmi.Element(element)
            atom.pos = place + gemmi.Position(3.0 + i, 1.0, 2.0)
            residue.add_atom(atom)
        model[0].add_residue(residue)


def _pdb() -> tuple[bytes, ...]:
    texts = [structure.make_pdb_string() for structure in _structures()]
    blank = [
        line[:76] + "    " if line.startswith(("ATOM", "HETATM")) else line for line in texts[0].splitlines()
    ]
    return tuple(text.encode() for text in (*texts, "\n".join(blank) + "\n"))


def _mmcif() -> tuple[bytes, ...]:
    texts = [structure.make_mmcif_document().as_string() for structure in _structures()]
    note = "_struct.title\n;a title of\nloop_ and _tags, data_ and 'quotes'\n;\n#\nloop_\n_atom_site."
    texts.append(texts[1].replace("loop_\n_atom_site.", note, 1))
    texts += [_only_atoms(_structures()[2]), _only_atoms(_structures()[3], grouped=False)]
    return tuple(text.encode() for text in texts)


def _only_atoms(structure: gemmi.Structure, *, grouped: bool = True) -> str:
    """Write the table of atoms, with group_PDB as its first column or without."""
    groups = gemmi.MmcifOutputGroups(False)
    groups.atoms = groups.auth_all = True
    groups.group_pdb = grouped
    return structure.make_mmcif_document(groups).as_string()


def _binarycif() -> tuple[bytes, ...]:
    """Encode structures, every second one with compressing encodings, and add a whole chain as shipped."""
    decimals = ("Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv")
    kinds = {**dict.fromkeys(decimals, float), "id": int, "auth_seq_id": int}
    files = []
    for number, structure in enumerate(_structures()):
        (text,) = CIFFile.read(io.StringIO(_only_atoms(structure))).values()
        site = text["atom_site"]
        columns = {}
        for name, column in site.items():
            values = column.as_array(kinds.get(name, str))
            mask = BinaryCIFData(column.mask.array.astype(np.uint8)) if column.mask is not None else None
            columns[name] = BinaryCIFColumn(BinaryCIFData(values), mask)
        file = BinaryCIFFile({"piece": BinaryCIFBlock({"atom_site": BinaryCIFCategory(columns)})})
        content = io.BytesIO()
        (compress(file, float_tolerance=1e-5) if number % 2 else file).write(content)
        files.append(content.getvalue())
    shipped = min(example_structures(), key=lambda path: path.stat().st_size)
    return (*files, gzip.decompress(shipped.read_bytes()))


def _off() -> tuple[bytes, ...]:
    cube = [f"{x} {y} {z}" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    quads = ["4 0 1 3 2", "4 4 6 7 5", "4 0 4 5 1", "4 2 3 7 6", "4 0 2 6 4", "4 1 5 7 3"]
    turns = [(np.cos(t), np.sin(t)) for t in np.linspace(0, 2 * np.pi, 12, endpoint=False)]
    cone = ["0.5 0.25 3.0", *(f"{x:.6f} {y:.6f} -1" for x, y in turns)]
    fan = [f"3 0 {1 + i} {1 + (i + 1) % 12}" for i in range(12)] + [f"3 1 {i + 1} {i}" for i in range(2, 12)]
    solid = ["1e0 1 1", "1 -1 -1", "-1 1.0 -1", "-1 -1 +1"]
    faces = ["3 0 1 2", "3 0 3 1", "3 0 2 3", "3 1 3 2"]
    meshes = (("OFF", cube, quads), ("OFF", cone, fan), ("OFF", solid, faces))
    plain = [
        "\n".join([head, f"{len(points)} {len(polygons)} 0", *points, *polygons]) + "\n"
        for head, points, polygons in meshes
    ]
    glued = plain[1].replace("OFF\n", "OFF", 1)  # as in many files of ModelNet
    noted = plain[2].replace("\n", "\n# a note\n\n", 1)
    return tuple(text.encode() for text in (*plain, glued, noted))


def _idx() -> tuple[bytes, ...]:
    random = np.random.default_rng(0)
    types = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
    shapes = {8: (3, 7, 7), 9: (20,), 11: (4, 5), 12: (2, 3, 2), 13: (6, 2), 14: (5,)}
    files = []
    for code, kind in types.items():
        values = (random.normal(size=shapes[code]) * 100).astype(np.dtype(kind))
        shape = struct.pack(f">{values.ndim}I", *values.shape)
        files.append(bytes((0, 0, code, values.ndim)) + shape + values.tobytes())
    return tuple(files)


_ORIGINALS = {"pdb": _pdb, "mmcif": _mmcif, "binarycif": _binarycif, "off": _off, "idx": _idx}
