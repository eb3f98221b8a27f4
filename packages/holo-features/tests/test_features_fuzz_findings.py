"""Findings of `nox -s fuzz`, reduced as far as possible: files that were once misread."""

import msgpack
import numpy as np
import pytest

from holo_features.readers.formats import raw_atoms
from holo_features.spheres.meshes import read_mesh
from holo_types import FormatError


def written(path, content):
    path.write_bytes(content)
    return path


def refuse(read, path, match):
    """Check that it is refused in one line that names the file."""
    with pytest.raises(FormatError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------- PDB


def test_an_ion_of_calcium_without_an_element(write_pdb, atom):
    ion = atom("CA", (1.0, 2.0, 3.0), residue="CA", element="CA", hetero=True)
    assert ion[12:16] == "CA  "
    alpha = atom("CA", (4.0, 5.0, 6.0))
    path = write_pdb(ion[:76], alpha[:76])
    assert raw_atoms(path).atoms.element.tolist() == ["CA", "C"]


def test_more_atoms_than_five_digits_count(write_pdb, residue):
    lines = residue()
    lines[1] = "ATOM 100000" + lines[1][11:]
    assert raw_atoms(write_pdb(*lines)).atoms.atom_name.tolist() == ["N", "CA", "C", "O"]


@pytest.mark.parametrize(
    ("text", "number"),  # of the tables that hybrid-36 was published with, in four columns
    [
        *(("-999", -999), ("  +7", 7), ("9999", 9_999), ("A000", 10_000), ("A009", 10_009), ("A00A", 10_010)),
        *(("A00Z", 10_035), ("A010", 10_036), ("A0ZZ", 11_295), ("A100", 11_296), ("AZZZ", 56_655)),
        *(
            ("B000", 56_656),
            ("ZZZZ", 1_223_055),
            ("a000", 1_223_056),
            ("a00z", 1_223_091),
            ("zzzz", 2_436_111),
        ),
    ],
)
def test_residue_numbers_of_more_than_four_digits(write_pdb, residue, text, number):
    lines = [line[:22] + text + line[26:] for line in residue()]
    assert set(raw_atoms(write_pdb(*lines)).atoms.res_id.tolist()) == {number}


@pytest.mark.parametrize("letter", ["\t", "\x0b", "\x85", "\u00e5", "\u2028"])
def test_no_line_ends_and_no_names_but_of_ascii(tmp_path, residue, letter):
    lines = residue()
    content = "\n".join([lines[0], lines[1][:17] + letter + lines[1][18:], *lines[2:], "END\n"])
    refuse(
        raw_atoms, written(tmp_path / "odd.pdb", content.encode()), "line 2, an atom, has other characters"
    )


# ----------------------------------------------------------------------------------------------- mmCIF

TAGS = [
    "id",
    "type_symbol",
    "label_atom_id",
    "label_comp_id",
    "label_asym_id",
    "auth_seq_id",
    "Cartn_x",
    "Cartn_y",
    "Cartn_z",
]
ROWS = ["1 N N GLY A 1 0.0 1.0 2.0", "2 C CA GLY A 1 3.0 4.0 5.0", "3 C C GLY A 1 6.0 7.0 8.0"]


def mmcif(*rows, tags=TAGS, before=""):
    head = [f"data_made\n{before}loop_", *(f"_atom_site.{tag}" for tag in tags)]
    return "\n".join([*head, *rows, "#", ""]).encode()


@pytest.mark.parametrize("between", ["# a note", "#", "\n\n"])
@pytest.mark.parametrize("group", [["group_PDB"], []])
def test_a_comment_does_not_end_a_loop(tmp_path, between, group):
    rows = [f"ATOM {row}" if group else row for row in ROWS]
    path = written(tmp_path / "noted.cif", mmcif(rows[0], between, *rows[1:], tags=[*group, *TAGS]))
    assert raw_atoms(path).atoms.atom_name.tolist() == ["N", "CA", "C"]


@pytest.mark.parametrize("between", ["_x.y 1", "loop_", "data_other", "stop_", "save_"])
@pytest.mark.parametrize("group", [["group_PDB"], []])
def test_rows_that_belong_to_no_loop(tmp_path, between, group):
    rows = [f"ATOM {row}" if group else row for row in ROWS]
    content = mmcif(rows[0], between, *rows[1:], tags=[*group, *TAGS])
    refuse(raw_atoms, written(tmp_path / "torn.cif", content), "line|no category")


def test_what_looks_like_tags_within_a_text(tmp_path):
    text = "_struct.title\n;a title\nloop_\n_atom_site.id\n_atom_site.Cartn_x\n1 2\n;\n"
    path = written(tmp_path / "title.cif", mmcif(*ROWS, before=text))
    assert raw_atoms(path).atoms.coord.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_tag_in_quotes_is_none(tmp_path):
    revised = "_pdbx_audit_revision_item.item '_atom_site.Cartn_x'\n"
    path = written(tmp_path / "revised.cif", mmcif(*ROWS, before=revised))
    assert raw_atoms(path).atoms.coord.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("tag", ["_", "_atom_site.Cartn_x"])
def test_a_tag_without_a_name_and_one_that_comes_again(tmp_path, tag):
    loop = f"loop_\n_entity.id\n{tag}\nA\nB\n"
    rows = [f"ATOM {row}" for row in ROWS]
    content = mmcif(*rows, tags=["group_PDB", *TAGS], before=loop)
    if tag == "_":
        content = content.replace(b"_atom_site.type_symbol", tag.encode())
    refuse(raw_atoms, written(tmp_path / "tags.cif", content), "is not a tag|is there twice")


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c"])
def test_no_line_ends_but_those_of_cif(tmp_path, mark):
    refuse(raw_atoms, written(tmp_path / "a.cif", mmcif(mark.join(ROWS[:2]), ROWS[2])), "control character")


@pytest.mark.parametrize("number", ["1_0", "\u0663", "\uff11", "0x10", "1.2x", "1.5(3)"])
def test_numbers_that_only_python_reads(tmp_path, number):
    rows = [ROWS[0], ROWS[1].replace("3.0", number)]
    refuse(raw_atoms, written(tmp_path / "number.cif", mmcif(*rows)), "number|ASCII|quotes")


# ------------------------------------------------------------------------------------------- BinaryCIF


def packed(values, kind):
    return {
        "data": np.array(values, kind).tobytes(),
        "encoding": [{"kind": "ByteArray", "type": TYPES[kind]}],
    }


TYPES = {"<i1": 1, "<i2": 2, "<i4": 3, "<u1": 4, "<f8": 33}
INDICES = {"kind": "ByteArray", "type": 1}


def words(text, offsets, places):
    step = {
        **{"kind": "StringArray", "stringData": text, "dataEncoding": [INDICES]},
        **{"offsets": bytes(offsets), "offsetEncoding": [INDICES]},
    }
    return {"data": np.array(places, np.int8).tobytes(), "encoding": [step]}


def binarycif(rows=2, **changes):
    """Return two atoms, with some columns changed."""
    data = {
        "type_symbol": words("NC", [0, 1, 2], [0, 1]),
        "label_atom_id": words("NCA", [0, 1, 3], [0, 1]),
        "label_comp_id": words("GLY", [0, 3], [0, 0]),
        "label_asym_id": words("A", [0, 1], [0, 0]),
        "auth_seq_id": packed([1, 1], "<i4"),
        **{f"Cartn_{axis}": packed([0.5, 1.5], "<f8") for axis in "xyz"},
    }
    masks = {
        name.removeprefix("mask_"): changes.pop(name) for name in list(changes) if name.startswith("mask_")
    }
    columns = [
        {"name": name, "data": value, "mask": masks.get(name)} for name, value in {**data, **changes}.items()
    ]
    category = {"name": "_atom_site", "rowCount": rows, "columns": columns}
    return msgpack.packb({"dataBlocks": [{"header": "made", "categories": [category]}]})


def step(kind, data, **about):
    """Return an array of bytes under one more encoding."""
    return {"data": data["data"], "encoding": [{"kind": kind, **about}, *data["encoding"]]}


def test_the_made_binarycif_is_read(tmp_path):
    atoms = raw_atoms(written(tmp_path / "made.bcif", binarycif())).atoms
    assert atoms.atom_name.tolist() == ["N", "CA"]
    assert atoms.coord.tolist() == [[0.5] * 3, [1.5] * 3]


RUNS = packed([1, 1], "<i4")  # one run, of one value
BYTES = packed([1, 127], "<i1")  # one whole value, and the beginning of another


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 3},
        {"rows": 2**40},
        {"rows": -1},
        {"Cartn_x": packed([0.5], "<f8")},
        {"auth_seq_id": step("RunLength", RUNS, srcSize=2, srcType=3)},
        {"auth_seq_id": step("RunLength", packed([1, -1, 1, 3], "<i4"), srcSize=2, srcType=3)},
        {"auth_seq_id": step("RunLength", packed([1, 2 * 10**9], "<i4"), srcSize=2 * 10**9, srcType=3)},
        {"auth_seq_id": step("RunLength", packed([1, 2], "<i4"), srcSize=2, srcType=9)},
        {"auth_seq_id": step("Delta", packed([-5, 1], "<i4"), srcType=4, origin=0)},
        {"auth_seq_id": step("Delta", packed([1, 1], "<i4"), srcType=3, origin=-1.5)},
        {"auth_seq_id": step("IntegerPacking", BYTES, byteCount=1, srcSize=2, isUnsigned=False)},
        {
            "auth_seq_id": step(
                "IntegerPacking", packed([1, 1], "<i2"), byteCount=1, srcSize=2, isUnsigned=False
            )
        },
        {
            "auth_seq_id": step(
                "IntegerPacking", packed([1, 1], "<i1"), byteCount=1, srcSize=2, isUnsigned=1e300
            )
        },
        {"label_atom_id": words("NCA", [0, 1, 3], [0, -2])},
        {"label_atom_id": words("NCA", [0, 1, 3], [0, 2])},
        {"label_atom_id": words("NCA", [0, 3, 1], [0, 1])},
        {"label_atom_id": words("NCA", [0, 1, 9], [0, 1])},
        {"label_asym_id": step("Delta", words("A", [0, 1], [0, 0]), srcType=3, origin=0)},
        {"mask_label_asym_id": packed([0, 3], "<u1")},
        {"mask_label_asym_id": packed([0], "<u1")},
    ],
)
def test_binarycif_that_does_not_hold_what_it_says(tmp_path, changes):
    refuse(raw_atoms, written(tmp_path / "lie.bcif", binarycif(**changes)), "its|rowCount|damaged")


