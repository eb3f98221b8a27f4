"""The work of ``holo affinity fit`` and ``holo affinity predict``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from holo_downstream import (
    CrossFit,
    CrossFitSettings,
    Interval,
    LabelColumns,
    LabelTable,
    cross_fit,
    read_complex_predictor,
    read_labels,
    write_complex_predictor,
)
from holo_downstream.affinity.complex_predictor import write_flagged_predictions
from holo_downstream.affinity.cross_fit import fits_of
from holo_downstream.affinity.labels import Unit
from holo_downstream.validation.statistics import Metric
from holo_lab.affinity.blocks import DEFAULT_FEATURES
from holo_lab.affinity.folders import FolderFeatures, find_bound, folder_features, folder_table
from holo_lab.report.affinity import write_affinity_report
from holo_types import HoloError
from holo_types.console import OK, SOME_FILES_FAILED, Skipped, progress, say, write_skipped
from holo_types.files.csv_files import write_csv
from holo_types.files.json_files import write_json
from holo_types.files.locks import PathLock

__all__ = ["fit_folder", "predict_folder"]

_PREDICTOR, _REPORT, _FIGURES = "predictor.h5", "report.html", "figures.json"
_UNSEEN, _SKIPPED = "cross-validated.csv", "skipped.csv"
_NAMED = 3  # complexes that were left out, on the screen


def fit_folder(
    folder: Path,
    out: Path,
    *,
    table: str | None,
    unit: Unit | Literal["column"],
    temperature: float,
    label_column: str | None,
    cluster_column: str | None,
    coverage: float,
    seed: int,
    workers: int,
) -> int:
    """Read labels and complexes, fit, and write the predictor last, so that its folder is complete if it exists."""
    listed = folder_table(folder, table)
    columns = LabelColumns(label=label_column, cluster=cluster_column)
    labels = read_labels(listed, unit=unit, temperature=temperature, columns=columns)
    if not labels.complexes:
        why = "".join(f"; {line.file}: {line.reason}" for line in labels.skipped[:1])
        raise HoloError(f"{listed}: none of {len(labels.skipped)} labels can be used{why}")
    with PathLock(out, folder=True) as lock:
        if (out / _PREDICTOR).exists():
            raise HoloError(f"{out} contains a predictor; name another folder, so that it is not overwritten")
        features = _features(listed, DEFAULT_FEATURES, [one.id for one in labels.complexes], workers)
        label_of = {one.id: one for one in labels.complexes}
        complexes = [label_of[name] for name in features.table.ids.tolist()]
        settings = CrossFitSettings(coverage=coverage, seed=seed)
        with progress(fits_of(settings), "fitting") as advance:
            found = cross_fit(features.table, complexes, settings, blocks=DEFAULT_FEATURES, advance=advance)
        skipped = (*labels.skipped, *features.skipped)
        lock.check()
        write_skipped(out / _SKIPPED, skipped)
        _write_unseen(found, out / _UNSEEN)
        write_json(out / _FIGURES, _figures(found, len(skipped)), indent=2)
        write_affinity_report(found, listed, features.sources, out / _REPORT, skipped=skipped)
        write_complex_predictor(found.predictor, out)
    say(
        found.summary(),
        *_kinds(labels),
        *_left_out(skipped, _SKIPPED),
        f"report: {out / _REPORT}",
        **_figures(found, len(skipped)),
    )
    return SOME_FILES_FAILED if skipped else OK


def predict_folder(predictor: Path, folder: Path, out: Path, *, table: str | None, workers: int) -> int:
    """Compute the features that a predictor needs, predict, and report what was left out and flagged."""
    if not out.name:
        raise HoloError(f"--out is {str(out)!r}; it must name a CSV file")
    chosen = read_complex_predictor(predictor)
    beside = out.with_suffix(".skipped.csv")
    with PathLock(out), PathLock(beside):
        features = _features(folder_table(folder, table), chosen.blocks, None, workers)
        predictions = chosen.predict(features.table)
        write_skipped(beside, features.skipped)
        write_flagged_predictions(predictions, out)
    flagged = sum(bool(flag) for flag in predictions.flags)
    half_widths = (predictions.upper - predictions.lower) / 2
    ends = dict.fromkeys(f"{end:.2f}" for end in (half_widths.min(), half_widths.max()))
    say(
        f"{len(predictions.ids)} complexes predicted, {flagged} flagged as unlike the training complexes; intervals of "
        f"± {' to '.join(ends)} are meant to contain {chosen.widths.coverage:.0%} of the labels",
        *_left_out(features.skipped, beside.name),
        predicted=len(predictions.ids),
        flagged=flagged,
        left_out=len(features.skipped),
    )
    return SOME_FILES_FAILED if features.skipped else OK


def _features(table: Path, blocks: Sequence[str], only: Sequence[str] | None, workers: int) -> FolderFeatures:
    found = find_bound(table, only)
    with progress(len(found.sources), "computing features") as advance:
        return folder_features(found, blocks, workers=workers, advance=advance)


def _write_unseen(found: CrossFit, path: Path) -> None:
    unseen = found.unseen
    rows = zip(
        unseen.ids.tolist(),
        (one.cluster for one in found.complexes),
        found.folds.tolist(),
        (one.label for one in found.complexes),
        *(np.round(each, 4).tolist() for each in (unseen.values, unseen.lower, unseen.upper)),
        unseen.flags,
        unseen.nearest.tolist(),
        strict=True,
    )
    header = ("id", "cluster", "fold", "label", "prediction", "lower", "upper", "flags", "nearest")
    write_csv(path, header, rows)


def _figures(found: CrossFit, left_out: int) -> dict[str, object]:
    def plain(scores: Mapping[Metric, Interval]) -> dict[str, list[float | None]]:
        return {
            name: [None if np.isnan(each) else each for each in (one.estimate, one.lower, one.upper)]
            for name, one in scores.items()
        }

    return {
        "complexes": len(found.complexes),
        "left_out": left_out,
        "folds_by": found.grouping.by,
        "caveat": found.grouping.caveat,
        "scores": plain(found.scores),
        "capped_scores": plain(found.capped),
        "coverage": {"asked": found.settings.coverage, "held": found.held},
        "flagged": sum(bool(flag) for flag in found.unseen.flags),
        "learning_curve": [
            {"complexes": point.complexes, "rmsd": point.rmsd.estimate} for point in found.curve
        ],
        "features": list(found.predictor.blocks),
    }


def _kinds(labels: LabelTable) -> list[str]:
    kinds = labels.measurements
    if len(kinds) < 2:
        return []
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return [f"the labels are of several kinds, which pK treats alike: {counted}"]


def _left_out(skipped: Sequence[Skipped], table: str) -> list[str]:
    if not skipped:
        return []
    more = "" if len(skipped) <= _NAMED else ", ..."
    names = ", ".join(line.file for line in skipped[:_NAMED])
    were = "complex was" if len(skipped) == 1 else "complexes were"
    return [f"{len(skipped)} {were} left out ({names}{more}); {table} says why"]
