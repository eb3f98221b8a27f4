"""Probe tables as CSV."""

from pathlib import Path

from holo_downstream.validation.bootstrap import Interval
from holo_types.files.csv_files import write_csv

from .probes import ProbeTable

__all__ = ["write_probes"]

_HEADER = (
    "target",
    "groups",
    "folds",
    "rows",
    "left_out",
    "group_count",
    "features",
    "estimator",
    *("accuracy", "accuracy_lower", "accuracy_upper"),
    "balanced_accuracy",
    *("above_majority", "above_majority_lower", "above_majority_upper"),
    *("above_scalars", "above_scalars_lower", "above_scalars_upper"),
)


def write_probes(table: ProbeTable, path: Path) -> None:
    """Write a probe table to a CSV file, one line per result; the cells of a missing interval are empty.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> table = ProbeTable("label", "image", 5, 10, 0, 5, ("x", "y"), ())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_probes(table, Path(folder, "probe.csv"))
    ...     Path(folder, "probe.csv").read_text().split(",")[:3]
    ['target', 'groups', 'folds']
    """
    about = (table.target, table.groups, table.folds, table.rows, table.left_out, table.group_count)
    rows = (
        (
            *about,
            result.features,
            result.estimator,
            *_cells(result.accuracy),
            result.balanced_accuracy,
            *_cells(result.above_majority),
            *_cells(result.above_scalars),
        )
        for result in table.results
    )
    write_csv(path, _HEADER, rows)


def _cells(interval: Interval | None) -> tuple[float | None, ...]:
    return (None, None, None) if interval is None else (interval.estimate, interval.lower, interval.upper)
