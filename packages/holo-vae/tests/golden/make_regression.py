"""Make golden/regression: a small trained model, holograms, and what the model gives for them.

Run it only when the format or the architecture changes on purpose, and say so under "Numerics" in the
changelog: ``python packages/holo-vae/tests/golden/make_regression.py``. It prints the squared error that
`test_vae_regression.py` holds as ``MSE``.
"""

import sys
from pathlib import Path

import numpy as np

import holo_features
import holo_types
from holo_types import Basis, Zernike, concatenate
from holo_vae import (
    ModelConfig,
    Recipe,
    TrainingConfig,
    data_scale,
    embed_holograms,
    initial_model,
    open_rows,
    reconstruction,
    split_by_group,
    train,
    write_model,
)

FOLDER = Path(__file__).parent / "regression"
BASIS = Basis(lmax=3, radial=Zernike(nmax=5, cutoff=10.0), channels=("C", "N", "O", "S"))
RECIPE = Recipe(
    model=ModelConfig(basis=BASIS, latent_dim=16, lmax=(2, 1), channels=(12, 16), initial_projection=10),
    training=TrainingConfig(epochs=20, batch_size=64, learning_rate=3e-3),
)
ROWS = 60


def main() -> None:
    """Train and record."""
    encoded = holo_features.encode_structures(holo_features.datasets.example_structures(), BASIS)
    holograms = concatenate([each.holograms for each in encoded if each.holograms is not None])
    split = split_by_group(holograms, "structure", RECIPE.training.validation_fraction, RECIPE.training.seed)
    training, validation = (
        open_rows(holograms, rows=rows, shuffle_rows=100_000) for rows in (split.training, split.validation)
    )
    model = initial_model(RECIPE, data_scale(training), "regression")
    for _ in train(model.network, training, validation, RECIPE):
        pass
    write_model(model, FOLDER / "model")
    chosen = holograms[np.random.default_rng(0).choice(split.validation, ROWS, replace=False)]
    holo_types.save(chosen, FOLDER / "holograms.h5")
    holo_types.save(embed_holograms(model, chosen), FOLDER / "embeddings.h5")
    sys.stdout.write(f"MSE {reconstruction(model, chosen).mse:.7e}\n")


if __name__ == "__main__":
    main()
