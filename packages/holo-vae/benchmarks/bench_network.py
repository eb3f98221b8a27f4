"""The published autoencoders: training step, encoding and memory, compared with the authors' implementation.

Run it with ``nox -s bench -- holo-vae --reference DIR``, where DIR is a checkout of github gvisani/Holographic-VAE;
without it, the comparison is left out. Both run alternately in one process, and must first agree. Repetitions during
which the machine was disturbed, as a fixed piece of work before and after each shows, are not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import torch
from e3nn.o3 import Irreps, wigner_3j
from torch import Tensor, nn

from holo_nn import Block
from holo_types import Basis, Zernike
from holo_vae import import_reference
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.recipes.model import ModelConfig
from holo_vae.training.flat import FlatParameters

QUIET = 1.15  # a repetition counts if the fixed piece of work took at most this factor of its fastest time


@attrs.frozen
class Case:
    """A published configuration."""

    name: str
    config: ModelConfig
    batch: int


CASES = (
    Case(
        "spherical MNIST",
        ModelConfig(
            basis=Basis(lmax=10, radial=None, channels=("image",), angular_normalization="component"),
            latent_dim=16,
            lmax=(10, 10, 8, 4, 2, 1),
            channels=(16,) * 6,
            variational=True,
        ),
        batch=100,
    ),
    Case(
        "protein",
        ModelConfig(
            basis=Basis(
                lmax=6,
                radial=Zernike(20, 10.0, "floor"),
                channels=("C", "N", "O", "S"),
                angular_normalization="component",
                point_normalization="unit",
            ),
            latent_dim=128,
            lmax=(6, 6, 6, 4, 2, 1),
            channels=(60, 60, 60, 90, 128, 128),
            initial_projection=44,
            variational=True,
        ),
        batch=512,
    ),
)


def settings(case: Case) -> dict[str, Any]:
    """Return a configuration as the authors' hyperparameters."""
    config, blocks = case.config, len(case.config.lmax)
    zernike = config.basis.radial
    return {
        "lmax": config.basis.lmax,
        "rmax": None if zernike is None else zernike.nmax,
        "rcut": 10.0,
        "channels": list(config.basis.channels),
        "rst_normalization": "square",
        "normalize_input": False,
        "model_hparams": {
            "use_additive_skip_connections": True,
            "use_batch_norm": True,
            "norm_type": "signal",
            "norm_location": "between",
            "normalization": "component",
            "norm_affine": "per_l",
            "linearity_first": False,
            "learn_frame": True,
            "norm_nonlinearity": None,
            "norm_balanced": False,
            "bottleneck_hidden_dims": None,
            "weights_initializer": None,
            "filter_symmetric": True,
            "x_rec_loss_fn": "mse",
            "do_final_signal_norm": False,
            "ch_size_list": list(config.channels),
            "lmax_list": list(config.lmax),
            "net_lmax": config.basis.lmax,
            "ls_nonlin_rule_list": [config.connectivity] * blocks,
            "ch_nonlin_rule_list": [config.channel_rule] * blocks,
            "do_initial_linear_projection": config.initial_projection is not None,
            "ch_initial_linear_projection": config.initial_projection or 0,
            "latent_dim": config.latent_dim,
            "is_vae": config.variational,
            "input_normalizing_constant": None,
        },
    }


