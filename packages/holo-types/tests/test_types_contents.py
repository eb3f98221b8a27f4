"""Files of others are regular ones, and are read and unpacked within a budget."""

import gzip
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

import holo_types
from holo_types import FormatError, HoloError
from holo_types.contents import gunzipped, most_unpacked, read_content, regular_file
from holo_types.files.csv_files import csv_text
from holo_types.files.json_files import read_json
from holo_types.files.parquet_files import read_parquet


def special(folder: Path) -> dict[str, Path]:
    """Yield paths that are not regular files, each with the name of its kind."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "socket"))
    return {name: folder / name for name in ("folder", "pipe", "socket")} | {"device": Path("/dev/zero")}


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
@pytest.mark.parametrize("read", [regular_file, read_content, csv_text, read_json, read_parquet])
def test_what_is_no_regular_file_is_not_opened(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    for name, path in special(Path()).items():
        with pytest.raises(FormatError, match=f"is a {name}; it must be a regular file"):
            read(path)


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
def test_links_lead_to_files_or_nowhere(tmp_path):
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        regular_file(tmp_path / "one")
    with pytest.raises(FormatError, match="there is no such file"):
        holo_types.load(tmp_path / "one")
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_content(tmp_path / "link") == b"content"


def test_what_is_larger_than_the_budget_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # a hole, which takes no place
    with pytest.raises(FormatError, match=r"has 1073741825 bytes; it may have 1073741824 \(HOLO_MAX_BYTES"):
        read_content(path)
    path.write_bytes(bytes(100))
    monkeypatch.setenv("HOLO_MAX_BYTES", "99")
    with pytest.raises(FormatError, match="has 100 bytes; it may have 99"):
        read_content(path)
    for bad in ("", "-1", "1e9", "9" * 30, "٣"):
        monkeypatch.setenv("HOLO_MAX_BYTES", bad)
        with pytest.raises(HoloError, match="it must be a number of bytes"):
            read_content(path)


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
def test_gzip_data_of_several_members_are_unpacked_as_gzip_does(parts):
    packed = b"".join(map(gzip.compress, parts))
    assert gunzipped(packed, "data") == gzip.decompress(packed) == b"".join(parts)


def test_gzip_data_unpack_within_the_budget(monkeypatch):
    packed = gzip.compress(bytes(1 << 20)) * 100  # 100 MiB of 100 kB, more than 64 MiB and a hundredfold
    assert most_unpacked(len(packed)) < 100 << 20
    with pytest.raises(FormatError, match=f"data: its {len(packed)} bytes of gzip data unpack to more than"):
        gunzipped(packed, "data")
    monkeypatch.setenv("HOLO_MAX_BYTES", str(100 << 20))
    assert len(gunzipped(packed, "data")) == 100 << 20
    with pytest.raises(FormatError, match="unpack to more than 10 "):
        gunzipped(gzip.compress(bytes(11)), "data", most=10)


def test_tables_of_more_values_than_their_bytes_hold_are_refused(tmp_path, monkeypatch):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    monkeypatch.setenv("HOLO_MAX_BYTES", "20000")
    parquet.write_table(arrow.table({"id": np.zeros(100_000), "z_0": np.zeros(100_000)}), path)
    with pytest.raises(FormatError, match="has 100000 rows of 2 columns, more than its bytes hold"):
        read_parquet(path)
    parquet.write_table(arrow.table({"id": ["a" * 10_000] * 1000}), path)
    with pytest.raises(FormatError, match="has texts of 10000000 characters, more than its bytes hold"):
        read_parquet(path)
    names = [f"{number:x}" for number in np.random.default_rng(0).integers(2**60, size=2000)]
    parquet.write_table(arrow.table({"id": names}), path)
    assert read_parquet(path)["id"].to_pylist() == names


def test_columns_of_which_a_few_bytes_stand_for_any_number_of_values_are_refused(tmp_path):
    """Lists, structures and bytes; only if they are read, because a table may have more than is asked for."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    for values, kind in (
        (arrow.array([b"x"] * 3), "binary"),
        (arrow.array([b"x"] * 3, arrow.large_binary()), "large_binary"),
        (arrow.array([b"xy"] * 3, arrow.binary(2)), r"fixed_size_binary\[2\]"),
        (arrow.array([b"x"] * 3).dictionary_encode(), "dictionary<values=binary"),
        (arrow.array([[1.0]] * 3), "list<"),
        (arrow.array([[1.0]] * 3, arrow.list_(arrow.float64(), 1)), "fixed_size_list<"),
        (arrow.array([{"a": 1}] * 3), "struct<"),
        (arrow.array([[("a", 1)]] * 3, arrow.map_(arrow.string(), arrow.int64())), "map<"),
    ):
        parquet.write_table(arrow.table({"id": ["a", "b", "c"], "other": values}), path)
        with pytest.raises(FormatError, match=rf"its column 'other' is of (?:{kind}|\w*binary)") as caught:
            read_parquet(path)
        assert "\n" not in str(caught.value)
        assert read_parquet(path, ["id"]).to_pydict() == {"id": ["a", "b", "c"]}


def test_long_texts_of_every_type_are_counted(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    kinds = [arrow.string(), arrow.large_string(), arrow.string_view()]
    for kind in (*kinds, arrow.dictionary(arrow.int32(), arrow.string())):
        short = arrow.array(["a", None, "b"], arrow.string()).cast(kind)
        parquet.write_table(arrow.table({"id": short}), path)
        assert read_parquet(path)["id"].to_pylist() == ["a", None, "b"]
        plain = arrow.array(["x" * 100_000], arrow.string()).cast(kind)
        parquet.write_table(arrow.table({"id": arrow.concat_arrays([plain] * 2000)}), path)
        with pytest.raises(FormatError, match="has texts of 200000000 characters, more than its bytes hold"):
            read_parquet(path)


def test_pages_that_unpack_to_more_than_their_bytes_hold_are_refused_before_they_are_read(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    table = arrow.table({"id": ["x" * 200_000_000]})
    parquet.write_table(table, path, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(FormatError, match=r"its pages unpack to .* bytes, more than its bytes hold"):
        read_parquet(path)


def test_columns_of_other_programs_are_read(tmp_path):
    """Categories, times, decimal numbers and missing values are written by pandas, Spark and others."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {
            "category": arrow.array(["a", "b"]).dictionary_encode(),
            "numbers": arrow.array([1, 2], arrow.int8()),
            "time": arrow.array([1, 2], arrow.timestamp("us")),
            "decimal": arrow.array([1, 2]).cast(arrow.decimal128(38, 2)),
            "nothing": arrow.nulls(2),
            "truth": [True, None],
            "half": np.array([1, 2], np.float16),
        }
    )
    parquet.write_table(table, tmp_path / "table.parquet")
    assert read_parquet(tmp_path / "table.parquet").to_pydict() == table.to_pydict()
