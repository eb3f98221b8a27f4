"""The Triton kernel computes the tensor square, on a GPU or in Triton's interpreter (nox session triton)."""

import importlib
import os
import subprocess
import sys

import pytest
import torch
from e3nn import o3

import holo_nn
from holo_nn.kernels.triton_square import triton_square
from holo_nn.testing import LayerTests

pytest.importorskip("triton")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not (INTERPRETED or torch.cuda.is_available()):
    pytest.skip("needs CUDA, or Triton's interpreter: TRITON_INTERPRET=1", allow_module_level=True)
DEVICE = "cpu" if INTERPRETED else "cuda"


class Kernel(torch.nn.Module):
    """A tensor square by the kernel, wherever it runs."""

    def __init__(self, *arguments, **options):
        super().__init__()
        self.square = holo_nn.TensorSquare(*arguments, **options)

    def forward(self, x):
        return triton_square(x, self.square.irreps_in[0].mul, self.square.paths)


def plain(square, x):
    """Compute path by path with e3nn's coefficients."""
    irreps = square.irreps_in
    pieces = {
        term.ir.l: x[:, where].reshape(-1, term.mul, term.ir.dim)
        for term, where in zip(irreps, irreps.slices(), strict=True)
    }
    parts = [
        torch.einsum(
            "mnp,bcm,bcn->bcp",
            o3.wigner_3j(*path, dtype=x.dtype, device=x.device),
            pieces[path[0]],
            pieces[path[1]],
        )
        for path in square.paths
    ]
    return torch.cat([part.flatten(1) for part in parts], dim=1)


@pytest.mark.parametrize(
    ("irreps", "lmax", "connectivity", "batch"),
    [
        ("3x0e+3x1e", 2, "efficient", 0),
        ("3x0e+3x1e", 2, "efficient", 1),
        ("3x0e+3x1e", 2, "efficient", 43),  # one lane more than a program takes
        ("1x0e+1x1e+1x2e", 2, "full", 3),
        ("2x0e", 0, "efficient", 7),
        ("1x0e+1x1e+1x2e+1x3e", 1, "efficient", 2),
    ],
)
def test_values_and_gradients(irreps, lmax, connectivity, batch):
    kernel = Kernel(irreps, lmax, connectivity=connectivity)
    for dtype, tolerance in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        x = torch.randn(batch, kernel.square.irreps_in.dim, dtype=dtype, device=DEVICE, requires_grad=True)
        y, expected = kernel(x), plain(kernel.square, x)
        torch.testing.assert_close(y, expected, rtol=tolerance, atol=tolerance)
        weights = torch.randn_like(y)
        ours, theirs = (torch.autograd.grad((weights * each).sum(), x)[0] for each in (y, expected))
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_input_that_is_not_contiguous():
    kernel = Kernel("2x0e+2x1e")
    x = torch.randn(8, 5, dtype=torch.float64, device=DEVICE).T.requires_grad_()
    x.retain_grad()
    y = kernel(x)
    torch.testing.assert_close(y, plain(kernel.square, x.detach()), rtol=0, atol=1e-13)
    y.mT.square().sum().backward()
    assert x.grad.isfinite().all()


def test_second_derivatives():
    kernel = Kernel("2x0e+2x1e", 2)
    x = torch.randn(2, 8, dtype=torch.float64, device=DEVICE, requires_grad=True)
    assert torch.autograd.gradgradcheck(kernel, x, fast_mode=True)


class TestKernel(LayerTests):
    has_parameters = False
    exportable = False  # an exported module has the pure form
    movable = False  # the tests above run where the kernel does

    def make(self):
        kernel = Kernel("1x0e+1x1e", 2)
        return kernel, kernel.square.irreps_in, kernel.square.irreps_out


def test_the_layer_chooses_the_kernel_on_a_gpu_only(monkeypatch):
    chosen = []
    module = importlib.import_module("holo_nn.layers.tensor_square")
    monkeypatch.setattr(module, "triton_square", lambda x, *_: chosen.append(x.device.type) or x)
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        holo_nn.TensorSquare("2x0e+2x1e").to(device)(torch.randn(3, 8, device=device))
    assert chosen == (["cuda"] if torch.cuda.is_available() else [])


@pytest.mark.skipif(not INTERPRETED, reason="a GPU is here, and compiles it anyway")
def test_the_kernel_compiles_for_a_gpu_that_is_not_here():
    program = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from holo_nn.kernels.triton_kernel import sums

for dtype, machine_code in (("fp32", "fma.rn.f32"), ("fp64", "fma.rn.f64")):
    types = dict.fromkeys(("left", "right", "out", "coefficients"), f"*{dtype}")
    types |= dict.fromkeys(("rows", "first", "second", "shares"), "*i32")
    types |= {"lanes": "i32", "LANES": "constexpr", "STEP": "constexpr"}
    signature = {name: types[name] for name in sums.arg_names}
    source = ASTSource(sums, signature=signature, constexprs={"LANES": 128, "STEP": 4})
    compiled = compile(source, target=GPUTarget("cuda", 90, 32))
    assert machine_code in compiled.asm["ptx"]
    assert "mma" not in compiled.asm["ptx"]  # no tensor cores, no TF32
"""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)
