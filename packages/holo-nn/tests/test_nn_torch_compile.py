"""`torch.compile` sees through every layer, whole, and gives the numbers of the layer itself."""

import json
import subprocess
import sys

import pytest
import torch

from holo_nn import (
    BatchNorm,
    Block,
    Blocks,
    InstanceNorm,
    LayerNorm,
    Linear,
    NormGate,
    SignalNorm,
    TensorProduct,
    TensorSquare,
)

IRREPS = "3x0e+3x1e"
LAYERS = {
    "Linear": lambda: Linear(IRREPS, "3x0e+2x1e+1x3e", bias=True),
    "BatchNorm": lambda: BatchNorm(IRREPS),
    "InstanceNorm": lambda: InstanceNorm(IRREPS),
    "LayerNorm": lambda: LayerNorm(IRREPS),
    "SignalNorm": lambda: SignalNorm(IRREPS),
    "NormGate": lambda: NormGate(IRREPS),
    "TensorSquare": lambda: TensorSquare(IRREPS),
    "TensorSquare of all channels": lambda: TensorSquare(IRREPS, channels="full"),
    "TensorProduct": lambda: TensorProduct(IRREPS, IRREPS),
    "Blocks": lambda: Blocks(Block(IRREPS, IRREPS), Block(IRREPS, "5x0e+5x1e", norm="layer")),
}


def compiled_and_not(name):
    """Compute all that a step of training does, in both ways."""
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    inputs = [torch.randn(6, 12, dtype=torch.float64) for _ in range(2 if name == "TensorProduct" else 1)]
    # The back end decides nothing here, and one that generates code takes a minute.
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    results = []
    for form in (compiled, layer):
        x = [each.clone().requires_grad_() for each in inputs]
        layer.zero_grad()
        y = form(*x)
        y.square().sum().backward()
        results.append([y.detach(), *(each.grad for each in x), *(p.grad for p in layer.parameters())])
    return zip(*results, strict=True)


@pytest.fixture(scope="module")
def outcomes():
    # In a process of its own: it cannot see through the checks of shapes that tests switch on.
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", LAYERS)
def test_compiles_whole_and_agrees(outcomes, name):
    assert outcomes[name] < 1e-12


if __name__ == "__main__":
    errors = {name: max(float((a - b).abs().max()) for a, b in compiled_and_not(name)) for name in LAYERS}
    sys.stdout.write(json.dumps(errors))
