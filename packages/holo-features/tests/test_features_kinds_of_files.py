"""Files whose content differs from their suffix, or that a reader refused too strictly."""

import bz2
import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile, set_structure

from holo_features import Selection, is_structure_path, read_ligand, read_structure, structure_stem
from holo_features.datasets import example_structures
from holo_types import FormatError

EXAMPLE = {path.name.partition(".")[0]: path for path in example_structures()}["1ten_A"]
SMALL = ("--lmax", "1", "--nmax", "1")


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """Return the same atoms in each format."""
    folder = tmp_path_factory.mktemp("formats")
    atoms = read_structure(EXAMPLE).atoms
    found = {}
    for kind, name in ((PDBFile, "a.pdb"), (CIFFile, "a.cif"), (BinaryCIFFile, "a.bcif")):
        file = kind()
        file.set_structure(atoms) if kind is PDBFile else set_structure(file, atoms)
        file.write(folder / name)
        found[name[1:]] = (folder / name).read_bytes()
    found[".pdb"] = b"HEADER    A TEST\n" + found[".pdb"]
    return found


@pytest.mark.parametrize("content", [".pdb", ".cif", ".bcif"])
@pytest.mark.parametrize(
    "name", ["a.pdb", "a.ent", "a.cif", "a.mmcif", "a.bcif", "a.pdb1", "a.pdb.gz", "a.CIF.gz"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_the_content_counts_whatever_the_name(tmp_path, contents, content, name, zipped):
    path = tmp_path / name
    path.write_bytes(gzip.compress(contents[content]) if zipped else contents[content])
    if content == ".bcif" and name.lower().endswith(".gz") and not zipped:
        with pytest.raises(FormatError, match="gzip"):
            read_structure(path)
        return
    structure = read_structure(path)
    np.testing.assert_allclose(structure.atoms.coord, read_structure(EXAMPLE).atoms.coord, atol=1e-3)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"# made by a program\n# in two lines\n", b"\n\n  \n"])
def test_what_may_come_before_mmcif(tmp_path, contents, before):
    path = tmp_path / "a.pdb"
    path.write_bytes(before + contents[".cif"])
    assert len(read_structure(path).atoms) == len(read_structure(EXAMPLE).atoms)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bz2.compress(b"HEADER"), "packed by bzip2"),
        (lzma.compress(b"HEADER"), "packed by xz"),
        (b"PK\3\4" + bytes(40), "packed by zip"),
        (b"<!DOCTYPE html>\n<html><body>404 Not Found", r"a web page \(HTML\)"),
        (b'<?xml version="1.0"?>\n<PDBx:datablock>', "XML"),
        (b'{"code": 404, "message": "no such entry"}', "JSON"),
        (b"# name: x\n@<TRIPOS>MOLECULE\nx\n", "MOL2"),
        (b"name\n  made\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n", "a MOL or SDF file"),
        (b"HEADER    PREDICTION\nEND\n", "holds no ATOM record, so it is not a PDB file, or has no atoms"),
    ],
)
@pytest.mark.parametrize("name", ["a.pdb", "a.ent"])
def test_other_content_is_called_by_its_name(tmp_path, content, said, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FormatError, match=said):
        read_structure(path)


@pytest.mark.parametrize("name", ["1abc.pdb1", "1abc.pdb12.gz", "1ABC.PDB2", "1abc.ent1"])
def test_files_of_assemblies_are_pdb(name):
    assert is_structure_path(name)
    assert structure_stem(f"folder/{name}").lower() == "1abc"
    assert not is_structure_path("1abc.pdbx1")


# ------------------------------------------------------------------------------------------------ the screen


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "holo_features", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_summary_counts_all_that_was_done(tmp_path, contents):
    folder = tmp_path / "lab"
    folder.mkdir()
    lines = [line for line in contents[".pdb"].decode().split("\n") if line.startswith("ATOM")]
    moved = [line[:30] + f"{float(line[30:38]) + 90:8.3f}" + line[38:] for line in lines]
    named = [line.replace(" GLU ", " GLH ") for line in lines]
    (folder / "twice.pdb").write_text("\n".join([*lines, *moved, "END", ""]))
    (folder / "named.pdb1").write_text(
        "\n".join(["MODEL 1", *named, "ENDMDL", "MODEL 2", *moved, "ENDMDL", ""])
    )
    for name in ("notes.txt", "labels.csv", ".hidden"):
        (folder / name).write_text("x")
    done = run("structures", folder, "--out", tmp_path / "out.h5", *SMALL)
    assert done.returncode == 0
    count = len({line[22:27] for line in lines})
    glutamates = len({line[22:27] for line in lines if line[17:20] == "GLU"})
    assert (
        f"2 of 2 files gave results; 0 residues were skipped, {count} residues repeat the name" in done.stdout
    )
    assert f"{glutamates} residues were renamed" in done.stdout
    assert "1 model was passed over" in done.stdout
    assert "2 files in folders were not read (labels.csv, notes.txt)" in done.stdout
    again = run("structures", folder, "--out", tmp_path / "out.h5", *SMALL, "--resume")
    assert f"{count + 2} lines are of the run before" in again.stdout