class Ours:
    """Holo's network, trained as `holo_vae.training` does."""

    def __init__(self, case: Case, network: HolographicAutoencoder) -> None:
        self.network = network
        self.weights = FlatParameters(network)
        self.optimizer = torch.optim.Adam([self.weights.values], lr=1e-3, fused=True)
        self.latent_dim = case.config.latent_dim

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the frame."""
        encoding = self.network.encode(x)
        return encoding.mean, encoding.frame

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        decoded: Tensor = self.network(x)[0]
        return decoded

    def step(self, x: Tensor) -> None:
        """Take one step of training."""
        decoded, encoding = self.network(x, torch.randn(len(x), self.latent_dim, device=x.device))
        mean, log_variance = encoding.mean, encoding.log_variance
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(-1).mean() / self.latent_dim
        self.weights.gradient.zero_()
        (50 * nn.functional.mse_loss(decoded, x) + kl).backward()
        self.optimizer.step()


class Theirs:
    """The authors' network, trained and encoded with as their scripts do."""

    def __init__(self, case: Case, folder: Path, device: str = "cpu") -> None:
        sys.path.insert(0, str(folder))
        from holographic_vae.models import H_VAE  # noqa: PLC0415
        from holographic_vae.so3.functional import make_vec  # noqa: PLC0415

        self.irreps = Irreps(str(case.config.basis.irreps))
        self.make_vec = make_vec
        degrees = range(case.config.basis.lmax + 1)
        coefficients = {
            (l1, l2, l3): wigner_3j(l1, l2, l3, device=device)
            for l1 in degrees
            for l2 in degrees
            for l3 in degrees
            if abs(l1 - l2) <= l3 <= l1 + l2
        }
        self.network = H_VAE(self.irreps, coefficients, settings(case)["model_hparams"], device)
        self.network.to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)

    def parts(self, x: Tensor) -> dict[int, Tensor]:
        """Split flat features into degrees, as the collation of their data loader does."""
        return {
            term.ir.l: x[:, where].reshape(len(x), term.mul, term.ir.dim)
            for term, where in zip(self.irreps, self.irreps.slices(), strict=True)
        }

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the frame."""
        (mean, _), frame = self.network.encode(self.parts(x))
        return mean, frame

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        mean, frame = self.encode(x)
        decoded: Tensor = self.make_vec(self.network.decode(mean, frame))
        return decoded

    def step(self, x: Tensor) -> None:
        """Take one step of training."""
        loss, kl, _, _ = self.network(self.parts(x), x)
        self.optimizer.zero_grad()
        (50 * loss + kl).backward()
        self.optimizer.step()


def make(case: Case, reference: Path | None) -> dict[str, Ours | Theirs]:
    """Make both networks with the same weights, and check that they agree."""
    torch.manual_seed(0)
    if reference is None:
        return {"holo": Ours(case, HolographicAutoencoder(case.config))}
    theirs = Theirs(case, reference)
    x = holograms(case)
    theirs.reconstruct(x)  # in training mode, to get statistics
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "hparams.json").write_text(json.dumps(settings(case)))
        torch.save(theirs.network.state_dict(), Path(folder, "lowest_total_loss_with_final_kl_model.pt"))
        ours = Ours(case, import_reference(folder).network)
    with torch.no_grad():
        for name in ("encode", "reconstruct"):
            pairs = (getattr(side, name)(x) for side in (ours, _evaluated(theirs)))
            for mine, other in zip(
                *(pair if isinstance(pair, tuple) else (pair,) for pair in pairs), strict=True
            ):
                error = ((mine - other).abs().max() / other.abs().max()).item()
                if error > 1e-4:
                    raise SystemExit(f"{case.name}: {name} differs by {error:.1e} from the reference")
    return {"holo": ours, "reference": theirs}


def _evaluated(side: Theirs) -> Theirs:
    side.network.eval()
    return side


def holograms(case: Case) -> Tensor:
    """Draw a batch of random holograms."""
    return torch.randn(case.batch, case.config.basis.dim, generator=torch.Generator().manual_seed(1))


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time functions in turns; return the median of the quiet repetitions of each, and their number."""
    matrix = torch.randn(384, 384)

    def fixed() -> float:
        return min(seconds(lambda: matrix @ matrix @ matrix) for _ in range(3))

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            before = fixed()
            taken = seconds(function)
            times[name].append((max(before, fixed()), taken))
    fastest = min(gate for entries in times.values() for gate, _ in entries)
    quiet = {
        name: [taken for gate, taken in entries if gate <= QUIET * fastest] for name, entries in times.items()
    }
    return {
        name: statistics.median(taken or [entry for _, entry in times[name]]) for name, taken in quiet.items()
    }


