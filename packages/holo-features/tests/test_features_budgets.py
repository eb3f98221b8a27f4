"""Structures and molecules that declare more than they hold, and paths that are not files."""

import gzip
import json
import os
from pathlib import Path

import msgpack
import numpy as np
import pytest
from biotite.structure import AtomArray
from hypothesis import given, strategies as st

from holo_features import read_ligand, read_mesh, read_structure
from holo_features.complexes.ligand_tables import ligand_key
from holo_features.complexes.ligands import Ligand
from holo_features.complexes.tables import complex_files
from holo_features.readers.archives import archive_members
from holo_features.readers.assemblies import Copy, build_assembly, operations
from holo_features.spheres.idx import read_idx
from holo_features.spheres.mesh_sets import read_shape_labels
from holo_features.structures.selection import Selection
from holo_features.structures.structure import _same_place
from holo_types import FormatError, HoloError

READERS = {
    **dict.fromkeys((".pdb", ".cif", ".bcif", ".pdbqt", ".cif.gz"), read_structure),
    **dict.fromkeys((".sdf", ".mol2"), read_ligand),
    **dict.fromkeys((".off", ".obj", ".stl"), read_mesh),
    **dict.fromkeys((".tar", ".zip"), archive_members),
    ".idx": read_idx,
    ".csv": lambda path: list(complex_files(path)),
    ".labels.csv": read_shape_labels,
}


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
@pytest.mark.parametrize("suffix", READERS)
def test_devices_pipes_folders_and_loops_of_links_are_refused(suffix, tmp_path):
    for name, target in (("zero", "/dev/zero"), ("loop", f"loop{suffix}"), ("folder", str(tmp_path))):
        (tmp_path / f"{name}{suffix}").symlink_to(target)
    os.mkfifo(tmp_path / f"pipe{suffix}")
    for name in ("zero", "loop", "folder", "pipe"):
        with pytest.raises(FormatError) as refused:
            READERS[suffix](tmp_path / f"{name}{suffix}")
        assert str(tmp_path / name) in str(refused.value)


# BinaryCIF


def constant(value: int, rows: int) -> dict[str, object]:
    steps = [{"kind": "RunLength", "srcType": 3, "srcSize": rows}, {"kind": "ByteArray", "type": 3}]
    return {"data": np.array([value, rows], "<i4").tobytes(), "encoding": steps}


def strings(texts: list[str], rows: int) -> dict[str, object]:
    where = constant(0, rows)
    offsets = np.cumsum([0, *map(len, texts)]).astype("<i4").tobytes()
    whole = {"kind": "ByteArray", "type": 3}
    step = {
        "kind": "StringArray",
        "stringData": "".join(texts),
        "offsets": offsets,
        "offsetEncoding": [whole],
    }
    return {"data": where["data"], "encoding": [{**step, "dataEncoding": where["encoding"]}]}


def site(folder: Path, rows: int, **columns: dict[str, object]) -> Path:
    """Write a file whose atoms are all alike."""
    same = {
        **dict.fromkeys(("label_atom_id", "label_comp_id", "label_asym_id"), strings(["C"], rows)),
        **dict.fromkeys(("Cartn_x", "Cartn_y", "Cartn_z", "label_seq_id"), constant(1, rows)),
        **columns,
    }
    table = {
        "name": "_atom_site",
        "rowCount": rows,
        "columns": [{"name": name, "data": data, "mask": None} for name, data in same.items()],
    }
    path = folder / "a.bcif"
    path.write_bytes(msgpack.packb({"version": "0.3", "dataBlocks": [{"categories": [table]}]}))
    return path


def test_binarycif_of_more_rows_than_its_bytes_hold(tmp_path):
    path = site(tmp_path, 70_000)
    with pytest.raises(FormatError, match="rowCount 70000; it must be an integer from 0 to 65536"):
        read_structure(path)
    path.write_bytes(path.read_bytes() + b" " * 1_000_000)
    with pytest.raises(FormatError):
        read_structure(path)