# -------------------------------------------------------------------------------------------------- mmCIF rows


def with_rows(tmp_path, contents, change):
    """Add a ligand of three atoms and two waters, with a program's annotations of them."""
    file = CIFFile.read(written(tmp_path, contents))
    site = file.block["atom_site"]
    rows = len(site["id"])
    extra = 5
    columns = {name: list(site[name].as_array(str)) for name in site}
    names = ["C1", "C2", "O1", "O", "O"]
    for name, values in columns.items():
        columns[name] = values + [values[-1]] * extra
    columns["label_atom_id"][rows:] = names
    columns["type_symbol"][rows:] = ["C", "C", "O", "O", "O"]
    columns["label_comp_id"][rows:] = ["LIG"] * 3 + ["HOH"] * 2
    columns["auth_comp_id"] = list(columns["label_comp_id"])
    columns["auth_atom_id"] = list(columns["label_atom_id"])
    columns["group_PDB"][rows:] = ["HETATM"] * extra
    columns["label_seq_id"] = [*columns["auth_seq_id"][:rows], *["."] * extra]
    columns["label_asym_id"][rows:] = ["B"] * 3 + ["C"] * 2
    columns["Cartn_x"][rows:] = ["90.0", "91.5", "92.7", "95.0", "99.0"]
    change(columns, rows)
    lines = ["data_x", "loop_", *(f"_atom_site.{name}" for name in columns)]
    lines += [
        " ".join(f"'{v}'" if " " in v or not v else v for v in row)
        for row in zip(*columns.values(), strict=True)
    ]
    path = tmp_path / "rows.cif"
    path.write_text("\n".join([*lines, "#", ""]))
    return path


def written(folder, contents):
    path = Path(folder) / "a.cif"
    path.write_bytes(contents[".cif"])
    return path


def without(*names, rows_only=False):
    def change(columns, rows):
        for name in names:
            if rows_only:
                columns[name][rows:] = ["."] * (len(columns[name]) - rows)
            else:
                del columns[name]

    return change


CASES = {
    "OpenFold3, the number alone": without("auth_seq_id", rows_only=True),
    "all of the authors' ids": without(
        "auth_seq_id", "auth_asym_id", "auth_comp_id", "auth_atom_id", rows_only=True
    ),
    "PyMOL, no such column": without("auth_seq_id"),
    "no column of the authors": without("auth_seq_id", "auth_asym_id", "auth_comp_id", "auth_atom_id"),
}


@pytest.mark.parametrize("change", CASES.values(), ids=CASES)
def test_rows_without_authors_ids_are_read_by_their_labels(tmp_path, contents, change):
    atoms = read_structure(with_rows(tmp_path, contents, change), Selection(hetero=True, waters=True)).atoms
    assert np.count_nonzero(atoms.amino_acid) == len(read_structure(EXAMPLE).atoms)
    ligand, water = (atoms[atoms.res_name == name] for name in ("LIG", "HOH"))
    assert (len(ligand), len(water)) == (3, 2)
    numbers = [*set(ligand.res_id.tolist()), *water.res_id.tolist()]
    assert (
        len(set(zip([*set(ligand.chain_id.tolist()), *water.chain_id.tolist()], numbers, strict=True))) == 3
    )
    residues = atoms[atoms.amino_acid]
    places = set(zip(residues.chain_id.tolist(), residues.res_id.tolist(), strict=True))
    assert not places & set(zip(ligand.chain_id.tolist(), ligand.res_id.tolist(), strict=True))


def test_a_ligand_in_a_chain_of_its_own_has_number_1(tmp_path, contents):
    path = with_rows(tmp_path, contents, CASES["all of the authors' ids"])
    atoms = read_structure(path, Selection(hetero=True)).atoms
    ligand = atoms[atoms.res_name == "LIG"]
    assert set(zip(ligand.chain_id.tolist(), ligand.res_id.tolist(), strict=True)) == {("B", 1)}


def test_a_row_without_any_id_is_left_out_and_named(tmp_path, contents):
    ids = ("auth_seq_id", "auth_asym_id", "auth_comp_id", "label_asym_id", "label_comp_id")
    structure = read_structure(
        with_rows(tmp_path, contents, without(*ids, rows_only=True)), Selection(hetero=True)
    )
    assert len(structure.atoms) == len(read_structure(EXAMPLE).atoms)
    assert len(structure.remarks) == 5
    assert "the atom C1, was left out, for it has no id" in structure.remarks[0].reason


# ------------------------------------------------------------------------------------------- SDF, MOL2, V3000

