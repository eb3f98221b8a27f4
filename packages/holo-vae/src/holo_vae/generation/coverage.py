"""How much of the real data lies near samples."""

from typing import Any

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_types import HoloError, Holograms

from .sample_scores import directions

__all__ = ["Coverage", "coverage"]

_ROWS = 1024  # rows whose products with all others are in memory at once


@attrs.frozen(kw_only=True)
class Coverage:
    """The share of rows that have a sample nearer than their nearest training row, class by class.

    Parameters
    ----------
    classes
        The labels of the classes, in order.
    samples
        The share of rows for which a sample of the class is nearer than the nearest training row of the class.
    real
        The same with as many real rows in place of the samples.
    """

    classes: tuple[int | str, ...]
    samples: tuple[float, ...]
    real: tuple[float, ...]


def coverage(
    test: Holograms,
    training: Holograms,
    samples: Holograms,
    *,
    test_labels: NDArray[Any],
    training_labels: NDArray[Any],
    sample_labels: NDArray[Any],
    seed: int = 0,
) -> Coverage:
    """Return how many rows have a sample nearer than their nearest training row, and how many a real row.

    The training rows of each class are split in half at random. The nearest training row is searched in one half. From
    the other half, and from the samples, the same number of rows is taken, as many as both have. If samples were as
    good as real rows, they would be the nearer ones just as often.

    Parameters
    ----------
    test, training, samples
        The holograms, all in one frame, such as the canonical one.
    test_labels, training_labels, sample_labels
        The class of each row ``[n]``; only rows of the same class are compared.
    seed
        The seed of the split into halves.

    Raises
    ------
    HoloError
        If a class of the test rows has fewer than 2 training rows or no samples.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis, rng = Basis(lmax=2, radial=None, channels=("image",)), np.random.default_rng(0)
    >>> test, training, samples = (Holograms(rng.normal(size=(n, 9)), basis) for n in (50, 40, 40))
    >>> one = np.zeros(50, int)
    >>> found = coverage(
    ...     test, training, samples, test_labels=one, training_labels=one[:40], sample_labels=one[:40])
    >>> abs(found.samples[0] - found.real[0]) < 0.3
    True
    """
    rng = np.random.default_rng(seed)
    vectors = [directions(rows) for rows in (test, training, samples)]
    classes, of_samples, of_real = np.unique(test_labels), [], []
    for label in classes:
        queries, known, drawn = (
            rows[labels == label]
            for rows, labels in zip(vectors, (test_labels, training_labels, sample_labels), strict=True)
        )
        if len(known) < 2 or not len(drawn):
            raise HoloError(
                f"class {label} has {len(known)} training rows and {len(drawn)} samples; at least 2 and 1 are needed"
            )
        reference, real = np.array_split(rng.permutation(known), 2)
        count = min(len(real), len(drawn))
        nearest = _largest_products(queries, reference)
        of_samples.append(float((_largest_products(queries, drawn[:count]) > nearest).mean()))
        of_real.append(float((_largest_products(queries, real[:count]) > nearest).mean()))
    return Coverage(classes=tuple(classes.tolist()), samples=tuple(of_samples), real=tuple(of_real))


def _largest_products(
    queries: Float[np.ndarray, "n dim"], rows: Float[np.ndarray, "m dim"]
) -> Float[np.ndarray, " n"]:
    parts = [(queries[start : start + _ROWS] @ rows.T).max(axis=1) for start in range(0, len(queries), _ROWS)]
    return np.concatenate(parts)
