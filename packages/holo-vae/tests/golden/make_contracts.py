"""Make the contract checkpoints of this format version: golden/contracts/VERSION-KIND, never to be made again.

``python packages/holo-vae/tests/golden/make_contracts.py VERSION``, with the holo-vae that writes that version
(version 1: commit 80697c9). Each folder holds what was written then, and in recorded.npz what it gave then;
every later holo-vae must load it and give the same. A new format version gets new folders beside the old ones.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from holo_types import Basis, Holograms, Zernike
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.recipes.model import ModelConfig

FOLDER = Path(__file__).parent / "contracts"
BASIS = Basis(lmax=2, radial=Zernike(nmax=3, cutoff=8.0), channels=("C", "N"))
ROWS = 7


def _holograms() -> Holograms:
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(ROWS, BASIS.dim)).astype(np.float32)
    return Holograms(coefficients, BASIS, {"label": rng.integers(0, 3, ROWS)})


def _randomized(network: Any) -> Any:
    """Set every parameter and statistic to a value other than its initial one."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator) - 0.5
                tensor.add_(noise.abs() if "running_var" in name or name == "scale" else 0.3 * noise)
    return network.eval()


def _record(model: Model, folder: Path, condition: Any = None) -> None:
    holograms = _holograms()
    write_model(model, folder)
    embeddings = model.encode(holograms)
    # Version 1 knew no condition.
    decoded = model.decode(embeddings) if condition is None else model.decode(embeddings, condition)
    recorded = {"invariants": embeddings.invariants, "frames": embeddings.frames}
    if embeddings.log_variances is not None:
        recorded["log_variances"] = embeddings.log_variances
    np.savez(
        folder / "recorded.npz",
        coefficients=holograms.coefficients,
        label=holograms.index["label"],
        decoded=decoded.coefficients,
        **recorded,
    )


def version_1() -> None:
    """An H-VAE: the only kind."""
    config = ModelConfig(
        basis=BASIS, latent_dim=4, lmax=(2, 1), channels=(4, 5), initial_projection=3, variational=True
    )
    _record(Model(_randomized(HolographicAutoencoder(config)), "first", "7"), FOLDER / "1-autoencoder")


def version_2() -> None:
    """A conditional H-AE that uses every later setting, and a classifier."""
    from holo_vae.networks.classifier import Classifier, TrainedClassifier
    from holo_vae.recipes.model import ClassifierConfig, Condition

    labels = Condition(column="label", categories=(0, 1, 2))
    config = ModelConfig(
        basis=BASIS,
        latent_dim=4,
        lmax=(2, 1),
        channels=(3, 4),
        initial_projection=3,
        connectivity=("full", "efficient"),
        channel_rule=("full", "elementwise"),
        batch_norm=False,
        norm="layer",
        skip=False,
        bottleneck=(5,),
        condition=labels,
    )
    model = Model(_randomized(HolographicAutoencoder(config)), "conditional", "7")
    _record(model, FOLDER / "2-autoencoder", _holograms().index["label"])
    classes = ClassifierConfig(
        basis=BASIS, lmax=(2, 1), channels=(3, 4), initial_projection=3, classes=labels, hidden=(6,)
    )
    classifier = TrainedClassifier(_randomized(Classifier(classes)), "digits", "7")
    holograms = _holograms()
    write_model(classifier, FOLDER / "2-classifier")
    np.savez(
        FOLDER / "2-classifier" / "recorded.npz",
        coefficients=holograms.coefficients,
        probabilities=classifier.predict(holograms),
    )


if __name__ == "__main__":
    {"1": version_1, "2": version_2}[sys.argv[1]]()
