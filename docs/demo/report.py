"""The demo's report: one HTML file with every picture inside, which opens offline."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import attrs
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.manifold import TSNE

import holo_features
from holo_downstream import ProbeTable
from holo_types import Embeddings, Holograms
from holo_types.atomic import replacing
from holo_vae import EquivarianceErrors, Reconstruction, TrainingRun, pictures

__all__ = ["Report", "write_report"]

SLICE_POINTS = 64  # per side


@attrs.frozen(kw_only=True, eq=False)
class Report:
    """All that the report shows."""

    run: TrainingRun
    training: Holograms
    held_out: Holograms
    embeddings: Embeddings
    trained: Reconstruction
    untrained: Reconstruction
    mean_cosine: float
    probes: tuple[ProbeTable, ...]
    equivariance: EquivarianceErrors
    end_to_end: EquivarianceErrors
    seconds: float


def _image(figure: Figure, alt: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if number else ''}>{html.escape(value)}</{tag}>"
            for number, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', headings)}</tr>{body}</table>"


def _name(embeddings: Embeddings | Holograms, row: int) -> str:
    index = embeddings.index
    return f"{index['residue_name'][row]} {index['residue_number'][row]}, {index['structure'][row]}"


def _slices(report: Report) -> Figure:
    """Draw neighbourhoods at the 10th, 50th and 90th percentile of the loss: good, usual and bad ones."""
    losses = report.embeddings.reconstruction_cosine
    assert losses is not None
    order = np.argsort(losses)
    rows = order[[len(order) * share // 100 for share in (10, 50, 90)]]
    basis = report.held_out.basis
    assert basis.radial is not None
    axis = np.linspace(-basis.radial.cutoff, basis.radial.cutoff, SLICE_POINTS)
    x, y = np.meshgrid(axis, axis)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)

    def density(holograms: Holograms) -> NDArray[np.floating[Any]]:
        values = holo_features.inverse_zernike_transform(holograms, points)
        return values.reshape(len(holograms), len(basis.channels), SLICE_POINTS, SLICE_POINTS)

    true = density(report.held_out[rows])
    reconstructed = density(report.run.model.decode(report.embeddings[rows]))
    titles = [f"{_name(report.embeddings, row)}\ncosine {losses[row]:.3f}" for row in rows]
    return pictures.density_slices(
        list(zip(titles, true, reconstructed, strict=True)), basis.channels, basis.radial.cutoff
    )


def _map(report: Report) -> Figure:
    labels = report.embeddings.index["secondary_structure"]
    points = TSNE(random_state=0, perplexity=30).fit_transform(report.embeddings.invariants)
    return pictures.embedding_map(points, labels, "z of held-out residues (t-SNE)")


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
    title = table.target.replace("_", " ")
    return (
        f"<h2>Probe: {html.escape(title)}</h2><div class='scroll'>{_table(headings, rows)}</div>"
        f"<p class=note>{html.escape(table.summary())} Cross-validated by structure in {table.folds} folds; intervals "
        "are bootstraps over structures.</p>"
    )


def write_report(report: Report, path: Path) -> None:
    """Write the report as one HTML file."""
    trained, untrained = report.trained, report.untrained
    model = report.run.model
    best = max((epoch.number + 1 for epoch in report.run.history if epoch.best), default=0)
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    structures = {
        name: len(np.unique(holograms.index["structure"]))
        for name, holograms in (("training", report.training), ("held_out", report.held_out))
    }
    errors = report.equivariance
    end = report.end_to_end
    fields = {
        "lead": (
            f"A holographic autoencoder learned from {len(report.training):,} residue surroundings of "
            f"{structures['training']} protein chains and is judged on {len(report.held_out):,} of "
            f"{structures['held_out']} others. Held-out cosine loss {trained.cosine:.3f}."
        ),
        "reconstruction_table": _table(
            ("", "cosine", "mean squared error"),
            [
                ("trained model", f"{trained.cosine:.4f}", f"{trained.mse:.3e}"),
                ("the same network, untrained", f"{untrained.cosine:.4f}", f"{untrained.mse:.3e}"),
                ("mean hologram of the training set", f"{report.mean_cosine:.4f}", ""),
            ],
        ),
        "learning_curves": _image(pictures.learning_curves(report.run.history), "learning curves"),
        "cosine_per_degree": _image(
            pictures.degree_bars(
                {"trained": trained.cosine_per_degree, "untrained": untrained.cosine_per_degree}
            ),
            "cosine loss per degree",
        ),
        "cutoff": f"{report.held_out.basis.radial.cutoff:g}" if report.held_out.basis.radial else "",
        "density_slices": _image(_slices(report), "true and reconstructed densities"),
        "embedding_map": _image(_map(report), "map of embeddings"),
        "map_caption": "Each point is the surrounding of one held-out residue; colours are its secondary "
        "structure (P-SEA), which the model was never told.",
        "probe_sections": "".join(map(_probe_section, report.probes)),
        "equivariance_table": _table(
            ("largest deviation", "rotated holograms", "rotated structure, end to end"),
            [
                ("z, relative to the largest", f"{errors.invariants:.1e}", f"{end.invariants:.1e}"),
                ("frame axes", f"{errors.frame:.1e}", f"{end.frame:.1e}"),
                ("frame axes, 99th percentile", f"{errors.frame_p99:.1e}", f"{end.frame_p99:.1e}"),
                ("reconstruction, relative", f"{errors.reconstruction:.1e}", f"{end.reconstruction:.1e}"),
                (
                    "reconstruction, 99th percentile",
                    f"{errors.reconstruction_p99:.1e}",
                    f"{end.reconstruction_p99:.1e}",
                ),
            ],
        ),
        "equivariance_note": "The network runs in float32, rotations and Wigner D are float64. A frame is "
        "as exact as its two vectors are far from parallel, hence the percentiles.",
        "settings_table": _table(
            ("", ""),
            [
                ("parameters", f"{parameters:,}"),
                ("z", str(model.config.latent_dim)),
                ("lmax after each block", ", ".join(map(str, model.config.lmax))),
                ("channels after each block", ", ".join(map(str, model.config.channels))),
                ("epochs (kept)", f"{len(report.run.history)} ({best})"),
                ("training rate", f"{report.run.history[-1].samples_per_second:,.0f} samples/s"),
                ("model digest", model.digest[:16]),
                ("basis", f"{report.held_out.basis.irreps}"),
                ("time before this report", f"{report.seconds:.0f} s"),
            ],
        ),
    }
    page = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8")).substitute(fields)
    with replacing(path) as new:
        new.write_text(page, encoding="utf-8")
