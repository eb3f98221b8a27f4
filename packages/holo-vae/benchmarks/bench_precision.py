"""The cost and benefit of mixed precision and `torch.compile`: equivariance, learning, and the time of a step.

Run it with ``nox -s bench -- holo-vae``. It takes a small autoencoder and the published ones, with random weights and
after a short training in float32 and in mixed precision (`holo_vae.data.precision`). Each is used in float32, in TF32
as on GPUs (emulated: the operands of linear maps are rounded to ten bits), and in mixed precision. Times are taken
alternately.
"""

import argparse
import copy
from collections.abc import Callable
from functools import partial

import attrs
import torch
from bench_network import CASES, Case, compare
from e3nn.o3 import spherical_harmonics
from torch import Tensor, nn

from holo_nn import Linear
from holo_nn.kernels.dispatch import pure_form
from holo_nn.testing import equivariance_errors, random_rotations
from holo_types import Basis
from holo_vae.data.precision import Precision, forward_precision
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.recipes.model import ModelConfig

CPU = torch.device("cpu")
BATCH, TEST_ROWS = 32, 256
# Small enough to take many steps in a minute, so that learning in each precision can be compared.
SMALL = Case(
    "small",
    ModelConfig(
        basis=Basis(lmax=4, radial=None, channels=("image",), angular_normalization="component"),
        latent_dim=16,
        lmax=(4, 2, 1),
        channels=(16, 16, 16),
        variational=True,
    ),
    batch=100,
)
STEPS = {"small": 400, "spherical MNIST": 40, "protein": 10}  # in the short training


def holograms(case: Case, rows: int, seed: int) -> Tensor:
    """Draw signals that can be learned: a few points in random directions, each with its own weights."""
    basis, generator = case.config.basis, torch.Generator().manual_seed(seed)
    directions = torch.randn(rows, 4, 3, generator=generator, dtype=torch.float64)
    total = torch.zeros(rows, basis.dim, dtype=torch.float64)
    begin = 0
    for channels, degree in basis.irreps:
        weights = torch.rand(rows, 4, channels, generator=generator, dtype=torch.float64)
        harmonics = spherical_harmonics(degree, directions, True, "component")
        end = begin + channels * (2 * degree + 1)
        total[:, begin:end] = torch.einsum("npc,npm->ncm", weights, harmonics).flatten(1)
        begin = end
    # Coefficients of order one, similar to training data divided by its scale.
    return total / total.square().mean().sqrt()


def loss_of(network: nn.Module, x: Tensor, noise: Tensor, precision: Precision) -> Tensor:
    """Return the loss of a training step."""
    with forward_precision(precision, CPU):
        decoded, encoding = network(x, noise)
        mean, log_variance = encoding.mean, encoding.log_variance
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).mean()
        return 50 * (decoded - x).square().mean() + 0.1 * kl


@attrs.frozen
class Learner:
    """A network in training."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    latent_dim: int

    @classmethod
    def of(cls, case: Case) -> "Learner":
        """Start from random weights."""
        torch.manual_seed(0)
        network = HolographicAutoencoder(case.config)
        return cls(network, torch.optim.Adam(network.parameters(), lr=1e-3), case.config.latent_dim)

    def step(self, x: Tensor, precision: Precision, network: nn.Module | None = None) -> None:
        """Take a step, through another form of the network if one is given."""
        noise = torch.randn(len(x), self.latent_dim, generator=torch.Generator().manual_seed(0))
        loss = loss_of(self.network if network is None else network, x, noise, precision)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def trained(case: Case, precision: Precision, steps: int) -> HolographicAutoencoder:
    """Train for a number of steps; for 0, only let the norms see data."""
    learner = Learner.of(case)
    data = holograms(case, BATCH * 16, seed=1).float()
    for step in range(steps):
        rows = torch.arange(BATCH) + BATCH * (step % 16)
        learner.step(data[rows], precision)
    if not steps:
        with torch.no_grad():
            for _ in range(10):
                learner.network(data[: 2 * BATCH])
    network = learner.network.eval()
    assert isinstance(network, HolographicAutoencoder)
    return network


def ten_bits(x: Tensor) -> Tensor:
    """Round float32 to the ten bits that TF32 keeps, to nearest."""
    return ((x.detach().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


def in_tf32(network: HolographicAutoencoder) -> HolographicAutoencoder:
    """Return a copy whose linear maps round their operands. The tensor square does not: its kernel has no TF32."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, Linear | nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: tuple(ten_bits(each) for each in inputs))
            for parameter in module.parameters():
                parameter.data = ten_bits(parameter.data)
    return network


def print_errors(case: Case, network: HolographicAutoencoder, what: str) -> None:
    """Print how rotating the input changes z, the frame and the reconstruction, and the reconstruction error."""
    x, rotations = holograms(case, TEST_ROWS, seed=2), random_rotations(TEST_ROWS)
    irreps = str(case.config.basis.irreps)

    def outcome(network: nn.Module, precision: Precision, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.inference_mode(), forward_precision(precision, CPU):
            decoded, encoding = network(x)
        return encoding.mean.double(), encoding.frame.double(), decoded.double()

    z_irreps = f"{case.config.latent_dim}x0e"
    ways: dict[str, tuple[nn.Module, Precision]] = {
        "float32": (network, "float32"),
        "TF32": (in_tf32(network), "float32"),
        "mixed": (network, "mixed"),
    }
    for name, (form, precision) in ways.items():
        call = partial(outcome, form, precision)
        z, frame, decoded = equivariance_errors(
            call, x, irreps, (z_irreps, "3x1e", irreps), rotations, dtype=torch.float32
        )
        mse = (call(x.float())[2] - x).square().mean()
        print(
            f"{case.name:16} {what:28} {name:8} z {z.max():7.1e}   frame {frame.quantile(0.99):7.1e}   "
            f"reconstruction {decoded.quantile(0.99):7.1e}   MSE {mse:.5f}",
            flush=True,
        )


def print_times(case: Case, rounds: int, *, compiled: bool) -> None:
    """Print the time of a training step."""
    learner, x = Learner.of(case), holograms(case, case.batch, seed=1).float()

    def pure() -> None:
        with pure_form():
            learner.step(x, "float32")

    ways: dict[str, Callable[[], object]] = {
        "float32": lambda: learner.step(x, "float32"),
        "float32, pure form": pure,
        "mixed (pure form)": lambda: learner.step(x, "mixed"),
    }
    if compiled:
        form = torch.compile(learner.network)
        ways["float32, torch.compile"] = lambda: learner.step(x, "float32", form)
        ways["mixed, torch.compile"] = lambda: learner.step(x, "mixed", form)
    taken = compare(ways, rounds)
    for name, seconds in taken.items():
        ratio = seconds / taken["float32"]
        print(
            f"{case.name:16} training step  {name:24} {case.batch / seconds:8,.0f} samples/s   {ratio:.2f} x"
        )


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(STEPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--compile", action="store_true", help="time torch.compile, which takes minutes to compile"
    )
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} thread(s); errors relative to the largest value: of z the largest,")
    print(f"of frame and reconstruction the 99th percentile of {TEST_ROWS} rows")
    for case in (SMALL, *CASES):
        if arguments.case in (None, case.name):
            print_errors(case, trained(case, "float32", 0), "random weights")
            for precision in ("float32", "mixed"):
                network = trained(case, precision, STEPS[case.name])
                print_errors(case, network, f"{STEPS[case.name]} steps in {precision}")
            print_times(case, arguments.rounds, compiled=arguments.compile)


if __name__ == "__main__":
    main()
