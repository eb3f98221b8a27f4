"""Scores of the rows, and which differences are real."""

from collections.abc import Iterable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_downstream import paired_test, score_by_group
from holo_downstream.affinity.cross_fit import MOST_OF_A_GROUP
from holo_downstream.validation.statistics import holm_adjusted, metric_of

Values = NDArray[np.float64]


@attrs.frozen(eq=False)
class Scored:
    """The complexes of the study.

    Parameters
    ----------
    labels
        The labels as pK.
    clusters
        The sequence cluster of each.
    """

    labels: Values
    clusters: NDArray[np.str_]

    @property
    def family(self) -> NDArray[np.bool_]:
        """Return which complexes belong to the largest cluster, the carbonic anhydrases."""
        names, counts = np.unique(self.clusters, return_counts=True)
        largest: NDArray[np.bool_] = self.clusters == names[np.argmax(counts)]
        return largest


def table(scored: Scored, predictions: Iterable[tuple[str, str, Values]]) -> list[str]:
    """Return a line for each row and estimator: means over the draws, plain, capped, and of the largest cluster."""
    lines = [
        "| features | learns | RMSE | Pearson | capped RMSE | Pearson | carbonic anhydrases, RMSE | Pearson |",
        "| --- | --- |" + " ---: |" * 6,
    ]
    for name, estimator, draws in predictions:
        cells = [
            f"{np.mean([score(scored, metric, each, most) for each in draws]):.3f}"
            for most in (None, MOST_OF_A_GROUP)
            for metric in ("rmsd", "pearson")
        ]
        family = scored.family
        for metric in ("rmsd", "pearson"):
            values = [metric_of(metric, each[family], scored.labels[family]) for each in draws]
            cells.append(f"{np.mean(values):.3f}")
        shown = ["" if cell == "nan" else cell for cell in cells]
        lines.append(f"| {name} | {estimator} | " + " | ".join(shown) + " |")
    return lines


def score(scored: Scored, metric: str, predictions: Values, most: int | None) -> float:
    """Return one score of one draw, where no cluster has a weight above a number of complexes."""
    return score_by_group(
        metric,  # type: ignore[arg-type]
        predictions,
        scored.labels,
        scored.clusters,
        most=most,
        resamples=1,
    ).estimate


def tests(scored: Scored, pairs: Sequence[tuple[str, Values, Values]], *, most: int | None) -> list[str]:
    """Return a line for each difference in RMSE, ours minus theirs, paired by cluster over all draws."""
    lines = ["| difference | RMSE | p, permutation | p, Holm |", "| --- | ---: | ---: | ---: |"]
    found = differences(scored, [(ours, theirs) for _, ours, theirs in pairs], most=most)
    for (name, _, _), (difference, p_value, adjusted) in zip(pairs, found, strict=True):
        lines.append(f"| {name} | {difference} | {p_value:.4f} | {adjusted:.4f} |")
    return lines


def differences(
    scored: Scored, pairs: Sequence[tuple[Values, Values]], *, most: int | None
) -> list[tuple[str, float, float]]:
    """Return each difference in RMSE with its interval, its p, and p after Holm's correction for all of them."""
    found = [
        paired_test(ours, theirs, scored.labels, "rmsd", groups=scored.clusters, most=most)
        for ours, theirs in pairs
    ]
    adjusted = holm_adjusted([test.p_value for test in found])
    return [(str(test.difference), test.p_value, p) for test, p in zip(found, adjusted, strict=True)]
