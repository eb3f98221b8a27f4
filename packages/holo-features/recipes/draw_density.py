"""Draw a slice of the inverse Zernike transform beside the atoms that it came from: docs/features/density.png.

It shows the neighborhood of Cys 23 of 2imm, an example structure, in the core of an antibody domain. The plane contains
its Cα and two sulphurs. Run with matplotlib installed: ``MPLBACKEND=agg python draw_density.py PICTURE.png``.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray
from PIL import Image

from holo_features import (
    datasets,
    inverse_zernike_transform,
    neighborhoods,
    read_structure,
    zernike_transform,
)
from holo_types import Basis, Zernike

CUTOFF, CHANNELS = 10.0, ("C", "N", "O", "S")
COLORS = {"C": "#37474f", "N": "#1f5fd0", "O": "#d32f2f", "S": "#b8860b"}
NAMES = {"C": "carbon", "N": "nitrogen", "O": "oxygen", "S": "sulphur"}
THICKNESS, POINTS = 0.9, 401


def plane_of(sulphurs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return three axes, of which the first two span a plane through the two sulphurs that define it best."""
    lengths = np.linalg.norm(sulphurs, axis=1)
    pairs = [
        (i, j) for i in range(len(sulphurs)) for j in range(i) if max(lengths[i], lengths[j]) < 0.8 * CUTOFF
    ]
    areas = [np.linalg.norm(np.cross(sulphurs[i], sulphurs[j])) for i, j in pairs]
    i, j = pairs[int(np.argmax(areas))]
    first = sulphurs[i] / lengths[i]
    normal = np.cross(first, sulphurs[j])
    normal /= np.linalg.norm(normal)
    return np.array([first, np.cross(normal, first), normal])


def frame(axes: Axes, title: str, color: str) -> None:
    """Draw the boundary of the ball, without ticks."""
    axes.add_patch(pyplot.Circle((0, 0), CUTOFF, fill=False, color="#90a4ae", lw=0.8))
    axes.plot(0, 0, "+", color="#263238", ms=6, mew=1)
    axes.set_title(title, color=color, fontsize=10, pad=4)
    axes.set(xlim=(-10.3, 10.3), ylim=(-10.3, 10.3), aspect="equal")
    axes.axis("off")


def main(target: Path) -> None:
    """Draw the picture."""
    (path,) = (path for path in datasets.example_structures() if path.name.startswith("2imm"))
    clouds = neighborhoods(read_structure(path), CUTOFF, CHANNELS)
    row = int(np.flatnonzero(clouds.index["residue_number"] == 23)[0])
    cloud = clouds[row : row + 1]
    basis = Basis(lmax=14, radial=Zernike(nmax=40, cutoff=CUTOFF), channels=CHANNELS)
    coarse = Basis(lmax=6, radial=Zernike(nmax=20, cutoff=CUTOFF), channels=CHANNELS)
    elements = cloud.weights.argmax(axis=1)
    turned = cloud.coordinates @ plane_of(cloud.coordinates[elements == 3]).T
    across, along, off = turned.T
    axis = np.linspace(-CUTOFF, CUTOFF, POINTS)
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    beyond = np.hypot(x, y) > CUTOFF
    rotated = type(cloud)(turned, cloud.weights, cloud.offsets, CHANNELS)

    figure, grid = pyplot.subplots(2, 5, figsize=(11, 4.75), dpi=100, layout="constrained")
    for rows, chosen in zip(grid, (coarse, basis), strict=True):
        densities = inverse_zernike_transform(zernike_transform(rotated, chosen), points)[0]
        near = np.abs(off) < THICKNESS
        for number, channel in enumerate(CHANNELS):
            own = near & (elements == number)
            size = 70 * np.sqrt(1 - (off[own] / THICKNESS) ** 2)
            rows[0].scatter(
                across[own], along[own], size, COLORS[channel], edgecolors="white", linewidths=0.6
            )
            values = np.where(beyond, np.nan, densities[number].reshape(x.shape))
            high = np.nanmax(np.abs(values))
            shades = LinearSegmentedColormap.from_list(channel, ["#cfd8dc", "white", COLORS[channel]])
            panel = rows[number + 1]
            panel.imshow(
                values, cmap=shades, vmin=-high, vmax=high, origin="lower", extent=2 * (-CUTOFF, CUTOFF)
            )
            panel.scatter(across[own], along[own], size, "none", edgecolors="#263238", lw=0.7, clip_on=False)
            frame(panel, NAMES[channel], COLORS[channel])
        frame(rows[0], f"atoms, {THICKNESS} Å either side", "#263238")
        text = f"lmax {chosen.lmax}, nmax {chosen.radial.nmax}" if chosen.radial else ""
        rows[0].text(-11.6, 0, text, fontsize=10, color="#263238", rotation=90, ha="right", va="center")
    figure.canvas.draw()
    # Fewer colors that look the same make a small file.
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    picture.quantize(160, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
