"""Embeddings as tables."""

import hashlib
import math
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holo_types import Embeddings, FormatError, HoloError, ModelReference, read_table, to_table, write_table
from holo_types.files.csv_files import of_csv_cell
from holo_types.files.parquet_files import read_parquet

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

RNG = np.random.default_rng(0)
EMBEDDINGS = Embeddings(
    RNG.standard_normal((4, 2)).astype(np.float32),
    RNG.standard_normal((4, 3, 3)),
    ModelReference("demo", "1", "0" * 64, "1" * 64),
    {
        "chain": ["A", "A", "β", "NA"],
        "residue_number": [1, 2, -1, 7],
        "insertion_code": ["", "", "A", ""],
        "b_factor": np.array([0.1, np.nan, 1 / 3, -0.0]),
        "occupancy": np.array([0.1, np.nan, 1 / 3, -0.0], np.float32),
    },
    log_variances=RNG.standard_normal((4, 2)).astype(np.float32),
    degenerate=np.array([False, True, False, False]),
    reconstruction_cosine_loss=np.array([0.1, 5e-324, 1 / 3, 0.0]),
    centers=RNG.standard_normal((4, 3)),
)
FRAMES = [f"frame_{axis}{component}" for axis in "xyz" for component in "xyz"]


def test_the_columns_of_a_table() -> None:
    table = to_table(EMBEDDINGS)
    assert list(table) == [
        *("chain", "residue_number", "insertion_code", "b_factor", "occupancy"),
        *("center_x", "center_y", "center_z", "z_0", "z_1", *FRAMES),
        *("log_variance_0", "log_variance_1", "degenerate", "reconstruction_cosine_loss"),
    ]
    assert np.array_equal(table[["z_0", "z_1"]].to_numpy(), EMBEDDINGS.invariants)
    assert np.array_equal(table[FRAMES].to_numpy().reshape(4, 3, 3), EMBEDDINGS.frames)
    assert (table["z_0"].dtype, table["frame_xy"].dtype, table["degenerate"].dtype) == (
        np.float32,
        np.float64,
        bool,
    )
    plain = Embeddings(EMBEDDINGS.invariants, EMBEDDINGS.frames, EMBEDDINGS.model)
    assert list(to_table(plain)) == ["z_0", "z_1", *FRAMES]


