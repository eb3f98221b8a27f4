"""The demo's report: one HTML file with every picture inside, which opens offline."""

from pathlib import Path

import attrs
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from holo_downstream import ProbeTable
from holo_types import Embeddings, Holograms
from holo_vae import EquivarianceErrors, Reconstruction, TrainingRun, page
from holo_vae.tracking import pictures
from holo_vae.views import density_slice

__all__ = ["Report", "write_report"]


@attrs.frozen(kw_only=True, eq=False)
class Report:
    """All that the report shows."""

    run: TrainingRun
    training: Holograms
    held_out: Holograms
    embeddings: Embeddings
    trained: Reconstruction
    untrained: Reconstruction
    mean_cosine_loss: float
    probes: tuple[ProbeTable, ...]
    equivariance: EquivarianceErrors
    end_to_end: EquivarianceErrors
    seconds: float


def _slices(report: Report) -> Figure:
    """Draw neighbourhoods at the 10th, 50th and 90th percentile of the loss: good, usual and bad ones."""
    losses, index = report.embeddings.reconstruction_cosine_loss, report.embeddings.index
    radial = report.held_out.basis.radial
    assert losses is not None
    assert radial is not None
    order = np.argsort(losses)
    rows = order[[len(order) * share // 100 for share in (10, 50, 90)]]
    titles = [
        f"{index['residue_name'][row]} {index['residue_number'][row]}, {index['structure'][row]}\n"
        f"cosine loss {losses[row]:.3f} (0 is perfect)"
        for row in rows
    ]
    true = density_slice(report.held_out[rows])
    again = density_slice(report.run.model.decode(report.embeddings[rows]))
    return pictures.density_slices(
        list(zip(titles, true, again, strict=True)), report.held_out.basis.channels, radial.cutoff
    )


def _reconstruction_section(report: Report) -> str:
    trained, untrained = report.trained, report.untrained
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
            pictures.learning_curves(report.run.history),
            "learning curves",
            "Learning curves. Validation structures are not training structures; the marked epoch's weights were "
            "kept.",
        ),
        page.figure(
            pictures.degree_bars(
                {"trained": trained.cosine_loss_per_degree, "untrained": untrained.cosine_loss_per_degree}
            ),
            "cosine loss per degree",
            "Cosine loss of each degree by itself, on the held-out structures. High degrees hold the fine angular "
            "detail, which the bottleneck gives up first.",
        ),
        page.figure(
            _slices(report),
            "true and reconstructed densities",
            "Density in the plane z = 0 through the Cα of held-out residues, true above and reconstructed below, "
            "one colour scale for both. The circle is the cutoff.",
        ),
    )


def _embedding_section(report: Report) -> str:
    points = TSNE(random_state=0, perplexity=30).fit_transform(report.embeddings.invariants)
    labels = report.embeddings.index["secondary_structure"]
    return page.section(
        "Embeddings",
        page.figure(
            pictures.embedding_map(points, labels, "z of held-out residues (t-SNE)"),
            "map of embeddings",
            "Each point is the surrounding of one held-out residue; colours are its secondary structure (P-SEA), "
            "which the model was never told.",
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


def _rotation_section(report: Report) -> str:
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
            "The network runs in float32, rotations and Wigner D are float64. A frame is as exact as its two vectors "
            "are far from parallel, hence the percentiles.",
            "note",
        ),
    )


def _settings_section(report: Report) -> str:
    history, model = report.run.history, report.run.model
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


def write_report(report: Report, path: Path) -> None:
    """Write the report as one HTML file."""
    learned, held_out = (
        len(np.unique(part.index["structure"])) for part in (report.training, report.held_out)
    )
    lead = (
        f"A holographic autoencoder learned from {len(report.training):,} residue surroundings of {learned} protein "
        f"chains and is judged on {len(report.held_out):,} of {held_out} others. Held-out cosine loss "
        f"{report.trained.cosine_loss:.3f}."
    )
    sections = [
        _reconstruction_section(report),
        _embedding_section(report),
        *map(_probe_section, report.probes),
        _rotation_section(report),
        _settings_section(report),
    ]
    page.write_page(path, "Holo on real protein surroundings", lead, sections)
