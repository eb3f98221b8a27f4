"""Training with `compile: true`: the whole network goes through `torch.compile`, and learns what it learns without."""

import subprocess
import sys

import attrs
import numpy as np
import torch

from holo_types import Basis, Holograms
from holo_vae import ModelConfig, Recipe, TrainingConfig, initial_model, open_rows, train

BASIS = Basis(lmax=2, radial=None, channels=("image",))


def weights(recipe):
    data = Holograms(np.random.default_rng(0).normal(size=(40, BASIS.dim)), BASIS, {"row": np.arange(40)})
    training, validation = (
        open_rows(data, rows=rows, shuffle_rows=100, dtype=torch.float64)
        for rows in np.split(np.arange(40), [32])
    )
    network = initial_model(recipe, 3.0, "small").network
    list(train(network, training, validation, recipe))
    return network.state_dict()


def compare():
    # The back end decides nothing here, and one that generates code takes a minute.
    compiler, calls = torch.compile, []

    def compile_whole(network):
        calls.append(network)
        return compiler(network, backend="eager", fullgraph=True)

    torch.compile = compile_whole
    recipe = Recipe(
        model=ModelConfig(basis=BASIS, latent_dim=4, lmax=(2, 1), channels=(6, 6), variational=True),
        training=TrainingConfig(epochs=1, batch_size=8, precision="float64", masking=0.2, kl_weight=0.1),
    )
    expected = weights(recipe)
    assert not calls
    found = weights(attrs.evolve(recipe, training=attrs.evolve(recipe.training, compile=True)))
    assert len(calls) == 1
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-10, msg=name)


def test_a_compiled_network_learns_the_same():
    # In a process of its own: torch.compile cannot see through the checks of shapes that tests switch on.
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    compare()