# ------------------------------------------------------------------------------------------------- OFF

CORNERS = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (f"OFF\n4 1 0\n{CORNERS}3 0 1\n", "face 1 has 2 corners"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n3 0 1 3\n", "counts 4 vertices and 1 faces; it has 6 lines"),
        (f"OFF\n3 2 0\n{CORNERS}3 0 1 2\n", "face 1"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 -1\n", "face 1 has a vertex that is not among its 4"),
        (f"OFF\n4 1 0\n{CORNERS}2 0 1\n", "face 1 has 2 corners"),
        (f"OFF\n-4 1 0\n{CORNERS}3 0 1 2\n", "does not count"),
        (f"OFF\n4 1 0 7\n{CORNERS}3 0 1 2\n", "does not count"),
        (f"a letter about OFF\n4 1 0\n{CORNERS}3 0 1 2\n", "does not begin with OFF"),
        (f"4OFF\n4 1 0\n{CORNERS}3 0 1 2\n", "does not begin with OFF"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n".replace("1 0 0", "1 0"), "vertex 2 has 2 coordinates"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n".replace("1 0 0", "1_0 0 0"), "'_' among its numbers"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n".replace("1 0 0", "1\x0b0 0"), "among its numbers"),
        (f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n".replace("1 0 0", "1e 0 0"), "a coordinate is not a number"),
    ],
)
def test_off_whose_counts_are_wrong(tmp_path, content, match):
    refuse(read_mesh, written(tmp_path / "wrong.off", content.encode()), match)
