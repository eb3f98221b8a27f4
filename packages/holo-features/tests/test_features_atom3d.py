"""ATOM3D's LBA data set: LMDB files in its published form, written here with two or three records."""

import copy
import gzip
import json
import pickle
import random
import struct

import numpy as np
import pytest

from holo_features import read_structure
from holo_features.complexes import atom3d
from holo_features.complexes.atom3d import Atom3dRecord, atom3d_folders, atom3d_records
from holo_features.complexes.complex import Complex, SkippedComplex, complex_neighborhoods, pocket
from holo_features.complexes.sets import find_complexes, read_complex, read_complexes
from holo_features.datasets import example_structures
from holo_features.structures.selection import Selection
from holo_types import FormatError

lmdb = pytest.importorskip("lmdb")

PROTEIN = read_structure(example_structures()[0])
COLUMNS = [
    *("ensemble", "subunit", "structure", "model", "chain", "hetero", "insertion_code", "residue", "segid"),
    *(
        "resname",
        "altloc",
        "occupancy",
        "bfactor",
        "x",
        "y",
        "z",
        "element",
        "name",
        "fullname",
        "serial_number",
    ),
]


def frame(atoms):
    """Rows of atoms as a data frame that pandas has written with ``orient="split"``.

    An atom is (chain, hetero, insertion code, residue number, residue name, name, element, position).
    """
    data = []
    for i, (chain, hetero, insertion, number, resname, name, element, place) in enumerate(atoms):
        file = ["1abc.pdb", 0, "1abc.pdb", 1]
        atom = [
            chain,
            hetero,
            insertion,
            number,
            "",
            resname,
            " ",
            1.0,
            20.0,
            *map(float, place),
            element,
            name,
        ]
        data.append([*file, *atom, f" {name:<3}", i])
    return {"columns": COLUMNS, "index": list(range(len(data))), "data": data}


def protein_rows():
    atoms = PROTEIN.atoms
    return [
        (a.chain_id, " ", a.ins_code or " ", int(a.res_id), a.res_name, a.atom_name, a.element, a.coord)
        for a in atoms
    ]


def record(name="1abc", score=6.5, **changes):
    rows = protein_rows()
    middle = PROTEIN.atoms.coord[0] + np.array([3.0, 0, 0])
    water = ("A", "W", " ", 900, "HOH", "O", "O", middle + 2)
    hydrogen = ("A", " ", " ", rows[0][3], rows[0][4], "H1", "H", PROTEIN.atoms.coord[0] + 1)
    ligand = [
        ("L", "", "", 1, "LIG", "C1", "C", middle),
        ("L", "", "", 1, "LIG", "Cl2", "Cl", middle + np.array([1.7, 0, 0])),
        ("L", "", "", 1, "LIG", "H3", "H", middle - 1),
    ]
    listed = [row for row in rows if row[3] in {rows[0][3], rows[0][3] + 1}]
    return {
        "id": name,
        "atoms_protein": frame([*rows, hydrogen, water]),
        "atoms_pocket": frame(listed),
        "atoms_ligand": frame(ligand),
        "seq": [["A", "VLS"]],
        "smiles": "CCl",
        "scores": {"neglog_aff": score},
    } | changes


def write_lmdb(folder, records, form="json", *, dump=json.dumps, names=None, packed=gzip.compress):
    """Write records as ATOM3D does: gzipped under their numbers, with three entries that describe them."""
    folder.mkdir(parents=True)
    with (
        lmdb.open(str(folder), map_size=1 << 26) as environment,
        environment.begin(write=True) as transaction,
    ):

        def encoded(value):
            text = dump(value)
            return text if isinstance(text, bytes) else text.encode()

        for number, value in enumerate(records):
            transaction.put(str(number).encode(), packed(encoded(value)))
        numbers = {value["id"]: i for i, value in enumerate(records)} if names is None else names
        transaction.put(b"num_examples", str(len(records)).encode())
        transaction.put(b"serialization_format", form.encode())
        transaction.put(b"id_to_idx", encoded(numbers))
    return folder


