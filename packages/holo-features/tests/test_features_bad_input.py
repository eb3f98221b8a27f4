"""Each file that cannot be used gives one clear error, which names the file."""

import gzip
import io
import random

import msgpack
import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile, set_structure
from hypothesis import HealthCheck, example, given, settings, strategies as st

from holo_features import read_structure
from holo_features.datasets import example_structures
from holo_features.readers.formats import raw_atoms
from holo_types import FormatError


def contents():
    """Return an example chain in each format, as bytes."""
    atoms = read_structure(example_structures()[0]).atoms[:300]
    pdb, mmcif, binary = PDBFile(), CIFFile(), BinaryCIFFile()
    pdb.set_structure(atoms)
    texts = io.StringIO(), io.StringIO()
    content = io.BytesIO()
    pdb.write(texts[0])
    set_structure(mmcif, atoms)
    mmcif.write(texts[1])
    set_structure(binary, atoms)
    binary.write(content)
    return {
        ".pdb": texts[0].getvalue().encode(),
        ".cif": texts[1].getvalue().encode(),
        ".bcif": content.getvalue(),
    }


CONTENTS = contents()


def refuse(path, match):
    """Check that reading fails with one line that names the file."""
    with pytest.raises(FormatError, match=match) as caught:
        read_structure(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def written(path, content):
    path.write_bytes(content)
    return path


def test_missing(tmp_path):
    refuse(tmp_path / "no.pdb", "does not exist")


def test_folder(tmp_path):
    (tmp_path / "folder.pdb").mkdir()
    refuse(tmp_path / "folder.pdb", "is a folder")


def test_unknown_suffix(tmp_path):
    refuse(written(tmp_path / "table.csv", b"a,b\n"), r"ends in '\.csv'; it must end in one of \.pdb, ")


@pytest.mark.parametrize("name", ["a.pdb", "a.cif", "a.bcif", "a.pdb.gz", "a.bcif.gz"])
@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_empty(tmp_path, name, content):
    blank = name.endswith(".gz") and content
    refuse(written(tmp_path / name, gzip.compress(content) if blank else content), "is empty")


@pytest.mark.parametrize("suffix", [".pdb", ".cif", ".bcif"])
def test_another_kind_of_file(tmp_path, suffix):
    refuse(
        written(tmp_path / f"letter{suffix}", b"Dear reader,\nthis is a letter.\n"),
        "no ATOM|no atoms|damaged|no cat|belongs to no tag",
    )
    refuse(written(tmp_path / f"noise{suffix}", random.Random(0).randbytes(5000)), "binary data|damaged")


def test_no_gzip_data_under_that_name(tmp_path):
    refuse(written(tmp_path / "noise.pdb.gz", b"Dear reader,\n"), "damaged or truncated gzip")


@pytest.mark.parametrize("suffix", [".pdb", ".cif", ".bcif"])
def test_half_a_gzip_file(tmp_path, suffix):
    content = gzip.compress(CONTENTS[suffix])
    refuse(written(tmp_path / f"half{suffix}.gz", content[: len(content) // 2]), "damaged or truncated gzip")


@pytest.mark.parametrize("suffix", [".cif", ".bcif"])
def test_half_a_file(tmp_path, suffix):
    content = CONTENTS[suffix]
    refuse(written(tmp_path / f"half{suffix}", content[: len(content) // 2]), "damaged|cut off|no category")


CUT_OFF = (
    "cut off|no category|no column|is empty|no tag|is not a tag|no value|ends after [0-9]+ values|no rows"
)


@given(st.integers(1, len(CONTENTS[".cif"]) - 400))
@example(cut=CONTENTS[".cif"].index(b"\n_") + 2)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mmcif_cut_anywhere_within_its_atoms(tmp_path, cut):
    whole = CONTENTS[".cif"]
    content = whole[:cut]
    path = written(tmp_path / "cut.cif", content)
    rows = content.count(b"\nATOM")
    if rows > 1 and (content.endswith(b"\n") or whole[cut:].startswith(b"\n")):
        assert len(raw_atoms(path).atoms) == rows  # whole rows, which a shorter file might have
    elif not (rows == 1 and content.endswith(b"\n")):
        refuse(path, CUT_OFF)


def test_mmcif_whose_last_row_has_no_end(tmp_path):
    row = "ATOM {0} C CA . ALA A 1 1 ? {0}.0 2.0 3.0 1.0 1 A {1}"
    columns = [
        "group_PDB",
        "id",
        "type_symbol",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "label_asym_id",
        "label_seq_id",
        "auth_seq_id",
        "pdbx_PDB_ins_code",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "occupancy",
        "pdbx_PDB_model_num",
        "auth_asym_id",
        "auth_comp_id",
    ]
    header = "\n".join(["data_x", "loop_", *(f"_atom_site.{name}" for name in columns)])
    whole = "\n".join([header, row.format(1, "ALA"), row.format(2, "ALA")])
    assert len(raw_atoms(written(tmp_path / "whole.cif", whole.encode())).atoms) == 2
    refuse(written(tmp_path / "cut.cif", whole[:-1].encode()), "cut off within an atom")


@pytest.mark.parametrize(
    ("last", "before", "whole"),
    [
        ("100", "99", True),
        ("10", "99", False),
        ("1", "1", True),
        ("-8.25", "16.75", True),
        ("16.7", "8.25", False),
        ("9" * 5000, "8" * 5000, False),
    ],
)
def test_mmcif_whose_last_row_has_no_end_and_ends_with_a_number(tmp_path, last, before, whole):
    columns = [
        "group_PDB",
        "label_atom_id",
        "auth_comp_id",
        "auth_asym_id",
        "auth_seq_id",
        "Cartn_x",
        "Cartn_y",
    ]
    header = "\n".join(["data_x", "loop_", *(f"_atom_site.{name}" for name in (*columns, "Cartn_z"))])
    rows = f"ATOM CA ALA A 1 0.0 1.0 {before}\nATOM CA ALA A 2 3.0 1.0 {last}"
    path = written(tmp_path / "last.cif", f"{header}\n{rows}".encode())
    if whole:
        assert raw_atoms(path).atoms.coord[1, 2] == float(last)
    else:
        refuse(path, "cut off within an atom")


@given(st.integers(1, 79))
@settings(max_examples=79, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pdb_cut_within_an_atom(tmp_path, length):
    lines = CONTENTS[".pdb"].decode().splitlines()
    atoms = [line for line in lines if line.startswith("ATOM")]
    assert len(atoms[49].rstrip()) == 78
    path = written(tmp_path / "cut.pdb", "\n".join([*atoms[:49], atoms[49][:length]]).encode())
    if length < 78:
        refuse(path, "cut off")
    else:
        assert len(read_structure(path).atoms) == 50  # nothing is missing but the line's end


def test_pdb_with_a_short_atom_line_in_the_middle(write_pdb, residue):
    lines = residue()
    refuse(write_pdb(lines[0], lines[1][:40], *lines[2:]), "line 2 is cut off within an atom")


@given(
    st.lists(
        st.tuples(st.integers(0, len(CONTENTS[".bcif"]) - 1), st.integers(0, 255)), min_size=1, max_size=20
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_binarycif_is_refused_or_read(tmp_path, changes):
    content = bytearray(CONTENTS[".bcif"])
    for place, value in changes:
        content[place] = value
    path = written(tmp_path / "damaged.bcif", bytes(content))
    try:
        structure = read_structure(path)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert np.isfinite(structure.atoms.coord).all()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_coordinates_that_are_not_finite(write_pdb, residue, atom, value):
    path = write_pdb(*residue(), atom("CB", (1.0, value, 2.0), residue="ALA", number=1))
    refuse(path, "atom A 1 ALA CB is at .*must be finite numbers")


@pytest.mark.parametrize("value", ["abc", "********", ""])
def test_coordinates_that_are_no_numbers(write_pdb, residue, atom, value):
    path = write_pdb(*residue(), atom("CB", (1.0, value, 2.0), residue="ALA", number=1, insertion="B"))
    refuse(path, "atom A 1B ALA CB has y = .*must be a number")


@pytest.mark.parametrize(
    ("value", "reason"), [("abc", "row 1 has cartn_x = 'abc'"), ("?", "finite"), ("nan", "finite")]
)
def test_coordinates_of_mmcif_that_are_no_numbers(tmp_path, value, reason):
    file = CIFFile.read(io.StringIO(CONTENTS[".cif"].decode()))
    site = file.block["atom_site"]
    site["Cartn_x"] = np.array([value, *site["Cartn_x"].as_array(str)[1:]])
    text = io.StringIO()
    file.write(text)
    refuse(written(tmp_path / "bad.cif", text.getvalue().encode()), reason)


@pytest.mark.parametrize("column", ["Cartn_y", "type_symbol", "auth_asym_id"])
def test_mmcif_without_a_column(tmp_path, column):
    file = CIFFile.read(io.StringIO(CONTENTS[".cif"].decode()))
    site = file.block["atom_site"]
    del site[column]
    text = io.StringIO()
    file.write(text)
    path = written(tmp_path / "lacking.cif", text.getvalue().encode())
    if column == "Cartn_y":
        refuse(path, "no column Cartn_y")
    else:  # the label, or the atom's name, says the same
        assert (
            read_structure(path).atoms.element.tolist()
            == read_structure(example_structures()[0]).atoms[:300].element.tolist()
        )


def test_no_amino_acid(write_pdb, atom):
    ion = atom("CA", (0.0, 0.0, 0.0), residue="CA", element="CA", hetero=True)
    refuse(write_pdb(ion, atom("P", (1.0, 1.0, 1.0), residue="DA", number=2)), "no amino acid residue")


def test_gzip_data_that_unpack_to_far_more_than_files_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLO_MAX_BYTES", "100000")
    path = written(tmp_path / "bomb.pdb.gz", gzip.compress(b" " * 10**6))
    refuse(path, "bytes of gzip data unpack to more than")


@pytest.mark.parametrize("line", ["ATOM\t", "ATOM", "HETATM"])
def test_pdb_atoms_that_are_none(write_pdb, residue, line):
    refuse(
        write_pdb(*residue(), line), "line 5 is cut off within an atom|line 5, an atom, has other characters"
    )


def test_pdb_with_other_characters_in_an_atom(write_pdb, residue):
    lines = residue()
    refuse(write_pdb(lines[0], lines[1].replace("ALA", "A\x1fA")), "line 2, an atom, has other characters")


def test_pdb_with_a_model_within_a_model(write_pdb, residue):
    refuse(
        write_pdb("MODEL        1", *residue(), "MODEL        2", *residue()),
        "line 6 begins a model within a",
    )


@pytest.mark.parametrize("value", ["12 3", "1.5", "A-1*", "    "])
def test_residue_numbers_that_are_none(write_pdb, residue, value):
    lines = [line[:22] + f"{value:>4}" + line[26:] for line in residue()]
    refuse(write_pdb(*lines), "has residue number .*; it must be an integer")


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("_atom_site.id", "_atom_site.type_symbol", "is there twice"),
        ("\nATOM", "\n'ATOM", "never closed"),
        ("data_", "x data_", "belongs to no tag"),
        ("\nATOM", "\n$ATOM", "must be in quotes"),
        ("\nATOM", "\nstop_\nATOM", "has no place"),
        ("\nATOM", "\n;field\nATOM", "never closed"),
        ("\nATOM", "\n\x0cATOM", "control character"),
    ],
)
def test_text_that_is_no_cif(tmp_path, before, after, match):
    text = CONTENTS[".cif"].decode()
    assert before in text
    refuse(written(tmp_path / "bad.cif", text.replace(before, after, 1).encode()), match)


def encoding(content, name, kind):
    """Return an encoding of a column of atom_site."""
    site = next(table for table in content["dataBlocks"][0]["categories"] if table["name"] == "_atom_site")
    column = next(column for column in site["columns"] if column["name"] == name)
    steps = column["data"]["encoding"]
    return next(step for step in [*steps, *steps[0].get("dataEncoding", [])] if step["kind"] == kind)


@pytest.mark.parametrize(
    ("name", "kind", "change", "match"),
    [
        ("Cartn_x", "FixedPoint", {"factor": 0}, "factor 0"),
        ("Cartn_x", "FixedPoint", {"srcType": 3}, "must be a type of float"),
        ("Cartn_x", "IntegerPacking", {"srcSize": 2**31 - 1}, "srcSize 2147483647; the column has"),
        ("Cartn_x", "IntegerPacking", {"srcSize": 5}, "holds .* values; it must hold 5"),
        ("Cartn_x", "IntegerPacking", {"byteCount": 1}, "has byteCount 1"),
        ("Cartn_x", "ByteArray", {"type": 99}, "of type 99"),
        ("Cartn_x", "ByteArray", {"kind": "Zip"}, "encoded as 'Zip'"),
        ("group_PDB", "RunLength", {"srcSize": 7}, "do not add up to 7"),
        ("group_PDB", "RunLength", {"srcType": 7}, "must be a type of integer"),
        ("group_PDB", "StringArray", {"stringData": "A"}, "offsets beyond its text"),
        ("group_PDB", "StringArray", {"offsets": b""}, "indices beyond its strings"),
    ],
)
def test_binarycif_whose_sizes_do_not_agree(tmp_path, name, kind, change, match):
    with gzip.open(example_structures()[0]) as file:
        content = msgpack.unpackb(file.read())
    encoding(content, name, kind).update(change)
    refuse(written(tmp_path / "bad.bcif", msgpack.packb(content)), match)
