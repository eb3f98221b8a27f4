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
    monkeypatch.setenv("HOLO_MAX_BYTES", "1000")
    parquet.write_table(arrow.table({"id": np.zeros(100_000), "z_0": np.zeros(100_000)}), path)
    with pytest.raises(FormatError, match="has 100000 rows of 2 columns, more than its bytes hold"):
        read_parquet(path)
    parquet.write_table(arrow.table({"id": ["a" * 10_000] * 1000}), path)
    with pytest.raises(FormatError, match="has texts of 10000000 characters, more than its bytes hold"):
        read_parquet(path)
    names = [f"{number:x}" for number in np.random.default_rng(0).integers(2**60, size=2000)]
    parquet.write_table(arrow.table({"id": names}), path)
    assert read_parquet(path)["id"].to_pylist() == names
