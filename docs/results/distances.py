"""What a distance in z means: ``python docs/results/distances.py my-structures/ --out docs/results/distances``.

The folder has ``structures.csv`` with pockets of several crystals of each protein (split ``test``, columns protein and
relative). The program writes figures.json, a table (table.md) and a picture.
"""

import argparse
import itertools
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from numpy.typing import NDArray

from holo_downstream import standardization
from holo_features import displaced, zernike_transform
from holo_types import PointClouds, concatenate
from holo_types.console import progress
from holo_types.files.atomic import replacing
from holo_types.files.json_files import write_json
from holo_vae import Model, load
from holo_vae.evaluation.matching import Pool
from holo_vae.evaluation.measured import BEYOND
from holo_vae.evaluation.measured_residues import Read, read_row
from holo_vae.evaluation.structure_table import read_structure_table

NOISE = (0.1, 0.2, 0.4)  # Å along each axis
_PAIRS = 50_000
_DISTURBED = 2_000  # residues


@attrs.frozen(eq=False)
class Pockets:
    """The residues of pockets, with their structures and labels."""

    clouds: PointClouds
    rows: Int[np.ndarray, "n"]
    pools: Mapping[str, Pool]


def read_pockets(folder: Path, model: Model) -> Pockets:
    """Read the pockets of the test structures that have several crystals."""
    basis = model.config.basis
    assert basis.radial is not None
    named = [row for row in read_structure_table(folder).of("test") if row.protein and row.ligand]
    reads, clouds = list[Read](), list[PointClouds]()
    with progress(len(named), "reading pockets") as advance:
        for row in named:
            read = read_row(row, basis.channels)
            reads.append(read)
            clouds.append(
                read.clouds(basis.radial.cutoff + BEYOND, basis.channels)[np.flatnonzero(read.pocket)]
            )
            advance()
    pools = {"same": Pool.of(reads, "same residue"), "relative": Pool.of(reads, "relative")}
    return Pockets(concatenate(clouds), np.flatnonzero(pools["same"].asked), pools)


def _pairs(pool: Pool, rows: Int[np.ndarray, "n"], seed: int) -> Int[np.ndarray, "pairs 2"]:
    """Return random pairs of rows with the same number, which are equal or aligned residues, from different groups."""
    numbers, apart = pool.numbers[rows], pool.apart[rows]
    drawn = []
    generator = np.random.default_rng(seed)
    for number in np.unique(numbers[numbers >= 0]):
        members = generator.permutation(np.flatnonzero(numbers == number))
        drawn += [(one, other) for one, other in itertools.pairwise(members) if apart[one] != apart[other]]
    return np.array(drawn)


def distances(pockets: Pockets, model: Model, seed: int) -> dict[str, Float[np.ndarray, "pairs"]]:
    """Measure distances of standardized z, in units of the median distance of random pairs."""
    basis = model.config.basis
    generator = np.random.default_rng(seed)

    def embed(clouds: PointClouds) -> NDArray[np.float64]:
        return model.encode(zernike_transform(clouds, basis)).invariants.astype(np.float64)

    z = embed(pockets.clouds)
    scaling = standardization(z)
    z = scaling.of(z)

    def between(pairs: Int[np.ndarray, "pairs 2"]) -> NDArray[np.float64]:
        lengths: NDArray[np.float64] = np.linalg.norm(z[pairs[:, 0]] - z[pairs[:, 1]], axis=1)
        return lengths

    protein = pockets.pools["same"].protein[pockets.rows]
    types = pockets.clouds.index["residue_name"]
    pairs = generator.integers(len(z), size=(_PAIRS, 2))
    pairs = pairs[protein[pairs[:, 0]] != protein[pairs[:, 1]]]
    alike = types[pairs[:, 0]] == types[pairs[:, 1]]
    found = {}
    disturbed = generator.choice(len(z), min(_DISTURBED, len(z)), replace=False)
    for noise in NOISE:
        moved = scaling.of(embed(displaced(pockets.clouds[disturbed], noise, generator)))
        found[f"the same atoms, displaced by {noise} Å"] = np.linalg.norm(moved - z[disturbed], axis=1)
    found["the same residue in another crystal"] = between(_pairs(pockets.pools["same"], pockets.rows, seed))
    found["the aligned residue of a relative"] = between(
        _pairs(pockets.pools["relative"], pockets.rows, seed)
    )
    found["random residues of one type"] = between(pairs[alike])
    found["random residues"] = between(pairs)
    unit = np.median(found["random residues"])
    return {name: lengths / unit for name, lengths in found.items()}


def table(found: Mapping[str, Float[np.ndarray, "pairs"]]) -> str:
    """Return the quantiles as a table in Markdown."""
    lines = ["| two residues | pairs | 5 % | median | 95 % |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, lengths in found.items():
        low, middle, high = np.quantile(lengths, (0.05, 0.5, 0.95))
        lines.append(f"| {name} | {len(lengths):,} | {low:.2f} | {middle:.2f} | {high:.2f} |")
    return "\n".join(lines) + "\n"


def drawing(found: Mapping[str, Float[np.ndarray, "pairs"]]) -> Figure:
    """Draw the distributions, one below the other."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(0, 1.8, 181)
    names = list(found)
    for place, name in enumerate(reversed(names)):
        heights = np.histogram(found[name], edges)[0]
        color = f"C{names.index(name) % 10}"
        axes.fill_between(
            edges[1:], place, place + 0.9 * heights / heights.max(), step="pre", color=color, alpha=0.8
        )
        axes.plot([np.median(found[name])] * 2, [place, place + 0.9], color="black", lw=1)
    axes.set_yticks(np.arange(len(names)) + 0.3, names[::-1])
    axes.set_xlabel("distance of z (1: the median of two random residues)")
    axes.set_xlim(0, 1.8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def main() -> None:
    """Measure the distances, and write table, figures and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with structures.csv")
    parser.add_argument("--model", default="microenvironment-z128", help="name or folder of a model")
    parser.add_argument("--out", type=Path, required=True, help="folder for table, figures and picture")
    given = parser.parse_args()
    model = load(given.model, Model)
    found = distances(read_pockets(given.folder, model), model, seed=0)
    given.out.mkdir(parents=True, exist_ok=True)
    figures = {
        name: np.quantile(lengths, (0.05, 0.5, 0.95)).round(4).tolist() for name, lengths in found.items()
    }
    write_json(given.out / "figures.json", figures, indent=2)
    with replacing(given.out / "table.md") as new:
        new.write_text(table(found), encoding="utf-8")
    with replacing(given.out / "distances.png") as new:
        drawing(found).savefig(new, format="png", dpi=150)


if __name__ == "__main__":
    main()
