"""The pictures of the results on proteins."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from accuracy import Accuracy, GroupCosine
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from robustness import Denoising
from scenes import Scene

from holo_downstream import Interval
from holo_lab.explore.columns import AMINO_ACIDS

__all__ = [
    "Tile",
    "TileRow",
    "accuracy_figure",
    "amino_acid_map",
    "denoising_figure",
    "neighbors_figure",
    "worth_figure",
]

BLUE, ORANGE, GRAY, GREEN, INK, RIM = "#2a6f97", "#e07a3f", "#9aa5ae", "#5a9367", "#3b4750", "#cfd5d9"
GRAYS = ("#c3cad0", "#9aa5ae", "#77828b", "#57626b", "#3b4750")
STRUCTURES = {"helix": ORANGE, "sheet": BLUE, "coil": GRAY}
ELEMENTS = {"C": INK, "N": "#2f62c9", "O": "#d3382f", "S": "#d9a514"}


def tidy(axes: Axes) -> None:
    """Remove the parts of axes that carry no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
    axes.tick_params(colors=INK, labelsize=8, length=2.5)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, size=9)
    axes.title.set(color=INK, size=10)


def accuracy_figure(accuracy: Accuracy) -> Figure:
    """Draw the cosine loss by degree, atom count, residue type, secondary structure and burial."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    (degrees, atoms), (types, classes) = figure.subplots(2, 2, width_ratios=(1.2, 1))
    mean = accuracy.cosine_loss.estimate

    per_degree = accuracy.reconstruction.cosine_loss_per_degree
    degrees.bar(range(len(per_degree)), per_degree, 0.7, color=BLUE)
    degrees.set(title="each degree l by itself", xlabel="degree l", ylabel="cosine loss")
    degrees.set_xticks(range(len(per_degree)))

    ranges = [tuple(map(int, group.name.split(" to "))) for group in accuracy.by_atoms]
    middles = [(low + high) / 2 for low, high in ranges]
    atoms.plot(middles, [group.cosine_loss for group in accuracy.by_atoms], "o-", color=BLUE, ms=4, lw=1.4)
    atoms.set(title="number of atoms within 10 Å", xlabel="heavy atoms", ylabel="cosine loss")

    ordered = sorted(accuracy.by_type, key=lambda group: group.cosine_loss)
    types.bar(range(len(ordered)), [group.cosine_loss for group in ordered], 0.7, color=BLUE)
    types.set_xticks(range(len(ordered)), [group.name.capitalize() for group in ordered], rotation=90)
    types.set(title="residue type", ylabel="cosine loss")

    groups: list[GroupCosine] = [*accuracy.by_structure, *accuracy.by_burial]
    colors = [STRUCTURES[group.name] for group in accuracy.by_structure]
    colors += [GREEN] * len(accuracy.by_burial)
    places = [place + (0.6 if place >= len(accuracy.by_structure) else 0) for place in range(len(groups))]
    classes.bar(places, [group.cosine_loss for group in groups], 0.7, color=colors)
    classes.set_xticks(places, [group.name for group in groups])
    classes.set(title="secondary structure and burial", ylabel="cosine loss")

    for axes in (degrees, atoms, types, classes):
        tidy(axes)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    # Comparable panels have the same scale.
    highest = 1.08 * max(mean, *(axes.get_ylim()[1] for axes in (atoms, types, classes)))
    for axes in (atoms, types, classes):
        axes.set_ylim(0, highest)
        axes.axhline(mean, color=ORANGE, lw=1.2, ls="--", label=f"all residues, {mean:.3f}")
    classes.tick_params(axis="x", labelsize=7.5)
    atoms.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower left")
    return figure


def denoising_figure(denoising: Sequence[Denoising]) -> Figure:
    """Draw the cosine losses of noisy holograms and of their reconstructions against the noise."""
    figure = Figure(figsize=(4.6, 3.1), layout="constrained")
    axes = figure.subplots()
    noises = [point.noise for point in denoising]
    for name, values, color in (
        ("noisy atoms", [point.noisy for point in denoising], GRAY),
        ("reconstructed from noisy atoms", [point.reconstructed for point in denoising], BLUE),
    ):
        axes.plot(noises, values, "o-", color=color, ms=4, lw=1.6, label=name)
    axes.set(xlabel="noise of each coordinate (Å)", ylabel="cosine loss to the clean hologram")
    axes.set_ylim(bottom=0)
    axes.set_xticks(noises)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    tidy(axes)
    return figure


def worth_figure(rows: Mapping[str, Mapping[str, Interval]], models: Sequence[str]) -> Figure:
    """Draw shares of residues with a line for each row: models with their intervals, all others in gray."""
    names = list(dict.fromkeys(name for points in rows.values() for name in points))
    styles = dict(zip(models, zip("oD", (BLUE, ORANGE), strict=True), strict=False))
    styles |= dict(
        zip([name for name in names if name not in models], zip("s^v<>", GRAYS, strict=True), strict=False)
    )
    figure = Figure(figsize=(7.4, 0.45 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for line, points in enumerate(rows.values()):
        for name, share in points.items():
            marker, color = styles[name]
            if name in models:
                axes.plot([share.lower, share.upper], [line, line], color=color, lw=1.6, zorder=3)
            axes.plot(
                share.estimate,
                line,
                marker,
                color=color,
                ms=6 if name in models else 5,
                zorder=4 - (name not in models),
            )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel="share of residues", xlim=(0, 1.0))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", color=RIM, lw=0.6, zorder=0)
    tidy(axes)
    handles = [
        Line2D([], [], color=styles[n][1], marker=styles[n][0], ms=5, lw=1.6 if n in models else 0, label=n)
        for n in names
    ]
    figure.legend(
        handles=handles, frameon=False, fontsize=8, labelcolor=INK, loc="outside lower center", ncols=4
    )
    return figure


def amino_acid_map(points: NDArray[Any], labels: NDArray[Any], title: str) -> Figure:
    """Draw residues in the plane of z, with the name of each type connected to where most of its residues are."""
    size = np.array([7.2, 6.0])  # inches
    figure = Figure(figsize=tuple(size), layout="constrained")
    axes = figure.subplots()
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * (high - low)
    low, high = low - margin, high + margin
    scale = (high - low) / size
    names = [name for name in AMINO_ACIDS if (labels == name).any()]
    anchors = np.stack([(of := points[labels == name])[_densest(of)] for name in names])
    # In random order, so that no type covers all others.
    order = np.random.default_rng(0).permutation(len(points))
    colors = [AMINO_ACIDS[str(name)] for name in labels[order]]
    axes.scatter(points[order, 0], points[order, 1], s=9, alpha=0.75, lw=0, color=colors)
    places = _label_places((points - low) / scale, (anchors - low) / scale, size) * scale + low
    for name, anchor, place in zip(names, anchors, places, strict=True):
        color = AMINO_ACIDS[name]
        axes.plot(*zip(anchor, place, strict=True), color=INK, lw=0.7, zorder=3)
        axes.plot(*anchor, "o", ms=5, mfc=color, mec=INK, mew=0.7, zorder=4)
        axes.text(
            place[0],
            place[1],
            name.capitalize(),
            ha="center",
            va="center",
            size=8.5,
            weight="bold",
            color=INK,
            bbox={"boxstyle": "round,pad=0.18", "fc": "white", "ec": color, "lw": 1.4},
            zorder=5,
        )
    axes.set(title=title, xlabel="z₁", ylabel="z₂", xticks=[], yticks=[])
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    tidy(axes)
    return figure


def _densest(points: NDArray[Any]) -> int:
    """Return the point with the smallest distance to its nearest tenth, since a type may be in several places."""
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    return int(np.sort(distances, axis=1)[:, len(points) // 10].argmin())


def _label_places(points: NDArray[Any], anchors: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
    """Place a label near each anchor such that it hides few points, no anchor and no other label, in inches."""
    box = np.array([0.46, 0.26])
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    steps = [r * np.array([np.cos(a), np.sin(a)]) for r in np.arange(0.25, 1.3, 0.1) for a in angles]
    between = np.linalg.norm(anchors[:, None] - anchors, axis=2) + np.diag(np.full(len(anchors), np.inf))
    places = np.full_like(anchors, np.inf)
    for number in between.min(axis=1).argsort():  # the most crowded ones first
        options = anchors[number] + steps
        options = options[((options > box / 2) & (options < size - box / 2)).all(axis=1)]
        cost = _covered(options, points, box / 2) + 50 * _covered(options, anchors, box / 2 + 0.05)
        cost += 1000 * _covered(options, places, box)
        far = np.linalg.norm(options - anchors[number], axis=1)
        places[number] = options[(cost + 15 * far).argmin()]
    return places


def _covered(options: NDArray[Any], things: NDArray[Any], half: NDArray[Any]) -> NDArray[np.int64]:
    """Count the points that a box around each option would cover, given half of its width and height."""
    counts: NDArray[np.int64] = (np.abs(options[:, None] - things) < half).all(axis=2).sum(axis=1)
    return counts


@attrs.frozen(eq=False)
class Tile:
    """The picture of a residue.

    Parameters
    ----------
    scene
        The scene to draw.
    name
        The name above the picture.
    same
        Whether its residue type is that of the row's first tile.
    """

    scene: Scene
    name: str
    same: bool


@attrs.frozen(eq=False)
class TileRow:
    """A residue, its neighbors, and how many of these share its labels.

    Parameters
    ----------
    name
        The name of the residue at the left.
    tiles
        The residue, then its neighbors.
    shared
        A number for each of `neighbors_figure`'s columns.
    """

    name: str
    tiles: tuple[Tile, ...]
    shared: tuple[int, ...]


_LEFT, _RIGHT, _TOP, _PITCH = 1.15, 1.95, 0.75, 1.1  # inches
_DISC, _GAP = 0.44, 0.18


def neighbors_figure(
    rows: Sequence[TileRow], columns: Sequence[str], chance: Sequence[float], radius: float
) -> Figure:
    """Draw residues and their nearest neighbors in z, each in its own frame.

    Parameters
    ----------
    rows
        From top to bottom.
    columns, chance
        The labels that neighbors may share, and how many would by chance; empty to draw only pictures.
    radius
        The radius of the surroundings that are drawn, in Å.
    """
    count = len(rows[0].tiles)
    width, height = _LEFT + count + _GAP + (_RIGHT if columns else 0.1), _TOP + _PITCH * len(rows) + 0.05
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))  # in inches
    axes.set_axis_off()
    for line, row in enumerate(rows):
        middle = height - _TOP - (line + 0.5) * _PITCH - 0.05
        axes.text(_LEFT - 0.12, middle, row.name, ha="right", va="center", color=INK, size=8, linespacing=1.4)
        for column, tile in enumerate(row.tiles):
            x = _LEFT + column + 0.5 + (_GAP if column else 0)
            _draw(axes, tile.scene, (x, middle), _DISC / radius, query=column == 0)
            if column:
                weight, color = ("bold", INK) if tile.same else ("normal", GRAY)
                axes.text(
                    x,
                    middle + _DISC + 0.02,
                    tile.name,
                    ha="center",
                    va="bottom",
                    size=6.5,
                    color=color,
                    weight=weight,
                )
        for place, number in zip(_places(width, len(columns)), row.shared, strict=True):
            axes.text(place, middle, str(number), ha="center", va="center", size=9, color=INK)
    for place, name, value in zip(_places(width, len(columns)), columns, chance, strict=True):
        axes.text(place, height - 0.2, name, ha="center", va="top", size=7.5, color=INK, linespacing=1.2)
        axes.text(place, height - 0.62, f"{value:.1f}", ha="center", va="center", size=7.5, color=GRAY)
    axes.text(_LEFT + 0.5, height - 0.2, "residue", ha="center", va="top", size=9, color=INK)
    axes.text(
        _LEFT + _GAP + 1.06,
        height - 0.2,
        "the most similar residues of other sequence clusters (bold: same residue type)",
        va="top",
        size=9,
        color=INK,
    )
    _legend(axes, height - 0.52)
    if columns:
        axes.text(
            width - _RIGHT + 0.02, height - 0.62, "chance", ha="right", va="center", size=7.5, color=GRAY
        )
    return figure


def _places(width: float, count: int) -> NDArray[np.float64]:
    return width - _RIGHT + (np.arange(count) + 0.5) * _RIGHT / count


def _legend(axes: Axes, y: float) -> None:
    x = _LEFT + _GAP + 1.06
    for name, color in STRUCTURES.items():
        axes.plot([x, x + 0.22], [y, y], color=color, lw=3, solid_capstyle="round")
        axes.text(x + 0.3, y, name, va="center", size=8, color=INK)
        x += 0.85
    axes.plot([x, x + 0.12, x + 0.24], [y - 0.03, y + 0.03, y - 0.03], "o-", color=INK, lw=1.2, ms=2.5)
    axes.text(x + 0.32, y, "atoms of the residue itself", va="center", size=8, color=INK)


def _draw(axes: Axes, scene: Scene, center: tuple[float, float], scale: float, *, query: bool) -> None:
    disc = Circle(center, _DISC, transform=axes.transData)
    place = np.array(center)
    depth = scene.steps[:, :, 2].mean(axis=1)
    order = np.argsort(depth)
    nearness = np.clip(0.5 + depth / (2 * _DISC / scale), 0, 1)
    lines: list[Any] = (place + scale * scene.steps[order, :, :2]).tolist()
    chain = LineCollection(
        lines,
        colors=[
            _faded(STRUCTURES.get(str(name), GRAY), near)
            for name, near in zip(scene.structures[order], nearness[order], strict=True)
        ],
        linewidths=1.0 + 2.2 * nearness[order],
        capstyle="round",
    )
    chain.set_clip_path(disc)
    axes.add_collection(chain)
    atoms = place + scale * scene.atoms[:, :2]
    bonds = LineCollection(
        atoms[scene.bonds].tolist(), colors=INK, linewidths=1.3, capstyle="round", zorder=3
    )
    axes.add_collection(bonds)
    colors = [ELEMENTS.get(str(element), GREEN) for element in scene.elements]
    axes.scatter(atoms[:, 0], atoms[:, 1], s=7, color=colors, lw=0, zorder=4)
    axes.add_patch(Circle(center, _DISC, fill=False, lw=1.4 if query else 0.6, ec=INK if query else RIM))


def _faded(color: str, near: float) -> tuple[float, float, float]:
    """Fade distant parts toward white."""
    red, green, blue = (1 - (0.3 + 0.7 * near) * (1 - part) for part in to_rgb(color))
    return red, green, blue
