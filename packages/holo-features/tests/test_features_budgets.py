"""Structures and molecules that declare more than they hold, and paths that are not files."""

import gzip
import json
import os
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from string import ascii_uppercase

import msgpack
import numpy as np
import pytest
from biotite.structure import AtomArray
from hypothesis import given, strategies as st

from holo_features import read_ligand, read_mesh, read_structure
from holo_features.complexes.ligand_tables import ligand_key
from holo_features.complexes.ligands import Ligand
from holo_features.complexes.tables import complex_files
from holo_features.molecules.bonded import structure_molecules
from holo_features.readers.archives import archive_members
from holo_features.readers.assemblies import Copy, UnitSets, are_moved_copies, build_assembly, operations
from holo_features.readers.formats import raw_atoms
from holo_features.readers.pdb import _polymer
from holo_features.spheres.idx import read_idx
from holo_features.spheres.mesh_sets import read_shape_labels
from holo_features.structures.places import close_pairs
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


def peak(read: Callable[[], object]) -> int:
    """Return the most bytes of memory that reading or refusing takes."""
    tracemalloc.start()
    with suppress(FormatError):
        read()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


# Texts


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
@pytest.mark.parametrize("line", [b"\n", b"        \n", b"#\n", b"# a note\n"])
@pytest.mark.parametrize("end", [b"x", b"data_x", b"data_x\n_a.b\n1\n", b"ATOM  ", b"@<TRIPOS>"])
def test_blank_lines_and_comments_take_little_memory(suffix, line, end, tmp_path):
    path = tmp_path / f"blank{suffix}"
    path.write_bytes(line * 2_000_000 + end)
    assert peak(lambda: read_structure(path)) < 8 * path.stat().st_size


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("a.sdf", "x\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\n"),
        ("a.mol2", "@<TRIPOS>MOLECULE\nx\n1 0\n"),
        ("a.off", "OFF\n"),
        ("a.obj", "v 0 0 0\n"),
        ("a.pdbqt", "ROOT\n"),
        ("a.cif", "data_x\n"),
    ],
)
def test_texts_of_nothing_but_blank_lines_are_refused(name, beginning, tmp_path):
    path = tmp_path / name
    path.write_text(beginning + "\n" * 1_500_000)
    with pytest.raises(FormatError, match=r"nearly all of its 15\d{5} lines are blank"):
        READERS[path.suffix](path)


def test_a_comment_and_a_wide_blank_are_counted_as_lines(tmp_path):
    path = tmp_path / "a.cif"
    path.write_text("data_x\n# one\n  # two\n" + "\n" * 100 + "_a.b 'c\n")
    with pytest.raises(FormatError, match='line 104: what begins with "\'c" is never closed'):
        read_structure(path)


def test_more_data_blocks_than_any_file_has(tmp_path):
    path = tmp_path / "a.cif"
    path.write_text("data_x\n" * 100_001)
    with pytest.raises(FormatError, match="line 100001: it has more than 100000 data blocks"):
        read_structure(path)


def test_a_model_of_more_digits_than_a_number_has(write_pdb, residue):
    path = write_pdb("MODEL " + "9" * 5000, *residue())
    with pytest.raises(FormatError, match="line 1: the number of a model has 5000 digits; it may have 18"):
        read_structure(path)


@given(st.integers(0, 2**32 - 1))
def test_the_ends_of_chains_are_found_for_all_of_them_at_once(seed):
    random = np.random.default_rng(seed)
    lines = np.sort(random.choice(60, random.integers(1, 30), replace=False))
    ends = np.sort(random.choice(np.setdiff1d(np.arange(80), lines), random.integers(0, 8), replace=False))
    records = np.full((len(lines), 80), ord(" "), dtype=np.uint8)
    records[:, 0] = random.choice([ord("A"), ord("H")], len(lines))
    chains = random.choice(list("ABC"), len(lines))
    expected, closed = [], set()
    for i, (line, chain) in enumerate(zip(lines, chains, strict=True)):
        if i and ((ends > lines[i - 1]) & (ends < line)).any():
            closed.add(chains[i - 1])
        if records[i, 0] == ord("A"):
            closed.discard(chain)
        expected.append(chain not in closed)
    assert _polymer(records, chains, lines, ends).tolist() == expected


def chain_names(count: int) -> list[str]:
    return ["".join(letters) for letters in product(ascii_uppercase, repeat=4)][:count]


def of_many_chains(count: int, atom: Callable[..., str]) -> str:
    records = (
        f"{atom('CA', (i % 100 * 4.0, i // 100 % 100 * 4.0, 4.0 * (i // 10_000)), number=1)[:72]}{name} C\nTER\n"
        for i, name in enumerate(chain_names(count))
    )
    return "".join(records)


