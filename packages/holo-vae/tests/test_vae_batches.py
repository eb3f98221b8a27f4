"""Batches from memory and from files: what is in them, and what must not change it."""

import hashlib
import math
import threading
import weakref
from concurrent.futures import Executor
from pathlib import Path

import attrs
import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms
from holo_vae.data.batches import Batch, Rows, data_scale, dataset_digest, open_rows, split_by_group
from holo_vae.data.shards import Reading, Shards
from holo_vae.recipes.model import Condition

BASIS = Basis(lmax=20, radial=None, channels=("a", "b", "c", "d", "e", "f", "g", "h"))  # 18 rows a chunk
COUNT = 1000


def numbered(count: int = COUNT, first: int = 0, dtype: str = "float32") -> Holograms:
    """Return holograms whose first coefficient is the row's number."""
    coefficients = np.random.default_rng(first).normal(size=(count, BASIS.dim)).astype(dtype)
    coefficients[:, 0] = np.arange(first, first + count)
    index = {
        "structure": [f"s{row // 7}" for row in range(first, first + count)],
        "label": np.arange(count) % 3,
    }
    return Holograms(coefficients, BASIS, index)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return three files, one of which has no rows."""
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

CHUNK = 4096  # rows of one coefficient each
LONG = 200 * CHUNK


@pytest.fixture(scope="module")
def long_rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return 200 chunks, of which a window holds 25."""
    path = tmp_path_factory.mktemp("long") / "long.h5"
    basis = Basis(lmax=0, radial=None, channels=("image",))
    holo_types.save(Holograms(np.ones((LONG, 1), np.float32), basis), path)
    return open_rows(path, shuffle_rows=25 * CHUNK)


