"""Fixtures of several tests of holo-lab: a small recipe, and holograms with structure to learn."""

import numpy as np
import pytest

from holo_types import Basis, Holograms, Zernike
from holo_vae import ModelConfig, Recipe, TrainingConfig


@pytest.fixture
def recipe() -> Recipe:
    basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
    return Recipe(
        model=ModelConfig(basis=basis, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6),
        training=TrainingConfig(epochs=2, batch_size=16, validation_fraction=0.25),
    )


@pytest.fixture
def holograms(recipe: Recipe) -> Holograms:
    """Return 80 rows of 8 structures that share a few directions of variation."""
    basis, rng = recipe.model.basis, np.random.default_rng(0)
    coefficients = rng.normal(size=(80, 3)) @ rng.normal(size=(3, basis.dim)) + rng.normal(size=basis.dim)
    index = {
        "structure": [f"s{row % 8}" for row in range(80)],
        "residue_number": np.arange(80),
        "residue_name": [("ALA", "GLY", "SER")[row % 3] for row in range(80)],
        "secondary_structure": ["helix"] * 40 + ["coil"] * 40,
    }
    return Holograms(coefficients.astype(np.float32), basis, index)
