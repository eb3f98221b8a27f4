"""Tables as CSV files."""

import csv

import pytest
from hypothesis import given, strategies as st

from holo_types import HoloError
from holo_types.console import _error_line
from holo_types.files.csv_files import csv_cell, of_csv_cell, write_csv


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


@given(st.text() | st.text("=+-@'\t\r1a.", max_size=5))
def test_no_text_is_a_formula_and_every_text_comes_back(text):
    cell = csv_cell(text)
    assert of_csv_cell(cell) == text
    if cell.startswith(tuple("=+-@\t\r")):
        float(cell)  # what is not guarded is a number


def test_an_escape_sequence_in_a_name_is_shown_and_not_sent(capsys):
    _error_line("Error: \x1b]0;title\x07\x1b[2J.pdb: is no structure of \u202eété")
    assert capsys.readouterr().err == (
        "Error: \\x1b]0;title\\x07\\x1b[2J.pdb: is no structure of \\u202eété\n"
    )
