"""The plots of a report, which show what a model reconstructs, embeds and samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from holo_vae.tracking.plots import BLUE, GRAY, ORANGE, tidy

__all__ = [
    "PlanePoints",
    "class_bars",
    "density_colors",
    "density_slices",
    "embedding_map",
    "loss_histogram",
    "sphere_colors",
    "tiles",
]

_INK, _RIM = "#3b4750", "#cfd5d9"
_TEN = (
    BLUE,
    ORANGE,
    "#5a9367",
    "#b5475b",
    "#7b6bb0",
    "#8a6d52",
    "#d183b6",
    "#7d8790",
    "#c2a83e",
    "#3fa7b5",
)
_ELEMENTS = {"C": "#6b747b", "N": "#2f62c9", "O": "#d3382f", "S": "#d9a514", "H": "#b9c0c5"}
_MOST_NAMED = 30  # classes in a legend
_RADIUS = 0.46  # of a view, in inches
_KEY = 0.3  # inches below the views


@attrs.frozen(eq=False)
class PlanePoints:
    """Points near a plane, which are drawn over their density.

    Parameters
    ----------
    places : Float[ndarray, "points 2"]
        The positions in the plane, in Å.
    channels : Int[ndarray, "points"]
        The channel of each point.
    own : Bool[ndarray, "points"]
        Whether each point is one of the residue's own atoms.
    """

    places: Float[np.ndarray, "points 2"]
    channels: Int[np.ndarray, "points"]
    own: Bool[np.ndarray, "points"]


def density_slices(
    pairs: Sequence[tuple[str, NDArray[Any], NDArray[Any]]],
    channels: Sequence[str],
    extent: float,
    points: Sequence[PlanePoints] = (),
) -> Figure:
    """Draw true and reconstructed densities in the plane z = 0, with a row for each neighborhood and kind.

    Parameters
    ----------
    pairs
        The title, the true density and the reconstructed density of each neighborhood, as ``[channels, y, x]``.
    channels
        The names of the channels.
    extent
        Half the side of the square that the densities cover, in Å.
    points
        The points near the plane for each pair, if they are known.
    """
    rows = 2 * len(pairs)
    figure = Figure(figsize=(2.1 * len(channels) + 0.6, 2.05 * rows), layout="constrained")
    grid = figure.subplots(rows, len(channels), squeeze=False)
    for number, (title, true, reconstructed) in enumerate(pairs):
        # One color scale for both and for all channels, or a faint reconstruction would look like a good one,
        # and noise in an empty channel like atoms. The rim, where the basis is cut off, may saturate it.
        limit = max(float(np.percentile(np.abs(true), 99.5)), 1e-12)
        for channel, name in enumerate(channels):
            for offset, (kind, density) in enumerate((("true", true), ("reconstructed", reconstructed))):
                axes = grid[2 * number + offset, channel]
                drawn = axes.imshow(
                    density[channel] / limit,
                    origin="lower",
                    extent=(-extent, extent, -extent, extent),
                    cmap="RdBu_r",
                    vmin=-1,
                    vmax=1,
                    interpolation="bilinear",
                )
                if points:
                    _draw_points(axes, points[number], channel)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_color("#d5d9dc")
                if number == 0 and offset == 0:
                    axes.set_title(name, fontsize=10)
                if channel == 0:
                    axes.set_ylabel(f"{title}\n{kind}", fontsize=8)
    bar = figure.colorbar(drawn, ax=grid, shrink=0.5 / len(pairs), aspect=12)
    bar.set_label("density, in units of the strongest", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return figure


def _draw_points(axes: Axes, points: PlanePoints, channel: int) -> None:
    here = points.channels == channel
    for own, width in ((False, 0.5), (True, 1.6)):
        some = points.places[here & (points.own == own)]
        axes.scatter(some[:, 0], some[:, 1], s=14, facecolor="white", edgecolor=_INK, lw=width)


def embedding_map(points: NDArray[Any], labels: NDArray[Any] | None, title: str) -> Figure:
    """Draw embeddings in two dimensions, colored by label.

    Parameters
    ----------
    points
        ``[n, 2]``.
    labels
        ``[n]`` text or integers, or None to draw all points in one color.
    title
        The title of the map.
    """
    figure = Figure(figsize=(6.8, 5.6), layout="constrained")
    axes = figure.subplots()
    names = [None] if labels is None else list(np.unique(labels))
    known = {"helix": ORANGE, "sheet": BLUE, "coil": GRAY}
    size = float(np.clip(9000 / len(points), 3, 14))
    for number, label in enumerate(names):
        chosen = points if labels is None else points[labels == label]
        color = BLUE if label is None else known.get(str(label), _class_color(number, len(names)))
        axes.scatter(chosen[:, 0], chosen[:, 1], s=size, alpha=0.75, lw=0, color=color, label=str(label))
    if 1 < len(names) <= _MOST_NAMED:
        axes.legend(frameon=False, markerscale=2.5, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)
    return figure


def _class_color(number: int, count: int) -> Any:
    """Return distinct colors of similar lightness: ten chosen by hand, or more around the color circle."""
    if count <= len(_TEN):
        return _TEN[number]
    return colormaps["hsv"](number / count)


def loss_histogram(losses: NDArray[Any]) -> Figure:
    """Draw the distribution of the cosine losses of rows, with their median and mean."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    axes = figure.subplots()
    # The highest hundredth would compress the rest, so it is counted in the last bar.
    top = float(np.percentile(losses, 99)) or 1.0
    axes.hist(np.minimum(losses, top), bins=60, color=BLUE, alpha=0.85)
    for value, name, style in ((np.median(losses), "median", "-"), (losses.mean(), "mean", "--")):
        axes.axvline(float(value), color=ORANGE, lw=1.6, ls=style, label=f"{name} {value:.4f}")
    axes.set(xlabel="cosine loss of a row (the last bar: all above)", ylabel="rows", xlim=(0, top))
    axes.legend(frameon=False)
    return tidy(figure)


