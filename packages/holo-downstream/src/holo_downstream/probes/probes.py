"""Probes: how well simple estimators predict a property of each row from features."""

from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import ArrayLike

from holo_downstream.validation.bootstrap import Interval, bootstrap_mean
from holo_downstream.validation.cross_validation import Estimator, Fold, grouped_folds, out_of_fold
from holo_downstream.vectors.inputs import check_vectors, text_labels
from holo_downstream.vectors.spectra import scalar_coefficients
from holo_types import Embeddings, HoloError, Holograms, Index

__all__ = [
    "Probe",
    "ProbeResult",
    "ProbeTable",
    "probe",
    "probe_embeddings",
]

Probe = Literal["linear", "forest"]

_PROBES: tuple[Probe, ...] = ("linear", "forest")
_EXACT = attrs.cmp_using(eq=np.array_equal)


@attrs.frozen(hash=False)
class ProbeResult:
    """The out-of-fold scores of one estimator on one set of features.

    Parameters
    ----------
    features
        The features: ``"z"``, ``"l=0"``, ``"features"``, or ``"none"`` for the majority class.
    estimator
        ``"majority"``, ``"linear"`` or ``"forest"``.
    predictions : Shaped[ndarray, "n"]
        The class predicted for each row by an estimator that was trained without the row's group; empty text for rows
        without a label.
    accuracy
        The accuracy over all rows with a label; the interval is a bootstrap over groups.
    balanced_accuracy
        The mean over classes of the share of their rows that are predicted correctly.
    above_majority
        The accuracy minus that of the majority class, paired; None for the majority class itself.
    above_scalars
        The accuracy minus that of the same estimator on the l = 0 coefficients, paired; None without them.
    """

    features: str
    estimator: Estimator
    predictions: Shaped[np.ndarray, "n"] = attrs.field(eq=_EXACT, repr=False)
    accuracy: Interval
    balanced_accuracy: float
    above_majority: Interval | None = None
    above_scalars: Interval | None = None

    @property
    def beats_majority(self) -> bool:
        """Whether the accuracy exceeds that of the majority class by more than the 95 % interval."""
        return self.above_majority is not None and self.above_majority.lower > 0

    @property
    def beats_scalars(self) -> bool:
        """Whether the accuracy exceeds that of l = 0 by more than the 95 % interval."""
        return self.above_scalars is not None and self.above_scalars.lower > 0


@attrs.frozen(hash=False)
class ProbeTable:
    """The results of several probes of one property, on the same rows and folds.

    Parameters
    ----------
    target, groups
        The index column that was predicted, and the one whose groups were kept together.
    folds
        The number of folds.
    rows, left_out
        The number of scored rows, and the number of rows without a label.
    group_count
        The number of groups (structures) among the scored rows.
    classes
        The classes, in alphabetical order.
    results
        The results, one for each row of the table, with the majority class first.
    """

    target: str
    groups: str
    folds: int
    rows: int
    left_out: int
    group_count: int
    classes: tuple[str, ...]
    results: tuple[ProbeResult, ...]

    def __getitem__(self, key: tuple[str, str]) -> ProbeResult:
        """Return the result of ``(features, estimator)``, such as ``("z", "linear")``."""
        for result in self.results:
            if (result.features, result.estimator) == key:
                return result
        raise KeyError(f"no result of {key}; there are {[(r.features, r.estimator) for r in self.results]}")

    def summary(self) -> str:
        """Return one line that says whether z beats its baselines."""
        parts = []
        for estimator in _PROBES:
            result = self["z", estimator]
            parts.append(f"z ({estimator}) {result.accuracy}")
            for difference, baseline in ((result.above_majority, "majority"), (result.above_scalars, "l=0")):
                if difference is not None:
                    parts[-1] += f", {_verdict(difference)} {baseline}"
        scored = f"{self.target}: {self.rows} rows, {self.group_count} groups by {self.groups}"
        return f"{scored}, {self.left_out} rows without a label left out: {'; '.join(parts)}"


def _verdict(difference: Interval) -> str:
    signed = f"{difference.estimate:+.3f} [{difference.lower:+.3f}, {difference.upper:+.3f}]"
    if difference.lower > 0:
        return f"{signed} above"
    return f"{signed} below" if difference.upper < 0 else f"{signed} not distinguishable from"


