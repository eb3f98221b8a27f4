"""A folder of Parquet parts: one table for every reader, continued from what is whole."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from holo_types import Embeddings, HoloError, ModelReference, PartsWriter, to_table

pandas = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")

MODEL = ModelReference("demo", "1", "0" * 64, "0" * 64)


def rows(name: str, count: int = 3, scale: float = 1.0) -> Embeddings:
    generator = np.random.default_rng(sum(name.encode()))
    z = (scale * generator.standard_normal((count, 4))).astype(np.float32)
    frames = np.broadcast_to(np.eye(3, dtype=np.float32), (count, 3, 3)).copy()
    index = {"structure": [name] * count, "residue_number": np.arange(count)}
    return Embeddings(z, frames, MODEL, index)


def test_the_folder_reads_as_one_table_with_one_schema(tmp_path: Path) -> None:
    names = [f"{number}abc" for number in range(7)]
    with PartsWriter(tmp_path / "z", rows=6) as writer:
        for name in names:
            writer.append(rows(name))
        assert len(writer) == 21
    parts = sorted((tmp_path / "z").iterdir())
    assert [parquet.read_metadata(part).num_rows for part in parts] == [6, 6, 6, 3]
    assert len({parquet.read_schema(part).to_string() for part in parts}) == 1
    expected = pandas.concat([to_table(rows(name)) for name in names], ignore_index=True)
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "z"), expected, check_dtype=False)
    found = pandas.read_parquet(tmp_path / "z")
    assert found["z_0"].dtype == np.float32
    assert found.attrs["model"]["name"] == "demo"


def test_half_precision_is_rounded_to_the_nearest_and_read_as_float32(tmp_path: Path) -> None:
    whole = rows("1abc", 100)
    with PartsWriter(tmp_path / "z", half=True) as writer:
        writer.append(whole)
    found = pandas.read_parquet(tmp_path / "z")
    z = found[[f"z_{i}" for i in range(4)]].to_numpy()
    assert z.dtype == np.float32
    # 11 significant bits: half a unit in the last place is 2^-11 of the value, 2^-25 near 0.
    assert (np.abs(z - whole.invariants) <= np.maximum(2.0**-11 * np.abs(whole.invariants), 2.0**-25)).all()
    assert (z != whole.invariants).any()
    np.testing.assert_array_equal(found["frame_xx"], whole.frames[:, 0, 0])
    with PartsWriter(tmp_path / "large", half=True) as writer:
        writer.append(whole)
        with pytest.raises(
            HoloError, match=r"component of size .*; with half precision it must be at most 65504"
        ):
            writer.append(rows("2abc", 3, 1e6))
        assert len(writer) == 100


def test_it_is_continued_with_the_same_settings_only(tmp_path: Path) -> None:
    with PartsWriter(tmp_path, settings={"model": "a"}) as writer:
        writer.append(rows("1abc"))
    with pytest.raises(HoloError, match="is not empty, and is not replaced; continue it with resume=True"):
        PartsWriter(tmp_path, settings={"model": "a"})
    with pytest.raises(HoloError, match="model was a, and is now b; continue it with the same"):
        PartsWriter(tmp_path, resume=True, settings={"model": "b"})
    with pytest.raises(HoloError, match="half was False, and is now True"):
        PartsWriter(tmp_path, resume=True, settings={"model": "a"}, half=True)
    (tmp_path / ".part-000001.parquet.0123abcd.tmp").write_bytes(b"unfinished")
    with PartsWriter(tmp_path, resume=True, settings={"model": "a"}) as writer:
        assert (len(writer), writer.written("structure")) == (3, {"1abc"})
        writer.append(rows("2abc"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-000000.parquet", "part-000001.parquet"]
    assert pandas.read_parquet(tmp_path)["structure"].tolist() == ["1abc"] * 3 + ["2abc"] * 3


def test_rows_of_a_part_that_is_not_full_yet_survive_a_kill(tmp_path: Path) -> None:
    def write(folder: Path, first: int, *, killed: int | None = None) -> None:
        with PartsWriter(folder, resume=True, settings={"model": "a"}, rows=12) as writer:
            assert writer.written("structure") == (
                {f"{number}abc" for number in range(first)} if first else set()
            )
            for number in range(first, 10):
                writer.append(rows(f"{number}abc"))
                if number == killed:
                    assert writer._rest is not None
                    writer._rest.commit()  # as it does by itself every few seconds
                    shutil.copytree(folder, folder.with_name(f"killed{number}"))

    write(tmp_path / "whole", 0, killed=6)
    expected = pandas.read_parquet(tmp_path / "whole")
    names = ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]
    killed = tmp_path / "killed6"
    assert sorted(path.name for path in killed.iterdir())[-2:] == [".part-000001.h5", names[0]]
    assert len(pandas.read_parquet(killed)) == 12
    with pytest.raises(HoloError, match="model was a, and is now b"):
        PartsWriter(killed, resume=True, settings={"model": "b"})
    shutil.copy(
        killed / ".part-000001.h5", killed / ".part-000000.h5"
    )  # of a run killed before it removed it
    write(killed, 7)
    assert sorted(path.name for path in killed.iterdir()) == names
    pandas.testing.assert_frame_equal(pandas.read_parquet(killed), expected)
    for name in names:
        assert len(pandas.read_parquet(killed / name)) == len(pandas.read_parquet(tmp_path / "whole" / name))


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with PartsWriter(tmp_path / "z") as first:
        for resume in (False, True):
            with pytest.raises(HoloError, match="z: another run is alive and writes into it"):
                PartsWriter(tmp_path / "z", resume=resume)
        first.append(rows("1abc"))
    assert [path.name for path in (tmp_path / "z").iterdir()] == ["part-000000.parquet"]


def test_a_folder_that_was_removed_is_not_said_to_be_written(tmp_path: Path) -> None:
    for count in (0, 1):
        writer = PartsWriter(tmp_path / "z", rows=6)
        for _ in range(count):
            writer.append(rows("1abc"))
        (tmp_path / "z").rename(tmp_path / f"elsewhere{count}")
        with pytest.raises(HoloError, match="z: was removed or replaced while this run wrote to it"):
            writer.append(rows("2abc"))
        assert not (tmp_path / "z").exists()


def test_rows_of_other_columns_are_refused(tmp_path: Path) -> None:
    other = Embeddings(np.zeros((1, 4), np.float32), np.zeros((1, 3, 3), np.float32), MODEL, {"chain": ["A"]})
    with PartsWriter(tmp_path) as writer:
        writer.append(rows("1abc"))
        with pytest.raises(HoloError, match="what is appended does not fit what is there: "):
            writer.append(other)
    writer = PartsWriter(tmp_path, resume=True)
    writer.append(other)
    with pytest.raises(HoloError, match="would differ from the earlier parts in columns, types or model"):
        writer.commit()


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_killed_run_leaves_whole_parts(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from {Path(__file__).stem} import PartsWriter, rows
replace = os.replace
def dies(new, target):
    if "000002" in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(new, target)
os.replace = dies
with PartsWriter({str(tmp_path / "z")!r}, rows=3) as writer:
    for number in range(9):
        writer.append(rows(f"{{number}}abc"))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert pandas.read_parquet(tmp_path / "z")["structure"].nunique() == 2
    with PartsWriter(tmp_path / "z", resume=True) as writer:
        assert writer.written("structure") == {"0abc", "1abc"}
