"""Compare a small message-passing model of energies and forces made of holo-nn's layers with one of e3nn's.

The two have the same weights. One run prints how far their energies and forces are apart in float64, and then, timed in
turns, the time of each for energy and forces (one backward) and for a training step on forces (the double backward),
and the same for a product along edges alone and its pure form. Times are processor times on one thread.

    python packages/holo-nn/benchmarks/bench_messages.py [--train]

With ``--train``, the model learns the energies and forces of a Morse potential, and the program prints its errors and
its equivariance under rotations and reflections.
"""

import argparse
import copy
import time

import torch
from e3nn import o3
from torch import Tensor, nn

from holo_nn import (
    Edges,
    WeightedTensorProduct,
    bessel_basis,
    linear_from_e3nn,
    polynomial_envelope,
    product_from_e3nn,
    pure_form,
    spherical_harmonics,
)
from holo_nn.testing import random_rotations

CUTOFF = 3.0
HARMONICS = "1x0e+1x1o+1x2e"
ENERGY = "1x0e"


class Convolution(nn.Module):
    """One layer: linear map, product along edges with radial weights, linear map, and a skip connection."""

    def __init__(self, irreps_in: str, irreps_out: str, neighbors: float) -> None:
        super().__init__()
        product = WeightedTensorProduct.channelwise(irreps_in, HARMONICS, irreps_out)
        instructions = [(i, j, k, mode, True) for i, j, k, mode, _ in product.instructions]
        self.before = o3.Linear(irreps_in, irreps_in)
        self.product = o3.TensorProduct(
            irreps_in,
            HARMONICS,
            o3.Irreps(product.irreps_out),
            instructions,
            shared_weights=False,
            internal_weights=False,
        )
        self.radial = nn.Sequential(nn.Linear(8, 32), nn.SiLU(), nn.Linear(32, product.weight_numel))
        self.after = o3.Linear(o3.Irreps(product.irreps_out).simplify(), irreps_out)
        self.around = o3.Linear(irreps_in, irreps_out)
        self.scale = neighbors**-0.5

    def forward(self, nodes: Tensor, harmonics: Tensor, radial: Tensor, edges: Edges) -> Tensor:
        """Update each node by the messages of its neighbors."""
        weights, features = self.radial(radial), self.before(nodes)
        if isinstance(self.product, WeightedTensorProduct):
            messages = self.product.along_edges(features, harmonics, edges, weights)
        else:
            each = self.product(features[edges.senders], harmonics, weights)
            messages = each.new_zeros(len(nodes), each.shape[1]).index_add(0, edges.receivers, each)
        return self.after(messages * self.scale) + self.around(nodes)


class Model(nn.Module):
    """The energy of atoms of one kind: two layers with a gate by scalars in between."""

    def __init__(self, channels: int, neighbors: float) -> None:
        super().__init__()
        self.channels = channels
        hidden = f"{channels}x0e+{channels}x1o+{channels}x2e"
        self.first = Convolution(f"{channels}x0e", hidden, neighbors)
        self.second = Convolution(hidden, f"{channels}x0e", neighbors)
        self.readout = nn.Sequential(nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, 1))

    def forward(self, positions: Tensor, edges: Edges) -> Tensor:
        """Return the total energy of all atoms."""
        vectors = positions[edges.receivers] - positions[edges.senders]
        distances = vectors.norm(dim=1)
        harmonics = spherical_harmonics(HARMONICS, vectors)
        radial = bessel_basis(distances, CUTOFF, 8) * polynomial_envelope(distances, CUTOFF)[:, None]
        nodes = positions.new_ones(len(positions), self.channels)
        nodes = self.first(nodes, harmonics, radial, edges)
        scalars, rest = nodes[:, : self.channels], nodes[:, self.channels :]
        nodes = torch.cat([nn.functional.silu(scalars), rest], dim=1)
        energy: Tensor = self.readout(self.second(nodes, harmonics, radial, edges)).sum()
        return energy