ROWS = [("C", 0.0, 0), ("C", 1.5, 0), ("N", 3.0, 3)]


def molfile(counts, rows=ROWS):
    atoms = [
        f"{x:10.4f}    0.0000    0.0000 {element:<3} 0{code:>3}  0  0  0  0" for element, x, code in rows
    ]
    return "\n".join(
        [
            "name",
            "  CONCORD 4.0   3D",
            "",
            counts,
            *atoms,
            "  1  2  1  0",
            "  2  3  1  0",
            "M  END",
            "$$$$",
            "",
        ]
    )


@pytest.mark.parametrize(
    "counts",
    [
        "  3  2  0  0  0  0              1",
        "  3  2  0  0  0",
        "  3  2",
        "3  2  0  0  0  0  0  0  0  0  999V2000 ",
        "  3  2  0  0  0  0  0  0  0  0  0 V2000",
        "  3  2  0  0  0  0  0  0  0  0999 V2000",
        "  3  2  0     0  0            999 v2000".upper(),
    ],
)
def test_counts_lines_of_sdf(tmp_path, counts):
    path = tmp_path / "a.sdf"
    path.write_text(molfile(counts))
    atoms = read_ligand(path).atoms
    assert atoms.element.tolist() == ["C", "C", "N"]
    assert atoms.charge.tolist() == [0, 0, 1]


def v3000(rows, bonds=("1 1 1 2", "2 1 2 3")):
    body = ["BEGIN CTAB", f"COUNTS {len(ROWS)} 2 0 0 0", "BEGIN ATOM", *rows, "END ATOM"]
    body += ["BEGIN BOND", *bonds, "END BOND", "END CTAB"]
    lines = [f"M  V30 {line}" for text in body for line in text.split("\n")]
    return "\n".join(
        ["v3", "  x", "", "  0  0  0     0  0            999 V3000", *lines, "M  END", "$$$$", ""]
    )


@pytest.mark.parametrize(
    ("rows", "bonds"),
    [
        (("1 C 0 0 0 0", "2 N 1.5 0 0 0 -\nCHG=1", "3 O 3 0 0 0 CHG=-1"), ("1 1 1 2", "2 1 2 3")),
        (("1 C 0 0 0 0", "2 N 1.5 0 -\n0 0 -\nCHG=1", "3 O 3 0 0 0 -\nCHG=-1"), ("1 1 -\n1 2", "2 1 2 3")),
        (("1 C 0 0 0 0", "2 N 1.5 0 0 0 CHG=1", "3 O 3 0 0 0 CHG=-1"), ("1 1 1 2", "2 1 2 3")),
    ],
)
def test_lines_of_v3000_go_on_after_a_hyphen(tmp_path, rows, bonds):
    path = tmp_path / "a.sdf"
    path.write_text(v3000(rows, bonds))
    atoms = read_ligand(path).atoms
    assert atoms.element.tolist() == ["C", "N", "O"]
    assert atoms.charge.tolist() == [0, 1, -1]
    assert atoms.bonds.get_bond_count() == 2


@pytest.mark.parametrize(
    ("attributes", "charge"),
    [
        ("2 1\ncharge 1", 1),
        ("2 1\ncharge 1.0", 1),
        ("2 1\ncharge -1.00", -1),
        ("2 1\ncharge 0.37", 0),
        ("2 1\ncharge none", 0),
        ("1 1\nMMFF94_charge 0.1\n2 2\nMMFF94_charge 0.9\ncharge +1", 1),
    ],
)
def test_charges_among_the_attributes_of_mol2(tmp_path, attributes, charge):
    path = tmp_path / "a.mol2"
    path.write_text(
        "@<TRIPOS>MOLECULE\nx\n2 1\nSMALL\nUSER_CHARGES\n\n@<TRIPOS>ATOM\n1 C1 0 0 0 C.3 1 LIG 0.1\n"
        f"2 N1 1.5 0 0 N.4 1 LIG 0.9\n@<TRIPOS>UNITY_ATOM_ATTR\n{attributes}\n@<TRIPOS>BOND\n1 1 2 1\n"
    )
    atoms = read_ligand(path).atoms
    assert (atoms.element.tolist(), atoms.charge.tolist()) == (["C", "N"], [0, charge])
    assert atoms.partial_charge.tolist() == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize("zipped", [False, True])
def test_the_content_of_a_ligands_file_counts_too(tmp_path, zipped):
    contents = {
        "a.mol2": molfile("  3  2  0  0  0  0  0  0  0  0999 V2000"),
        "a.sdf": "@<TRIPOS>MOLECULE\nx\n2 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n1 C1 0 0 0 C.3\n2 N1 1.5 0 0 N.4\n",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
        assert read_ligand(path).atoms.element.tolist() == (
            ["C", "C", "N"] if name == "a.mol2" else ["C", "N"]
        )