def test_parquet_keeps_every_bit_and_the_model(tmp_path: Path) -> None:
    write_table(EMBEDDINGS, tmp_path / "a.parquet")
    back = pandas.read_parquet(tmp_path / "a.parquet")
    pandas.testing.assert_frame_equal(back, to_table(EMBEDDINGS), check_exact=True)
    assert ModelReference(**back.attrs["model"]) == EMBEDDINGS.model
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize("rows", [slice(None), slice(1, 2), slice(0, 0)], ids=["all", "one", "none"])
def test_a_table_is_read_back_to_the_bit(tmp_path: Path, rows: slice) -> None:
    write_table(EMBEDDINGS[rows], tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet") == EMBEDDINGS[rows]


def test_a_table_of_others_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pandas.DataFrame({"z_0": [1.0]}).to_parquet(path)
    with pytest.raises(FormatError, match=r"a\.parquet: does not say which model made it"):
        read_table(path)
    table = pandas.DataFrame({"z_0": [1.0]})
    table.attrs["model"] = {"name": "demo", "version": "1", "digest": "", "basis_digest": ""}
    table.to_parquet(path)
    with pytest.raises(FormatError, match="lacks the columns"):
        read_table(path)


def test_a_flipped_bit_of_a_parquet_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(EMBEDDINGS, path)
    rows = parquet.ParquetFile(path).metadata.row_group(0)
    numbers = {rows.column(i).path_in_schema: rows.column(i) for i in range(rows.num_columns)}
    chunk = numbers["frame_xx"]
    content = bytearray(path.read_bytes())
    content[chunk.dictionary_page_offset + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        parquet.read_table(path, page_checksum_verification=True)


def test_no_flipped_bit_of_a_parquet_file_goes_unseen(tmp_path: Path) -> None:
    """A flipped bit is noticed in pages, metadata, names of columns and the digest."""
    path = tmp_path / "a.parquet"
    write_table(EMBEDDINGS, path)
    whole, expected = path.read_bytes(), read_parquet(path)
    rng = np.random.default_rng(0)
    start = whole.index(b"holo file digest")
    places = [
        *rng.integers(len(whole), size=100),
        *range(start, start + 48),
        *range(len(whole) - 8, len(whole)),
    ]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read = read_parquet(path)
        except FormatError:
            continue
        assert start <= place < start + 16, place  # not taken for a digest
        assert read.equals(expected, check_metadata=True)


def test_the_digest_is_of_all_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(EMBEDDINGS, path)
    before, after = path.read_bytes().split(b"holo file digest")
    assert after[:32] == hashlib.sha256(before + after[32:]).digest()
    assert int.from_bytes(after[-8:-4], "little") == len(after) - 32 - 8


def test_parquet_of_others_has_no_digest_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    to_table(EMBEDDINGS).to_parquet(path)
    assert read_parquet(path, ["chain"]).column("chain").to_pylist() == ["A", "A", "β", "NA"]
    for content in (b"", b"PAR1", b"\xff\xff\xff\xffPAR1", b"no table", bytes(100)):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"a\.parquet: cannot be read as Parquet"):
            read_parquet(path)


def _float(text: str) -> float:
    return float(text) if text else math.nan


def test_csv_reads_back_as_the_same_values(tmp_path: Path) -> None:
    write_table(EMBEDDINGS, tmp_path / "a.csv")
    table = to_table(EMBEDDINGS)
    # Python reads a float to the bit; pandas 2 does not, unless told to in a way that pandas 3 deprecates.
    floats = {name: _float for name, kind in table.dtypes.items() if kind.kind == "f"}
    others = {name: kind for name, kind in table.dtypes.items() if name not in floats}
    back = pandas.read_csv(tmp_path / "a.csv", keep_default_na=False, dtype=others, converters=floats)
    back = back.astype(dict(table.dtypes))
    pandas.testing.assert_frame_equal(back, table, check_exact=True)


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HoloError, match=r"a\.xlsx: has the ending '\.xlsx'; a table's must be"):
        write_table(EMBEDDINGS, tmp_path / "a.xlsx")
    with pytest.raises(HoloError, match=r"a\.csv: cannot be written"):
        write_table(EMBEDDINGS, tmp_path / "absent" / "a.csv")
    clash = Embeddings(EMBEDDINGS.invariants, EMBEDDINGS.frames, EMBEDDINGS.model, {"z_0": [1] * 4})
    with pytest.raises(HoloError, match="index has the column 'z_0', which is a column of the table"):
        to_table(clash)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HoloError, match=r"pandas is not installed: pip install 'holo-types\[table\]'"):
        write_table(EMBEDDINGS, tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_text_of_a_table_is_no_formula(tmp_path: Path) -> None:
    index = {"structure": ["=1+1", "@a", "-1.5"], "=x": ["a", "b", "c"]}
    write_table(
        Embeddings(np.zeros((3, 1)), np.zeros((3, 3, 3)), ModelReference("a", "1", "", ""), index),
        tmp_path / "a.csv",
    )
    header, *rows = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines())
    assert header[:2] == ["structure", "'=x"]
    assert [row[0] for row in rows] == ["'=1+1", "'@a", "-1.5"]
    assert [of_csv_cell(row[0]) for row in rows] == index["structure"]


@pytest.mark.parametrize("values", [[2**53 + 1, None, 3], [True, None, False], ["A", None, "B"]])
def test_missing_values_that_would_change_the_others_are_refused(values: list[Any], tmp_path: Path) -> None:
    """With a missing value, pandas makes floats of integers, which then are other numbers."""
    path = tmp_path / "a.parquet"
    write_table(EMBEDDINGS, path)
    whole = parquet.read_table(path).append_column("other", pyarrow.array([*values, values[0]]))
    parquet.write_table(whole, path)
    with pytest.raises(FormatError, match=r"a\.parquet: its column 'other' lacks 1 values; it must have one"):
        read_table(path)


def test_one_long_text_is_refused_by_name_before_it_fills_the_memory(tmp_path: Path) -> None:
    path, rows = tmp_path / "a.parquet", 3000
    write_table(EMBEDDINGS, path)
    whole = pyarrow.concat_tables([parquet.read_table(path)] * (rows // 4))
    parquet.write_table(
        whole.append_column("name", pyarrow.array(["x" * 300_000, *["a"] * (rows - 1)])), path
    )
    tracemalloc.start()
    with pytest.raises(
        FormatError, match=r"a\.parquet: index\['name'\] holds 3000 texts, of which one has 300000"
    ):
        read_table(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 26