def with_layers_of_holo(theirs: Model) -> Model:
    """Replace e3nn's layers by holo-nn's with the same weights."""
    ours = copy.deepcopy(theirs)
    for layer in (ours.first, ours.second):
        for name in ("before", "after", "around"):
            setattr(layer, name, linear_from_e3nn(getattr(layer, name)))
        layer.product = product_from_e3nn(layer.product)
    return ours


def neighbors_of(positions: Tensor) -> Edges:
    """Return the pairs of atoms nearer than the cutoff."""
    distances = torch.cdist(positions, positions).fill_diagonal_(2 * CUTOFF)
    receivers, senders = torch.nonzero(distances < CUTOFF, as_tuple=True)
    return Edges(senders, receivers, len(positions))


def crystal(side: int, generator: torch.Generator) -> Tensor:
    """Return atoms on a lattice, each slightly displaced."""
    line = torch.arange(side) * 1.3
    points = torch.cartesian_prod(line, line, line)
    return points + 0.15 * torch.randn(points.shape, generator=generator)


def morse(positions: Tensor, edges: Edges) -> Tensor:
    """Return the energy of a Morse potential that ends smoothly at the cutoff."""
    distances = (positions[edges.receivers] - positions[edges.senders]).norm(dim=1)
    wells = (1 - torch.exp(-2 * (distances - 1.2))).square() - 1
    return 0.5 * (wells * polynomial_envelope(distances, CUTOFF)).sum()


def energy_and_forces(
    model: nn.Module, positions: Tensor, edges: Edges, *, train: bool
) -> tuple[Tensor, Tensor]:
    """Return energy and forces, which can be differentiated again if a training step needs it."""
    positions = positions.detach().requires_grad_()
    energy = model(positions, edges)
    (gradient,) = torch.autograd.grad(energy, positions, create_graph=train)
    return (energy, -gradient) if train else (energy.detach(), -gradient)


def evaluate(model: nn.Module, positions: Tensor, edges: Edges) -> None:
    """Compute energy and forces."""
    energy_and_forces(model, positions, edges, train=False)


def step(model: nn.Module, positions: Tensor, edges: Edges) -> None:
    """Compute the gradients of a loss of energy and forces for all weights."""
    model.zero_grad()
    energy, forces = energy_and_forces(model, positions, edges, train=True)
    (energy.square() + forces.square().sum()).backward()


def interleaved(functions: dict[str, object], rounds: int) -> dict[str, float]:
    """Time functions in turns, round by round, and return the least processor time of each in seconds."""
    times: dict[str, float] = {}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            start = time.process_time()
            function()
            taken = time.process_time() - start
            times[name] = min(times.get(name, float("inf")), taken)
    return times


def report(title: str, times: dict[str, float]) -> None:
    """Print times, and how many times the first fits into each."""
    base = next(iter(times.values()))
    print(f"{title}: " + ", ".join(f"{name} {1e3 * t:.1f} ms ({t / base:.2f})" for name, t in times.items()))


