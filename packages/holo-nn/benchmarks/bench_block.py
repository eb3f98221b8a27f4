"""Time the tensor square and the block, forward and backward, beside e3nn's TensorProduct and the pure form.

``nox -s bench -- holo-nn``. The forms are timed in turns in one run, and the median of several rounds is reported,
after a check that all agree. The tensor square goes from e3nn's flat layout to e3nn's flat layout in all forms. Each
turn begins with a call that is not timed: after the turn of another form, half the time of a fast layer can be spent on
memory that the system takes back and provides again.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from e3nn import o3
from torch import Tensor, nn

from holo_nn import Block, TensorSquare
from holo_nn.kernels.dispatch import pure_form

SETTINGS = ((16, 6, 128), (16, 10, 100), (60, 6, 128))  # channels, lmax, batch


class E3nnSquare(nn.Module):
    """The same paths in e3nn's TensorProduct (`uuu`, without weights)."""

    def __init__(self, square: TensorSquare) -> None:
        super().__init__()
        irreps, channels = square.irreps_in, square.irreps_in[0].mul
        out = o3.Irreps([(channels, (l3, 1)) for _, _, l3 in square.paths])
        instructions = [(l1, l2, place, "uuu", False) for place, (l1, l2, _) in enumerate(square.paths)]
        self.product = o3.TensorProduct(
            irreps, irreps, out, instructions, irrep_normalization="none", path_normalization="none"
        )

    def forward(self, x: Tensor) -> Tensor:
        """Multiply a feature with itself."""
        result: Tensor = self.product(x, x)
        return result


def seconds(module: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> float:
    """Time forward and backward."""
    start = time.perf_counter()
    module(x).backward(gradient)
    return time.perf_counter() - start


def pure(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a module in its pure PyTorch form."""

    def call(x: Tensor) -> Tensor:
        with pure_form():
            result: Tensor = module(x)
        return result

    return call


def main() -> None:
    """Print one line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="not used here; holo-vae's benchmark compares with it")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"forward + backward, samples/s, {torch.get_num_threads()} thread(s), median of {rounds}")
    for channels, lmax, batch in SETTINGS:
        irreps = o3.Irreps([(channels, (degree, 1)) for degree in range(lmax + 1)])
        x = torch.randn(batch, irreps.dim, requires_grad=True)
        square, block = TensorSquare(irreps), Block(irreps, irreps)
        rivals: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
            "tensor square": {"compiled": square, "pure": pure(square), "e3nn": E3nnSquare(square)},
            "block": {"compiled": block, "pure": pure(block)},
        }
        for layer, modules in rivals.items():
            wanted = modules["pure"](x)
            for name, module in modules.items():
                error = (module(x) - wanted).abs().max() / wanted.abs().max()
                if error > 1e-4:
                    raise SystemExit(f"{layer}: {name} differs by {error:.1e}")
            gradient = torch.randn_like(wanted)
            taken: dict[str, list[float]] = {name: [] for name in modules}
            for _ in range(rounds):
                for name, module in modules.items():
                    seconds(module, x, gradient)
                    taken[name].append(seconds(module, x, gradient))
            rates = {name: batch / statistics.median(values) for name, values in taken.items()}
            words = ", ".join(
                f"{name} {rate:,.0f}" + (f" (1/{rates['compiled'] / rate:.1f})" if name != "compiled" else "")
                for name, rate in rates.items()
            )
            print(f"{layer}, {channels} channels, lmax {lmax}, batch {batch}: {words}", flush=True)


if __name__ == "__main__":
    main()
