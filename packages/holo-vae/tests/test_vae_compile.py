"""Training with `compile: true`: the whole network goes through `torch.compile`, and learns what it learns without."""

import json
import os
import subprocess
import sys

import attrs
import numpy as np
import pytest
import torch

from holo_types import Basis, Holograms
from holo_vae import (
    Classifier,
    ClassifierConfig,
    Condition,
    HolographicAutoencoder,
    ModelConfig,
    Recipe,
    TrainingConfig,
    initial_model,
    open_rows,
    train,
)

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


def compare_training():
    # The backend decides nothing here, and one that generates code takes a minute.
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


# The last block of the encoder drops degree 2, whose 10 numbers are as many as the channels of its product.
SIZES = {"basis": BASIS, "initial_projection": 2, "lmax": (1,), "channels": (2,)}
NETWORKS = {
    "autoencoder": lambda: HolographicAutoencoder(ModelConfig(**SIZES, latent_dim=2)),
    "classifier": lambda: Classifier(
        ClassifierConfig(**SIZES, hidden=(4,), classes=Condition(column="label", categories=(0, 1, 2)))
    ),
}


def first_output(network, holograms):
    result = network(holograms)
    return result[0] if isinstance(result, tuple) else result


def largest_error(name):
    """Compare output and gradients of a step of training by inductor and without it."""
    torch.manual_seed(0)
    network = NETWORKS[name]().double()
    holograms = torch.randn(6, BASIS.dim, dtype=torch.float64)
    results = []
    for form in (torch.compile(network, fullgraph=True), network):
        x = holograms.clone().requires_grad_()
        network.zero_grad()
        y = first_output(form, x)
        y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
        results.append([y.detach(), x.grad, *(parameter.grad for parameter in network.parameters())])
    return max(float((a - b).abs().max()) for a, b in zip(*results, strict=True))


def compare_gradients():
    try:  # inductor calls a C++ compiler
        torch.compile(torch.sin)(torch.ones(2))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the reason)
        return f"torch.compile cannot run here: {str(error).splitlines()[0]}"
    return {name: largest_error(name) for name in NETWORKS}


# What inductor writes is what is tested, not how g++ improves it, which took most of half a minute.
UNOPTIMIZED = {"TORCHINDUCTOR_DEBUG_COMPILE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def in_own_process(*arguments):
    # torch.compile cannot see through the checks of shapes that tests switch on.
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env=os.environ | UNOPTIMIZED,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_compiled_network_learns_the_same():
    in_own_process()


def test_gradients_of_the_default_backend_are_right():
    errors = json.loads(in_own_process("gradients"))
    if isinstance(errors, str):
        pytest.skip(errors)
    for name in NETWORKS:
        assert errors[name] < 1e-12, name


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(json.dumps(compare_gradients()))
    else:
        compare_training()
