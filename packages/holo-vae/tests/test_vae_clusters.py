"""What an epoch takes where rows are in clusters: how many of each, which, and what must not change it."""

from collections import defaultdict
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

import holo_types
from holo_types import Basis, HoloError, Holograms
from holo_vae import Recipe, initial_model, train
from holo_vae.data.batches import Rows, open_rows
from holo_vae.data.clusters import ClusterColumns, Clusters
from holo_vae.data.opening import open_data

COLUMNS = ClusterColumns("family", "structure")
BASIS = Basis(lmax=20, radial=None, channels=("a", "b", "c", "d", "e", "f", "g", "h"))  # 18 rows a chunk
SIZES = {"many": [20, 30, 25, 25, 20], "two": [31, 40], "one": [60]}  # rows of each structure of a family
QUOTAS = {"many": 24, "two": 36, "one": 60}  # the means; 35.5 is rounded to the even number


def in_families(basis: Basis) -> Holograms:
    """Return the rows of structures in families, one structure after the other, families mixed."""
    names = [
        (family, f"{family}{n}", size) for family, sizes in SIZES.items() for n, size in enumerate(sizes)
    ]
    names = [names[place] for place in np.random.default_rng(3).permutation(len(names))]
    family, structure = (
        np.repeat([name[part] for name in names], [name[2] for name in names]) for part in (0, 1)
    )
    coefficients = np.random.default_rng(0).normal(size=(len(family), basis.dim)).astype(np.float32)
    return Holograms(coefficients, basis, {"structure": structure, "family": family})


@pytest.fixture(scope="module")
def holograms() -> Holograms:
    return in_families(BASIS)


@pytest.fixture(params=["memory", "file in memory", "streamed"])
def rows(request: pytest.FixtureRequest, tmp_path: Path, holograms: Holograms) -> Rows:
    source: object = holograms
    if request.param != "memory":
        source = [tmp_path / "a.h5", tmp_path / "b.h5"]
        holo_types.save(holograms[:100], source[0])
        holo_types.save(holograms[100:], source[1])
    shuffle_rows = 50 if request.param == "streamed" else 1000
    return open_rows(source, clusters=COLUMNS, shuffle_rows=shuffle_rows)  # type: ignore[arg-type]


def numbers(rows: Rows, epoch: int, **part: int) -> np.ndarray:
    return np.concatenate([batch.rows for batch in rows.epoch(0, epoch, 16, **part)])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=60), st.integers(0, 9))
def test_each_cluster_gives_what_its_groups_have_on_average(pairs: list[tuple[int, int]], seed: int) -> None:
    groups = defaultdict(lambda: defaultdict(int))  # independent: counted row by row
    for cluster, group in pairs:
        groups[cluster][group] += 1
    members = np.array([cluster for cluster, _ in pairs])
    clusters = Clusters.of(members, np.array([group for _, group in pairs]))
    drawn = clusters.drawn(seed, 0)
    assert len(drawn) == len(clusters)
    assert (np.diff(drawn) > 0).all()
    for cluster, sizes in groups.items():
        mean = sum(sizes.values()) / len(sizes)
        assert abs((members[drawn] == cluster).sum() - mean) <= 0.5
    if all(len(sizes) == 1 for sizes in groups.values()):
        assert len(drawn) == len(pairs), "where nothing is alike, every row comes"


