"""The tables of the results on proteins, in Markdown."""

from typing import TYPE_CHECKING

from writing import markdown_table

if TYPE_CHECKING:
    from accuracy import GroupCosine
    from measure import Measured

__all__ = ["measure_tables"]


def measure_tables(measured: "Measured") -> dict[str, str]:
    """Return all tables of one model, by name."""
    accuracy = measured.accuracy
    return {
        "reconstruction": _reconstruction(measured),
        "degrees": _per_degree(measured),
        "types": _groups("residue type", accuracy.by_type),
        "structures": _groups("secondary structure", accuracy.by_structure),
        "burial": _groups("burial", accuracy.by_burial),
        "atoms": _groups("heavy atoms within 10 Å", accuracy.by_atoms),
        "equivariance": _equivariance(measured),
        "neighbors": _agreements(measured),
        "denoising": _denoising(measured),
        "times": _times(measured),
    }


def _reconstruction(measured: "Measured") -> str:
    accuracy, found = measured.accuracy, measured.accuracy.reconstruction
    rows = [
        ("residues, chains, clusters", f"{accuracy.rows:,}, {accuracy.chains}, {accuracy.clusters}"),
        ("cosine loss [95 %]", str(accuracy.cosine_loss)),
        ("mean squared error, divided scale", f"{found.mse:.3e}"),
        ("cosine loss of the training residues' mean", f"{accuracy.mean_hologram:.3f}"),
        ("correlation of powers within a residue", f"{found.power_correlation:.4f}"),
        ("parameters", f"{measured.model.parameters:,}"),
        ("z", str(measured.model.latent_dim)),
        ("encoding", measured.model.encoding),
        ("model digest", measured.model.digest[:16]),
    ]
    return markdown_table(("", "test"), rows)


def _per_degree(measured: "Measured") -> str:
    losses = measured.accuracy.reconstruction.cosine_loss_per_degree
    headings = ("degree l", *map(str, range(len(losses))))
    return markdown_table(headings, [("cosine loss", *(f"{loss:.3f}" for loss in losses))])


def _groups(name: str, groups: "tuple[GroupCosine, ...]") -> str:
    rows = [(group.name, f"{group.rows:,}", f"{group.cosine_loss:.3f}") for group in groups]
    return markdown_table((name, "residues", "cosine loss"), rows)


def _equivariance(measured: "Measured") -> str:
    errors = measured.equivariance
    rows = [
        ("z, relative to the largest", f"{errors.invariants:.1e}", ""),
        ("frame axes", f"{errors.frame:.1e}", f"{errors.frame_p99:.1e}"),
        (
            "reconstruction, relative to the largest",
            f"{errors.reconstruction:.1e}",
            f"{errors.reconstruction_p99:.1e}",
        ),
    ]
    return markdown_table(("turned atoms, end to end", "largest deviation", "99th percentile"), rows)


def _agreements(measured: "Measured") -> str:
    rows = [
        (found.label.replace("_", " "), f"{found.shared:.3f}", f"{found.chance:.3f}")
        for found in measured.agreements
    ]
    return markdown_table(("shared with the ten nearest", "share", "by chance"), rows)


def _denoising(measured: "Measured") -> str:
    rows = [
        (f"{point.noise:.1f}", f"{point.noisy:z.3f}", f"{point.reconstructed:.3f}")
        for point in measured.denoising
    ]
    return markdown_table(("noise (Å)", "noisy atoms", "reconstructed from noisy atoms"), rows)


def _times(measured: "Measured") -> str:
    return markdown_table(("part", "seconds"), [(part, f"{s:.0f}") for part, s in measured.seconds.items()])
