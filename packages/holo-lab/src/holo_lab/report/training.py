"""The report of a training on the surroundings of residues, evaluated on held-out structures, as one HTML file."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from holo_downstream import ProbeTable
from holo_types import Embeddings, HoloError, Holograms, PointClouds
from holo_vae import Epoch, EquivarianceErrors, Model, Reconstruction
from holo_vae.tracking.plots import degree_bars, learning_curves

from . import page, plots
from .scenes import densities_by_loss
from .views import in_plane

__all__ = ["TrainingReport", "write_training_report"]


@attrs.frozen(kw_only=True, eq=False)
class TrainingReport:
    """The content of the report of a training.

    Parameters
    ----------
    model, history
        The model with the weights that are best on validation, and a record of each epoch, as returned by
        `holo_vae.run_training`.
    training, held_out
        The surroundings of residues on which the model was trained, and those of structures that it has not seen.
    surroundings
        The atoms of the held-out rows, whose point column ``own`` marks the atoms of the residue itself.
    embeddings
        The embeddings of the held-out rows with reconstruction cosine losses. The index contains the structure, the
        residue and the targets of the probes.
    trained, untrained
        The reconstruction of the held-out rows by the model, and by the same network with its initial weights.
    mean_cosine_loss
        The cosine loss of the mean hologram of the training rows on the held-out rows.
    probes
        The probes of the embeddings; the map is colored by the target of the first.
    equivariance, end_to_end
        The errors for rotated holograms, and for a rotated structure that is encoded and embedded again.
    seconds
        The duration of the whole job.
    """

    model: Model
    history: Sequence[Epoch]
    training: Holograms
    held_out: Holograms
    surroundings: PointClouds
    embeddings: Embeddings
    trained: Reconstruction
    untrained: Reconstruction
    mean_cosine_loss: float
    probes: tuple[ProbeTable, ...]
    equivariance: EquivarianceErrors
    end_to_end: EquivarianceErrors
    seconds: float


def _reconstruction_section(report: TrainingReport) -> str:
    trained, untrained = report.trained, report.untrained
    losses = report.embeddings.reconstruction_cosine_loss
    if losses is None:
        raise HoloError("TrainingReport.embeddings has no reconstruction_cosine_loss; the report needs it")
    return page.section(
        "Reconstruction",
        page.table(
            ("", "cosine loss, 0 is perfect", "mean squared error"),
            [
                ("trained model", f"{trained.cosine_loss:.4f}", f"{trained.mse:.3e}"),
                ("the same network, untrained", f"{untrained.cosine_loss:.4f}", f"{untrained.mse:.3e}"),
                ("mean hologram of the training set", f"{report.mean_cosine_loss:.4f}", ""),
            ],
        ),
        page.paragraph(
            "Cosine loss with s = +1: 0 is perfect, about 1 is chance. Every row is measured on the held-out "
            "structures, which the model never saw.",
            "note",
        ),
        page.figure(
            learning_curves(report.history),
            "learning curves",
            "Learning curves. Validation structures are not used for training. The weights of the marked epoch were "
            "kept.",
        ),
        page.figure(
            degree_bars(
                {"trained": trained.cosine_loss_per_degree, "untrained": untrained.cosine_loss_per_degree}
            ),
            "cosine loss per degree",
            "Cosine loss of each degree by itself, on the held-out structures. High degrees hold the fine angular "
            "detail, which the bottleneck gives up first.",
        ),
        page.figure(
            densities_by_loss(report.model, report.held_out, report.embeddings, losses, report.surroundings),
            "true and reconstructed densities",
            "Density in the plane z = 0 through the Cα of held-out residues, true above and reconstructed below, "
            "with the same color scale. Dots are the atoms within 1 Å of the plane; those of the residue itself have "
            "a thick rim.",
        ),
    )


def _embedding_section(report: TrainingReport) -> str:
    points, how = in_plane(report.embeddings.invariants, seed=0)
    target = report.probes[0].target
    return page.section(
        "Embeddings",
        page.figure(
            plots.embedding_map(points, report.embeddings.index[target], f"z of held-out residues ({how})"),
            "map of embeddings",
            f"Each point represents the surroundings of one held-out residue. Colors show its "
            f"{target.replace('_', ' ')}, which the model was never given.",
        ),
    )


def _probe_section(table: ProbeTable) -> str:
    rows = [
        (
            "majority class" if result.estimator == "majority" else f"{result.features}, {result.estimator}",
            str(result.accuracy),
            "" if result.above_majority is None else str(result.above_majority),
            "" if result.above_scalars is None else str(result.above_scalars),
        )
        for result in table.results
    ]
    headings = ("from", "accuracy [95 %]", "above majority [95 %]", "above l = 0 [95 %]")
    note = (
        f"{table.summary()} Cross-validated by structure in {table.folds} folds; intervals are bootstraps over "
        "structures."
    )
    title = f"Probe: {table.target.replace('_', ' ')}"
    return page.section(title, page.table(headings, rows), page.paragraph(note, "note"))


def _rotation_section(report: TrainingReport) -> str:
    names = {
        "invariants": "z, relative to the largest",
        "frame": "frame axes",
        "frame_p99": "frame axes, 99th percentile",
        "reconstruction": "reconstruction, relative",
        "reconstruction_p99": "reconstruction, 99th percentile",
    }
    rows = [
        (words, f"{getattr(report.equivariance, name):.1e}", f"{getattr(report.end_to_end, name):.1e}")
        for name, words in names.items()
    ]
    return page.section(
        "Rotations",
        page.table(("largest deviation", "rotated holograms", "rotated structure, end to end"), rows),
        page.paragraph(
            "The network runs in float32; rotations and Wigner D are float64. A frame is less accurate if its two "
            "vectors are nearly parallel, hence the percentiles.",
            "note",
        ),
    )


def _settings_section(report: TrainingReport) -> str:
    history, model = report.history, report.model
    best = max((epoch.number + 1 for epoch in history if epoch.best), default=0)
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    rows = [
        ("parameters", f"{parameters:,}"),
        ("z", str(model.config.latent_dim)),
        ("lmax after each block", ", ".join(map(str, model.config.lmax))),
        ("channels after each block", ", ".join(map(str, model.config.channels))),
        ("epochs (kept)", f"{len(history)} ({best})"),
        ("training rate", f"{history[-1].samples_per_second:,.0f} samples/s"),
        ("model digest", model.digest[:16]),
        ("basis", f"{report.held_out.basis.irreps}"),
        ("time before this report", f"{report.seconds:.0f} s"),
    ]
    return page.section("How it was made", page.table(("", ""), rows))


def write_training_report(report: TrainingReport, path: Path | str) -> None:
    """Write the report of a training as one HTML file that contains all pictures and fetches nothing.

    Parameters
    ----------
    report
        The content of the report.
    path
        The HTML file, which is replaced if it exists.

    Raises
    ------
    HoloError
        If the embeddings have no reconstruction cosine losses, or the file cannot be written.
    """
    learned, held_out = (
        len(np.unique(part.index["structure"])) for part in (report.training, report.held_out)
    )
    lead = (
        f"A holographic autoencoder was trained on the surroundings of {len(report.training):,} residues of {learned} "
        f"protein chains, and is evaluated on {len(report.held_out):,} residues of {held_out} others, with a cosine "
        f"loss of {report.trained.cosine_loss:.3f}."
    )
    sections = [
        _reconstruction_section(report),
        _embedding_section(report),
        *map(_probe_section, report.probes),
        _rotation_section(report),
        _settings_section(report),
    ]
    page.write_page(Path(path), "Holo on real protein surroundings", lead, sections)
