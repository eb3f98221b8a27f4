"""The accuracy of the reconstruction, for all residues and by their properties."""

from collections.abc import Sequence

import attrs
import numpy as np
from chains import BURIALS
from numpy.typing import NDArray

from holo_downstream import Interval, bootstrap_mean
from holo_types import Embeddings, Holograms
from holo_vae import Model, Reconstruction, mean_hologram_cosine_loss, reconstruction, row_cosine_losses

__all__ = ["Accuracy", "GroupCosine", "measure_accuracy"]

_ATOM_BINS = 10  # groups with about equally many residues


@attrs.frozen
class GroupCosine:
    """The mean cosine loss of some of the residues."""

    name: str
    rows: int
    cosine_loss: float


@attrs.frozen(kw_only=True)
class Accuracy:
    """The accuracy of the reconstruction of residues.

    Parameters
    ----------
    rows, chains, clusters
        The numbers that were measured.
    cosine_loss
        Cosine loss (s = +1) with a 95 % interval, a bootstrap over clusters.
    reconstruction
        All figures of `holo_vae.reconstruction`.
    mean_hologram
        The cosine loss of the mean hologram of training residues as a prediction.
    by_type, by_structure, by_burial, by_atoms
        Cosine loss by residue type, secondary structure, burial, and number of heavy atoms within 10 Å.
    """

    rows: int
    chains: int
    clusters: int
    cosine_loss: Interval
    reconstruction: Reconstruction
    mean_hologram: float
    by_type: tuple[GroupCosine, ...]
    by_structure: tuple[GroupCosine, ...]
    by_burial: tuple[GroupCosine, ...]
    by_atoms: tuple[GroupCosine, ...]


def measure_accuracy(
    model: Model, holograms: Holograms, embeddings: Embeddings, training: Holograms
) -> Accuracy:
    """Reconstruct residues and measure the accuracy."""
    losses = row_cosine_losses(holograms, model.decode(embeddings))
    index = holograms.index
    edges = np.unique(np.quantile(index["atoms"], np.linspace(0, 1, _ATOM_BINS + 1)).astype(np.int64))
    bins = np.clip(np.searchsorted(edges, index["atoms"], side="right") - 1, 0, len(edges) - 2)
    names = [f"{low} to {high}" for low, high in zip(edges[:-1], edges[1:] - 1, strict=True)]
    names[-1] = f"{edges[-2]} to {edges[-1]}"
    types = sorted(set(index["residue_type"].tolist()) - {""})
    return Accuracy(
        rows=len(holograms),
        chains=len(np.unique(index["structure"])),
        clusters=len(np.unique(index["cluster"])),
        cosine_loss=bootstrap_mean(losses, index["cluster"]),
        reconstruction=reconstruction(model, holograms, embeddings),
        mean_hologram=mean_hologram_cosine_loss(training, holograms),
        by_type=_means(losses, index["residue_type"], types),
        by_structure=_means(losses, index["secondary_structure"], ("helix", "sheet", "coil")),
        by_burial=_means(losses, index["burial"], BURIALS),
        by_atoms=_means(losses, np.array(names)[bins], names),
    )


def _means(
    losses: NDArray[np.float64], labels: NDArray[np.str_], names: Sequence[str]
) -> tuple[GroupCosine, ...]:
    return tuple(
        GroupCosine(name, int(chosen.sum()), float(losses[chosen].mean()))
        for name in names
        if (chosen := labels == name).any()
    )
