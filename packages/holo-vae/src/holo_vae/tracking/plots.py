"""Figures of a training run: its losses by epoch, and its cosine loss by degree."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from holo_vae.training.engine import Epoch

__all__ = ["BLUE", "GRAY", "ORANGE", "degree_bars", "learning_curves", "tidy"]

BLUE, ORANGE, GRAY, _GREEN = "#2a6f97", "#e07a3f", "#9aa5ae", "#5a9367"

_MEASURED = {
    "mse": "mean squared error (divided scale)",
    "kl": "KL divergence",
    "cosine_loss": "cosine loss (0 is perfect)",
    "errors": "share of wrong classes",
}


def tidy(figure: Figure) -> Figure:
    """Remove the upper and the right line around each panel, and return the figure."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def learning_curves(history: Sequence[Epoch]) -> Figure:
    """Draw the quantities of the objective in training and in validation over epochs, in one panel each.

    Quantities that are always zero, such as the divergence of a model that is not variational, are left out.
    """
    shown = [name for name in history[0].validation if any(epoch.validation[name] for epoch in history)]
    figure = Figure(figsize=(4.5 * max(len(shown), 1), 3.2), layout="constrained")
    epochs = [epoch.number + 1 for epoch in history]
    kept = [epoch for epoch in history if epoch.best][-1:]
    panels = np.atleast_1d(figure.subplots(1, max(len(shown), 1)))
    for axes, name in zip(panels, shown, strict=False):
        validation = [epoch.validation[name] for epoch in history]
        axes.plot(epochs, [epoch.parts[name] for epoch in history], color=GRAY, label="training")
        axes.plot(epochs, validation, color=BLUE, label="validation")
        for epoch in kept:
            axes.plot(epoch.number + 1, epoch.validation[name], "o", color=ORANGE, label="kept")
        axes.set(xlabel="epoch", ylabel=_MEASURED.get(name, name.replace("_", " ")), yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].legend(frameon=False)
    return tidy(figure)


def degree_bars(losses: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the cosine loss of each degree l, side by side for several models or baselines."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    colors = [BLUE, ORANGE, GRAY, _GREEN]
    width = 0.8 / len(losses)
    for position, (name, values) in enumerate(losses.items()):
        places = np.arange(len(values)) + (position - (len(losses) - 1) / 2) * width
        axes.bar(places, values, width, label=name, color=colors[position % len(colors)])
    axes.set(xlabel="degree l", ylabel="cosine loss (0 is perfect)")
    axes.set_xticks(range(len(next(iter(losses.values())))))
    figure.legend(frameon=False, loc="outside upper right", ncols=len(losses))
    return tidy(figure)