def class_bars(
    shares: Mapping[str, Sequence[float | None]], classes: Sequence[int | str], name: str
) -> Figure:
    """Draw a bar for each class and each kind of samples; missing numbers have no bar."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    axes = figure.subplots()
    colors = [GRAY, BLUE, ORANGE]
    width = 0.8 / len(shares)
    for position, (kind, values) in enumerate(shares.items()):
        places = np.arange(len(classes)) + (position - (len(shares) - 1) / 2) * width
        heights = [np.nan if value is None else value for value in values]
        axes.bar(places, heights, width, label=kind, color=colors[position % len(colors)])
    axes.set(ylabel=name)
    axes.set_xticks(range(len(classes)), [str(label) for label in classes])
    figure.legend(frameon=False, loc="outside upper right", ncols=len(shares))
    return tidy(figure)


def sphere_colors(values: NDArray[Any], limits: NDArray[Any]) -> NDArray[Any]:
    """Color views of a sphere.

    Parameters
    ----------
    values
        ``[n, size, size]``.
    limits
        ``[n, 2]``, the values of the darkest and the brightest color of each view. They must be the same for a true
        view and its reconstruction; otherwise a faint reconstruction would look like a good one.
    """
    low, high = limits[:, 0, None, None], limits[:, 1, None, None]
    shades = np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)
    colors: NDArray[Any] = colormaps["magma"](np.nan_to_num(shades))[..., :3]
    return colors


def density_colors(densities: NDArray[Any], channels: Sequence[str], limits: NDArray[Any]) -> NDArray[Any]:
    """Superpose the densities of all channels on white, each in the color of its element.

    Parameters
    ----------
    densities
        ``[n, channels, size, size]``.
    channels
        The names of the channels; C, N, O, S and H have the usual colors.
    limits
        ``[n]``, the density that is drawn in full color.
    """
    inks = np.array(_inks(channels))
    amounts = np.clip(densities / np.maximum(limits, 1e-12)[:, None, None, None], 0, 1)
    # The colors mix like inks on paper: each absorbs its share of the light that the others leave.
    paper = np.ones((*densities.shape[:1], *densities.shape[2:], 3))
    for channel, ink in enumerate(inks):
        paper *= 1 - amounts[:, channel, ..., None] * (1 - ink)
    return paper


def _inks(channels: Sequence[str]) -> list[tuple[float, float, float]]:
    return [to_rgb(_ELEMENTS.get(name) or _TEN[number % len(_TEN)]) for number, name in enumerate(channels)]


def tiles(
    rows: Sequence[tuple[str, NDArray[Any]]], titles: Sequence[str] = (), channels: Sequence[str] = ()
) -> Figure:
    """Draw colored views as discs in a grid with names of rows, titles of columns, and a key of the colors.

    Parameters
    ----------
    rows
        The name and the views ``[columns, size, size, 3]`` of each row, with pixels from bottom to top. The disc inside
        each view is shown. Rows may differ in length.
    titles
        The titles of the columns, of one or several lines.
    channels
        The names of the channels whose colors are superposed, see `density_colors`; empty for views with the shades of
        `sphere_colors`.
    """
    columns = max(len(views) for _, views in rows)
    names = 1.35 if any(name for name, _ in rows) else 0.05
    top = 0.15 + 0.15 * max(title.count("\n") + 1 for title in titles) if titles else 0.05
    width, height = names + columns, top + len(rows)
    figure = Figure(figsize=(width, height + _KEY))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-_KEY, height))  # in inches
    axes.set_axis_off()
    for line, (name, views) in enumerate(rows):
        middle = len(rows) - line - 0.5
        axes.text(names - 0.1, middle, name, ha="right", va="center", color=_INK, fontsize=9)
        for column, view in enumerate(views):
            x = names + column + 0.5
            extent = (x - _RADIUS, x + _RADIUS, middle - _RADIUS, middle + _RADIUS)
            disc = axes.imshow(view, origin="lower", extent=extent, interpolation="bilinear", aspect="auto")
            disc.set_clip_path(Circle((x, middle), _RADIUS, transform=axes.transData))
            axes.add_patch(Circle((x, middle), _RADIUS, fill=False, lw=0.6, ec=_RIM))
    for column, title in enumerate(titles):
        axes.text(
            names + column + 0.5, len(rows) + 0.06, title, ha="center", va="bottom", color=_INK, fontsize=9
        )
    _draw_key(axes, names + 0.05, channels)
    axes.set(xlim=(0, width), ylim=(-_KEY, height))
    return figure


def _draw_key(axes: Axes, left: float, channels: Sequence[str]) -> None:
    """Draw a key of the colors below the pictures."""
    middle = -0.55 * _KEY

    def write(x: float, text: str) -> None:
        axes.text(x, middle, text, va="center", color=_INK, fontsize=8)

    for number, (name, color) in enumerate(zip(channels, _inks(channels), strict=True)):
        axes.add_patch(Circle((left + 0.1 + 0.8 * number, middle), 0.06, color=color))
        write(left + 0.22 + 0.8 * number, name)
    if not channels:
        write(left, "low")
        shades = colormaps["magma"](np.linspace(0, 1, 100))[None, :, :3]
        axes.imshow(shades, extent=(left + 0.35, left + 1.85, middle - 0.06, middle + 0.06), aspect="auto")
        write(left + 1.95, "high")
