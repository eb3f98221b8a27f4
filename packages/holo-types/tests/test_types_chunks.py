"""Chunks that are compressed here, read by HDF5's own filters."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from holo_types.files.chunks import extend_floats

CHUNK = 50


def written(path: Path, appends: list[NDArray[np.floating]], *, by_hdf5: bool = False) -> int:
    """Write appends to the dataset x and return the bytes that it takes."""
    first = appends[0]
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "x",
            shape=(0, *first.shape[1:]),
            maxshape=(None, *first.shape[1:]),
            chunks=(CHUNK, *first.shape[1:]),
            dtype=first.dtype,
            shuffle=True,
            compression="gzip",
            compression_opts=1,
        )
        for values in appends:
            if by_hdf5:
                dataset.resize(len(dataset) + len(values), axis=0)
                dataset[-len(values) :] = values
            else:
                extend_floats(dataset, values)
        return int(dataset.id.get_storage_size())


def rows(count: int, dtype: str, shape: tuple[int, ...] = (300,)) -> NDArray[np.floating]:
    return np.random.default_rng(count).standard_normal((count, *shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 3), (2, 4, 5)])
def test_hdf5_reads_what_was_appended_in_any_portions(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    appends = [rows(count, dtype, shape) for count in (1, 48, 1, 1, 120, 50, 30)]
    written(tmp_path / "a.h5", appends)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["x"][:], np.concatenate(appends))


def test_bits_that_are_no_usual_number_stay(tmp_path: Path) -> None:
    values = np.array([-0.0, 5e-324, -1e308, np.finfo(np.float64).eps])
    written(tmp_path / "a.h5", [values])
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["x"][:].tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("values", "at_most"),
    [
        (rows(200, "float32"), 1.05),  # noise: what gzip gains, less a little
        (np.arange(60_000, dtype=np.float32).reshape(200, 300), 1.05),  # regular
        (np.zeros((200, 300)), 3.0),  # zeros: next to nothing either way
        (np.eye(4, dtype=np.float32)[np.arange(20_000) % 3].reshape(200, 400), 1.5),  # one-hot weights
    ],
)
def test_it_is_about_as_small_as_hdf5_makes_it(
    tmp_path: Path, values: NDArray[np.floating], at_most: float
) -> None:
    ours = written(tmp_path / "ours.h5", [values])
    theirs = written(tmp_path / "theirs.h5", [values], by_hdf5=True)
    assert ours < at_most * theirs
    assert ours < 0.9 * values.nbytes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_chunk_of_few_rows_takes_little_more_than_they_do(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).standard_normal((3, 2)).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "x", (0, 2), dtype, maxshape=(None, 2), chunks=(4096, 2), shuffle=True, compression="gzip"
        )
        extend_floats(dataset, values)
        np.testing.assert_array_equal(dataset[:], values)
        assert dataset.id.get_storage_size() < 1000  # 4096 rows are 32 or 64 KiB