def products_alone(case: Case, network: HolographicAutoencoder) -> Callable[[], None]:
    """Return a call that computes only the matrix products of a training step, those of the linear maps.

    They are torch's own products for a whole batch: in the forward pass, and for the gradients of features and weights.
    """
    pairs = []
    for block in network.modules():
        if isinstance(block, Block):
            for degree, weight in enumerate(block.linear.by_degree()):
                inputs = torch.randn(case.batch * (2 * degree + 1), len(weight))
                pairs.append((inputs, weight.detach(), inputs @ weight.detach()))

    def call() -> None:
        for inputs, weight, outputs in pairs:
            torch.mm(inputs, weight)
            torch.mm(outputs, weight.T)
            torch.mm(inputs.T, outputs)

    return call


def table(case: Case, reference: Path | None, threads: int, rounds: int) -> None:
    """Print the rates of a case."""
    torch.set_num_threads(threads)
    sides = make(case, reference)
    x = holograms(case)

    def encode(side: Ours | Theirs) -> None:
        with torch.inference_mode():
            side.encode(x)

    def forward(side: Ours | Theirs) -> None:
        with torch.inference_mode():
            side.reconstruct(x)

    for what, function, training in (
        ("encode", encode, False),
        ("encode + decode", forward, False),
        ("training step", lambda side: side.step(x), True),
    ):
        for side in sides.values():
            side.network.train(training)
        calls = {name: partial(function, side) for name, side in sides.items()}
        if training:
            calls["products"] = products_alone(case, sides["holo"].network)
        taken = compare(calls, rounds)
        rates = "   ".join(f"{name} {case.batch / taken[name]:8,.0f}" for name in sides)
        ratio = f"   ratio {taken['reference'] / taken['holo']:.1f}" if "reference" in taken else ""
        print(f"{case.name:16} {threads} thread(s)  {what:16} {rates} samples/s{ratio}", flush=True)
        if training:
            share = taken["products"] / taken["holo"]
            print(f"{'':16} its matrix products alone, as torch takes them, are {share:.0%} of that time")


def peak(case: Case, reference: Path | None) -> float:
    """Return by how many MiB three training steps raise the peak memory of this process."""
    torch.manual_seed(0)
    side = Ours(case, HolographicAutoencoder(case.config)) if reference is None else Theirs(case, reference)
    x = holograms(case)
    start = _memory("VmRSS")
    for _ in range(3):
        side.step(x)
    return _memory("VmHWM") - start


def _memory(field: str) -> float:
    # Not getrusage, whose peak for a new process starts with that of its parent.
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return float(line.split()[1]) / 1024


def memory(case: Case, reference: Path | None) -> None:
    """Print the memory of both, each measured in a fresh process."""
    rises = {}
    for name, folder in {"holo": None, "reference": reference}.items():
        if name == "holo" or folder is not None:
            command = [sys.executable, __file__, "--peak-of", case.name]
            command += ["--reference", str(folder)] if folder else []
            rises[name] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    values = "   ".join(f"{name} {rise:8,.0f}" for name, rise in rises.items())
    share = f"   share {rises['holo'] / rises['reference']:.2f}" if "reference" in rises else ""
    print(f"{case.name:16} peak memory of training above the start: {values} MiB{share}", flush=True)


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, metavar="DIR", help="a checkout of gvisani/Holographic-VAE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads(), 1])
    parser.add_argument("--case", choices=[case.name for case in CASES])
    parser.add_argument("--peak-of", choices=[case.name for case in CASES], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        (case,) = (case for case in CASES if case.name == arguments.peak_of)
        print(peak(case, arguments.reference))
        return
    for case in CASES:
        if arguments.case in (None, case.name):
            for threads in dict.fromkeys(arguments.threads):
                table(case, arguments.reference, threads, arguments.rounds)
            memory(case, arguments.reference)


if __name__ == "__main__":
    main()
