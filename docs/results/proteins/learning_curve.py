"""What more data would bring: the same training on an eighth, a quarter, a half and all of the clusters.

Each share holds the smaller ones, and all take about as many steps, so that only the data differs.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from chains import CLUSTER
from drawing import learning_curve_figure
from jaxtyping import Int
from numpy.typing import NDArray
from rich.console import Console
from writing import markdown_table, write_figures

import holo_types
import holo_vae
from holo_downstream import Interval, bootstrap_mean
from holo_types import Basis, HoloError
from holo_types.console import progress
from holo_vae import ClusterColumns, Model, Recipe, StructureData, find_recipe, row_cosine_losses
from holo_vae.data.clusters import Clusters
from holo_vae.data.datasets import Prepared, prepare
from holo_vae.data.structure_sets import SPLITS

__all__ = ["LearningCurve", "learning_curve"]

SEED = 0
SHARES = (8, 4, 2, 1)
VALIDATION_PART = 4  # every so manyth row is enough to choose weights on


@attrs.frozen(kw_only=True)
class Point:
    """What came of one share of the training clusters.

    Parameters
    ----------
    clusters, chains, rows
        How many were learned from.
    epochs, steps
        How long was learned.
    training
        Cosine loss of rows that were learned from, in the best epoch.
    validation, test
        Cosine loss of the rows that the best epoch was chosen on, and of those that nothing was chosen on, with
        95 % intervals, bootstraps over clusters.
    seconds
        The training took.
    """

    clusters: int
    chains: int
    rows: int
    epochs: int
    steps: int
    training: float
    validation: Interval
    test: Interval
    seconds: float


@attrs.frozen(kw_only=True)
class LearningCurve:
    """The curve, and what all its points have in common.

    Parameters
    ----------
    recipe
        The network and the rest of the training.
    points
        From few to all clusters.
    """

    recipe: str
    points: tuple[Point, ...]


def learning_curve(directory: Path, /, *, data: Path, recipe: str, out: Path, steps: int = 6000) -> int:
    """Train on shares of the training clusters, as many steps on each, and measure on the test chains.

    A call that was stopped goes on where it was.

    Parameters
    ----------
    directory
        Folder of chains with index.tsv: file, cluster30, split.
    data
        Folder of their holograms, as holo-vae train leaves it in RUN/data; they are made if they are not there.
    recipe
        YAML file, or name of a recipe that comes with holo-vae, with data.
    out
        Folder for figures.json, tables.md and the curve, written after each share; and for states, where a call
        that was stopped goes on from.
    steps
        Of each training, at least. An epoch is never cut: all clusters give the number of whole epochs, and
        shares take as many steps as that to within half an epoch of theirs.
    """
    chosen = find_recipe(recipe)
    if not isinstance(chosen.data, StructureData) or chosen.training.cluster_column is None:
        raise HoloError(f"{recipe}: has no data of structures or no training.cluster_column; both are needed")
    prepared = _prepared(chosen.data, chosen.model.basis, directory, data)
    with holo_types.open(prepared.training) as reader:
        cluster_of_row, chain_of_row = reader.column(CLUSTER), reader.column("structure")
    clusters = np.random.default_rng(SEED).permutation(np.unique(cluster_of_row))
    steps = _whole_epochs(cluster_of_row, chain_of_row, chosen.training.batch_size, steps)
    points: list[Point] = []
    for share in SHARES:
        taken = clusters[: math.ceil(len(clusters) / share)]
        rows = np.flatnonzero(np.isin(cluster_of_row, taken))
        part = Part(len(taken), len(np.unique(chain_of_row[rows])), rows)
        points.append(_point(chosen, prepared, part, steps, out / "states" / str(len(taken))))
        write_figures(
            out,
            LearningCurve(recipe=Path(recipe).stem, points=tuple(points)),
            {"learning_curve": _table(points)},
            {"learning_curve": learning_curve_figure(points)},
        )
    Console(soft_wrap=True, highlight=False).print(
        f"{out}: test cosine loss {', '.join(f'{p.test.estimate:.3f}' for p in points)} of "
        f"{', '.join(str(p.clusters) for p in points)} clusters",
        markup=False,
    )
    return 0


@attrs.frozen(eq=False)
class Part:
    """A share of the training clusters: how many, their chains, and the numbers of their rows."""

    clusters: int
    chains: int
    rows: Int[np.ndarray, "n"]


def _prepared(wanted: StructureData, basis: Basis, directory: Path, folder: Path) -> Prepared:
    """Take the holograms that are there, or make them; those made in another way may be needed by others."""
    paths = {split: folder / f"{name}.h5" for split, name in SPLITS.items()}
    complete = []
    for split, path in paths.items():
        if not path.exists():
            continue
        with holo_types.open(path) as reader:
            there = (reader.basis, reader.settings.get("hetero"), reader.settings.get("pose"))
            complete.append(reader.complete)
        needed = (basis, str(wanted.hetero), wanted.pose if split == "train" else "file")
        for name, found, expected in zip(("basis", "hetero", "pose"), there, needed, strict=True):
            if found != expected:
                raise HoloError(f"{path}: was made with {name} {found}; the recipe has {expected}")
    if len(complete) == len(paths) and all(complete):
        return Prepared(paths["train"], paths["valid"], paths["test"])
    return prepare(wanted, basis, directory, folder)


def _whole_epochs(clusters: NDArray[np.str_], chains: NDArray[np.str_], batch_size: int, steps: int) -> int:
    """Give the steps of the fewest epochs over all clusters that take so many."""
    members, groups = (np.unique(names, return_inverse=True)[1] for names in (clusters, chains))
    epoch = math.ceil(len(Clusters.of(members, groups)) / batch_size)
    return math.ceil(steps / epoch) * epoch


def _point(recipe: Recipe, prepared: Prepared, part: Part, steps: int, state: Path) -> Point:
    rows = holo_vae.open_rows(
        [prepared.training],
        rows=part.rows,
        clusters=ClusterColumns(CLUSTER, "structure"),
        shuffle_rows=recipe.training.shuffle_rows,
    )
    with holo_types.open(prepared.validation) as reader:
        some = np.arange(0, len(reader), VALIDATION_PART)
    judged = holo_vae.open_rows([prepared.validation], rows=some, shuffle_rows=recipe.training.shuffle_rows)
    epoch_steps = rows.steps(recipe.training.batch_size)
    epochs = max(1, round(steps / epoch_steps))
    lasting = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=epochs))
    model = holo_vae.initial_model(lasting, holo_vae.data_scale(rows), "learning-curve")
    seconds, kept = 0.0, math.nan
    with progress(epochs, f"training on {part.clusters} clusters, epochs") as advance:
        for epoch in holo_vae.train(model.network, rows, judged, lasting, state=state):
            seconds += epoch.seconds
            kept = epoch.parts["cosine_loss"] if epoch.best else kept
            advance(1, f"validation cosine loss {epoch.validation['cosine_loss']:.4f}")
    return Point(
        clusters=part.clusters,
        chains=part.chains,
        rows=len(part.rows),
        epochs=epochs,
        steps=epochs * epoch_steps,
        training=kept,
        validation=_cosine_loss(model, prepared.validation),
        test=_cosine_loss(model, prepared.test),
        seconds=seconds,
    )


def _cosine_loss(model: Model, path: Path) -> Interval:
    holograms = holo_vae.read_holograms(path)
    losses = row_cosine_losses(holograms, model.decode(model.encode(holograms)))
    return bootstrap_mean(losses, holograms.index[CLUSTER])


def _table(points: Sequence[Point]) -> str:
    rows = [
        (
            str(point.clusters),
            str(point.chains),
            f"{point.rows:,}",
            str(point.epochs),
            f"{point.steps:,}",
            f"{point.training:.3f}",
            str(point.validation),
            str(point.test),
            f"{point.seconds:.0f}",
        )
        for point in points
    ]
    headings = (
        "clusters",
        "chains",
        "residues",
        "epochs",
        "steps",
        "learned from",
        "validation [95 %]",
        "test [95 %]",
        "training (s)",
    )
    return markdown_table(headings, rows)