def compare(channels: int, dtype: torch.dtype, rounds: int) -> None:
    """Time both models, and their product along edges alone."""
    generator = torch.Generator().manual_seed(0)
    positions = crystal(5, generator).to(dtype)
    edges = neighbors_of(positions)
    theirs = Model(channels, len(edges) / len(positions)).to(dtype)
    ours = with_layers_of_holo(theirs)
    print(f"{channels} channels, {dtype}, {len(positions)} atoms, {len(edges)} edges")
    for name, what in (("energy and forces", evaluate), ("a step on forces", step)):
        functions = {
            "holo-nn": lambda what=what: what(ours, positions, edges),
            "e3nn": lambda what=what: what(theirs, positions, edges),
        }
        report(name, interleaved(functions, rounds))
    hidden = f"{channels}x0e+{channels}x1o+{channels}x2e"
    other = Convolution(hidden, hidden, 1.0).to(dtype).product
    product = product_from_e3nn(other)
    x = torch.randn(len(positions), product.irreps_in1.dim, dtype=dtype, requires_grad=True)
    y = torch.randn(len(edges), product.irreps_in2.dim, dtype=dtype, requires_grad=True)
    w = torch.randn(len(edges), product.weight_numel, dtype=dtype, requires_grad=True)

    def along(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return product.along_edges(x, y, edges, w)

    def by_rows(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        each = other(x[edges.senders], y, w)
        return each.new_zeros(len(x), each.shape[1]).index_add(0, edges.receivers, each)

    def both_ways(function: object) -> None:
        torch.autograd.grad(function(x, y, w).square().sum(), (x, y, w))

    def in_pure_form() -> None:
        with pure_form():
            both_ways(along)

    report(
        "product along edges, forward and backward",
        interleaved(
            {
                "holo-nn": lambda: both_ways(along),
                "its pure form": in_pure_form,
                "e3nn": lambda: both_ways(by_rows),
            },
            rounds,
        ),
    )


def agreement() -> None:
    """Print how far apart energies and forces of the two models with the same weights are."""
    generator = torch.Generator().manual_seed(1)
    positions = crystal(4, generator).double()
    edges = neighbors_of(positions)
    theirs = Model(8, len(edges) / len(positions)).double()
    results = [
        energy_and_forces(model, positions, edges, train=False)
        for model in (theirs, with_layers_of_holo(theirs))
    ]
    (energy, forces), (other_energy, other_forces) = results
    print(
        f"float64, apart by: energy {abs(energy - other_energy).item():.1e} of {abs(energy).item():.2f}, "
        f"forces {(forces - other_forces).abs().max().item():.1e} of {forces.abs().max().item():.2f}"
    )


def train(steps: int) -> None:
    """Train the model on a Morse potential, and print errors and equivariance."""
    generator = torch.Generator().manual_seed(2)
    torch.manual_seed(0)
    data = []
    for _ in range(40):
        positions = crystal(3, generator)
        edges = neighbors_of(positions)
        data.append((positions, edges, *energy_and_forces(morse, positions, edges, train=False)))
    mean = torch.stack([energy for _, _, energy, _ in data[:32]]).mean()
    model = with_layers_of_holo(Model(16, len(data[0][1]) / 27))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for number in range(steps):
        positions, edges, energy, forces = data[number % 32]
        found, found_forces = energy_and_forces(model, positions, edges, train=True)
        loss = (found + mean - energy).square() / 27 + (found_forces - forces).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    errors = [
        (energy_and_forces(model, positions, edges, train=False)[1] - forces).square().mean()
        for positions, edges, _, forces in data[32:]
    ]
    size = torch.stack([forces.square().mean() for *_, forces in data[32:]]).mean().sqrt()
    print(f"after {steps} steps, unseen forces: off by {torch.stack(errors).mean().sqrt():.3f} of {size:.3f}")
    positions, edges, *_ = data[-1]
    energy, forces = energy_and_forces(model, positions, edges, train=False)
    worst = 0.0
    for number, rotation in enumerate(random_rotations(20).float()):
        turn = rotation * (-1) ** number
        other, turned = energy_and_forces(model, positions @ turn.T, edges, train=False)
        apart = (turned - forces @ turn.T).abs().max() / forces.abs().max()
        worst = max(worst, apart.item(), (abs(other - energy) / abs(energy)).item())
    print(f"equivariance over 20 rotations, every other with the inversion, float32: {worst:.1e}")


def main() -> None:
    """Compare the models, and train if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", action="store_true", help="train the model on a Morse potential")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # e3nn's coefficients are float32 otherwise, also in a model that is float64.
    torch.set_default_dtype(torch.float64)
    agreement()
    torch.set_default_dtype(torch.float32)
    if arguments.train:
        train(arguments.steps)
    else:
        for channels in (32, 64):
            compare(channels, torch.float32, arguments.rounds)


if __name__ == "__main__":
    main()