def test_every_row_of_a_cluster_comes_alike_often() -> None:
    members = np.repeat([0, 1], [30, 10])
    clusters = Clusters.of(members, np.arange(40) // 10)
    epochs = 600
    counts = np.bincount(np.concatenate([clusters.drawn(7, epoch) for epoch in range(epochs)]), minlength=40)
    assert (counts[30:] == epochs).all()
    # Of a sample without replacement: variance p (1 - p) an epoch, and one degree of freedom less.
    expected, variance = epochs / 3, epochs * (1 / 3) * (2 / 3)
    chi_squared = ((counts[:30] - expected) ** 2).sum() / variance / (30 / 29) / 29
    assert 0.4 < chi_squared < 1.9  # 1 by chance, its spread 0.26
    # What one epoch takes says nothing of the next: a third of ten rows is there again.
    again = [
        len(np.intersect1d(clusters.drawn(7, e)[:10], clusters.drawn(7, e + 1)[:10])) for e in range(200)
    ]
    assert np.mean(again) == pytest.approx(10 / 3, abs=0.4)


def test_an_epoch_has_a_sample_of_each_cluster(rows: Rows, holograms: Holograms) -> None:
    assert len(rows) == 251
    assert rows.epoch_rows == sum(QUOTAS.values())
    assert rows.steps(16) == 8
    seen = []
    for epoch in range(3):
        order = numbers(rows, epoch)
        assert len(set(order)) == len(order) == rows.epoch_rows
        families, counts = np.unique(holograms.index["family"][order], return_counts=True)
        assert dict(zip(families.tolist(), counts.tolist(), strict=True)) == QUOTAS
        seen.append(set(order))
    assert seen[0] != seen[1] != seen[2]
    for batch in rows.epoch(0, 0, 16):
        np.testing.assert_array_equal(batch.coefficients.numpy(), holograms.coefficients[batch.rows])
    assert len(np.concatenate([batch.rows for batch in rows.in_order(64)])) == 251, "in order all rows come"


def test_memory_and_files_draw_the_same_rows(rows: Rows, holograms: Holograms) -> None:
    memory = open_rows(holograms, clusters=COLUMNS, shuffle_rows=1000)
    for epoch in range(2):
        assert sorted(numbers(rows, epoch)) == sorted(numbers(memory, epoch))


def test_a_sample_is_the_same_wherever_the_epoch_begins_and_for_all_processes(rows: Rows) -> None:
    whole = list(rows.epoch(0, 1, 16))
    later = list(rows.epoch(0, 1, 16, start=5))
    parts = [list(rows.epoch(0, 1, 16, rank=rank, world=2)) for rank in (0, 1)]
    for number, batch in enumerate(whole):
        halves = torch.cat([parts[rank][number].coefficients for rank in (0, 1)])
        assert torch.equal(halves, batch.coefficients)
        if number >= 5:
            assert torch.equal(later[number - 5].coefficients, batch.coefficients)


def test_a_column_that_is_not_there_is_named(holograms: Holograms) -> None:
    with pytest.raises(HoloError, match="no column 'clan'; it has"):
        open_rows(holograms, clusters=ClusterColumns("clan", "structure"), shuffle_rows=10)


def test_no_cluster_is_on_both_sides_of_a_split(recipe: Recipe, tmp_path: Path) -> None:
    holo_types.save(in_families(recipe.model.basis), tmp_path / "data.h5")
    training = attrs.evolve(recipe.training, cluster_column="family", validation_fraction=0.4)
    data = open_data(attrs.evolve(recipe, training=training), [tmp_path / "data.h5"], [], tmp_path)
    family = in_families(recipe.model.basis).index["family"]
    sides = [set(family[rows.numbers]) for rows in (data.training, data.validation)]
    assert sides[0] | sides[1] == set(SIZES)
    assert not sides[0] & sides[1]
    assert data.training.epoch_rows == sum(QUOTAS[name] for name in sides[0])
    assert data.validation.epoch_rows == len(data.validation)


class _StopError(Exception):
    pass


def test_a_resumed_run_draws_as_one_that_was_not_stopped(recipe: Recipe, tmp_path: Path) -> None:
    chosen = attrs.evolve(recipe, training=attrs.evolve(recipe.training, checkpoint_minutes=0.0))
    holograms = in_families(recipe.model.basis)
    training = open_rows(holograms, clusters=COLUMNS, shuffle_rows=1000)
    validation = open_rows(holograms[:20], shuffle_rows=1000)
    steps, samples = training.steps(16), []

    def run(state: Path | None, last: int | None):
        def on_step(step):
            samples.append(step.samples)
            if step.number == last:
                raise _StopError

        network = initial_model(chosen, 3.0, "small").network
        history = list(train(network, training, validation, chosen, state=state, on_step=on_step))
        return network.state_dict(), [epoch.loss for epoch in history]

    weights, losses = run(None, None)
    assert sum(samples) == chosen.training.epochs * training.epoch_rows
    with pytest.raises(_StopError):
        run(tmp_path, steps + 3)
    resumed, again = run(tmp_path, None)
    assert again == losses
    assert all(torch.equal(weights[name], resumed[name]) for name in weights)