def test_records_become_complexes(tmp_path):
    folder = write_lmdb(tmp_path / "train", [record(), record("2xyz", 4.25)])
    first, second = read_complexes(folder)
    assert isinstance(first, Complex)
    assert (first.name, first.label, first.split) == ("1abc", 6.5, "train")
    assert (second.name, second.label, second.split) == ("2xyz", 4.25, "train")
    # Heavy atoms of residues only, where and what they were.
    atoms, expected = first.protein.atoms, PROTEIN.atoms
    np.testing.assert_array_equal(atoms.coord, expected.coord)
    for column in ("chain_id", "res_id", "ins_code", "res_name", "atom_name", "element"):
        np.testing.assert_array_equal(atoms.get_annotation(column), expected.get_annotation(column))
    assert first.ligand.atoms.element.tolist() == ["C", "CL"]
    # The listed pocket, by residue.
    number = expected.res_id[0]
    assert set(atoms.res_id[first.listed_pocket].tolist()) == {number, number + 1}


def test_neighborhoods_of_both_pockets(tmp_path):
    (complex_,) = read_complexes(write_lmdb(tmp_path / "data", [record()]))
    listed = complex_neighborhoods(complex_, channels=("C", "N", "O", "S", "Cl"), pocket_distance=None).clouds
    assert listed.index["residue_number"].tolist() == sorted(
        {*PROTEIN.atoms.res_id[complex_.listed_pocket].tolist()}
    )
    assert listed.weights[0, 4] == 0
    assert listed[:1].weights[:, 4].sum() == 1
    near = complex_neighborhoods(complex_).clouds
    assert set(near.index["residue_number"].tolist()) == set(
        complex_.protein.atoms.res_id[pocket(complex_)].tolist()
    )
    assert complex_.split is None


def test_hydrogens_and_water_are_read_on_request(tmp_path):
    folder = write_lmdb(tmp_path / "data", [record()])
    (source,) = find_complexes(folder).sources
    complex_ = read_complex(source, Selection(hydrogens=True, waters=True))
    assert len(complex_.protein.atoms) == len(PROTEIN.atoms) + 2
    assert complex_.ligand.atoms.element.tolist() == ["C", "CL", "H"]
    assert not complex_.protein.atoms.amino_acid[complex_.protein.atoms.res_name == "HOH"].any()


def test_a_folder_of_splits(tmp_path):
    for split, name in (("train", "1abc"), ("val", "2abc"), ("test", "3abc")):
        write_lmdb(tmp_path / "split-by-sequence-identity-30" / "data" / split, [record(name)])
    found = find_complexes(tmp_path / "split-by-sequence-identity-30")
    assert [(source.name, source.split) for source in found.sources] == [
        ("1abc", "train"),
        ("2abc", "val"),
        ("3abc", "test"),
    ]
    assert len(atom3d_folders(tmp_path / "split-by-sequence-identity-30" / "data")) == 3
    assert pickle.loads(pickle.dumps(found)) == found


def test_an_id_that_is_there_twice_is_named(tmp_path):
    write_lmdb(tmp_path / "train", [record(), record("2xyz"), record()])
    write_lmdb(tmp_path / "val", [record("2xyz")])
    found = find_complexes(tmp_path)
    assert [(source.name, source.number) for source in found.sources] == [("2xyz", 1), ("1abc", 2)]
    assert [(skipped.name, skipped.reason.rpartition(": ")[2]) for skipped in found.skipped] == [
        ("record 0", "id_to_idx has no id for it, a later record has it"),
        ("2xyz", "an earlier complex has its id"),
    ]


