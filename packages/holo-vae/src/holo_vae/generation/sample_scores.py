"""The quality and diversity of a model's samples, judged by a classifier."""

from typing import Any

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import HoloError, Holograms
from holo_vae.networks.categories import category_numbers
from holo_vae.networks.classifier import TrainedClassifier

__all__ = ["SampleScores", "directions", "score_samples"]

# Up to this many rows, all pairs are compared; with more, a random subset gives the mean to three digits.
_PAIRED_ROWS = 1000


@attrs.frozen(kw_only=True)
class SampleScores:
    """The quality and diversity of holograms, class by class, as judged by a supervised network.

    Parameters
    ----------
    classes
        The classes of the classifier.
    counts
        The number of holograms of each class.
    accuracy
        The share that the classifier assigns to their class; None if the classes were not given, but are those that the
        classifier assigned.
    confidence
        The mean probability that the classifier assigns to their class.
    diversity
        The mean cosine loss (s = +1) between two different holograms of the class; all must be in one frame.
    """

    classes: tuple[int | str, ...]
    counts: tuple[int, ...]
    accuracy: tuple[float | None, ...] | None
    confidence: tuple[float | None, ...]
    diversity: tuple[float | None, ...]

    def mean(self, name: str) -> float | None:
        """Return the mean of `accuracy`, `confidence` or `diversity` over the classes for which it is known."""
        given = [value for value in getattr(self, name) or () if value is not None]
        return float(np.mean(given)) if given else None


def score_samples(
    samples: Holograms, classifier: TrainedClassifier, labels: NDArray[Any] | None = None, seed: int = 0
) -> SampleScores:
    """Score samples: their quality by a supervised network, their diversity by the cosine loss within each class.

    Parameters
    ----------
    samples
        Holograms in one frame, such as the canonical one: a class whose members are randomly rotated looks diverse.
    classifier
        The classifier that judges them.
    labels
        The intended class of each sample ``[n]``; None to use the class that the classifier assigns.
    seed
        The seed of the choice of 1,000 samples that are compared in pairs, for classes that have more.

    Raises
    ------
    HoloError
        If there are no samples, their basis is not the classifier's, or a label is not one of its classes.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024), score conditional samples in this way.
    """
    if not len(samples):
        raise HoloError("there are no samples to score")
    probabilities = classifier.predict(samples).astype(np.float64)
    taken_for = probabilities.argmax(axis=1)
    intended = taken_for if labels is None else category_numbers(classifier.config.classes, labels)
    right = (taken_for == intended).astype(np.float64)
    believed = probabilities[np.arange(len(samples)), intended]
    members = [np.flatnonzero(intended == number) for number in range(len(classifier.classes))]
    return SampleScores(
        classes=classifier.classes,
        counts=tuple(len(rows) for rows in members),
        accuracy=None if labels is None else tuple(_mean(right[rows]) for rows in members),
        confidence=tuple(_mean(believed[rows]) for rows in members),
        diversity=tuple(_diversity(samples, rows, seed) for rows in members),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _diversity(samples: Holograms, rows: NDArray[np.int64], seed: int) -> float | None:
    if len(rows) > _PAIRED_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _PAIRED_ROWS, replace=False)
    if len(rows) < 2:
        return None
    x = directions(samples[rows])
    products = x @ x.T
    pairs = len(rows) * (len(rows) - 1)
    return float(1 - (products.sum() - np.trace(products)) / pairs)


def directions(holograms: Holograms) -> Float[np.ndarray, "n dim"]:
    """Return vectors of length 1 whose scalar products are 1 minus the cosine loss (s = +1), in float64.

    All pairs of rows can thus be compared by one matrix product; a hologram of zeros becomes zeros.
    """
    # <x,y> = Σ_l sqrt(2l+1) Σ_c,m x y: the square root of the weight of each degree is multiplied into x.
    roots = [np.full(m * (2 * l + 1), (2 * l + 1) ** 0.25) for m, l in holograms.basis.irreps]  # noqa: E741
    x = holograms.coefficients.astype(np.float64) * np.concatenate(roots)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    divided: NDArray[np.float64] = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    return divided
