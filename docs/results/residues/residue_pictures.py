"""Pictures of residues: their densities, and the points found in them."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from real_residues import Atoms, RealResidues, atoms_of, bonded
from residue_scores import matches

from holo_features import density_map, find_points
from holo_types import Holograms, PointClouds
from holo_vae import Model, interpolate

__all__ = ["interpolation_figure", "residue_figure"]

SHOWN = ("LEU", "ILE", "SER", "ASN", "GLU", "HIS", "PRO", "VAL")
ENDS = ("LEU", "GLU", "HIS")  # of which interpolations are drawn
STEPS = 9
_COLORS = {"C": "#4d5a66", "N": "#2f62c9", "O": "#d3382f", "S": "#d9a514"}
_RIGHT, _WRONG = "#3f7d4a", "#c0504d"
_SOUND = 0.2  # Å
_SPACING = 0.25  # Å
_REACH = 4.6  # Å


def residue_figure(
    kinds: Mapping[str, Holograms], points: Mapping[str, PointClouds], real: Mapping[str, RealResidues]
) -> Figure:
    """Draw a residue of some types and of each kind: its density, summed along the line of sight, and its points."""
    rows = []
    for kind, made in kinds.items():
        labels = made.index["label"]
        chosen = np.array([np.flatnonzero(labels == name)[0] for name in SHOWN])
        rows.append((kind, made[chosen], points[kind][chosen]))
    return _tiles(rows, SHOWN, real)


def interpolation_figure(model: Model, test: Holograms, real: Mapping[str, RealResidues]) -> Figure:
    """Draw the way from a residue to another of its type whose side chain lies elsewhere."""
    labels = test.index["label"]
    encoded = model.encode(test)
    rows = []
    for name in ENDS:
        members = np.flatnonzero(labels == name)
        z = encoded.invariants[members].astype(np.float64)
        other = members[np.linalg.norm(z - z[0], axis=1).argmax()]
        first, last = (encoded[row : row + 1] for row in (int(members[0]), int(other)))
        way = interpolate(model, first, last, STEPS, frames="canonical", condition=name)
        way = Holograms(way.coefficients, way.basis, {"label": np.full(STEPS, name)})
        rows.append((name, way, find_points(way)))
    return _tiles(rows, [f"{step / (STEPS - 1):g}" for step in range(STEPS)], real)


def _tiles(
    rows: Sequence[tuple[str, Holograms, PointClouds]],
    titles: Sequence[str],
    real: Mapping[str, RealResidues],
) -> Figure:
    figure = Figure(figsize=(1.35 * len(titles), 1.5 * len(rows)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, (kind, made, points) in zip(axes, rows, strict=True):
        for column, (axis, match) in enumerate(zip(line, matches(points, real), strict=True)):
            _draw(axis, made, column, atoms_of(points, column))
            color = _RIGHT if match.largest_error <= _SOUND else _WRONG
            axis.set_xlabel(match.verdict, fontsize=7, color=color, labelpad=2)
        line[0].set_ylabel(kind.replace(" ", "\n", 1), fontsize=7)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=8)
    return figure


def _draw(axis: Axes, made: Holograms, row: int, atoms: Atoms) -> None:
    density = density_map(made, row, _SPACING)
    shades = np.ones((*density.values.shape[1:3], 3))
    sums = np.clip(density.values, 0, None).sum(axis=3)
    for channel, seen in zip(density.channels, sums / max(float(sums.max()), 1e-9), strict=True):
        shades *= 1 - seen[..., None] * (1 - np.array(to_rgb(_COLORS[channel])))
    x, y = density.axis(0), density.axis(1)
    axis.imshow(
        shades.swapaxes(0, 1), origin="lower", extent=(x[0], x[-1], y[0], y[-1]), interpolation="bilinear"
    )
    _draw_bonds(axis, atoms.places, atoms)
    colors = [_COLORS[element] for element in atoms.elements]
    axis.scatter(
        atoms.places[:, 0], atoms.places[:, 1], s=14, c=colors, edgecolors="white", linewidths=0.6, zorder=3
    )
    axis.set(xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_color("#cfd5d9")


def _draw_bonds(axis: Axes, places: Float[np.ndarray, "atoms 3"], atoms: Atoms) -> None:
    for first, second in np.argwhere(np.triu(bonded(atoms))).tolist():
        ends = places[[first, second]]
        axis.plot(ends[:, 0], ends[:, 1], color="#3b4750", lw=1, zorder=2)