def test_binarycif_of_encodings_without_end(tmp_path):
    numbers, text = constant(1, 9), strings(["C"], 9)
    delta = {"kind": "Delta", "origin": 0, "srcType": 3}
    path = site(tmp_path, 9, label_seq_id={**numbers, "encoding": [delta] * 100 + numbers["encoding"]})
    with pytest.raises(FormatError, match="label_seq_id: it has 102 encodings; it must have 1 to 8"):
        read_structure(path)
    (step,) = text["encoding"]
    path = site(tmp_path, 9, label_comp_id={**text, "encoding": [{**step, "dataEncoding": [step]}]})
    with pytest.raises(FormatError, match="its data are encoded as 'StringArray'"):
        read_structure(path)
    path = site(tmp_path, 9, label_comp_id=strings(["A"] * 10, 9))
    with pytest.raises(FormatError, match="has 10 strings; the column has 9 rows"):
        read_structure(path)


def test_binarycif_of_a_million_values(tmp_path):
    path = tmp_path / "a.bcif"
    lists = [[None] * 1000] * 1100
    path.write_bytes(msgpack.packb({"version": "0.3", "dataBlocks": lists}))
    with pytest.raises(FormatError, match="its maps and lists have more than 1048576 values"):
        read_structure(path)


def test_a_long_value_does_not_widen_a_column_of_many(tmp_path):
    names = ("group_PDB", "label_atom_id", "label_comp_id", "label_asym_id", "label_seq_id")
    heads = [f"_atom_site.{name}\n" for name in (*names, "Cartn_x", "Cartn_y", "Cartn_z")]
    rows = [f"ATOM CA ALA A {number} {number}.0 0.0 0.0\n" for number in range(20_000)]
    rows[7] = rows[7].replace("ALA", "L" * 900)
    path = tmp_path / "a.cif"
    path.write_text("".join(["data_x\nloop_\n", *heads, *rows]))
    with pytest.raises(
        FormatError, match="row 8 has a label_comp_id of 900 characters; it must have at most 32"
    ):
        read_structure(path)


# Assemblies


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("(1-1000)(1-1000)(1-1000)", "its assembly has 1000000000 copies; it may have 10000"),
        ("1-99999", "its assembly has 99999 copies"),
        ("(1)" * 9, "operations of 9 steps; they may have 8"),
        (",".join(map(str, range(10_001))), "its assembly has 10001 copies"),
    ],
)
def test_assemblies_of_more_copies_than_any_has(expression, message):
    with pytest.raises(FormatError, match=message):
        operations(expression)


def test_the_largest_capsid_is_no_problem():
    assert len(list(operations("(1-60)(61-88)"))) == 1680


def biomolecule(names: str, copies: int) -> str:
    """Return REMARK 350 for one chain."""
    lines = [f"REMARK 350 BIOMOLECULE: {names}", "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A"]
    for number in range(1, copies + 1):
        for row, axis in enumerate(np.eye(3), start=1):
            turn = " ".join(f"{value:9.6f}" for value in axis)
            lines.append(f"REMARK 350   BIOMT{row} {number:3d} {turn}     {9.0 * number:.5f}")
    return "".join(f"{line}\n" for line in lines)


def test_pdb_assemblies_of_ten_thousand_copies(write_pdb, residue):
    path = write_pdb(*residue())
    text = path.read_text()
    path.write_text(biomolecule("1", 10_001) + text)
    with pytest.raises(FormatError, match="its assembly has 10001 copies; it may have 10000"):
        read_structure(path, Selection(assembly="1"))
    path.write_text(biomolecule(",".join(map(str, range(10_000))), 200) + text)
    found = read_structure(path, Selection(assembly="7")).atoms
    assert len(found) == 200 * len(read_structure(path).atoms)


def test_assemblies_of_more_atoms_than_memory_has(monkeypatch):
    copies = [Copy(frozenset("A"), np.eye(3), np.zeros(3))] * 10_000
    atoms = AtomArray(420)
    with pytest.raises(FormatError, match="its assembly has 4200000 atoms; it may have 4194304"):
        build_assembly(atoms, np.full(420, "A"), copies)
    monkeypatch.setenv("HOLO_MAX_BYTES", str(256 * 839))
    with pytest.raises(FormatError, match="its assembly has 840 atoms; it may have 839"):
        build_assembly(atoms, np.full(420, "A"), copies[:2])
    assert len(build_assembly(atoms, np.full(420, "A"), copies[:1])) == 420
    monkeypatch.setenv("HOLO_MAX_BYTES", str(256 * 840))
    assert len(build_assembly(atoms, np.full(420, "A"), copies[:2])) == 840