def of_many_ions(count: int, atom: Callable[..., str]) -> str:
    about = {"residue": "ZN", "element": "ZN", "hetero": True}
    records = (
        atom(
            "ZN",
            (i % 100 * 4.0, i // 100 % 100 * 4.0, 4.0 * (i // 10_000)),
            **about,
            number=i % 10_000,
            insertion="ABCD"[i // 10_000],
        )
        for i in range(count)
    )
    return "".join(f"{record}\n" for record in records)


_COLUMNS = ["group_PDB", "label_atom_id", "label_comp_id", "label_asym_id", "auth_asym_id", "auth_seq_id"]
_COLUMNS += ["Cartn_x", "Cartn_y", "Cartn_z", "pdbx_PDB_model_num"]
_SITE = "data_x\nloop_\n" + "".join(f"_atom_site.{name}\n" for name in _COLUMNS)


def of_many_models_in_mmcif(count: int, atom: Callable[..., str]) -> str:
    return _SITE + "".join(f"ATOM CA ALA A A 1 {i}.0 {i % 7}.0 0.0 {i}\n" for i in range(count))


def of_many_chains_without_numbers(count: int, atom: Callable[..., str]) -> str:
    return _SITE + "".join(
        f"ATOM CA ALA {name} {name} {'?' if i % 2 else 5} {i}.0 0.0 0.0 1\n"
        for i, name in enumerate(chain_names(count))
    )


def of_many_joined_lines(count: int, atom: Callable[..., str]) -> str:
    table = [
        "BEGIN CTAB",
        "COUNTS 1 0 0 0 0",
        "BEGIN ATOM",
        "1 C 0 0 0 0 -",
        *["CHG=0 -"] * count,
        "",
        "END ATOM",
        "END CTAB",
    ]
    return (
        "x\n\n\n  0  0  0     0  0              0 V3000\n"
        + "".join(f"M  V30 {line}\n" for line in table)
        + "M  END\n"
    )


@pytest.mark.parametrize(
    ("write", "name", "count"),
    [
        (of_many_chains, "a.pdb", 60_000),
        (of_many_models_in_mmcif, "a.cif", 80_000),
        (of_many_chains_without_numbers, "a.cif", 80_000),
        (of_many_ions, "ions.pdb", 40_000),
        (of_many_joined_lines, "a.sdf", 300_000),
    ],
)
def test_files_of_many_parts_take_seconds(write, name, count, tmp_path, atom):
    path = tmp_path / name
    path.write_text(write(count, atom))
    started = time.process_time()
    if write in (of_many_ions, of_many_joined_lines):
        read_ligand(path, 1)
    else:
        read_structure(path)
    assert time.process_time() - started < 6


def test_of_very_many_models_only_some_are_compared():
    atoms = np.zeros((1, 3))
    others = iter([atoms + 20] * 1010)
    assert are_moved_copies(atoms, others)
    assert len(list(others)) == 10


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": [1]}, "the kind of an encoding is list; it must be text"),
        ({"kind": "Q" * 1000}, f"its encoding '{'Q' * 40}' is unknown"),
        ({"kind": "Delta", "origin": 2**63}, r"origin = 9.22\d*e\+18; it must be an integer up to 2\^53"),
        (
            {"kind": "IntegerPacking", "byteCount": [1], "isUnsigned": True},
            r"byteCount = \[1\]; it must be a number",
        ),
        ({"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": [1]}, r"byteCount 1 and isUnsigned \[1\]"),
    ],
)
def test_binarycif_of_encodings_with_values_of_another_kind(change, message, tmp_path):
    plain = {"kind": "ByteArray", "type": 3}
    data = {"data": np.zeros(9, "<i4").tobytes(), "encoding": [{"srcType": 3, **change}, plain]}
    with pytest.raises(FormatError, match=message):
        read_structure(site(tmp_path, 9, label_seq_id=data))


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


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_chains_that_a_file_does_not_have_are_no_part_of_its_copies(suffix, tmp_path, residue):
    chains = [f"Q{i}" for i in range(1000)]
    if suffix == ".pdb":
        copy = "".join(
            f"REMARK 350   BIOMT{row} {1:3d} {' '.join(map(str, axis))} 0.0\n"
            for row, axis in enumerate(np.eye(3), 1)
        )
        more = "".join(f"REMARK 350 AND CHAINS: {name}\n{copy}" for name in chains)
        lines = "".join(f"{line}\n" for line in residue())
        first = f"REMARK 350 APPLY THE FOLLOWING TO CHAINS: A, {', '.join(chains)}\n"
        text = f"REMARK 350 BIOMOLECULE: 1\n{first}{more}{lines}"
    else:
        generators = ("assembly_id", "oper_expression", "asym_id_list")
        heads = "".join(f"_pdbx_struct_assembly_gen.{name}\n" for name in generators)
        rows = "".join(f"1 1 A,{','.join(chains)},{name}\n" for name in chains)
        places = list(product(range(1, 4), repeat=2))
        names = ["id", *(f"matrix[{i}][{j}]" for i, j in places), *(f"vector[{i}]" for i in range(1, 4))]
        values = [1, *(int(i == j) for i, j in places), 0, 0, 0]
        operation = "".join(f"_pdbx_struct_oper_list.{name}\n" for name in names)
        operation += " ".join(map(str, values))
        text = f"{_SITE}ATOM CA ALA A A 1 0.0 0.0 0.0 1\n#\nloop_\n{heads}{rows}#\nloop_\n{operation}\n"
    path = tmp_path / f"a{suffix}"
    path.write_text(text)
    copies = raw_atoms(path, assembly="1").copies
    assert len(copies) == 1000
    assert {copy.units for copy in copies} == {frozenset("A")}
    assert len({id(copy.units) for copy in copies}) == 1