@attrs.frozen(eq=False)
class _Task:
    """Labeled rows in their folds, and the majority-class baseline that every result is compared with."""

    kept: Bool[np.ndarray, "n"]
    labels: Shaped[np.ndarray, "m"]
    groups: Shaped[np.ndarray, "m"]
    folds: tuple[Fold, ...]
    seed: int

    @classmethod
    def make(cls, labels: ArrayLike, groups: ArrayLike, rows: int, folds: int, seed: int) -> "_Task":
        if seed < 0:
            raise HoloError(f"seed is {seed}; it must be at least 0")
        label_text = text_labels("labels", labels, rows)
        group_text = text_labels("groups", groups, rows)
        kept = label_text != ""
        if not kept.any():
            raise HoloError(f"labels: none of the {rows} rows has a label; at least two classes are needed")
        if (group_text[kept] == "").any():
            row = int(np.flatnonzero(kept & (group_text == ""))[0])
            raise HoloError(f"groups[{row}] is empty; every labeled row must name its group")
        split = grouped_folds(label_text[kept], group_text[kept], folds)
        return cls(kept, label_text[kept], group_text[kept], split, seed)

    def predict(
        self, features: Float[np.ndarray, "n d"], estimator: Estimator, regularization: float = 1.0
    ) -> Shaped[np.ndarray, "m"]:
        return out_of_fold(
            features[self.kept],
            self.labels,
            self.folds,
            estimator,
            seed=self.seed,
            regularization=regularization,
        )

    def majority(self) -> Shaped[np.ndarray, "m"]:
        return self.predict(np.zeros((len(self.kept), 1)), "majority")

    def difference(self, ours: Shaped[np.ndarray, "m"], theirs: Shaped[np.ndarray, "m"]) -> Interval:
        gain = (ours == self.labels).astype(np.float64) - (theirs == self.labels)
        return bootstrap_mean(gain, self.groups, seed=self.seed)

    def result(
        self,
        features: str,
        estimator: Estimator,
        predictions: Shaped[np.ndarray, "m"],
        majority: Shaped[np.ndarray, "m"] | None = None,
        scalars: Shaped[np.ndarray, "m"] | None = None,
    ) -> ProbeResult:
        right = predictions == self.labels
        every_row = np.full(len(self.kept), "", dtype=self.labels.dtype)
        every_row[self.kept] = predictions
        return ProbeResult(
            features,
            estimator,
            every_row,
            bootstrap_mean(right, self.groups, seed=self.seed),
            float(np.mean([right[self.labels == name].mean() for name in np.unique(self.labels)])),
            None if majority is None else self.difference(predictions, majority),
            None if scalars is None else self.difference(predictions, scalars),
        )


def probe(
    features: Float[np.ndarray, "n d"] | Embeddings | Holograms,
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    estimator: Probe = "linear",
    folds: int = 5,
    seed: int = 0,
    regularization: float = 1.0,
) -> ProbeResult:
    """Score how well an estimator predicts labels from features, cross-validated by group.

    Folds consist of whole groups, so that no residue is predicted from residues of its own structure. Rows without a
    label (empty text) are left out. Degenerate rows are kept and treated like all others.

    Parameters
    ----------
    features : Float[ndarray, "n d"] | Embeddings | Holograms
        The features to predict from: of embeddings the invariants are used, of holograms the l = 0 coefficients.
    labels : ArrayLike, [n]
        The class of each row, text or integers.
    groups : ArrayLike, [n]
        The group of each row, which stays together, such as the structure of each residue.
    estimator
        ``"linear"`` (standardized features, logistic regression) or ``"forest"`` (random forest).
    folds
        The number of folds; there must be at least as many groups.
    seed
        The seed of the forest and of the bootstrap.
    regularization
        C of the logistic regression, the inverse of its penalty; see `best_regularization`.

    Returns
    -------
    ProbeResult
        The scores, with the paired difference from the majority class of the same training folds.

    Raises
    ------
    HoloError
        If lengths differ, a feature is not finite, there are fewer groups than folds, or there is only one class.

    Examples
    --------
    >>> labels = ["helix", "sheet"] * 20
    >>> structures = np.repeat(["1abc", "2abc", "3abc", "4abc", "5abc"], 8)
    >>> features = np.array([[0.0], [1.0]] * 20)
    >>> probe(features, labels, structures).accuracy
    Interval(estimate=1.0, lower=1.0, upper=1.0)
    """
    name, matrix = _features(features)
    task = _Task.make(labels, groups, len(matrix), folds, seed)
    predictions = task.predict(matrix, estimator, regularization)
    return task.result(name, estimator, predictions, task.majority())


