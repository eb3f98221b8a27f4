"""Tables as CSV files."""

import csv

import pytest

from holo_types import HoloError
from holo_types.files.csv_files import write_csv


def test_what_is_written_is_read_by_others(tmp_path):
    path = tmp_path / "table.csv"
    rows = [
        ('say "no", twice', "two\nlines", 0.1),
        ("é\udcff", None, 3),
    ]  # a name of a file that is no Unicode
    assert write_csv(path, ("name", "text", "number"), iter(rows)) == 2
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["name", "text", "number"],
            ['say "no", twice', "two\nlines", "0.1"],
            ["é\\udcff", "", "3"],
        ]
    assert b"\r" not in path.read_bytes()


def test_a_table_that_fails_halfway_leaves_the_one_before(tmp_path):
    path = tmp_path / "table.csv"
    assert write_csv(path, ("id",), []) == 0

    def rows():
        yield ("1abc",)
        raise HoloError("no more")

    with pytest.raises(HoloError, match="no more"):
        write_csv(path, ("id",), rows())
    assert path.read_text() == "id\n"
    assert list(tmp_path.iterdir()) == [path]
