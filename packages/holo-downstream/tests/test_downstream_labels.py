import numpy as np
import pytest
from scipy import constants

from holo_downstream.affinity.labels import LabelColumns, pk_of, read_labels, with_ligand_keys
from holo_types import FormatError, HoloError


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize(
    ("value", "unit", "molar"),
    [
        (2.0, "M", 2.0),
        (0.53, "mM", 0.53e-3),
        (50.0, "uM", 50e-6),
        (7.0, "nM", 7e-9),
        (3.0, "pM", 3e-12),
        (8.0, "fM", 8e-15),
    ],
)
def test_concentrations(value, unit, molar):
    assert pk_of(value, unit) == pytest.approx(-np.log10(molar))


@pytest.mark.parametrize(
    ("unit", "joules"), [("kcal/mol", constants.kilo * constants.calorie), ("kJ/mol", 1e3)]
)
@pytest.mark.parametrize("temperature", [277.0, 310.0])
def test_free_energies_by_the_constants_of_scipy(unit, joules, temperature):
    constant = np.exp(-9.0 * joules / (constants.gas_constant * temperature))
    assert pk_of(-9.0, unit, temperature) == pytest.approx(-np.log10(constant))


def test_columns_beyond_ours_are_ignored_and_names_can_be_told(write):
    path = write(
        "id,source,pK,measurement,cluster30,split,ligand_key\n"
        "1a30,casf,4.3,Ki=50uM,93,val,AAA\n1bcu,casf,3.28,Kd~0.53mM,94,Train,\n5nxg,plrex,8.6,dG->pK (298K),9,series,\n"
    )
    table = read_labels(path, columns=LabelColumns(label="pK", cluster="cluster30"))
    assert [(c.id, c.label, c.cluster, c.split, c.measurement, c.ligand_key) for c in table.complexes] == [
        ("1a30", 4.3, "93", "val", "Ki", "AAA"),
        ("1bcu", 3.28, "94", "train", "Kd", ""),
        ("5nxg", 8.6, "9", "series", "dG", ""),
    ]
    assert table.skipped == ()
    assert table.measurements == {"Ki": 1, "Kd": 1, "dG": 1}


def test_usual_names_of_columns_need_not_be_told(write):
    (found,) = read_labels(write("id,pK,cluster30\n1abc,5,7\n")).complexes
    assert (found.label, found.cluster) == (5, "7")
    (found,) = read_labels(write("id,pK,label,cluster_30,cluster\n1abc,5,6,7,8\n")).complexes
    assert (found.label, found.cluster) == (6, "8")
    (found,) = read_labels(write("id,label\n1abc,6\n")).complexes
    assert found.cluster == ""
    several = write("id,pK,cluster30,cluster95\n1abc,5,7,8\n")
    with pytest.raises(HoloError, match="has the clusters cluster30, cluster95; say which one is meant"):
        read_labels(several)
    assert read_labels(several, columns=LabelColumns(cluster="cluster95")).complexes[0].cluster == "8"
    with pytest.raises(HoloError, match="declared to be in nM, and the only column of labels is pK"):
        read_labels(write("id,pK\n1abc,5\n"), unit="nM")


def test_ligand_keys_come_from_another_table(write, tmp_path):
    labels = read_labels(write("id,label,ligand_key\n1abc,5,old\n2abc,6,old\n"))
    keys = tmp_path / "ligands.csv"
    keys.write_text("id,ligand_key,heavy_atoms\n1abc,C2O-1,3\n9abc,C3-1,3\n")
    assert [one.ligand_key for one in with_ligand_keys(labels, keys).complexes] == ["C2O-1", "old"]
    keys.write_text("id,ligand_key\n1abc,C2O-1\n1abc,C2O-2\n")
    with pytest.raises(FormatError, match="gives 1abc the ligand keys C2O-1 and C2O-2"):
        with_ligand_keys(labels, keys)
    keys.write_text("id,key\n")
    with pytest.raises(FormatError, match="has no column 'ligand_key'; it has id, key"):
        with_ligand_keys(labels, keys)


def test_rows_that_cannot_be_used_are_named_and_the_others_are_used(write):
    path = write(
        "id,label,unit,split\n1aaa,6.5,,train\n1bbb,high,,train\n1ccc,nan,,train\n1ddd,5,,train\n1ddd,6,,test\n"
        "1eee,7,nM,train\n1fff,7,,holdout\n,7,,train\n1ggg,7,pK,test\n"
    )
    table = read_labels(path)
    assert [complex_.id for complex_ in table.complexes] == ["1aaa", "1ggg"]
    assert [(line.file, line.reason) for line in table.skipped] == [
        ("1bbb", "its label is 'high'; it must be a number"),
        ("1ccc", "the label is nan; it must be a finite number"),
        ("1ddd", "its id comes 2 times; it must come once"),
        ("1eee", "its label is in nM, the others are declared to be in pK"),
        ("1fff", "its split is 'holdout'; it must be train, val, test or series"),
        ("", "it has no id"),
    ]