def test_a_structure_without_copies_may_be_as_large_as_its_file(monkeypatch):
    monkeypatch.setenv("HOLO_MAX_BYTES", "0")
    atoms = AtomArray(420)
    one = [Copy(frozenset("A"), np.eye(3), np.zeros(3))]
    assert len(build_assembly(atoms, np.full(420, "A"), one)) == 420


def test_copies_are_named_past_chains_that_are_called_like_them():
    atoms = AtomArray(1001)
    atoms.chain_id = np.array(["A", *(f"A-{number}" for number in range(2, 1002))])
    copies = [Copy(frozenset("u"), np.eye(3), np.zeros(3))] * 3
    units = np.array(["u", *["v"] * 1000])
    assert build_assembly(atoms, units, copies).chain_id.tolist() == ["A", "A-1002", "A-1003"]


# Residues and ligands


@given(st.integers(0, 2**32 - 1))
def test_residues_that_repeat_are_compared_atom_by_atom(seed):
    random = np.random.default_rng(seed)
    sizes, gaps, names = random.integers(1, 6, 6), random.integers(0, 3, 6), random.integers(0, 3, 6)
    firsts = np.cumsum(sizes + gaps) - sizes
    ends = firsts + sizes
    atoms = AtomArray(int(ends[-1]))
    atoms.coord = random.integers(0, 2, (len(atoms), 3)).astype(np.float32)
    for first, end in zip(firsts, ends, strict=True):
        atoms.atom_name[first:end] = random.permutation(["CA", "CB", "N", "C", "O"])[: end - first]
    earliest = np.array([names.tolist().index(name) for name in names])
    expected = []
    for first, end, before in zip(firsts, ends, earliest, strict=True):
        one, other = atoms[firsts[before] : ends[before]], atoms[first:end]
        same = one.atom_name[:, None] == other.atom_name
        apart = np.linalg.norm(one.coord[:, None] - other.coord, axis=-1)
        expected.append(bool((same & (apart < 0.5)).any()))
    assert _same_place(atoms, firsts, ends, earliest).tolist() == expected


def test_a_ligand_of_thousands_of_atoms_has_no_key():
    atoms = AtomArray(2001)
    atoms.element[:] = "C"
    with pytest.raises(HoloError, match="ligand 'LIG' has 2001 heavy atoms; it may have 2000"):
        ligand_key(Ligand("LIG", atoms))


def test_an_idx_file_that_unpacks_without_end(tmp_path, monkeypatch):
    path = tmp_path / "a.idx.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20)))
    assert read_idx(path).shape == (1 << 20,)
    monkeypatch.setenv("HOLO_MAX_BYTES", str(1 << 19))
    with pytest.raises(FormatError, match=r"an array .* of 1048576 bytes is not in it"):
        read_idx(path)


def test_an_atom3d_record_that_unpacks_without_end(tmp_path, monkeypatch):
    lmdb = pytest.importorskip("lmdb")
    from holo_features.complexes.atom3d import atom3d_records, read_atom3d_record

    entries = {
        "serialization_format": b"json",
        "num_examples": b"1",
        "id_to_idx": json.dumps({"a": 0}).encode(),
    }
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        for key, value in (entries | {"0": gzip.compress(b" " * 100_000)}).items():
            transaction.put(key.encode(), value)
    (record,) = atom3d_records(tmp_path)
    monkeypatch.setenv("HOLO_MAX_BYTES", "10000")
    with pytest.raises(FormatError, match=r"record 0: its .* bytes of gzip data unpack to more than 10000"):
        read_atom3d_record(record, Selection())


def test_a_structure_that_memory_does_not_hold_is_one_line(write_pdb, residue, monkeypatch):
    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 1 TiB")

    monkeypatch.setattr("holo_features.structures.structure.misplaced", full)
    with pytest.raises(FormatError, match=r"it takes more memory than there is .Unable to allocate 1 TiB"):
        read_structure(write_pdb(*residue()))
