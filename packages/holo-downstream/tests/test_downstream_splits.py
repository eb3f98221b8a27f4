import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from holo_downstream.validation.splits import leak_check, split_by_cluster
from holo_types import HoloError


def test_leaks_by_cluster_and_by_ligand_are_named():
    clusters = {"1a": "7", "1b": "7", "1c": "8", "2a": "7", "2b": "9", "2c": ""}
    ligands = {"1a": "ATP", "1c": "", "2a": "GTP", "2b": "ATP", "2c": ""}
    leaks = leak_check(["1a", "1b", "1c"], ["2a", "2b", "2c"], clusters, ligands)
    assert [(leak.id, leak.by, leak.value, leak.learned) for leak in leaks] == [
        ("2a", "cluster", "7", ("1a", "1b")),
        ("2b", "ligand", "ATP", ("1a",)),
    ]
    assert leak_check(["1a"], ["2a"]) == ()


def test_many_training_complexes_are_shortened():
    (leak,) = leak_check("abcde", ["z"], dict.fromkeys("abcdez", "1"))
    assert str(leak) == "cluster 1 is also that of a, b, c, ..., learned from"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 12), min_size=3, max_size=80), st.integers(0, 100))
def test_splits_by_cluster_never_leak(clusters, seed):
    names = np.array([str(cluster) for cluster in clusters])
    if len(set(clusters)) < 3:
        with pytest.raises(HoloError, match="clusters; a split into 3 needs as many"):
            split_by_cluster(names, seed=seed)
        return
    parts = split_by_cluster(names, seed=seed)
    assert set(parts) == {"train", "val", "test"}
    for cluster in set(names):
        assert len(set(parts[names == cluster])) == 1


def test_parts_come_near_their_fractions():
    random = np.random.default_rng(0)
    clusters = random.integers(200, size=1000)
    parts = split_by_cluster(clusters, (0.5, 0.2, 0.3), seed=4)
    for part, fraction in zip(("train", "val", "test"), (0.5, 0.2, 0.3), strict=True):
        assert np.mean(parts == part) == pytest.approx(fraction, abs=0.02)
    assert not np.array_equal(parts, split_by_cluster(clusters, (0.5, 0.2, 0.3), seed=5))


def test_what_cannot_be_split_is_named():
    with pytest.raises(HoloError, match=r"clusters\[1\] is empty"):
        split_by_cluster(np.array(["1", "", "2"]))
    with pytest.raises(HoloError, match="add up to 1"):
        split_by_cluster(np.array(["1", "2", "3"]), (0.5, 0.5, 0.5))
