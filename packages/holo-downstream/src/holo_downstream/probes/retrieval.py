"""How well nearest neighbors retrieve rows with the same label: the scores of SHREC17."""

from collections.abc import Iterator
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike

from holo_downstream.vectors.inputs import check_vectors, text_labels
from holo_types import HoloError

__all__ = ["Average", "Distance", "RetrievalScores", "ranked_lists", "retrieval_scores"]

Average = Literal["micro", "macro"]
Distance = Literal["cosine", "euclidean"]

LIST_LENGTH = 1000  # the number of results per query that SHREC17 uses
_QUERIES_AT_ONCE = 512


@attrs.frozen
class RetrievalScores:
    """Scores of the ranked lists of N rows, averaged over queries, each in [0, 1].

    Parameters
    ----------
    precision
        The share of the list that is relevant.
    recall
        The share of the relevant rows that are in the list.
    f1
        The harmonic mean of precision and recall, computed for each query.
    map
        Mean average precision: the sum of the precisions at the rank of each relevant row of the list, divided by the
        number of relevant rows, whether or not they are in the list.
    ndcg
        Normalized discounted cumulative gain: Σ 1/log2(1 + rank) over the relevant rows of the list, divided by the
        value of this sum if all relevant rows came first.
    """

    precision: float
    recall: float
    f1: float
    map: float
    ndcg: float


def retrieval_scores(
    vectors: Float[np.ndarray, "n d"],
    labels: ArrayLike,
    *,
    predicted: ArrayLike | None = None,
    limit: int = LIST_LENGTH,
    metric: Distance = "cosine",
    average: Average = "micro",
) -> RetrievalScores:
    """Score a retrieval in which every row searches all rows for those with its own label.

    As in SHREC17 [1]_, every row is a query, the searched rows include the query itself, rows with the query's label
    are relevant, and the scores are those of the whole list of N rows that a query returns, where N may differ between
    queries. Average precision and NDCG are divided by the maximum for the whole ground truth, not for the list. SHREC17
    also grades relevance in NDCG by subcategories; the labels here have none, so relevance is 0 or 1.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        The rows, which are used unchanged.
    labels : ArrayLike, [n]
        The class of each row, text or integers.
    predicted : ArrayLike, [n], optional
        The class that a classifier assigns to each row: a query then returns only rows of its own predicted class, as
        in most entries of SHREC17.
    limit
        The maximum number of rows that a query returns, the nearest ones.
    metric
        The distance: ``"cosine"`` (1 minus the cosine) or ``"euclidean"``. Rows at equal distances keep their order.
    average
        ``"micro"``: over queries. ``"macro"``: over the queries of each class, and then over classes.

    Raises
    ------
    HoloError
        If lengths differ, a vector is not finite or, with ``"cosine"``, zero.

    References
    ----------
    .. [1] M. Savva et al., SHREC'17 Track: Large-Scale 3D Shape Retrieval from ShapeNet Core55, Eurographics
       Workshop on 3D Object Retrieval (2017); https://shapenet.cs.stanford.edu/shrec17.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> scores = retrieval_scores(vectors, ["chair", "chair", "table"], limit=2)
    >>> round(scores.precision, 3), scores.recall
    (0.833, 1.0)
    """
    lists = ranked_lists(vectors, predicted=predicted, limit=limit, metric=metric)
    rows = len(vectors)
    _, class_of_row = np.unique(text_labels("labels", labels, rows), return_inverse=True)
    sizes = np.bincount(class_of_row)
    # The gain at each rank, and the maximum gain of a number of relevant rows.
    discounts = 1 / np.log2(np.arange(2, rows + 2))
    ideal = np.cumsum(discounts)

    scores = np.empty((rows, 5))
    for query, (order, _) in enumerate(lists):
        relevant = class_of_row[order] == class_of_row[query]
        wanted = sizes[class_of_row[query]]
        found = np.cumsum(relevant)
        precision, recall = found[-1] / len(order), found[-1] / wanted
        scores[query] = (
            precision,
            recall,
            2 * precision * recall / (precision + recall),  # never 0 / 0, because the query finds itself
            (found / np.arange(1, len(order) + 1))[relevant].sum() / wanted,
            discounts[: len(order)][relevant].sum() / ideal[wanted - 1],
        )
    if average == "macro":
        of_class = [scores[class_of_row == number].mean(axis=0) for number in range(len(sizes))]
        return RetrievalScores(*map(float, np.mean(of_class, axis=0)))
    return RetrievalScores(*map(float, scores.mean(axis=0)))


def ranked_lists(
    vectors: Float[np.ndarray, "n d"],
    *,
    predicted: ArrayLike | None = None,
    limit: int = LIST_LENGTH,
    metric: Distance = "cosine",
) -> Iterator[tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]]:
    """Return the results of each row as a query: rows, beginning with itself, and their distances.

    Parameters
    ----------
    vectors, predicted, limit, metric
        As for `retrieval_scores`.

    Yields
    ------
    tuple
        The rows that the next query returns, the nearest first, and their distances.

    Raises
    ------
    HoloError
        As for `retrieval_scores`.

    Examples
    --------
    >>> rows, distances = next(ranked_lists(np.array([[1.0], [4.0], [2.0]]), limit=2, metric="euclidean"))
    >>> rows.tolist(), distances.tolist()
    ([0, 2], [0.0, 1.0])
    """
    rows = len(check_vectors("vectors", vectors))
    if rows == 0:
        raise HoloError("vectors has 0 rows; at least one is needed")
    if limit < 1:
        raise HoloError(f"limit is {limit}; it must be at least 1")
    group_of_row = None if predicted is None else text_labels("predicted", predicted, rows)
    points = _points(vectors.astype(np.float64), metric)
    return _lists(points, group_of_row, limit, metric)


def _points(vectors: Float[np.ndarray, "n d"], metric: Distance) -> Float[np.ndarray, "n d"]:
    """Return points whose Euclidean distances have the same order as the metric."""
    if metric == "euclidean":
        return vectors
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (norms == 0).any():
        raise HoloError(f"vectors: row {int(np.argmin(norms))} is zero; it has no cosine with another")
    points: Float[np.ndarray, "n d"] = vectors / norms
    return points


def _lists(
    points: Float[np.ndarray, "n d"],
    group_of_row: Shaped[np.ndarray, "n"] | None,
    limit: int,
    metric: Distance,
) -> Iterator[tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]]:
    squares = (points**2).sum(axis=1)
    for start in range(0, len(points), _QUERIES_AT_ONCE):
        queries = np.arange(start, min(start + _QUERIES_AT_ONCE, len(points)))
        # |a - b|² without |a|², which is the same for all results of a query.
        ranks = squares - 2 * points[queries] @ points.T
        ranks[np.arange(len(queries)), queries] = -np.inf
        orders = np.argsort(ranks, axis=1, kind="stable")
        for query, order in zip(queries, orders, strict=True):
            kept = order if group_of_row is None else order[group_of_row[order] == group_of_row[query]]
            kept = kept[:limit]
            apart = np.linalg.norm(points[kept] - points[query], axis=1)
            yield kept, apart if metric == "euclidean" else apart**2 / 2
