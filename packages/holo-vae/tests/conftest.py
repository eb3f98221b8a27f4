"""What several tests of holo-vae need: small recipes and holograms with something to learn."""

import numpy as np
import pytest

from holo_types import Basis, Holograms, Zernike
from holo_vae import ModelConfig, Recipe, TrainingConfig


@pytest.fixture
def basis() -> Basis:
    return Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))


@pytest.fixture
def recipe(basis: Basis) -> Recipe:
    return Recipe(
        model=ModelConfig(basis=basis, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6),
        training=TrainingConfig(epochs=3, batch_size=16, warmup_steps=4, validation_fraction=0.25),
    )


@pytest.fixture
def holograms(basis: Basis) -> Holograms:
    """Return 80 rows of 8 structures that share a few directions of variation."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(80, 3)) @ rng.normal(size=(3, basis.dim)) + rng.normal(size=basis.dim)
    structures = [f"s{i % 8}" for i in range(80)]
    return Holograms(
        coefficients.astype(np.float32), basis, {"structure": structures, "residue_number": np.arange(80)}
    )