def test_scores_as_a_series_that_pandas_wrote(tmp_path):
    series = {"name": "1abc", "index": ["neglog_aff"], "data": [7.75]}
    first, second = read_complexes(
        write_lmdb(tmp_path / "data", [record(scores=series), record("2xyz", scores=None)])
    )
    assert first.label == 7.75
    assert second.label is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"atoms_ligand": None}, "it has no frame 'atoms_ligand' with columns and data"),
        ({"atoms_ligand": frame([])}, "atoms_ligand has no atom"),
        (
            {"atoms_protein": {"columns": COLUMNS[:-1], "data": [[1]]}},
            "atoms_protein has rows that are not as long",
        ),
        ({"atoms_protein": {"columns": ["x", "y"], "data": []}}, "atoms_protein has no column 'chain'"),
        ({"scores": {"neglog_aff": "high"}}, "its scores have no number 'neglog_aff'"),
        ({"atoms_ligand": frame([("L", "", "", 1, "LIG", "C1", "C", (0, 0, 1e300))])}, "not a finite number"),
        (
            {"atoms_ligand": frame([("L", "", "", "one", "LIG", "C1", "C", (0, 0, 0))])},
            "column 'residue' holds",
        ),
        (
            {"atoms_ligand": frame([("L", "", "", 1, "LIG", "C" * 120_000, "C", (0, 0, 0))] * 200)},
            "row 1 has a name of 120000 characters; it must have at most 32",
        ),
    ],
)
def test_a_bad_record_is_skipped_by_name(tmp_path, changes, reason):
    bad, good = read_complexes(write_lmdb(tmp_path / "data", [record(**changes), record("2xyz")]))
    assert isinstance(good, Complex)
    assert isinstance(bad, SkippedComplex)
    assert bad.name == "1abc"
    assert "record 0" in bad.reason
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        *(("residue", value, None) for value in (1.7, -2.9, True, "1_0", "7", None, [1], 1e300, 2**70)),
        *(("residue", value, int(value)) for value in (-3, 7.0, 2**40)),
        *((name, value, None) for name in ("name", "chain") for value in ([1, 2], {"a": 1}, True, 1.5)),
        *(("chain", value, str(value)) for value in ("7", 7)),
        *(("x", value, None) for value in ("1e5", True, None, [1.0])),
        ("x", 3, 3.0),
    ],
)
def test_columns_hold_what_they_must(tmp_path, column, value, read):
    ligand = frame([("L", "", "", 1, "LIG", "C1", "C", (0, 0, 0))])
    ligand["data"][0][COLUMNS.index(column)] = value
    (found,) = read_complexes(write_lmdb(tmp_path / "data", [record(atoms_ligand=ligand)]))
    if read is None:
        kind = {"residue": "an integer", "x": "a number"}.get(column, "text")
        assert f"atoms_ligand: column {column!r} holds something that is not {kind}" in found.reason
    else:
        atoms = found.ligand.atoms
        ours = {"residue": atoms.res_id, "chain": atoms.chain_id, "x": atoms.coord[:, 0]}[column]
        assert ours.tolist() == [read]


