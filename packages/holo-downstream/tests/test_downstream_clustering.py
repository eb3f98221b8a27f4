from collections import Counter

import numpy as np
import pytest
from scipy.stats import entropy

from holo_downstream.probes.clustering import cluster_scores, purity
from holo_types import HoloError


def blobs(seed=0, spread=0.1, rows=30, classes=3):
    random = np.random.default_rng(seed)
    code = np.repeat(np.arange(classes), rows)
    centers = 10 * np.eye(classes)
    return centers[code] + spread * random.normal(size=(classes * rows, classes)), code


def test_separated_blobs_are_found():
    vectors, code = blobs()
    scores = cluster_scores(vectors.astype(np.float32), np.array(["a", "b", "c"])[code], starts=2)
    assert (scores.purity, scores.v_measure, scores.homogeneity, scores.completeness) == pytest.approx(
        (1,) * 4
    )
    assert 0.9 < scores.silhouette < 1


def test_purity_is_the_share_of_the_commonest_label():
    random = np.random.default_rng(1)
    clusters, labels = random.integers(5, size=200), random.choice(["x", "y", "z"], size=200)
    members = [labels[clusters == cluster].tolist() for cluster in range(5)]
    expected = sum(Counter(names).most_common(1)[0][1] for names in members) / 200
    assert purity(clusters, labels) == expected


def test_two_blobs_of_mixed_labels_agree_with_entropies():
    """Two far blobs are the two clusters, whatever the labels: the scores follow from entropies alone."""
    random = np.random.default_rng(2)
    vectors, code = blobs(classes=2, rows=50)
    labels = (code + (random.random(100) < 0.2)) % 2 + 2 * (random.random(100) < 0.1)
    scores = cluster_scores(vectors, labels, clusters=2, starts=3, n_init=2)
    joint = np.histogram2d(code, labels, bins=[np.arange(3), np.arange(labels.max() + 2)])[0] / 100
    of_clusters, of_labels = entropy(joint.sum(axis=1)), entropy(joint.sum(axis=0))
    mutual = of_clusters + of_labels - entropy(joint.ravel())
    homogeneity, completeness = mutual / of_labels, mutual / of_clusters
    assert scores.homogeneity == pytest.approx(homogeneity)
    assert scores.completeness == pytest.approx(completeness)
    assert scores.v_measure == pytest.approx(2 * homogeneity * completeness / (homogeneity + completeness))


def test_scores_are_means_of_independent_starts():
    random = np.random.default_rng(3)
    vectors, labels = random.normal(size=(80, 2)), random.integers(4, size=80)
    single = [cluster_scores(vectors, labels, starts=1, n_init=1, seed=seed) for seed in (5, 6, 7)]
    mean = cluster_scores(vectors, labels, starts=3, n_init=1, seed=5)
    assert len({scores.purity for scores in single}) > 1
    assert mean.purity == pytest.approx(np.mean([scores.purity for scores in single]))
    assert mean.v_measure == pytest.approx(np.mean([scores.v_measure for scores in single]))


def test_what_cannot_be_clustered_is_named():
    vectors, code = blobs()
    with pytest.raises(HoloError, match=r"labels: has shape \[3\]; it must be \[90\]"):
        cluster_scores(vectors, code[:3])
    with pytest.raises(HoloError, match="clusters is 1 for 90 rows"):
        cluster_scores(vectors, np.zeros(90, dtype=int))
    with pytest.raises(HoloError, match="clusters is 90 for 90 rows"):
        cluster_scores(vectors, code, clusters=90)
    with pytest.raises(HoloError, match="starts is 0"):
        cluster_scores(vectors, code, starts=0)
    vectors[4, 1] = np.inf
    with pytest.raises(HoloError, match="vectors: row 4 is not finite"):
        cluster_scores(vectors, code)
