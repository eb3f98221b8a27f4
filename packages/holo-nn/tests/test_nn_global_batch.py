"""Batch norms of two processes, each with a part of the batch, agree with one process that has all of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from holo_nn import BatchNorm, Block, Blocks, synchronize_batch_norms
from holo_nn.kernels.dispatch import pure_form

EVEN, UNEVEN = "4x0e+4x1e+4x2e", "5x0e+2x1e+1x3e"


def modules():
    """What is compared: each with its tolerance in units of its largest values."""
    torch.manual_seed(0)
    exact = {
        "norm": BatchNorm(UNEVEN),
        "norm without scalars": BatchNorm("2x1e+3x2e", normalization="norm", affine=None),
        "blocks": Blocks(Block(EVEN, "6x0e+6x1e+6x2e"), Block("6x0e+6x1e+6x2e", "3x0e+3x1e")),
        "a block of two networks": nn.Sequential(Block(EVEN, EVEN, skip=False), BatchNorm(EVEN)),
    }
    found = {name: (module.double(), 1e-12) for name, module in exact.items()}
    # Scalars around 50 (see below) cost two of float32's seven digits before the norm centers them.
    return found | {"blocks in float32": (Blocks(Block(EVEN, EVEN), Block(EVEN, "3x0e+3x1e")), 1e-4)}


def outcome(module, part, *, pure):
    """Return all results of a step, from this process's samples, summed or gathered over all processes."""
    irreps_in = getattr(module, "irreps_in", getattr(module, "irreps", None)) or module[0].irreps_in
    dtype = next((p.dtype for p in module.parameters()), torch.float64)
    generator = torch.Generator().manual_seed(1)
    # Scalars far from zero and samples of unlike size: parts have other means and variances than the whole.
    x = torch.randn(11, irreps_in.dim, generator=generator, dtype=torch.float64)
    x = x * torch.linspace(0.2, 3.0, 11)[:, None]
    x[:, : irreps_in.count("0e")] += 50.0
    x = x[part].to(dtype).requires_grad_()
    y = pure_form_of(module, x) if pure else module(x)
    weights = torch.randn(11, y.shape[1], generator=generator, dtype=torch.float64)[part].to(dtype)
    (y * weights).sum().backward()
    found = {"output": y.detach(), "input": x.grad}
    found |= {f"gradient of {name}": p.grad for name, p in module.named_parameters()}
    found |= {name: tensor.clone() for name, tensor in module.named_buffers() if "running" in name}
    # Again, differentiated twice; norms of a batch that came before must not matter.
    (slope,) = torch.autograd.grad((module(x).square() * weights).sum(), x, create_graph=True)
    (found["second derivative"],) = torch.autograd.grad(slope.square().sum(), x)
    return found


def pure_form_of(module, x):
    with pure_form():
        return module(x)


def read(path):
    with np.load(path) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def worker(folder):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    part = torch.arange(11).tensor_split(dist.get_world_size())[rank]
    for pure in (True, False):
        for name, (module, _) in modules().items():
            synchronize_batch_norms(module)
            np.savez(folder / f"{name} {pure} {rank}.npz", **outcome(module, part, pure=pure))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, __file__, str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("pure", [True, False])
@pytest.mark.parametrize("name", list(modules()))
def test_two_processes_compute_what_one_does(two_processes, name, pure):
    module, tolerance = modules()[name]
    expected = outcome(module, torch.arange(11), pure=pure)
    parts = [read(two_processes / f"{name} {pure} {rank}.npz") for rank in range(2)]
    for quantity, tensor in expected.items():
        both = [part[quantity] for part in parts]
        if quantity in ("output", "input", "second derivative"):
            assert [len(each) for each in both] == [6, 5]
            found = torch.cat(both)
        elif quantity.startswith("gradient"):
            found = sum(both)
        else:
            assert torch.equal(*both), f"{quantity} differs between processes"
            found = both[0]
        scale = max(float(tensor.abs().max()), 1.0) if tensor.numel() else 1.0
        torch.testing.assert_close(
            found / scale, tensor / scale, rtol=0, atol=tolerance, msg=lambda m, q=quantity: f"{q}: {m}"
        )


def test_norms_that_are_not_synchronized_differ(two_processes):
    module, _ = modules()["norm"]
    alone = outcome(module, torch.arange(6), pure=True)
    together = read(two_processes / "norm True 0.npz")
    assert (alone["output"] - together["output"]).abs().max() > 0.1


def test_without_processes_it_says_so():
    norm = BatchNorm(UNEVEN)
    synchronize_batch_norms(norm)
    with pytest.raises(ValueError, match="there is no process group"):
        norm(torch.randn(3, norm.irreps.dim))
    norm.eval()(torch.randn(3, norm.irreps.dim))
    synchronize_batch_norms(norm, False)
    norm.train()(torch.randn(3, norm.irreps.dim))


def test_a_process_without_samples_says_so(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    try:
        norm = BatchNorm(UNEVEN)
        synchronize_batch_norms(norm)
        with pytest.raises(ValueError, match="no samples"):
            norm(torch.randn(0, norm.irreps.dim))
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
