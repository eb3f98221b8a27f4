"""What z is worth, as a table for readers and as JSON."""

import json
from pathlib import Path

import attrs
import numpy as np

from holo_types.files.atomic import owned, replacing

from .worth import Figure, Worth

__all__ = ["worth_table", "write_worth"]


def worth_table(worth: Worth) -> str:
    """Write the figures as a Markdown table, with one row for each measure and one column for each set of invariants.

    Where z was compared by pairs, a figure that z exceeds by more than the 95 % interval is marked ``-``, and one
    that z falls below by more than the interval is marked ``+``.
    """
    names = list(dict.fromkeys(figure.of for figure in worth.figures))
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in worth.figures:
        rows.setdefault((figure.row, figure.scaling), {})[figure.of] = figure
    header = ["", "distances", *names]
    lines = [header, ["---", "---", *["---:"] * len(names)]]
    for (row, scaling), figures in rows.items():
        trained = " (trained for)" if any(figure.trained for figure in figures.values()) else ""
        cells = [_cell(figures.get(name)) for name in names]
        lines.append([row + trained, scaling, *cells])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    facts = (
        f"{worth.model} ({worth.digest[:12]}), split {worth.split}: {worth.residues} residues of {worth.clusters} "
        f"clusters; distances by the covariance (white) or the variances (std) of {worth.training_residues} clean "
        "training residues, noise and turns in median distances of two residues. Invariants with more than half as "
        "many dimensions as there are training residues have no reliable covariance, and no white rows."
    )
    notes = [f"- left out: {reason}" for reason in worth.left_out]
    return "\n\n".join([facts, table, *(["\n".join(notes)] if notes else [])]) + "\n"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    value = figure.value
    text = f"{value.estimate:.3f}" if abs(value.estimate) < 10 else f"{value.estimate:.1f}"
    if not np.isnan(value.lower):
        text += f" [{value.lower:.3f}, {value.upper:.3f}]"
    if figure.z_above is not None and figure.z_above.lower > 0:
        text += " -"
    if figure.z_above is not None and figure.z_above.upper < 0:
        text += " +"
    return text


def write_worth(worth: Worth, folder: Path) -> None:
    """Write ``worth.json``, with every figure and its interval, and ``worth.md``, the table.

    Raises
    ------
    HoloError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain = json.dumps(_without_nan(attrs.asdict(worth)), indent=1, allow_nan=False)
    with owned(folder), replacing(folder / "worth.json") as new:
        new.write_text(plain + "\n", encoding="utf-8")
    with owned(folder), replacing(folder / "worth.md") as new:
        new.write_text(worth_table(worth), encoding="utf-8")


def _without_nan(value: object) -> object:
    """Replace unknown values by None, since JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
