"""`torch.compile` compiles every layer as a whole, and its default backend gives the numbers of the layer itself."""

import copy
import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from holo_nn import (
    BatchNorm,
    Block,
    InstanceNorm,
    LayerNorm,
    Linear,
    NormGate,
    SignalNorm,
    TensorProduct,
    TensorSquare,
)

IRREPS = "3x0e+3x1e"
# The skip of the first block drops degree 2, whose 10 numbers are as many as the channels of the product: its
# gradient has zeros of one shape twice, which inductor merges.
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
    "Block": lambda: Block("2x0e+2x1e+2x2e", "2x0e+2x1e"),
    "Block with a layer norm": lambda: Block(IRREPS, "2x0e+2x1e", norm="layer"),
}


# What inductor writes is what is tested, not how g++ improves it, which took most of a minute.
UNOPTIMIZED = {"TORCHINDUCTOR_DEBUG_COMPILE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}


class InBothModes(nn.Module):
    """A layer in training and one in evaluation, compiled together."""

    def __init__(self, layer):
        super().__init__()
        self.training_layer, self.evaluated_layer = layer, copy.deepcopy(layer).eval()

    def forward(self, *inputs):
        return self.training_layer(*inputs), self.evaluated_layer(*inputs)


def largest_error(name):
    """Compare all results of a training step: values, and gradients of inputs and parameters."""
    torch.compiler.reset()
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    module = InBothModes(layer)
    dim = 18 if name == "Block" else 12
    inputs = [torch.randn(6, dim, dtype=torch.float64) for _ in range(2 if name == "TensorProduct" else 1)]
    results = []
    for form in (torch.compile(module, fullgraph=True), module):
        x = [each.clone().requires_grad_() for each in inputs]
        module.zero_grad()
        outputs = form(*x)
        generator = torch.Generator().manual_seed(1)
        weights = [torch.randn(y.shape, generator=generator, dtype=torch.float64) for y in outputs]
        torch.autograd.backward(outputs, weights)
        gradients = [each.grad for each in (*x, *module.parameters())]
        results.append([*(y.detach() for y in outputs), *gradients])
    return max(float((a - b).abs().max()) for a, b in zip(*results, strict=True))


def why_not():
    """Return why inductor, which calls a C++ compiler, cannot run here, or None if it can."""
    try:
        torch.compile(torch.sin)(torch.ones(2))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the reason)
        return f"torch.compile cannot run here: {str(error).splitlines()[0]}"
    return None


@pytest.fixture(scope="module")
def outcomes():
    # In a process of its own: it cannot see through the checks of shapes that tests switch on.
    done = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env=os.environ | UNOPTIMIZED,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.mark.parametrize("name", LAYERS)
def test_compiles_whole_and_agrees(outcomes, name):
    assert outcomes[name] < 1e-12


if __name__ == "__main__":
    sys.stdout.write(json.dumps(why_not() or {name: largest_error(name) for name in LAYERS}))
