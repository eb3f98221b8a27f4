"""The plots of a report of affinities: predictions, residuals and the learning curve."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from holo_downstream import CrossFit
from holo_vae.tracking.plots import BLUE, GRAY, ORANGE, tidy

__all__ = ["distance_plot", "learning_curve", "measured_plot", "residual_bars"]

_MOST_BARS = 20  # groups that are drawn individually
_MOST_INTERVALS = 300  # complexes whose intervals can be told apart


def measured_plot(found: CrossFit) -> Figure:
    """Draw predicted against measured affinities with intervals, with flagged complexes in another color."""
    unseen, measured = found.unseen, found.measured
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    axes = figure.subplots()
    flagged = np.array([bool(flag) for flag in unseen.flags])
    some = np.arange(len(measured))
    if len(some) > _MOST_INTERVALS:
        some = np.random.default_rng(0).choice(some, _MOST_INTERVALS, replace=False)
    drawn = np.isin(np.arange(len(measured)), some)
    for rows, color, name in ((~flagged, BLUE, "usual"), (flagged, ORANGE, "flagged")):
        with_interval = rows & drawn
        axes.vlines(
            measured[with_interval],
            unseen.lower[with_interval],
            unseen.upper[with_interval],
            color=color,
            lw=0.7,
            alpha=0.3,
        )
        axes.plot(measured[rows], unseen.values[rows], "o", ms=3.5, mew=0, color=color, alpha=0.7, label=name)
    ends = [min(measured.min(), unseen.values.min()) - 0.3, max(measured.max(), unseen.values.max()) + 0.3]
    axes.plot(ends, ends, color=GRAY, lw=1, zorder=0)
    axes.set(xlabel="measured pK", ylabel="predicted pK", xlim=ends, ylim=ends)
    axes.legend(frameon=False, loc="upper left")
    return tidy(figure)


def residual_bars(residuals: NDArray[np.float64], groups: Sequence[str]) -> Figure:
    """Draw median, quartiles, 5 % and 95 % of the residuals of each large group, and of all others together."""
    names, group_of_row, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    alone = order if len(order) <= _MOST_BARS + 1 else order[:_MOST_BARS]
    boxes = [residuals[group_of_row == group] for group in alone]
    titles = [f"{_plain(names[group])} ({sizes[group]})" for group in alone]
    if len(alone) < len(order):
        others = ~np.isin(group_of_row, alone)
        boxes.append(residuals[others])
        titles.append(f"{len(order) - len(alone)} others ({others.sum()})")
    figure = Figure(figsize=(7, 0.9 + 0.26 * len(boxes)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=GRAY, lw=1, zorder=0)
    places = np.arange(len(boxes))
    for place, values in zip(places, boxes, strict=True):
        low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        axes.plot([low, high], [place, place], color=BLUE, lw=1)
        axes.plot([first, third], [place, place], color=BLUE, lw=6, solid_capstyle="butt", alpha=0.6)
        axes.plot([middle], [place], "o", color=ORANGE, ms=4)
    axes.set_yticks(places, titles, fontsize=8)
    axes.set_ylim(len(boxes) - 0.5, -0.5)
    axes.set_xlabel("predicted minus measured pK")
    return tidy(figure)


def _plain(name: str) -> str:
    """Return a name without dollar signs that matplotlib would read as formulas."""
    return str(name)[:28].replace("$", r"\$")


def learning_curve(found: CrossFit) -> Figure:
    """Draw the error against the number of training complexes, with its interval."""
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axes = figure.subplots()
    sizes = [point.complexes for point in found.curve]
    middle, lower, upper = (
        [getattr(point.rmsd, name) for point in found.curve] for name in ("estimate", "lower", "upper")
    )
    axes.fill_between(sizes, lower, upper, color=BLUE, alpha=0.15, lw=0)
    axes.plot(sizes, middle, "o-", color=BLUE)
    axes.axhline(float(found.measured.std()), color=GRAY, lw=1, ls="--", label="the mean of the labels")
    axes.set(xlabel="training complexes", ylabel="RMSE in pK", xscale="log")
    axes.set_xticks(sizes, list(map(str, sizes)))
    axes.minorticks_off()
    axes.legend(frameon=False)
    return tidy(figure)


def distance_plot(found: CrossFit) -> Figure:
    """Draw residuals and half widths of intervals against the distance to the nearest training complex."""
    unseen = found.unseen
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axes = figure.subplots()
    distances, widths = unseen.distances, (unseen.upper - unseen.lower) / 2
    axes.plot(distances, np.abs(unseen.values - found.measured), "o", ms=2.5, mew=0, color=GRAY, alpha=0.6)
    axes.plot(distances, widths, ".", ms=2.5, color=BLUE, label="half width of the interval")
    axes.axvline(found.predictor.domain.limit, color=ORANGE, lw=1, ls="--", label="flagged beyond")
    axes.set(xlabel="distance to the nearest training complex", ylabel="absolute error in pK")
    axes.legend(frameon=False, fontsize=8)
    return tidy(figure)
