"""Draw what β does to samples of one digit, from mnist/beta.csv: ``python docs/results/mnist_beta.py``."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
from cyclopts import App
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holo_types.console import run
from holo_types.files.atomic import replacing

FOLDER = Path(__file__).parent / "mnist"
DIGITS = {"accuracy": 0.975, "coverage": 0.488}  # of the validation digits themselves
_INK, _GRAY = "#7d8790", "#9aa5ae"  # seen on light pages and on dark ones
_COLORS = {"prior N(0, 1)": "#e07a3f", "fitted density": "#4a90c2"}


@attrs.frozen(kw_only=True)
class Row:
    """What samples of a model are worth.

    Parameters
    ----------
    beta
        The model's β.
    kind
        What z is drawn from.
    accuracy, second_judge
        The share of samples that each judge takes for the digit that was asked for.
    diversity
        The least and the largest over the digits, in units of that of the digits themselves.
    coverage
        The share of digits with a sample nearer than their nearest training digit.
    """

    beta: float
    kind: str
    accuracy: float
    second_judge: float
    diversity: tuple[float, float]
    coverage: float


def read_rows(path: Path) -> list[Row]:
    """Read the table of the sweep."""
    names = {"prior": "prior N(0, 1)", "fitted": "fitted density"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                beta=float(row["beta"]),
                kind=names[row["samples"]],
                accuracy=float(row["accuracy"]),
                second_judge=float(row["second_judge"]),
                diversity=(float(row["least_diversity"]), float(row["largest_diversity"])),
                coverage=float(row["coverage"]),
            )
            for row in csv.DictReader(file)
        ]


def beta_figure(rows: Sequence[Row]) -> Figure:
    """Draw accuracy, diversity and coverage over β, a color for each of what z is drawn from."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    accuracy, diversity, coverage = figure.subplots(1, 3)
    for kind, color in _COLORS.items():
        some = sorted((row for row in rows if row.kind == kind), key=lambda row: row.beta)
        betas = [row.beta for row in some]
        style = {"color": color, "lw": 1.6, "ms": 5}
        accuracy.plot(betas, [row.accuracy for row in some], "o-", label=kind, **style)
        accuracy.plot(betas, [row.second_judge for row in some], "x", color=color, ms=5)
        coverage.plot(betas, [row.coverage for row in some], "o-", **style)
        lows, highs = ([row.diversity[end] for row in some] for end in (0, 1))
        diversity.plot(betas, lows, "v-", **style)
        diversity.plot(betas, highs, "^-", **style)
        diversity.fill_between(betas, lows, highs, color=color, alpha=0.15, lw=0)
    for axes, name in ((accuracy, "accuracy"), (coverage, "coverage")):
        axes.axhline(DIGITS[name], color=_GRAY, ls="--", lw=1)
        axes.set_ylim(0, 1 if name == "accuracy" else 0.7)
    diversity.axhspan(0.9, 1.1, color=_GRAY, alpha=0.25, lw=0)
    diversity.set_ylim(0, 3.1)
    accuracy.set_title("taken for the digit asked for")
    diversity.set_title("diversity, least and largest digit")
    coverage.set_title("coverage of validation digits")
    accuracy.legend(frameon=False, labelcolor=_INK, fontsize=8, loc="center left")
    for axes in (accuracy, diversity, coverage):
        _tidy(axes)
    return figure


def _tidy(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("β", color=_INK)
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GRAY)
    axes.tick_params(which="both", colors=_INK, labelsize=8)
    axes.title.set(color=_INK, size=9)


app = App(name="mnist_beta", help="Draw what β does to samples of one digit.")


@app.default
def mnist_beta(*, table: Path = FOLDER / "beta.csv", out: Path = FOLDER / "beta.png") -> int:
    """Draw the sweep's figures.

    Parameters
    ----------
    table
        The figures.
    out
        The picture.
    """
    with replacing(out) as new:
        beta_figure(read_rows(table)).savefig(new, format="png", dpi=130)
    return 0


if __name__ == "__main__":
    sys.exit(run(app))