def test_streamed_rows_are_mixed_over_the_epoch_and_within_batches(long_rows: Rows) -> None:
    correlations = []
    for epoch in range(2):
        batches = list(long_rows.epoch(0, epoch, 256))
        order = numbers(batches)
        assert np.array_equal(np.sort(order), np.arange(LONG))
        correlations.append(np.corrcoef(order, np.arange(LONG))[0, 1])
    # Chance gives 1 / sqrt(200 chunks) = 0.07; rows in their order give 1.
    assert np.abs(correlations).max() < 0.3

    distinct = [len(np.unique(batch.rows // CHUNK)) for batch in batches]
    assert min(distinct) >= 3  # in the first window, an eighth of a whole one
    assert np.median(distinct) >= 20  # nearly all chunks of a window

    # Neighbors in the file are together in a batch as seldom as batch / window says: about 256 / 100,000.
    neighbors = [np.isin(batch.rows + 1, batch.rows).mean() for batch in batches]
    assert np.median(neighbors) <= 2 / 256
    assert np.mean(neighbors) < 0.01


def test_within_a_window_each_chunk_comes_everywhere_alike(long_rows: Rows) -> None:
    batches = list(long_rows.epoch(1, 0, 256))
    counts = np.array([np.bincount(batch.rows // CHUNK, minlength=200) for batch in batches[1500:1550]])
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = counts.mean(axis=0)
    chi_squared = ((counts - expected) ** 2 / expected).sum() / (49 * (counts.shape[1] - 1))
    assert chi_squared == pytest.approx(1, abs=0.15)  # of independent draws; its spread is sqrt(2 / 1,200)


def test_starting_late_reads_no_windows_before(long_rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    field = holo_types.Reader.field

    def counted(self: holo_types.Reader, name: str, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        read.append(len(chosen))
        return field(self, name, chosen)

    monkeypatch.setattr(holo_types.Reader, "field", counted)
    steps = long_rows.steps(256)
    (last,) = long_rows.epoch(0, 0, 256, start=steps - 1)
    assert sum(read) == len(last.rows)
    assert list(long_rows.epoch(0, 0, 256, start=steps)) == []


def test_two_windows_are_in_memory_at_most(shards: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[weakref.ref[NDArray[np.floating]]] = []
    read = Shards.read

    def watched(self: Shards, chosen: NDArray[np.int64], dtype: np.dtype, workers: Executor) -> Reading:
        reading = read(self, chosen, dtype, workers)
        windows.append(weakref.ref(reading.values))
        return reading

    monkeypatch.setattr(Shards, "read", watched)
    kept, alive, largest = [], 0, 0
    for batch in opened(shards).epoch(0, 0, 20):
        kept.append(batch)
        sizes = [len(values) for window in windows if (values := window()) is not None]
        alive, largest = max(alive, len(sizes)), max(largest, *sizes)
        del sizes
    assert len(windows) > 4
    assert alive == 2
    assert largest <= 200


def test_an_epoch_that_is_left_ends_its_threads(shards: list[Path]) -> None:
    batches = opened(shards, workers=2).epoch(0, 0, 10)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("holo-rows")]


# Labels


def test_labels_are_the_numbers_of_categories(rows: Rows, shards: list[Path], whole: Holograms) -> None:
    source = whole if rows.shards is None else shards
    labeled = opened(
        source, shuffle_rows=rows.shuffle_rows, condition=Condition(column="label", categories=(2, 0, 1))
    )
    for batch in [*labeled.epoch(0, 0, 100), *labeled.in_order(100)]:
        assert batch.labels is not None
        assert batch.labels.dtype == torch.int64
        values = np.array([2, 0, 1])[batch.labels.numpy()]
        np.testing.assert_array_equal(values, whole.index["label"][batch.rows])


def test_a_value_that_is_no_category_is_named_with_its_row(shards: list[Path], whole: Holograms) -> None:
    condition = Condition(column="structure", categories=tuple(f"s{number}" for number in range(100)))
    with pytest.raises(HoloError, match=r"c.h5: row 270 has structure 's100'; it must be one of 's0', "):
        opened(shards, condition=condition)
    with pytest.raises(HoloError, match=r"the holograms: row 700 has structure 's100'"):
        opened(whole, condition=condition)
    assert len(opened(shards, condition=condition, rows=np.arange(700))) == 700
    with pytest.raises(HoloError, match=r"a.h5: its index has no column 'family'"):
        opened(shards, condition=Condition(column="family", categories=("a", "b")))


# Bad data


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shuffle_rows", [10, 500])
def test_numbers_that_are_not_finite_are_named(tmp_path: Path, bad: float, shuffle_rows: int) -> None:
    holograms = numbered(100)
    holo_types.save(holograms, tmp_path / "bad.h5")
    holograms.coefficients[77, 3] = bad  # neither our types nor our writer would take it
    with h5py.File(tmp_path / "bad.h5", "r+") as file:
        file["fields/coefficients"][77, 3] = bad
    for source, message in (
        (holograms, f"row 77 holds {bad} in coefficient 3"),
        (
            tmp_path / "bad.h5",
            r"bad\.h5: rows [0-9]+ to [0-9]+ of fields/coefficients do not match their checksum",
        ),
    ):
        with pytest.raises(HoloError, match=message):
            list(opened(source, shuffle_rows=shuffle_rows).epoch(0, 0, 10))
    for source in (
        holograms,
        tmp_path / "bad.h5",
    ):  # what is not read, and lies in another chunk, does no harm
        assert len(opened(source, rows=np.arange(70), shuffle_rows=500)) == 70


def test_numbers_that_float32_cannot_hold_are_named(tmp_path: Path) -> None:
    holograms = numbered(100, dtype="float64")
    holograms.coefficients[50, 9] = 1e39
    assert len(opened(holograms, dtype=torch.float64)) == 100
    with pytest.raises(HoloError, match=r"row 50 holds inf in coefficient 9; .* finite float32"):
        opened(holograms)


def test_shards_that_do_not_fit_are_named(tmp_path: Path, shards: list[Path]) -> None:
    other = attrs.evolve(BASIS, channels=tuple("abcdefgx"))
    holo_types.save(attrs.evolve(numbered(3), basis=other), tmp_path / "basis.h5")
    holo_types.save(attrs.evolve(numbered(3), index={"label": [1, 2, 3]}), tmp_path / "columns.h5")
    holo_types.save(
        attrs.evolve(numbered(3), index={"structure": [1, 2, 3], "label": [1, 2, 3]}), tmp_path / "kind.h5"
    )
    holo_types.save(numbered(0), tmp_path / "empty.h5")
    images = holo_types.SphereImages(np.zeros((1, 1, 4, 4)), "driscoll-healy", ("image",))
    holo_types.save(images, tmp_path / "images.h5")
    for name, message in {
        "basis": "basis.h5: its basis is ",
        "columns": r"columns.h5: its index has the columns \['label'\]",
        "images": "images.h5: holds SphereImages; Holograms are needed",
        "absent": "absent.h5: there is no such file",
    }.items():
        with pytest.raises(HoloError, match=message):
            opened([*shards, tmp_path / f"{name}.h5"])
    with pytest.raises(HoloError, match=r"kind.h5: its column 'structure' is of int64"):
        split_by_group([*shards, tmp_path / "kind.h5"], "structure", 0.5, 0)
    for nothing in ([], [tmp_path / "empty.h5"], numbered(0)):
        with pytest.raises(HoloError, match=r"holds no holograms|no rows"):
            opened(nothing)


@pytest.mark.parametrize("chosen", [[3, 2], [2, 2], [-1, 4], [5, 1000], []])
def test_rows_that_are_not_there_or_come_twice_are_refused(whole: Holograms, chosen: list[int]) -> None:
    with pytest.raises(HoloError, match="rows"):
        opened(whole, rows=np.array(chosen, np.int64))


def test_a_file_that_is_damaged_or_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(numbered(300), path)
    content = path.read_bytes()
    rows = opened(path, shuffle_rows=100)
    holo_types.save(numbered(300, 1), path)
    with pytest.raises(FormatError, match=r"a.h5: was changed after training began"):
        list(rows.epoch(0, 0, 10))
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match=r"a.h5: is cut short or damaged"):
        list(opened(path, shuffle_rows=100).epoch(0, 0, 10))


# Figures of the whole


def test_a_split_is_the_same_from_files_and_memory(shards: list[Path], whole: Holograms) -> None:
    split = split_by_group(shards, "structure", 0.25, seed=4)
    sides = [set(whole.index["structure"][rows]) for rows in (split.training, split.validation)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == round(0.25 * len(set(whole.index["structure"])))
    assert sorted([*split.training, *split.validation]) == list(range(COUNT))
    again = split_by_group(whole, "structure", 0.25, seed=4)
    np.testing.assert_array_equal(split.validation, again.validation)
    assert not np.array_equal(split.validation, split_by_group(whole, "structure", 0.25, 5).validation)


def test_splitting_names_what_is_missing(whole: Holograms) -> None:
    with pytest.raises(HoloError, match="no column 'family'"):
        split_by_group(whole, "family", 0.5, 0)
    with pytest.raises(HoloError, match="1 structure value"):
        split_by_group(whole[:3], "structure", 0.5, 0)


def test_the_scale_is_the_mean_norm_however_rows_are_cut(
    rows: Rows, shards: list[Path], whole: Holograms
) -> None:
    norms = np.zeros(COUNT)
    for degree in range(BASIS.lmax + 1):
        norms += (whole.degree(degree).astype(float) ** 2).sum(axis=(1, 2)) / (2 * degree + 1)
    expected = math.fsum(np.sqrt(norms)) / COUNT
    for source in (rows, shards, whole):
        assert data_scale(source) == pytest.approx(expected, rel=1e-12)


def test_zero_holograms_are_refused(whole: Holograms) -> None:
    with pytest.raises(HoloError, match="is zero"):
        data_scale(attrs.evolve(whole, coefficients=np.zeros_like(whole.coefficients)))


def test_the_digest_is_of_the_coefficients(shards: list[Path], whole: Holograms) -> None:
    expected = hashlib.sha256(whole.coefficients.astype("<f4").tobytes()).hexdigest()
    assert dataset_digest(shards) == dataset_digest(whole) == expected
    assert dataset_digest(whole[::-1]) != expected