def probe_embeddings(
    embeddings: Embeddings,
    target: str = "secondary_structure",
    groups: str = "structure",
    *,
    holograms: Holograms | None = None,
    folds: int = 5,
    seed: int = 0,
) -> ProbeTable:
    """Probe embeddings for a column of their index, and compare them with two baselines on the same folds.

    The results are those of the majority class; of the l = 0 coefficients of the holograms (linear, forest), if these
    are given; and of z (linear, forest). Rows without a label (empty text) are left out and counted; degenerate rows
    are kept.

    Parameters
    ----------
    embeddings
        Embeddings of rows that the model was not trained on, such as those of held-out structures.
    target
        The index column to predict, such as ``"secondary_structure"`` or ``"residue_name"``.
    groups
        The index column whose equal values stay in one fold. If structures are related, a column that names their
        family or fold is the stricter choice.
    holograms
        The holograms from which the embeddings were made, row by row.
    folds
        The number of folds; there must be at least as many groups.
    seed
        The seed of the forest and of the bootstrap.

    Raises
    ------
    HoloError
        If a column is missing, the holograms are not those of the embeddings (the message names the first difference),
        there are fewer groups than folds, or there is only one class.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> index = {"structure": np.repeat(["a", "b", "c"], 10), "residue_name": ["GLY", "ALA"] * 15}
    >>> z = np.array([[0.0], [1.0]] * 15)
    >>> embeddings = Embeddings(z, np.zeros((30, 3, 3)), ModelReference("demo", "1", "", ""), index)
    >>> table = probe_embeddings(embeddings, "residue_name", folds=3)
    >>> [(result.features, result.estimator, result.accuracy.estimate) for result in table.results]
    [('none', 'majority', 0.5), ('z', 'linear', 1.0), ('z', 'forest', 1.0)]
    """
    labels = _column(embeddings.index, target)
    group_of_row = _column(embeddings.index, groups)
    if holograms is not None:
        _check_same_rows(embeddings, holograms)
    name, z = _features(embeddings)
    task = _Task.make(labels, group_of_row, len(z), folds, seed)

    majority = task.majority()
    results = [task.result("none", "majority", majority)]
    scalars: dict[Probe, Shaped[np.ndarray, m]] = {}
    if holograms is not None:
        scalar_name, matrix = _features(holograms)
        for estimator in _PROBES:
            scalars[estimator] = task.predict(matrix, estimator)
            results.append(task.result(scalar_name, estimator, scalars[estimator], majority))
    for estimator in _PROBES:
        predictions = task.predict(z, estimator)
        results.append(task.result(name, estimator, predictions, majority, scalars.get(estimator)))
    return ProbeTable(
        target,
        groups,
        folds,
        rows=int(task.kept.sum()),
        left_out=int((~task.kept).sum()),
        group_count=len(np.unique(task.groups)),
        classes=tuple(np.unique(task.labels).tolist()),
        results=tuple(results),
    )


def _features(
    features: Float[np.ndarray, "n d"] | Embeddings | Holograms,
) -> tuple[str, Float[np.ndarray, "n d"]]:
    if isinstance(features, Embeddings):
        name, matrix = "z", features.invariants
    elif isinstance(features, Holograms):
        name, matrix = "l=0", scalar_coefficients(features)
    else:
        name, matrix = "features", features
    return name, check_vectors(name, matrix)


def _column(index: Index, name: str) -> Shaped[np.ndarray, "n"]:
    return index.column(name)


def _check_same_rows(embeddings: Embeddings, holograms: Holograms) -> None:
    """Refuse holograms from which the embeddings were not made."""
    ours, theirs = embeddings.index, holograms.index
    if len(embeddings) != len(holograms):
        raise HoloError(
            f"there are {len(holograms)} holograms and {len(embeddings)} embeddings; they must match row by row"
        )
    if list(ours) != list(theirs):
        raise HoloError(
            f"the holograms' index has the columns {', '.join(theirs)}, the embeddings' {', '.join(ours)}; "
            "they must be the same"
        )
    different = np.column_stack([ours[name] != theirs[name] for name in ours])
    if different.any():
        row, column = np.argwhere(different)[0]
        name = list(ours)[column]
        raise HoloError(
            f"holograms and embeddings differ from row {row} on: {name} is {theirs[name][row]} there "
            f"and {ours[name][row]} here; they must match row by row"
        )
    if holograms.basis.digest != embeddings.model.basis_digest:
        raise HoloError(
            f"the holograms' basis has the digest {holograms.basis.digest[:12]}; the embeddings were made from "
            f"{embeddings.model.basis_digest[:12]}"
        )
