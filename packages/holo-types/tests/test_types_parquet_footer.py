"""The claims of a Parquet footer, beside those that pyarrow reads, and in damaged footers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from holo_types.files.parquet_files import _footer, read_parquet
from holo_types.parquet_footer import Claims, claims_of

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def written(folder: Path, rows: int = 100, group: int = 30, **how: object) -> Path:
    numbers = np.random.default_rng(0).normal(size=rows)
    texts = [None if row % 7 == 0 else f"{row}abc" for row in range(rows)]
    table = pa.table({"id": texts, "x": numbers, "whole": np.arange(rows), "true": numbers > 0})
    parquet.write_table(table, folder / "t.parquet", row_group_size=group, **how)
    return folder / "t.parquet"


@pytest.mark.parametrize("rows", [0, 1, 100])
@pytest.mark.parametrize("columns", [{"id"}, {"x", "true"}, {"id", "x", "whole", "true"}, set()])
@pytest.mark.parametrize(
    "how",
    [{}, {"compression": "gzip", "write_page_index": True}, {"write_page_checksum": True, "version": "1.0"}],
)
def test_claims_are_those_that_pyarrow_reads(tmp_path, rows, columns, how):
    path = written(tmp_path, rows, **how)
    meta = parquet.read_metadata(path)
    unpacked = 0
    for group in map(meta.row_group, range(meta.num_row_groups)):
        chunks = map(group.column, range(group.num_columns))
        unpacked += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns)
    assert claims_of(_footer(path), columns) == Claims(rows, unpacked)


def test_a_chunk_that_claims_more_rows_than_its_group_is_believed():
    field, struct, i64 = 0x10, 12, 6
    number = bytes([0x80, 0x80, 0x80, 0x02])  # 2 097 152, in zigzag code
    chunk = bytes([0x30 | 9, 0x18, 1]) + b"x" + bytes([0x20 | i64]) + number + bytes([field | i64, 10, 0])
    group = bytes([field | 9, field | struct, 0x30 | struct]) + chunk + bytes([0, 0x20 | i64, 6, 0])
    footer = bytes([0x40 | 9, field | struct]) + group + bytes([0])
    assert claims_of(footer, {"x"}) == Claims(2_097_152, 5)
    assert claims_of(footer, {"y"}) == Claims(3, 0)
    for size in range(len(footer)):
        with pytest.raises(ValueError, match="footer"):
            claims_of(footer[:size], {"x"})


@pytest.mark.parametrize(
    ("footer", "message"),
    [
        (b"\x49\xfc\xff\xff\xff\x0f", "claims 33554431 values where fewer bytes are left"),
        (b"\x49\x18a", "a list of type 8 where 12 belongs"),
        (b"\x1d\x00", "the unknown type 13"),
        (b"\x19" * 2 + b"\x19" * 100, "nested too deeply"),
        (b"\x16" + b"\xff" * 11, "more than 64 bits"),
        (b"\x18\x7fa", "is cut off"),
    ],
)
def test_footers_that_are_none(footer, message):
    with pytest.raises(ValueError, match=message):
        claims_of(footer, {"x"})


def test_any_damage_is_a_value_error_or_a_number(tmp_path):
    footer, random = _footer(written(tmp_path)), np.random.default_rng(0)
    for _ in range(3000):
        damaged = bytearray(footer)
        for place in random.integers(len(footer), size=random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            found = claims_of(bytes(damaged), {"id", "x"})
        except ValueError:
            continue
        assert isinstance(found.rows, int)
        assert found.unpacked >= 0


READ_ALL = """
import sys
from pathlib import Path
from holo_types import HoloError
from holo_types.files.parquet_files import _footer, read_parquet
path = Path(sys.argv[1])
whole, footer = path.read_bytes(), _footer(path)
start = len(whole) - 8 - len(footer)
for place in range(start, start + len(footer)):
    if whole[place] == 2:  # 1 in zigzag code, as an optional column has
        path.write_bytes(whole[:place] + bytes(1) + whole[place + 1 :])
        try:
            read_parquet(path)
        except HoloError:
            pass
"""


def test_no_damaged_description_of_a_chunk_ends_the_process(tmp_path):
    """pyarrow's own view of a chunk throws where Python cannot catch it, if the levels do not fit the schema."""
    path = written(tmp_path)
    assert read_parquet(path).num_rows == 100
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
