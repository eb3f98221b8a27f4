"""What more data would bring: the same training on an eighth, a quarter, a half and all of the clusters."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from chains import CLUSTER
from drawing import learning_curve_figure
from jaxtyping import Int
from rich.console import Console
from writing import markdown_table, write_figures

import holo_types
import holo_vae
from holo_downstream import Interval, bootstrap_mean
from holo_types import HoloError
from holo_types.console import progress
from holo_vae import Model, Recipe
from holo_vae.clusters import ClusterColumns
from holo_vae.datasets import Prepared, prepare
from holo_vae.evaluation import row_cosines
from holo_vae.recipes import find_recipe

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
    epochs
        How often an epoch's rows were seen.
    training, test
        Cosine loss of rows that were learned from, in the best epoch, and of the test rows, with a 95 %
        interval from a bootstrap over clusters.
    seconds
        The training took.
    """

    clusters: int
    chains: int
    rows: int
    epochs: int
    training: float
    test: Interval
    seconds: float


@attrs.frozen(kw_only=True)
class LearningCurve:
    """The curve, and what all its points have in common.

    Parameters
    ----------
    recipe
        The network and the rest of the training.
    steps
        About how many steps each training took.
    points
        From few to all clusters.
    """

    recipe: str
    steps: int
    points: tuple[Point, ...]


def learning_curve(directory: Path, /, *, data: Path, recipe: str, out: Path, steps: int = 400) -> int:
    """Train on shares of the training clusters, as many steps on each, and measure on the test chains.

    Parameters
    ----------
    directory
        Folder of chains with index.tsv: file, cluster30, split.
    data
        Folder of their holograms, as holo-vae train leaves it in RUN/data; they are made if they are not there.
    recipe
        YAML file, or name of a recipe that comes with holo-vae, with data.
    out
        Folder for figures.json, tables.md and the curve.
    steps
        Of each training; an epoch is never cut, so some take a few more.
    """
    chosen = find_recipe(recipe)
    if chosen.data is None or chosen.training.cluster_column is None:
        raise HoloError(f"{recipe}: has no data or no training.cluster_column; both are needed")
    prepared = prepare(chosen.data, chosen.model.basis, directory, data)
    with holo_types.open(prepared.training) as reader:
        cluster_of_row, chain_of_row = reader.column(CLUSTER), reader.column("structure")
    clusters = np.random.default_rng(SEED).permutation(np.unique(cluster_of_row))
    points = []
    for share in SHARES:
        taken = clusters[: math.ceil(len(clusters) / share)]
        rows = np.flatnonzero(np.isin(cluster_of_row, taken))
        chains = len(np.unique(chain_of_row[rows]))
        points.append(_point(chosen, prepared, rows, (len(taken), chains), steps))
    found = LearningCurve(recipe=recipe, steps=steps, points=tuple(points))
    write_figures(
        out, found, {"learning_curve": _table(points)}, {"learning_curve": learning_curve_figure(points)}
    )
    Console(soft_wrap=True, highlight=False).print(
        f"{out}: test cosine {', '.join(f'{p.test.estimate:.3f}' for p in points)} of "
        f"{', '.join(str(p.clusters) for p in points)} clusters",
        markup=False,
    )
    return 0


def _point(
    recipe: Recipe, prepared: Prepared, numbers: Int[np.ndarray, "n"], size: tuple[int, int], steps: int
) -> Point:
    columns = ClusterColumns(CLUSTER, "structure")
    rows = holo_vae.open_rows(
        [prepared.training], rows=numbers, clusters=columns, shuffle_rows=recipe.training.shuffle_rows
    )
    with holo_types.open(prepared.validation) as reader:
        some = np.arange(0, len(reader), VALIDATION_PART)
    judged = holo_vae.open_rows([prepared.validation], rows=some, shuffle_rows=recipe.training.shuffle_rows)
    epochs = max(1, math.ceil(steps / rows.steps(recipe.training.batch_size)))
    shortened = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=epochs))
    model = holo_vae.initial_model(shortened, holo_vae.data_scale(rows), "learning-curve")
    started, kept = time.monotonic(), math.nan
    with progress(epochs, f"training on {size[0]} clusters, epochs") as advance:
        for epoch in holo_vae.train(model.network, rows, judged, shortened):
            kept = epoch.parts["cosine"] if epoch.best else kept
            advance(1, f"validation cosine {epoch.validation['cosine']:.4f}")
    seconds = time.monotonic() - started
    return Point(
        clusters=size[0],
        chains=size[1],
        rows=len(numbers),
        epochs=epochs,
        training=kept,
        test=_test_cosine(model, prepared.test),
        seconds=seconds,
    )


def _test_cosine(model: Model, path: Path) -> Interval:
    test = holo_vae.read_holograms(path)
    losses = row_cosines(test, model.decode(model.encode(test)))
    return bootstrap_mean(losses, test.index[CLUSTER])


def _table(points: Sequence[Point]) -> str:
    rows = [
        (
            str(point.clusters),
            str(point.chains),
            f"{point.rows:,}",
            str(point.epochs),
            f"{point.training:.3f}",
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
        "training cosine",
        "test cosine [95 %]",
        "training (s)",
    )
    return markdown_table(headings, rows)
