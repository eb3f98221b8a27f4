"""Figures of a training and of what a model reconstructs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .training import Epoch

__all__ = ["degree_bars", "density_slices", "embedding_map", "learning_curves"]

_BLUE, _ORANGE, _GREY = "#2a6f97", "#e07a3f", "#9aa5ae"

_MEASURED = {
    "mse": "mean squared error (divided scale)",
    "kl": "KL divergence",
    "cosine": "cosine loss",
    "errors": "share of wrong classes",
}


def _tidy(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def learning_curves(history: Sequence[Epoch]) -> Figure:
    """Draw what the objective measures in training and in validation over epochs, one panel each.

    What is zero throughout, such as the divergence of a model that is not variational, is left out.
    """
    shown = [name for name in history[0].validation if any(epoch.validation[name] for epoch in history)]
    figure = Figure(figsize=(4.5 * max(len(shown), 1), 3.2), layout="constrained")
    epochs = [epoch.number + 1 for epoch in history]
    kept = [epoch for epoch in history if epoch.best][-1:]
    panels = np.atleast_1d(figure.subplots(1, max(len(shown), 1)))
    for axes, name in zip(panels, shown, strict=False):
        validation = [epoch.validation[name] for epoch in history]
        axes.plot(epochs, [epoch.parts[name] for epoch in history], color=_GREY, label="training")
        axes.plot(epochs, validation, color=_BLUE, label="validation")
        for epoch in kept:
            axes.plot(epoch.number + 1, epoch.validation[name], "o", color=_ORANGE, label="kept")
        axes.set(xlabel="epoch", ylabel=_MEASURED.get(name, name.replace("_", " ")), yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].legend(frameon=False)
    return _tidy(figure)


def degree_bars(losses: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the cosine loss of each degree l, side by side for several models or baselines."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    colours = [_BLUE, _ORANGE, _GREY, "#5a9367"]
    width = 0.8 / len(losses)
    for position, (name, values) in enumerate(losses.items()):
        places = np.arange(len(values)) + (position - (len(losses) - 1) / 2) * width
        axes.bar(places, values, width, label=name, color=colours[position % len(colours)])
    axes.set(xlabel="degree l", ylabel="cosine loss")
    axes.set_xticks(range(len(next(iter(losses.values())))))
    figure.legend(frameon=False, loc="outside upper right", ncols=len(losses))
    return _tidy(figure)


def density_slices(
    pairs: Sequence[tuple[str, NDArray[Any], NDArray[Any]]], channels: Sequence[str], extent: float
) -> Figure:
    """Draw true and reconstructed densities in the plane z = 0, a row per neighbourhood and kind.

    Parameters
    ----------
    pairs
        Title, true and reconstructed density, each ``[channels, y, x]``.
    channels
        Names of the channels.
    extent
        Half the side of the square that the densities cover, in Å.
    """
    rows = 2 * len(pairs)
    figure = Figure(figsize=(2.1 * len(channels) + 0.6, 2.05 * rows), layout="constrained")
    grid = figure.subplots(rows, len(channels), squeeze=False)
    for number, (title, true, reconstructed) in enumerate(pairs):
        # One colour scale for both and for all channels, or a faint reconstruction would look like a good one,
        # and noise in an empty channel like atoms. The rim, where the basis is cut off, may saturate it.
        limit = max(float(np.percentile(np.abs(true), 99.5)), 1e-12)
        for channel, name in enumerate(channels):
            for offset, (kind, density) in enumerate((("true", true), ("reconstructed", reconstructed))):
                axes = grid[2 * number + offset, channel]
                axes.imshow(
                    density[channel],
                    origin="lower",
                    extent=(-extent, extent, -extent, extent),
                    cmap="RdBu_r",
                    vmin=-limit,
                    vmax=limit,
                    interpolation="bilinear",
                )
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_color("#d5d9dc")
                if number == 0 and offset == 0:
                    axes.set_title(name, fontsize=10)
                if channel == 0:
                    axes.set_ylabel(f"{title}\n{kind}", fontsize=8)
    return figure


def embedding_map(points: NDArray[Any], labels: NDArray[Any], title: str) -> Figure:
    """Draw embeddings in two dimensions, coloured by label.

    Parameters
    ----------
    points
        ``[n, 2]``.
    labels
        ``[n]`` text.
    title
        What the map shows.
    """
    figure = Figure(figsize=(6.4, 5), layout="constrained")
    axes = figure.subplots()
    colours = {"helix": _ORANGE, "sheet": _BLUE, "coil": _GREY}
    for label in np.unique(labels):
        chosen = labels == label
        axes.scatter(
            points[chosen, 0],
            points[chosen, 1],
            s=7,
            alpha=0.7,
            lw=0,
            color=colours.get(str(label)),
            label=str(label),
        )
    axes.legend(frameon=False, markerscale=2.5)
    axes.set(xticks=[], yticks=[], title=title)
    return _tidy(figure)