class Trap:
    """A call that would run if anybody loaded the pickle."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("form", ["pkl", "msgpack"])
def test_pickled_records_are_refused_by_name(tmp_path, form):
    folder = write_lmdb(tmp_path / "data", [{"id": "1abc", "trap": Trap()}], form, dump=pickle.dumps)
    with pytest.raises(
        FormatError, match=rf"data: its records are serialized as '{form}'; they must be JSON"
    ):
        find_complexes(folder)


def test_a_pickle_under_another_name_is_not_loaded(tmp_path):
    folder = write_lmdb(tmp_path / "data", [{"id": "1abc", "trap": Trap()}], "json", dump=pickle.dumps)
    with pytest.raises(FormatError, match="id_to_idx is not JSON"):
        find_complexes(folder)


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"it holds no data\.mdb, so it is not an ATOM3D data set"):
        list(atom3d_records(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "data.mdb").write_bytes(b"no LMDB" * 1000)
    with pytest.raises(FormatError, match="damaged, or no LMDB file"):
        find_complexes(tmp_path / "broken")
    with (
        lmdb.open(str(tmp_path / "other"), map_size=1 << 20) as environment,
        environment.begin(write=True) as writing,
    ):
        writing.put(b"key", b"value")
    with pytest.raises(FormatError, match="it has no entry 'serialization_format'"):
        find_complexes(tmp_path / "other")
    for i, names in enumerate((["1abc"], {"1abc": [0]}, {"1abc": "0"})):
        odd = write_lmdb(tmp_path / f"odd{i}", [record()], names=names)
        with pytest.raises(
            FormatError, match="id_to_idx and num_examples are not those of an ATOM3D data set"
        ):
            find_complexes(odd)


@pytest.mark.parametrize("count", [b"-1", b"1000000000000000", b"1.5", b"{}"])
def test_an_impossible_number_of_records_is_refused(tmp_path, count):
    folder = write_lmdb(tmp_path / "data", [record()])
    with (
        lmdb.open(str(folder), map_size=1 << 26) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"num_examples", count)
    with pytest.raises(FormatError, match="id_to_idx and num_examples are not those of an ATOM3D data set"):
        find_complexes(folder)


def claiming(folder, entries):
    """State another number of entries in both headers of an LMDB file."""
    content = bytearray((folder / "data.mdb").read_bytes())
    for page in (0, 1):
        # After the page's head: magic, version, address and size in 24 bytes, the free pages in 48, and the main
        # database, whose number of entries comes after 32 bytes.
        place = page * 4096 + 16 + 24 + 48 + 32
        if struct.unpack_from("<Q", content, place)[0]:
            struct.pack_into("<Q", content, place, entries)
    (folder / "data.mdb").write_bytes(content)


def test_the_number_of_entries_that_a_file_states_is_not_believed(tmp_path):
    for stated, count in ((1 << 62, 1 << 60), (1 << 62, 5), (1, 1)):
        folder = write_lmdb(tmp_path / f"data{stated}-{count}", [record()])
        with (
            lmdb.open(str(folder), map_size=1 << 26) as environment,
            environment.begin(write=True) as transaction,
        ):
            transaction.put(b"num_examples", str(count).encode())
        claiming(folder, stated)
        if count == 1:
            assert [source.name for source in atom3d_records(folder)] == ["1abc"]
        else:
            with pytest.raises(FormatError, match="id_to_idx and num_examples are not those"):
                next(iter(atom3d_records(folder)))


def test_a_file_that_is_replaced_after_it_was_tried_is_refused(tmp_path, monkeypatch):
    folder = write_lmdb(tmp_path / "data", [record()])
    other = write_lmdb(tmp_path / "other", [record("2xyz"), record("3foo")])
    opened = lmdb.open

    def replaced_before(*given, **named):
        (other / "data.mdb").replace(folder / "data.mdb")
        return opened(*given, **named)

    monkeypatch.setattr(lmdb, "open", replaced_before)
    with pytest.raises(FormatError, match=r"data\.mdb: was changed while it was read"):
        list(atom3d_records(folder))


@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, part):
    data = write_lmdb(tmp_path / "data", [record()]) / "data.mdb"
    content = data.read_bytes()
    data.write_bytes(content[: int(part * len(content))])
    with pytest.raises(FormatError, match=r"it is truncated|damaged, or no LMDB file"):
        find_complexes(tmp_path / "data")


def test_a_file_that_would_end_the_process_is_refused(tmp_path):
    folder = write_lmdb(tmp_path / "data", [record()], packed=bytes)  # large, so on pages of its own
    content = (folder / "data.mdb").read_bytes()
    # The record's node: its size in four bytes, flags, the length of its key, the key, and the first page.
    places = [content.find(b"\x01\x00\x01\x000" + struct.pack("<Q", page)) for page in range(2, 100)]
    place = max(places)
    assert place > 0
    (folder / "data.mdb").write_bytes(content[: place - 4] + b"\xff" * 4 + content[place:])
    with pytest.raises(FormatError, match="crashes the process that reads it; it is damaged or malicious"):
        find_complexes(folder)


def test_a_damaged_record_is_named(tmp_path):
    folder = write_lmdb(tmp_path / "data", [record()], packed=lambda content: gzip.compress(content)[:100])
    (skipped,) = read_complexes(folder)
    assert "record 0 is damaged" in skipped.reason
    with pytest.raises(FormatError, match="it has no entry '7'"):
        read_complex(Atom3dRecord("lost", folder, 7))


def test_records_whose_fields_have_other_types_are_used_or_named(tmp_path):
    write_lmdb(tmp_path / "train", [record()])
    source = next(iter(atom3d_records(tmp_path / "train")))
    good = record()
    for name in ("atoms_protein", "atoms_pocket", "atoms_ligand"):  # a few rows, which mutations then meet
        good[name] = {**good[name], "data": good[name]["data"][:3], "index": [0, 1, 2]}
    odd = (
        None,
        True,
        -1,
        1.5,
        1e308,
        10**30,
        "",
        "x",
        [],
        [[]],
        {},
        {"a": 1},
        [None],
        float("nan"),
        "\ud800",
    )
    chance, refused = random.Random(0), 0
    for _ in range(200):
        changed = copy.deepcopy(good)
        places = []

        def visit(value, places=places):
            for key in (
                value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            ):
                places.append((value, key))
                visit(value[key])

        visit(changed)
        value, key = chance.choice(places)
        value[key] = copy.deepcopy(chance.choice(odd))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(atom3d, "_entry", lambda *_, c=changed: gzip.compress(json.dumps(c).encode()))
            try:
                atom3d.read_atom3d_record(source, Selection())
            except FormatError as error:
                assert "record 0" in str(error)  # noqa: PT017 - others are used, and none raises anything else
                refused += 1
    assert refused > 20