def test_units_convert_only_when_told(write):
    path = write(
        "id,label,unit\n1aaa,20,nM\n1bbb,-9.5,kcal/mol\n1ccc,3,µM\n1ddd,0,nM\n1eee,5,stones\n1fff,5,\n"
    )
    told = read_labels(path, unit="nM")
    assert [complex_.id for complex_ in told.complexes] == ["1aaa", "1fff"]
    own = read_labels(path, unit="column")
    assert [complex_.id for complex_ in own.complexes] == ["1aaa", "1bbb", "1ccc"]
    assert [complex_.label for complex_ in own.complexes] == pytest.approx(
        [7.69897, 9.5 * 4.184 / (8.314462618e-3 * 298.15 * np.log(10)), 5.522879], rel=1e-6
    )
    assert [line.reason for line in own.skipped] == [
        "the label is 0 nM; a concentration must be > 0",
        "its unit is 'stones'; it must be one of pK, M, mM, uM, nM, pM, fM, kcal/mol, kJ/mol",
        "its unit is ''; it must be one of pK, M, mM, uM, nM, pM, fM, kcal/mol, kJ/mol",
    ]


def test_tables_that_cannot_be_read_are_named(write, tmp_path):
    with pytest.raises(FormatError, match=r"has no column 'label'; it has id, pK"):
        read_labels(write("id,pK\n1abc,5\n"), columns=LabelColumns(label="label"))
    with pytest.raises(FormatError, match=r"has no column 'label'; it has id, pKd"):
        read_labels(write("id,pKd\n1abc,5\n"))
    with pytest.raises(FormatError, match="has no column 'unit'"):
        read_labels(write("id,label\n1abc,5\n"), unit="column")
    with pytest.raises(FormatError, match="row 2 has 1 values; the header has 2"):
        read_labels(write("id,label\n1abc,5\n2abc\n"))
    with pytest.raises(FormatError, match="has the column 'id' twice"):
        read_labels(write("id,id,label\n1,1,1\n"))
    with pytest.raises(FormatError, match="is empty"):
        read_labels(write(""))
    with pytest.raises(FormatError, match=r"absent.csv: cannot be read as CSV: No such file"):
        read_labels(tmp_path / "absent.csv")
    with pytest.raises(HoloError, match="temperature is 0 K"):
        read_labels(write("id,label\n"), temperature=0.0)


@pytest.mark.parametrize(
    ("labels", "told", "unit"),
    [
        ([5, 1500, 12, 340000], "340000", "nM"),
        ([0.4, 3.5, 81.5], "81.5", "nM"),
        ([1, 3, 7, 15], "15", "nM"),  # inside of -2..16, but whole and far apart
        ([5e-9, 3e-7, 2e-6], "5e-09", "M"),
        ([-7.48, -8.46, -9.18], "-9.18", "kcal/mol"),
        ([-31.0, -38.4], "-38.4", "kJ/mol"),
        ([6.5, 7.1, 65.0], "65", "nM"),  # a slip of the pen is asked about too
    ],
)
@pytest.mark.parametrize("column", ["label", "pK", "Affinity"])
def test_it_is_asked_what_a_column_is_that_cannot_be_pk(write, labels, told, unit, column):
    path = write("\n".join([f"id,{column}", *(f"{row}abc,{label!r}" for row, label in enumerate(labels))]))
    columns = LabelColumns(label=column if column == "Affinity" else None)
    with pytest.raises(HoloError) as caught:
        read_labels(path, columns=columns)
    message = str(caught.value)
    assert f"column {column!r} is read as pK" in message
    assert f"has {told} " in message
    assert f"--unit {unit}," in message
    assert "\n" not in message
    if column != "pK":
        assert len(read_labels(path, unit=unit, columns=columns).complexes) == len(labels)
    assert len(read_labels(path, columns=columns, ask=False).complexes) == len(labels)


@pytest.mark.parametrize("labels", [[2, 5, 11], [-1.9, 15.9], [0.005, 3], [9], ["high", 6.2], ["nan", 6.2]])
def test_what_can_be_pk_is_read_as_pk(write, labels):
    path = write("\n".join(["id,label", *(f"{row}abc,{label}" for row, label in enumerate(labels))]))
    assert [one.label for one in read_labels(path).complexes] == [
        float(label) for label in labels if label not in ("high", "nan")
    ]


def test_rows_of_another_unit_are_left_out_not_asked_about(write):
    table = read_labels(write("id,label,unit\n1abc,6.5,pK\n2abc,1500,nM\n3abc,7.5,\n"))
    assert [one.id for one in table.complexes] == ["1abc", "3abc"]
    assert table.skipped[0].reason == "its label is in nM, the others are declared to be in pK"
