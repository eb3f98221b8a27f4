"""The tables of the study, in Markdown."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from figures import LIST_LENGTH, Classes, Figures, Retrieved
from scipy.stats import t as student

from holo_types.files.atomic import replacing

__all__ = ["write_page"]

_COVERED = 0.95
_Z = "z, "
_OURS = "z"  # with the one of initial weights


def write_page(folder: Path, figures: Figures) -> None:
    """Write ``tables.md`` with all results so far, each table between comments so that a page can include it."""
    tables = {
        "runs": f"{_halvings(figures)} halvings of the classes; seeds of each: {_seeds(figures)}.",
        "retrieval": _retrieval(figures),
        "scores": _scores(figures),
        "classes": _classes(figures),
        "partners": _partners(figures),
    }
    parts = (
        f"<!-- {name} -->\n\n{table}\n\n<!-- end {name} -->\n" for name, table in tables.items() if table
    )
    with replacing(folder / "tables.md") as new:
        new.write_text("\n".join(parts), encoding="utf-8")


def _halvings(figures: Figures) -> int:
    return max(map(len, figures.retrieved.values()), default=0)


def _seeds(figures: Figures) -> str:
    counts = {
        row.removeprefix(_Z): sorted({len(each) for each in by_halving.values()})
        for row, by_halving in figures.retrieved.items()
        if row.startswith(_Z)
    }
    return ", ".join(f"{row} {'–'.join(map(str, seeds))}" for row, seeds in counts.items())


def _by_halving(
    found: Mapping[int, Sequence[Retrieved]], value: Callable[[Retrieved], float]
) -> dict[int, float]:
    """Return a figure for each halving as the mean over its seeds."""
    return {number: float(np.mean([value(each) for each in seeds])) for number, seeds in found.items()}


def _interval(values: Sequence[float], digits: int = 3, *, signed: bool = False) -> str:
    """Write a mean over halvings with an interval by Student's t."""
    sign = "+" if signed else ""
    mean = f"{np.mean(values):{sign}.{digits}f}"
    if len(values) < 2:
        return mean
    half = student.ppf((1 + _COVERED) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return f"{mean} [{np.mean(values) - half:{sign}.{digits}f}, {np.mean(values) + half:{sign}.{digits}f}]"


def _map(each: Retrieved) -> float:
    return each.macro.map


def _retrieval(figures: Figures) -> str:
    """Write the mean average precision of each row, and its difference to z on the same halvings."""
    ours = [row for row in figures.retrieved if row.startswith(_OURS)]
    found = {row: _by_halving(by_halving, _map) for row, by_halving in figures.retrieved.items()}
    rows = []
    for row in [*(row for row in found if row not in ours), *ours]:
        better = []
        for z in ours:
            both = sorted(found[z].keys() & found[row].keys())
            gains = [found[z][number] - found[row][number] for number in both]
            better.append("" if row == z else _interval(gains, signed=True))
        forms = [each.form for seeds in figures.retrieved[row].values() for each in seeds]
        common = max(sorted(set(forms)), key=forms.count)
        rows.append((row, _interval(list(found[row].values())), *better, common))
    headings = (
        "row",
        "mAP [95 %]",
        *(f"{z.partition(', whitened')[0]} better by [95 %]" for z in ours),
        "form most often chosen",
    )
    return _table(headings, rows)


def _scores(figures: Figures) -> str:
    """Write SHREC17's scores, micro and macro."""
    rows = []
    for row, by_halving in figures.retrieved.items():
        cells = []
        for average in ("micro", "macro"):
            for name in ("precision", "recall", "f1", "map", "ndcg"):

                def value(each: Retrieved, average: str = average, name: str = name) -> float:
                    score: float = getattr(getattr(each, average), name)
                    return score

                cells.append(f"{np.mean(list(_by_halving(by_halving, value).values())):.3f}")
        rows.append((row, *cells))
    names = (f"P@{LIST_LENGTH}", f"R@{LIST_LENGTH}", f"F1@{LIST_LENGTH}", "mAP", "NDCG")
    headings = ("row", *(f"{average} {name}" for average in ("micro", "macro") for name in names))
    return _table(headings, rows)


def _classes(figures: Figures) -> str:
    """Write the figures of the tables in the paper: reconstruction, clusters and classifiers."""
    rows = []
    for row, by_halving in figures.classes.items():
        every = [each for seeds in by_halving.values() for each in seeds]
        rows.append((row, *(_mean(every, name) for name in _CLASSES)))
    return _table(("row", *_CLASSES.values()), rows)


_CLASSES = {
    "cosine_loss": "cosine loss",
    "purity": "purity",
    "v_measure": "V-measure",
    "linear": "linear",
    "knn": "KNN",
}


def _mean(found: Sequence[Classes], name: str) -> str:
    values = [value for each in found if (value := getattr(each, name)) is not None]
    return f"{np.mean(values):.3f}" if values else ""


def _partners(figures: Figures) -> str:
    rows = [
        (
            row,
            f"{np.mean([each.first_hit for each in found]):.3f}",
            f"{np.mean([each.reciprocal_rank for each in found]):.3f}",
            str(len(found)) if row.startswith(_Z) else "",
        )
        for row, found in figures.partners.items()
    ]
    return _table(("row", "first hit", "mean reciprocal rank", "seeds"), rows) if rows else ""


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rules = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))
