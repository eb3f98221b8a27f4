"""The report of an evaluation: one HTML file with every picture inside, which opens offline."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Holograms, rotation_between
from holo_vae.evaluation.evaluate import Evaluation
from holo_vae.generation.sample_scores import SampleScores
from holo_vae.generation.sampling import (
    interpolate,
    sample_posterior,
    sample_prior,
    to_canonical_frame,
    traverse,
)
from holo_vae.networks.model import Model
from holo_vae.tracking.plots import degree_bars

from . import page, plots
from .scenes import COLUMNS, Label, Scene, densities_by_loss, make_scene
from .views import in_plane

__all__ = ["write_report"]

_MAP_ROWS = 3000
_DIMENSIONS = 8
_DEAD = 0.1  # of the largest variation; components of z that vary less are not used by an H-VAE
_PATHS = 4


def _number(value: float | None, digits: int = 3) -> str:
    return page.DASH if value is None else f"{value:.{digits}f}"


def _key(evaluation: Evaluation) -> str:
    """Return the key figures."""
    latent, samples = evaluation.latent, evaluation.prior_samples
    entries = [
        ("cosine loss, 0 is perfect", _number(evaluation.reconstruction.cosine_loss, 4)),
        ("largest change of z by a rotation", f"{evaluation.equivariance.invariants:.0e}"),
    ]
    if latent is not None:
        entries += [("K-means purity", _number(latent.purity)), ("V-measure", _number(latent.v_measure))]
        entries += [
            (name, _number(value))
            for name, value in (
                ("linear accuracy", latent.linear_accuracy),
                ("nearest neighbors", latent.knn_accuracy),
            )
            if value is not None
        ]
    if samples is not None and samples.mean("accuracy") is not None:
        entries.append(("samples of the requested class", _number(samples.mean("accuracy"))))
    items = (f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in entries)
    return f'<dl class="key">{"".join(items)}</dl>'


def _reconstruction_section(evaluation: Evaluation, scene: Scene) -> str:
    figures = evaluation.reconstruction
    rows, titles = scene.chosen()
    true, some = scene.rows[rows], scene.embeddings[rows]
    decoded = scene.model.decode(some, scene.model.categories(some.index))
    poses = scene.posed(rows)
    # To the canonical frame by the row's own frame, and from there to the pose: R = poseᵀ frame.
    together = rotation_between(some.frames, poses)
    posed = attrs.evolve(some, frames=poses.astype(some.frames.dtype))
    given, limits = scene.look(true, follow=True)
    aligned, aligned_limits = scene.look(to_canonical_frame(true, together))
    lines = [
        ("input", given),
        ("reconstruction", scene.look(decoded, limits, follow=True)[0]),
        ("input, aligned", aligned),
        (
            "z in one frame",
            scene.look(scene.model.decode(posed, scene.model.categories(some.index)), aligned_limits)[0],
        ),
    ]
    if scene.axes is None:
        seen = (
            "Densities of all channels, superposed in the colors of the channels, in the plane z = 0 through the "
            "origin, out to the cutoff"
        )
    else:
        seen = (
            "Half of the sphere as seen from its center, in an equal-area projection; the upper rows look toward "
            "the middle of each signal, however it is rotated"
        )
    which = (
        "rows of typical loss in their class, or of median loss if a class has one column"
        if scene.labels is not None
        else "rows of losses from low to high, evenly over all rows; the numbers are their losses"
    )
    channels = scene.rows.basis.channels
    several = scene.axes is not None and len(channels) > 1
    caption = (
        f"{seen}. The columns are {which}. The lower rows show the input rotated by its learned frame, and z decoded "
        "in one frame for all rows, which removes the orientation. Frames are learned, so shapes of one class may have "
        "more than one, and then appear upside down. A true picture and its reconstruction have the same color scale."
        f"{f' Of several channels {channels[0]} is shown.' if several else ''}"
    )
    table = page.table(
        ("", "mean"),
        [
            ("cosine loss", _number(figures.cosine_loss, 4)),
            ("mean squared error", f"{figures.mse:.3e}"),
            ("power correlation", _number(figures.power_correlation, 4)),
            ("total power correlation", _number(figures.total_power_correlation, 4)),
        ],
        (
            "1 - cosine of input and reconstruction, degrees weighted by sqrt(2l+1) (s = +1); about 1 is chance",
            "of coefficients divided by the scale of the training data",
            "within a row, over channels and degrees; 1 is perfect",
            "over the rows; says whether strong signals stay strong",
        ),
    )
    degrees = degree_bars({"mean over the rows": figures.cosine_loss_per_degree})
    return page.section(
        "Reconstruction",
        page.figure(plots.tiles(lines, titles, scene.channels), "inputs and reconstructions", caption),
        page.beside(
            page.figure(
                plots.loss_histogram(scene.losses),
                "distribution of cosine losses",
                f"Cosine losses of {len(scene.losses):,} rows.",
            )
            + page.figure(
                degrees,
                "cosine loss per degree",
                "Cosine loss of each degree l by itself, unweighted. High degrees hold the fine angular detail, "
                "which a narrow z gives up first.",
            ),
            table,
        ),
        _slices(scene),
    )


def _slices(scene: Scene) -> str:
    """Draw the channels of densities side by side, for rows of low, median and high loss."""
    radial = scene.rows.basis.radial
    if radial is None:
        return ""
    return page.figure(
        densities_by_loss(scene.model, scene.rows, scene.embeddings, scene.losses),
        "true and reconstructed densities, channel by channel",
        f"Densities in the plane z = 0, channel by channel, true above and reconstructed below, with one color scale; "
        f"rows at the 10th, 50th and 90th percentile of the loss. The circle is the cutoff, {radial.cutoff:g} Å.",
    )


def _rotation_section(evaluation: Evaluation, scene: Scene, seed: int) -> str:
    errors = evaluation.equivariance
    rows, titles = scene.chosen()
    row = rows[len(rows) // 3 : len(rows) // 3 + 1]
    original = scene.rows[np.repeat(row, COLUMNS - 2)]
    coefficients = torch.from_numpy(original.coefficients)
    turns = random_rotations(len(original), seed=seed)
    turned = attrs.evolve(
        original, coefficients=rotate(coefficients, str(original.basis.irreps), turns).numpy()
    )
    encoded = scene.model.encode(turned)
    categories = scene.model.categories(encoded.index)
    poses = np.repeat(scene.posed(row), len(original), axis=0).astype(encoded.frames.dtype)
    given, limits = scene.look(turned, follow=True)
    lines = [
        ("turned input", given),
        ("reconstruction", scene.look(scene.model.decode(encoded, categories), limits, follow=True)[0]),
        (
            "z in one frame",
            scene.look(scene.model.decode(attrs.evolve(encoded, frames=poses), categories))[0],
        ),
    ]
    table = page.table(
        ("largest deviation", "all", "99 %"),
        [
            ("z", f"{errors.invariants:.1e}", ""),
            ("frame axes", f"{errors.frame:.1e}", f"{errors.frame_p99:.1e}"),
            ("reconstruction", f"{errors.reconstruction:.1e}", f"{errors.reconstruction_p99:.1e}"),
        ],
        (
            "relative to the largest |z|; z should not change",
            "axes of length 1; they should rotate with the input",
            "relative to the largest coefficient; it should rotate with the input",
        ),
    )
    caption = (
        f"One row ({titles[len(rows) // 3]}), rotated at random, encoded and decoded. The reconstruction rotates with "
        "it. z does not change, so decoding it in one frame always gives the same picture."
    )
    note = (
        "Measured on up to 1,000 rows with 8 random rotations each, which are exact to float64. The rest is the "
        f"rounding error of the network ({str(scene.model.network.scale.dtype).removeprefix('torch.')}). A frame is "
        "less accurate if its two vectors are nearly parallel, hence the percentile."
    )
    return page.section(
        "Rotations",
        page.figure(
            plots.tiles(lines, channels=scene.channels), "one input in several orientations", caption
        ),
        page.beside(table, page.paragraph(note, "note")),
    )


def _latent_section(evaluation: Evaluation, scene: Scene, seed: int) -> str:
    latent = evaluation.latent
    points, how = in_plane(scene.embeddings.invariants[:_MAP_ROWS], seed)
    labels = None if scene.labels is None else scene.labels[:_MAP_ROWS]
    what = (
        ""
        if labels is None or latent is None
        else f" Colors show {latent.column}, which the model was not given."
    )
    if labels is not None and scene.model.config.condition is not None:
        what = " Colors show the class."
    drawn = page.figure(
        plots.embedding_map(points, labels, ""),
        "map of z",
        f"z of {len(points):,} rows in two dimensions ({how}). Near points have similar z.{what}",
    )
    if latent is None:
        return page.section("The embedding z", drawn)
    table = page.table(
        ("", ""),
        [
            ("purity", _number(latent.purity)),
            ("V-measure", _number(latent.v_measure)),
            ("homogeneity", _number(latent.homogeneity)),
            ("completeness", _number(latent.completeness)),
            ("silhouette", _number(latent.silhouette)),
            ("linear accuracy", _number(latent.linear_accuracy)),
            (
                "nearest neighbors"
                if latent.knn_neighbors is None
                else f"{latent.knn_neighbors} nearest neighbors",
                _number(latent.knn_accuracy),
            ),
        ],
        (
            "share of rows with the most frequent label of their K-means cluster",
            "harmonic mean of the two below",
            "whether each cluster contains a single label",
            "whether each label is in a single cluster",
            "how much nearer rows are to their own cluster than to others; -1 to 1",
            "logistic regression on z of training and validation rows",
            "vote of the nearest training rows, whose number is chosen on validation rows",
        ),
    )
    note = (
        f"K-means on z of all {evaluation.rows:,} rows with {latent.classes} clusters, which is the number of classes. "
        "The figures are means of ten clusterings, each the best of ten starts."
    )
    return page.section("The embedding z", page.beside(drawn, table + page.paragraph(note, "note")))


def _traversal_section(scene: Scene) -> str:
    spread = scene.embeddings.invariants.astype(np.float64).std(axis=0)
    dimensions = np.argsort(-spread, kind="stable")[:_DIMENSIONS]
    dimensions = dimensions[spread[dimensions] >= _DEAD * spread.max()]
    rows, titles = scene.chosen()
    place = len(rows) // 2
    row = int(rows[place])
    z = scene.embeddings.invariants[row]
    steps = np.linspace(-2, 2, 9)
    lines = []
    for dimension in dimensions:
        values = z[dimension] + steps * spread[dimension]
        line = traverse(scene.model, z, int(dimension), values, scene.category(row))
        lines.append((f"z{dimension + 1}", scene.look(scene.turn(line, scene.label(row)))[0]))
    caption = (
        "One component of z is changed at a time, from -2 to +2 standard deviations (over the rows) around its value "
        f"in one row ({titles[place]}), for the {len(dimensions)} components that vary most. The frame stays the same."
    )
    titles = [f"{step:+g} sd" if step else "row" for step in steps]
    return page.section(
        "Traversals", page.figure(plots.tiles(lines, titles, scene.channels), "traversals of z", caption)
    )


def _pair(scene: Scene, rows: NDArray[np.int64], start: int) -> tuple[int, int, int]:
    """Return the rows of the two ends of an interpolation, and the position of the title of the second."""
    end = (start + max(1, len(rows) // 2)) % len(rows)
    first, last = int(rows[start]), int(rows[end])
    categories = scene.model.categories(scene.rows.index)
    if categories is None or categories[first] == categories[last]:
        return first, last, end
    # A conditional model stays within one category, so the second end is the row of it that is farthest in z.
    same = np.flatnonzero(categories == categories[first])
    z = scene.embeddings.invariants
    return first, int(same[np.argmax(np.linalg.norm(z[same] - z[first], axis=1))]), start


def _interpolation_section(scene: Scene) -> str:
    rows, titles = scene.chosen()
    lines = []
    for start in range(min(_PATHS, len(rows))):
        first, last, end = _pair(scene, rows, start)
        pair = np.array([first, last])
        frames = scene.posed(pair).astype(scene.embeddings.frames.dtype)
        ends = attrs.evolve(scene.embeddings[pair], frames=frames)
        way = interpolate(scene.model, ends[:1], ends[1:], COLUMNS - 1, condition=scene.category(first))
        lines.append((f"{titles[start]} → {titles[end]}", scene.look(way)[0]))
    caption = "z along the straight line from one row to another, ends included"
    if scene.model.config.condition is not None:
        caption += ", within one category, to the row of it that is farthest in z."
    elif len(scene.poses) > 1:
        caption += (
            "; the frame rotates evenly (slerp) from the usual one of the first class to that of the second."
        )
    else:
        caption += ", decoded in one frame."
    return page.section(
        "Interpolation",
        page.figure(plots.tiles(lines, channels=scene.channels), "interpolations between rows", caption),
    )


def _sample_section(evaluation: Evaluation, scene: Scene, seed: int) -> str:
    model = scene.model
    if not model.config.variational:
        return ""
    per_class = 6
    condition = model.config.condition
    prior_name = "the learned prior" if model.config.prior_components else "the prior N(0, 1)"
    if condition is not None:
        classes: tuple[Label, ...] = condition.categories[:COLUMNS]
        columns = []
        for number, category in enumerate(condition.categories[:COLUMNS]):
            samples = sample_prior(model, per_class, category, seed + number)
            columns.append(scene.look(scene.turn(samples, category))[0])
        grid = [
            ("from the prior" if line == 0 else "", row) for line, row in enumerate(np.stack(columns, axis=1))
        ]
        titles = [str(category) for category in classes]
        prior = page.figure(
            plots.tiles(grid, titles, scene.channels),
            "samples from the prior, class by class",
            f"z drawn from {prior_name} and decoded with the class above the column ({condition.column}).",
        )
    else:
        samples = scene.turn(sample_prior(model, 3 * COLUMNS, seed=seed), None)
        views = scene.look(samples)[0]
        grid = [("", views[line * COLUMNS : (line + 1) * COLUMNS]) for line in range(3)]
        prior = page.figure(
            plots.tiles(grid, channels=scene.channels),
            "samples from the prior",
            f"z drawn from {prior_name}, decoded in the canonical frame.",
        )
    rows, titles = scene.chosen()
    drawn = sample_posterior(model, scene.rows[rows], 4, seed, frames="canonical")
    lines = [("z's mean", _aligned_means(scene, rows))]
    for draw in range(4):
        some = drawn[draw::4]
        turned = to_canonical_frame(some, rotation_between(np.eye(3), scene.posed(rows)))
        lines.append(("drawn" if draw == 0 else "", scene.look(turned)[0]))
    posterior = page.figure(
        plots.tiles(lines, titles, scene.channels),
        "samples from the posterior",
        "z drawn from the encoder's posterior of one row, N(mean, variance), which the model regards as the same.",
    )
    return page.section("Samples", prior, posterior, _sample_scores(evaluation))


def _aligned_means(scene: Scene, rows: NDArray[np.int64]) -> NDArray[Any]:
    some = scene.embeddings[rows]
    posed = attrs.evolve(some, frames=scene.posed(rows).astype(some.frames.dtype))
    return scene.look(scene.model.decode(posed, scene.model.categories(some.index)))[0]


def _sample_scores(evaluation: Evaluation) -> str:
    kinds = {
        name: scores
        for name, scores in (
            ("data", evaluation.data_samples),
            ("prior", evaluation.prior_samples),
            ("posterior", evaluation.posterior_samples),
        )
        if scores is not None
    }
    if not kinds:
        return ""
    classes = next(iter(kinds.values())).classes

    def row(name: str, scores: SampleScores) -> tuple[str, ...]:
        return (
            name,
            f"{sum(scores.counts):,}",
            _number(scores.mean("accuracy")),
            _number(scores.mean("confidence")),
            _number(scores.mean("diversity")),
        )

    table = page.table(
        ("", "number", "accuracy", "confidence", "diversity"),
        [row(name, scores) for name, scores in kinds.items()],
        (
            "the rows themselves, as an upper limit for samples",
            "z from the prior",
            "z from the encoder's posterior of each row",
        ),
    )
    note = (
        "The supervised network judges the quality: accuracy is the share of samples that it assigns to their class, "
        "and confidence is the probability that it assigns to this class. If the model is not conditional, the class "
        "of a sample of the prior is the one that the network assigns. Diversity is the mean cosine loss between two "
        "samples of a class in the canonical frame. All are means over classes."
    )
    diversity = page.figure(
        plots.class_bars({name: scores.diversity for name, scores in kinds.items()}, classes, "cosine loss"),
        "diversity of each class",
        "Diversity of each class. Samples should be as diverse as the data; if they are less so, the model repeats "
        "itself.",
    )
    quality = page.figure(
        plots.class_bars({name: scores.confidence for name, scores in kinds.items()}, classes, "probability"),
        "quality of each class",
        "Quality of each class: the mean probability that the supervised network assigns to the class.",
    )
    return table + page.paragraph(note, "note") + page.beside(quality, diversity, "halves")


def _settings_section(
    evaluation: Evaluation, model: Model, sources: Mapping[str, str], seed: int, judge: str
) -> str:
    config = model.config
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    rows = [
        *sources.items(),
        ("rows", f"{evaluation.rows:,}"),
        ("model", f"{model.name}, version {model.version}"),
        ("model digest", model.digest),
        ("kind", ("conditional " if config.condition else "") + ("H-VAE" if config.variational else "H-AE")),
        ("parameters", f"{parameters:,}"),
        ("length of z", str(config.latent_dim)),
        ("lmax after each block", ", ".join(map(str, config.lmax))),
        ("channels after each block", ", ".join(map(str, config.channels))),
        ("basis", str(config.basis.irreps)),
        ("seed of clusterings, samples and maps", str(seed)),
    ]
    if judge:
        rows.append(("supervised network", judge))
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in rows
    )
    return page.section("How it was made", f'<div class="scroll"><table>{cells}</table></div>')


def write_report(
    evaluation: Evaluation,
    model: Model,
    test: Holograms,
    path: Path | str,
    *,
    training: Holograms | None = None,
    label_column: str | None = None,
    judge: str = "",
    sources: Mapping[str, str] | None = None,
    seed: int = 0,
) -> None:
    """Write the report of an evaluation as one HTML file that contains all pictures and fetches nothing.

    Parameters
    ----------
    evaluation
        The result of `evaluate` for the model and these rows.
    model, test
        The model and the test rows, of which the first 5,000 are used for pictures.
    path
        The HTML file, which is replaced if it exists.
    training
        Rows in the usual pose of the signals. If they were not rotated, pictures of aligned spheres are drawn in their
        pose. Without them, the pose is that of the test rows.
    label_column
        The index column of the classes, each of which then has a column of pictures and a color.
    judge
        The name of the classifier that scored samples.
    sources
        Further lines of the settings, such as the files that were read.
    seed
        The seed of samples, rotations and the map.

    Raises
    ------
    HoloError
        If a basis is not the model's, a conditional model's column is missing, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from holo_types import Basis
    >>> from holo_vae import ModelConfig, Recipe, evaluate, initial_model
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> images = Holograms(np.random.default_rng(0).normal(size=(12, basis.dim)), basis)
    >>> recipe = Recipe(model=ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(4, 4)))
    >>> model = initial_model(recipe, 1.0, "images")
    >>> path = Path(tempfile.mkdtemp(), "report.html")
    >>> write_report(evaluate(model, images), model, images, path)
    >>> path.read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    scene = make_scene(model, test, training, label_column)
    sections = [
        _reconstruction_section(evaluation, scene),
        _rotation_section(evaluation, scene, seed),
        _latent_section(evaluation, scene, seed),
        _traversal_section(scene),
        _interpolation_section(scene),
        _sample_section(evaluation, scene, seed),
        _settings_section(evaluation, model, sources or {}, seed, judge),
    ]
    lead = (
        f"A holographic autoencoder that encodes {model.config.basis.dim:,} coefficients as {model.config.latent_dim} "
        f"numbers and a frame, evaluated on {evaluation.rows:,} holograms."
    )
    page.write_page(Path(path), model.name, lead, sections, _key(evaluation))
