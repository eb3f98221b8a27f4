"""Training rate of a block beside a plain evaluation: one einsum a path with e3nn's coefficients.

Interleaved in one run, the median of several; first both must agree. ``nox -s bench -- holo-nn``.
"""

import statistics
from functools import partial
from timeit import timeit

import torch
from e3nn import o3
from torch import Tensor, nn

from holo_nn import Block, clebsch_gordan
from holo_nn.irreps import join_degrees, split_degrees

REPEATS = 9
SETTINGS = ((16, 6, 128), (16, 10, 100), (44, 6, 256))  # channels, lmax, batch


class EinsumSquare(nn.Module):
    """A tensor square as its equation reads, path by path."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.irreps, self.paths = block.irreps_in, block.tensor_square.paths
        self.tables = [clebsch_gordan(*path).float() for path in self.paths]

    def forward(self, features: Tensor) -> Tensor:
        """Multiply and couple, path by path."""
        pieces = split_degrees(features, self.irreps)
        return join_degrees(
            torch.einsum("mnk,bcm,bcn->bck", table, pieces[l1], pieces[l2])
            for (l1, l2, _), table in zip(self.paths, self.tables, strict=True)
        )


def step(block: nn.Module, x: Tensor) -> None:
    """Run a block forward and backward."""
    block(x).square().sum().backward()


def main() -> None:
    """Print one line a setting."""
    print(f"forward + backward, samples/s, {torch.get_num_threads()} thread(s), median of {REPEATS}")
    for channels, lmax, batch in SETTINGS:
        irreps = o3.Irreps([(channels, (degree, 1)) for degree in range(lmax + 1)])
        ours, plain = Block(irreps, irreps), Block(irreps, irreps)
        plain.load_state_dict(ours.state_dict())
        plain.tensor_square = EinsumSquare(ours)
        x = torch.randn(batch, irreps.dim, requires_grad=True)
        assert torch.allclose(ours.eval()(x), plain.eval()(x), atol=1e-4), "the two do not agree"
        blocks = {"holo-nn": ours.train(), "einsum": plain.train()}
        seconds: dict[str, list[float]] = {name: [] for name in blocks}
        for _ in range(REPEATS):
            for name, block in blocks.items():
                seconds[name].append(timeit(partial(step, block, x), number=1))
        rates = {name: batch / statistics.median(values) for name, values in seconds.items()}
        ratio = rates["holo-nn"] / rates["einsum"]
        print(
            f"{channels} channels, lmax {lmax}, batch {batch}: "
            f"holo-nn {rates['holo-nn']:,.0f}, einsum {rates['einsum']:,.0f}, ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
