"""How well z separates labels."""

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_types import Embeddings, Holograms
from holo_types.extras import extra

__all__ = ["LatentScores", "latent_scores", "row_labels"]


@attrs.frozen(kw_only=True)
class LatentScores:
    """How well z separates the labels of rows, which the model never saw.

    Parameters
    ----------
    column, classes
        The index column of the labels, and the number of classes.
    purity, v_measure, homogeneity, completeness, silhouette
        Scores of K-means on z with as many clusters as classes, averaged over ten clusterings
        (`holo_downstream.cluster_scores`).
    linear_accuracy
        The accuracy of a multinomial logistic regression trained on z of the training and validation rows; None
        without training rows.
    knn_accuracy, knn_neighbors
        The accuracy of a vote of the nearest training rows, whose number is chosen on the validation rows; None unless
        there are both.
    """

    column: str
    classes: int
    purity: float
    v_measure: float
    homogeneity: float
    completeness: float
    silhouette: float
    linear_accuracy: float | None
    knn_accuracy: float | None
    knn_neighbors: int | None


def latent_scores(
    embeddings: Embeddings,
    column: str,
    *,
    training: Embeddings | None = None,
    validation: Embeddings | None = None,
    seed: int = 0,
) -> LatentScores:
    """Cluster z, and classify it with classifiers fitted to training rows (extra ``evaluation``).

    Parameters
    ----------
    embeddings
        The rows that are scored.
    column
        The index column of the labels, which the other embeddings must also have.
    training, validation
        The rows to fit classifiers to, and the rows on which the number of neighbors is chosen.
    seed
        The seed of K-means.

    Raises
    ------
    HoloError
        If holo-downstream is not installed, there is no such column, or all labels are of one class.

    Notes
    -----
    As in the published tables, the linear classifier is trained on training and validation rows together, neighbors are
    searched among the training rows only, and K-means sees only the scored rows.
    """
    with extra("holo-vae[evaluation]"):
        from holo_downstream.probes.classification import knn_accuracy, linear_accuracy  # noqa: PLC0415
        from holo_downstream.probes.clustering import cluster_scores  # noqa: PLC0415

    labels = row_labels(embeddings, column)
    clusters = cluster_scores(embeddings.invariants, labels, seed=seed)
    linear = neighbors = None
    if training is not None:
        known = [training] if validation is None else [training, validation]
        linear = linear_accuracy(
            np.concatenate([part.invariants for part in known]),
            np.concatenate([row_labels(part, column) for part in known]),
            embeddings.invariants,
            labels,
        )
        if validation is not None:
            neighbors = knn_accuracy(
                training.invariants,
                row_labels(training, column),
                validation.invariants,
                row_labels(validation, column),
                embeddings.invariants,
                labels,
            )
    return LatentScores(
        column=column,
        classes=len(np.unique(labels)),
        purity=clusters.purity,
        v_measure=clusters.v_measure,
        homogeneity=clusters.homogeneity,
        completeness=clusters.completeness,
        silhouette=clusters.silhouette,
        linear_accuracy=linear,
        knn_accuracy=None if neighbors is None else neighbors.test,
        knn_neighbors=None if neighbors is None else neighbors.k,
    )


def row_labels(rows: Embeddings | Holograms, column: str) -> NDArray[Any]:
    """Return the labels of rows.

    Raises
    ------
    HoloError
        If the index has no such column.
    """
    return rows.index.column(column)
