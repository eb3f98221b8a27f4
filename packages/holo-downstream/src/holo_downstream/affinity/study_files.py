"""The folder of a study: the report, the predictions, the skipped complexes, and the predictor."""

import contextlib
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from holo_downstream._version import __version__
from holo_types import FormatError, HoloError
from holo_types.console import write_skipped
from holo_types.contents import read_content
from holo_types.files.atomic import write_errors
from holo_types.files.csv_files import write_csv
from holo_types.files.json_files import read_json, write_json
from holo_types.files.locks import PathLock, remove_unfinished
from holo_types.reading import reads

from .predictor import write_predictor
from .study import Study

__all__ = ["PREDICTIONS", "check_predictions", "new_study_folder", "write_study"]

PREDICTIONS = "predictions.csv"
_REPORT, _MODEL, _DIGEST = "report.json", "model", "predictions_digest"


@contextlib.contextmanager
def new_study_folder(folder: Path) -> Iterator[PathLock]:
    """Create a folder for a study, and lock it against other fits.

    Parameters
    ----------
    folder
        The folder; it is removed again if nothing is written into it.

    Yields
    ------
    PathLock
        The lock of the folder.

    Raises
    ------
    HoloError
        If the folder holds a study, whose test has already been scored; another fit is writing into it; or no folder
        can be created there.
    """
    with PathLock(folder, folder=True) as lock:
        remove_unfinished(folder / _MODEL)
        if (folder / _REPORT).exists():
            raise HoloError(f"{folder} holds a study; name another folder, so that no result is overwritten")
        yield lock


def write_study(study: Study, folder: Path) -> None:
    """Write ``report.json``, ``predictions.csv``, ``skipped.csv`` and the predictor, ``model/``.

    Parameters
    ----------
    study
        What to write.
    folder
        Made if there is none. The predictions have the columns id, split, cluster, label, prediction (the mean
        of the members), lower, upper, and ``seed_0``, ... of each member; the report comes last, with the digest of
        the predictions.

    Raises
    ------
    HoloError
        If a file cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_predictor(study.predictor, folder / _MODEL)
    write_skipped(folder / "skipped.csv", study.skipped)
    header = ("id", "split", "cluster", "label", "prediction", "lower", "upper")
    seeds = tuple(f"seed_{member.seed}" for member in study.members)
    rows = []
    for column, complex_ in enumerate(study.complexes):
        predictions = study.predictions[:, column]
        if np.isnan(predictions).any():
            continue  # a complex that was left alone
        mean, half = float(predictions.mean()), study.predictor.half_width
        about = (complex_.id, str(study.splits[column]), complex_.cluster, complex_.label)
        rows.append((*about, mean, mean - half, mean + half, *predictions.tolist()))
    write_csv(folder / PREDICTIONS, (*header, *seeds), rows)
    write_json(folder / _REPORT, {**_report(study), _DIGEST: _digest(folder / PREDICTIONS)}, indent=2)


@reads("a study")
def check_predictions(folder: Path) -> None:
    """Compare the predictions of a study with their digest, which studies of before there was one do not have.

    Raises
    ------
    FormatError
        If they differ, or a file cannot be read.
    """
    report = read_json(folder / _REPORT)
    if not isinstance(report, dict):
        raise FormatError(f"{folder / _REPORT}: is not the report of a study")
    if report.get(_DIGEST, said := _digest(folder / PREDICTIONS)) != said:
        raise FormatError(
            f"{folder / PREDICTIONS}: does not match its digest in {_REPORT}; the file is damaged or was changed"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(read_content(path)).hexdigest()


def _report(study: Study) -> dict[str, object]:
    parts, counts = np.unique(study.splits, return_counts=True)
    left_out = ("complexes", "splits", "predictions", "predictor", "settings", "skipped")
    found = {
        name: value for name, value in attrs.asdict(study, recurse=False).items() if name not in left_out
    }
    plain: dict[str, object] = _plain(
        {
            "version": __version__,
            "settings": study.settings,
            "complexes": dict(zip(parts.tolist(), counts.tolist(), strict=True)),
            "interval": {"half_width": study.predictor.half_width, "coverage": study.predictor.coverage},
            **found,
            "members": [
                {
                    "seed": member.seed,
                    "validation_rmsd": member.validation_rmsd,
                    "settings": {"name": type(member.settings).__name__, **attrs.asdict(member.settings)},
                }
                for member in study.members
            ],
            "skipped": [{"id": line.file, "reason": line.reason} for line in study.skipped],
        }
    )
    return plain


def _plain(value: object) -> Any:  # what JSON has
    """Turn classes into mappings, and what is undefined (NaN) into null, which JSON has."""
    if attrs.has(type(value)):
        return _plain(attrs.asdict(value, recurse=False))  # type: ignore[arg-type]  # mypy does not know has()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
