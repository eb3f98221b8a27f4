"""How well the clusters of vectors agree with labels that the clustering never saw."""

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike

from holo_downstream.vectors.inputs import check_vectors, text_labels
from holo_types import HoloError

__all__ = ["ClusterScores", "cluster_scores", "kmeans_clusters", "purity"]

# The silhouette compares every pair of rows; of more rows than this, a sample is accurate to two digits.
_SILHOUETTE_ROWS = 3000


@attrs.frozen
class ClusterScores:
    """Agreement of clusters with labels; all scores except the silhouette are in [0, 1], and 1 is perfect.

    Parameters
    ----------
    purity
        The share of rows that have the most frequent label of their cluster.
    v_measure
        The harmonic mean of homogeneity and completeness.
    homogeneity
        1 if every cluster holds rows with a single label.
    completeness
        1 if all rows with a label are in one cluster.
    silhouette
        How much closer rows are to their own cluster than to the nearest other one, in [-1, 1]; it needs no labels.
    """

    purity: float
    v_measure: float
    homogeneity: float
    completeness: float
    silhouette: float


def cluster_scores(
    vectors: Float[np.ndarray, "n d"],
    labels: ArrayLike,
    *,
    clusters: int | None = None,
    starts: int = 10,
    n_init: int = 10,
    seed: int = 0,
) -> ClusterScores:
    """Cluster vectors by K-means, and compare the clusters with labels; scores are means over several clusterings.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The vectors, which are used unchanged: standardize them beforehand if needed.
    labels : ArrayLike, [n]
        The class of each row, text or integers.
    clusters
        The number of clusters; by default the number of classes.
    starts
        The number of clusterings, each with its own seed, over which the scores are averaged.
    n_init
        The number of random initializations, of which each clustering keeps the one with the least inertia.
    seed
        The clusterings have the seeds ``seed``, ``seed + 1``, ...

    Returns
    -------
    ClusterScores
        The mean scores, with the V-measure as defined in [1]_ with weight 1; the silhouette is that of at most 3,000
        random rows, which are the same for every clustering.

    Raises
    ------
    HoloError
        If lengths differ, a vector is not finite, or not 2 <= clusters < n.

    References
    ----------
    .. [1] A. Rosenberg, J. Hirschberg, V-measure, EMNLP-CoNLL (2007).

    Examples
    --------
    >>> vectors = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> cluster_scores(vectors, ["cat", "cat", "dog", "cat"]).purity
    0.75
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - takes a second, which --help must not
    from sklearn.metrics import homogeneity_completeness_v_measure, silhouette_score  # noqa: PLC0415

    rows = len(check_vectors("vectors", vectors))
    names = text_labels("labels", labels, rows)
    count = len(np.unique(names)) if clusters is None else clusters
    if not 2 <= count < rows:
        raise HoloError(f"clusters is {count} for {rows} rows; it must be at least 2 and less than the rows")
    if starts < 1:
        raise HoloError(f"starts is {starts}; it must be at least 1")
    wide = vectors.astype(np.float64)
    scores = []
    for start in range(seed, seed + starts):
        assigned = KMeans(count, n_init=n_init, random_state=start).fit_predict(wide)
        homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(names, assigned)
        sample = min(rows, _SILHOUETTE_ROWS)
        silhouette = silhouette_score(wide, assigned, sample_size=sample, random_state=seed)
        scores.append((purity(assigned, names), v_measure, homogeneity, completeness, silhouette))
    return ClusterScores(*(float(mean) for mean in np.mean(scores, axis=0)))


def kmeans_clusters(
    vectors: Float[np.ndarray, "n d"], clusters: int = 8, *, seed: int = 0
) -> Int[np.ndarray, "n"]:
    """Return the number of each row's cluster from K-means; the largest cluster has the number 1.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The vectors, which are used unchanged: standardize them beforehand if needed.
    clusters
        The number of clusters.
    seed
        The seed of the ten random initializations, of which the one with the least inertia is kept.

    Raises
    ------
    HoloError
        If a vector is not finite, or not 2 <= clusters <= n.

    Examples
    --------
    >>> kmeans_clusters(np.array([[0.0], [5.0], [5.1], [0.1], [5.2]]), 2).tolist()
    [2, 1, 1, 2, 1]
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - takes a second, which --help must not

    rows = len(check_vectors("vectors", vectors))
    if not 2 <= clusters <= rows:
        raise HoloError(f"clusters is {clusters} for {rows} rows; it must be at least 2 and at most the rows")
    assigned = KMeans(clusters, n_init=10, random_state=seed).fit_predict(vectors.astype(np.float64))
    sizes = np.bincount(assigned, minlength=clusters)
    numbers = np.empty(clusters, np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(1, clusters + 1)
    found: Int[np.ndarray, n] = numbers[assigned]
    return found


def purity(clusters: Shaped[np.ndarray, "n"], labels: Shaped[np.ndarray, "n"]) -> float:
    """Return the share of rows that have the most frequent label of their cluster.

    Examples
    --------
    >>> purity(np.array([0, 0, 1, 1, 1]), np.array(["a", "a", "a", "b", "b"]))
    0.8
    """
    _, cluster_of_row = np.unique(clusters, return_inverse=True)
    _, class_of_row = np.unique(labels, return_inverse=True)
    table = np.zeros((cluster_of_row.max() + 1, class_of_row.max() + 1), dtype=np.int64)
    np.add.at(table, (cluster_of_row, class_of_row), 1)
    return float(table.max(axis=1).sum() / len(labels))
