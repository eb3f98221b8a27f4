"""Batches from memory and from files: what is in them, and what must not change it."""

import hashlib
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms
from holo_vae.batches import Batch, Rows, data_scale, dataset_digest, open_rows, split_by_group
from holo_vae.config import Condition

BASIS = Basis(lmax=20, radial=None, channels=("a", "b", "c", "d", "e", "f", "g", "h"))  # 18 rows a chunk
COUNT = 1000


def numbered(count: int = COUNT, first: int = 0, dtype: str = "float32") -> Holograms:
    """Give holograms whose first coefficient is the row's number."""
    coefficients = np.random.default_rng(first).normal(size=(count, BASIS.dim)).astype(dtype)
    coefficients[:, 0] = np.arange(first, first + count)
    index = {
        "structure": [f"s{row // 7}" for row in range(first, first + count)],
        "label": np.arange(count) % 3,
    }
    return Holograms(coefficients, BASIS, index)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give three files, one of which has no rows."""
    folder = tmp_path_factory.mktemp("shards")
    for name, part in {"a": numbered(430), "b": numbered(0), "c": numbered(570, 430)}.items():
        holo_types.save(part, folder / f"{name}.h5")
    return [folder / f"{name}.h5" for name in "abc"]


@pytest.fixture(scope="module")
def whole(shards: list[Path]) -> Holograms:
    return holo_types.concatenate([numbered(430), numbered(570, 430)])


def opened(source: object, **settings: object) -> Rows:
    return open_rows(source, **{"shuffle_rows": 200, "condition": None, **settings})  # type: ignore[arg-type]


def numbers(batches: list[Batch]) -> NDArray[np.int64]:
    return np.concatenate([batch.rows for batch in batches])


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(our.rows, their.rows)
        assert torch.equal(our.coefficients, their.coefficients)


@pytest.fixture(params=["memory", "file in memory", "streamed"])
def rows(request: pytest.FixtureRequest, shards: list[Path], whole: Holograms) -> Rows:
    if request.param == "memory":
        return opened(whole)
    return opened(shards, shuffle_rows=200 if request.param == "streamed" else COUNT)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 300, 1000, 5000])
def test_each_row_comes_once_an_epoch_in_equal_batches(rows: Rows, whole: Holograms, batch_size: int) -> None:
    batches = list(rows.epoch(3, 1, batch_size))
    assert sorted(numbers(batches)) == list(range(COUNT))
    assert len(batches) == rows.steps(batch_size) == -(-COUNT // batch_size)
    sizes = {len(batch.rows) for batch in batches}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    for batch in batches:
        np.testing.assert_array_equal(batch.coefficients.numpy(), whole.coefficients[batch.rows])
        assert batch.coefficients.is_contiguous()
        assert batch.labels is None


def test_a_batch_is_the_same_wherever_the_epoch_begins_and_whoever_reads(
    rows: Rows, shards: list[Path]
) -> None:
    batches = list(rows.epoch(0, 2, 32))
    for start in (0, 1, 5, 6, 17, 31, 32):
        assert_same(list(rows.epoch(0, 2, 32, start=start)), batches[start:])
    assert_same(list(attrs.evolve(rows, workers=3).epoch(0, 2, 32)), batches)


@pytest.mark.parametrize("world", [2, 3, 5])
def test_ranks_have_the_parts_of_every_batch_that_tensor_split_gives(rows: Rows, world: int) -> None:
    batches = list(rows.epoch(0, 0, 32))
    ranks = [list(rows.epoch(0, 0, 32, start=4, rank=rank, world=world)) for rank in range(world)]
    for number, batch in enumerate(batches[4:]):
        parts = [mine[number] for mine in ranks]
        expected = torch.from_numpy(batch.rows).tensor_split(world)
        for part, its in zip(parts, expected, strict=True):
            np.testing.assert_array_equal(part.rows, its.numpy())
        assert torch.equal(torch.cat([part.coefficients for part in parts]), batch.coefficients)


def test_epochs_and_seeds_differ(rows: Rows) -> None:
    orders = [numbers(list(rows.epoch(seed, epoch, 50))) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))]
    for one in range(4):
        for other in range(one):
            assert (orders[one] == orders[other]).mean() < 0.05


def test_a_file_in_memory_gives_what_holograms_give(shards: list[Path], whole: Holograms) -> None:
    assert_same(list(opened(shards, shuffle_rows=COUNT).epoch(0, 0, 64)), list(opened(whole).epoch(0, 0, 64)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chosen_rows_in_order(rows: Rows, whole: Holograms, shards: list[Path], dtype: torch.dtype) -> None:
    chosen = np.flatnonzero(np.random.default_rng(0).random(COUNT) < 0.4)
    source = whole if rows.shards is None else shards
    some = opened(source, rows=chosen, shuffle_rows=rows.shuffle_rows, dtype=dtype)
    batches = list(some.in_order(30))
    np.testing.assert_array_equal(numbers(batches), chosen)
    assert {batch.coefficients.dtype for batch in batches} == {dtype}
    values = torch.cat([batch.coefficients for batch in batches])
    np.testing.assert_array_equal(values.numpy(), whole.coefficients[chosen])
    assert sorted(numbers(list(some.epoch(0, 0, 30)))) == chosen.tolist()


def test_batches_are_the_callers_own(rows: Rows) -> None:
    for batches in (rows.epoch, lambda *_: rows.in_order(50)):
        for batch in batches(0, 0, 50):
            batch.coefficients.zero_()
        assert sum(batch.coefficients[:, 0].sum() for batch in batches(0, 0, 50)) == COUNT * (COUNT - 1) / 2


# How well streamed rows are shuffled


def long_file(folder: Path) -> Rows:
    """Give 20,000 short rows in chunks of 4,096 / 16 = ... of which a window holds an eighth."""
    basis = Basis(lmax=15, radial=None, channels=("image",))  # 256 rows a chunk
    coefficients = np.zeros((20_000, basis.dim), np.float32)
    coefficients[:, 0] = np.arange(20_000)
    holo_types.save(Holograms(coefficients, basis), folder / "long.h5")
    return open_rows(folder / "long.h5", shuffle_rows=2500)