def test_sets_of_chains_are_limited_together(monkeypatch):
    monkeypatch.setenv("HOLO_MAX_BYTES", str(256 * 12))
    sets = UnitSets(np.array(["A", "B", "C", "D"]))
    for _ in range(100):
        sets.of("ABCD")
    sets.of("ABC")
    sets.of("BCD")
    with pytest.raises(FormatError, match="its assembly names more than 12 chains"):
        sets.of("ACD")


def test_atoms_of_an_assembly_are_counted_before_they_are_listed():
    units = np.array(["A"] * 10_000 + [f"Q{i}" for i in range(1000)])
    copies = [Copy(frozenset(["A", f"Q{i}"]), np.eye(3), np.zeros(3)) for i in range(1000)]
    with pytest.raises(FormatError, match="its assembly has 10001000 atoms"):
        build_assembly(AtomArray(len(units)), units, copies)
    assert peak(lambda: build_assembly(AtomArray(len(units)), units, copies)) < 20e6


def test_copies_lie_at_finite_places():
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    for far in (1e7, 1e300):
        rows = np.column_stack([turn, [0, far, 0]]).tolist()
        with pytest.raises(
            FormatError, match=r"assembly 1: it is moved by 1e\+\d+ Å; it may be moved by 1e\+06 Å"
        ):
            Copy.of(frozenset("A"), rows, "assembly 1")
    atoms = AtomArray(1)
    atoms.coord[0] = 3e38
    with pytest.raises(FormatError, match="lies at no finite position"):
        build_assembly(atoms, np.array(["A"]), [Copy(frozenset("A"), turn, np.zeros(3))])


# Residues and ligands


def test_pairs_are_counted_before_they_are_listed():
    places = np.random.default_rng(0).random((3000, 3))
    with pytest.raises(
        FormatError, match=r"3000 of its atoms form \d{7} pairs within 2.00 Å.*50 for each atom"
    ):
        close_pairs(places, 2.0)
    assert peak(lambda: close_pairs(places, 2.0)) < 1e6
    assert len(close_pairs(places[:300], 2.0)) == 300 * 299 // 2  # so few may lie anywhere
    ice = 1.0 * np.stack(np.meshgrid(*[np.arange(15)] * 3), axis=-1).reshape(-1, 3)
    assert len(close_pairs(ice, 1.1)) == 3 * 14 * 15 * 15


@pytest.mark.parametrize("kind", ["ligand", "residue", "repeated"])
def test_atoms_in_one_place_are_refused(kind, write_pdb, residue, atom):
    random = np.random.default_rng(0)
    names = ["C" + "".join(letters) for letters in product(ascii_uppercase, repeat=3)][:4000]
    size = {"ligand": 1.0, "residue": 0.3, "repeated": 1.0}[kind]
    about = {"residue": "LIG", "hetero": True} if kind == "ligand" else {"number": 2}
    lines = [
        atom(
            "CA" if kind == "repeated" else name,
            size * random.random(3),
            **about | ({"number": 1 + i % 2} if kind == "repeated" else {}),
        )
        for i, name in enumerate(names)
    ]
    path = write_pdb(*residue(shift=50.0), *lines)
    read = (lambda path: list(structure_molecules(raw_atoms(path)))) if kind == "ligand" else read_structure
    with pytest.raises(FormatError, match=r"pairs within .* Å, as where many structures lie in one place"):
        read(path)


@pytest.mark.parametrize(("field", "name"), [(1, "name"), (5, "type"), (7, "residue name")])
def test_a_name_in_mol2_that_nobody_wrote_on_purpose(field, name, tmp_path):
    rows = [[str(i), "C", str(i), "0", "0", "C.3", "1", "LIG", "0"] for i in range(1, 1001)]
    rows[6][field] = "C." + "3" * 20_000
    path = tmp_path / "a.mol2"
    heads = ["@<TRIPOS>MOLECULE", "x", "1000 0", "SMALL", "USER_CHARGES", "@<TRIPOS>ATOM"]
    path.write_text("\n".join([*heads, *map(" ".join, rows), ""]))
    with pytest.raises(FormatError, match=f"row 7 has a {name} of 20002 characters; it must have at most 32"):
        read_ligand(path)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("2 0", "it has 1 atoms; its COUNTS says 2"),
        ("1 1", "it has 0 bonds; its COUNTS says 1"),
        ("9" * 5000 + " 0", "it has 1 atoms; its COUNTS says 9{40}$"),
        ("-1 0", "it has 1 atoms; its COUNTS says -1"),
    ],
)
def test_v3000_that_declares_more_than_it_holds(counts, message, tmp_path):
    path = tmp_path / "a.sdf"
    path.write_text(of_many_joined_lines(1, None).replace("COUNTS 1 0", f"COUNTS {counts}"))
    with pytest.raises(FormatError, match=message):
        read_ligand(path)


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
