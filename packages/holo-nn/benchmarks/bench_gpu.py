"""Time the tensor square on a GPU, forward and backward, beside the pure form, e3nn and cuEquivariance.

``nox -s bench -- holo-nn``; without a GPU it only says so. The forms are timed in turns in one run, and the median of
several rounds is reported, after a check that all agree. The share is that of the bandwidth with which the GPU copies
its own memory: what a square must at least read and write (x in the forward, its gradient and that of the output in the
backward, each once) in the time that it takes. cuEquivariance takes part if it is installed, with features in its own
layout, channels last.
"""

import argparse
import statistics
from collections.abc import Callable
from itertools import groupby

import torch
from bench_block import E3nnSquare
from e3nn import o3
from torch import Tensor, nn

from holo_nn import TensorSquare
from holo_nn.kernels.dispatch import pure_form
from holo_nn.so3.clebsch_gordan import clebsch_gordan

SETTINGS = ((16, 6), (16, 10), (60, 6))  # channels, lmax
BATCHES = (512, 4096)


class CuSquare(nn.Module):
    """The same paths as a segmented polynomial of cuEquivariance, in its layout."""

    def __init__(self, square: TensorSquare) -> None:
        super().__init__()
        import cuequivariance as cue  # noqa: PLC0415
        import cuequivariance_torch as cuet  # noqa: PLC0415

        channels = square.irreps_in[0].mul
        product = cue.SegmentedTensorProduct.from_subscripts("iu,ju,ku+ijk")
        for operand in (0, 1):
            product.add_segments(
                operand, [(2 * degree + 1, channels) for degree in range(len(square.irreps_in))]
            )
        for place, (l1, l2, l3) in enumerate(square.paths):
            product.add_segment(2, (2 * l3 + 1, channels))
            product.add_path(l1, l2, place, c=clebsch_gordan(l1, l2, l3).numpy())
        polynomial = cue.SegmentedPolynomial.eval_last_operand(product.flatten_coefficient_modes())
        self.product = cuet.SegmentedPolynomial(polynomial, method="uniform_1d", math_dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply a feature with itself."""
        result: Tensor = self.product([x, x])[0]
        return result


def channels_last(x: Tensor, blocks: list[tuple[int, int]]) -> Tensor:
    """Return flat features with the channels of each term last."""
    parts = torch.split(x, [channels * orders for channels, orders in blocks], dim=1)
    return torch.cat(
        [part.unflatten(1, block).mT.flatten(1) for part, block in zip(parts, blocks, strict=True)], dim=1
    )


def seconds(call: Callable[[], object]) -> float:
    """Time a call on the GPU."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3


def copied_bytes_a_second() -> float:
    """Measure how many bytes a second the GPU reads and writes when it copies."""
    source = torch.empty(1 << 28, device="cuda")
    target = torch.empty_like(source)
    taken = statistics.median(seconds(lambda: target.copy_(source)) for _ in range(10))
    return 2 * 4 * source.numel() / taken


def rivals_of(square: TensorSquare, x: Tensor) -> dict[str, tuple[Callable[[Tensor], Tensor], Tensor]]:
    """Return each form of the square, and its input."""

    def pure(x: Tensor) -> Tensor:
        with pure_form():
            result: Tensor = square(x)
        return result

    found: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
        "holo": (square, x),
        "e3nn": (E3nnSquare(square).cuda(), x),
        "pure": (pure, x),
    }
    try:
        cu = CuSquare(square).cuda()
    except ImportError:
        return found
    blocks = [(term.mul, term.ir.dim) for term in square.irreps_in]
    return found | {"cuEquivariance": (cu, channels_last(x, blocks))}


def compare(square: TensorSquare, batch: int, bandwidth: float, rounds: int) -> None:
    """Print one line for the forward, and one for forward and backward."""
    x = torch.randn(batch, square.irreps_in.dim, device="cuda")
    rivals = rivals_of(square, x)
    wanted = rivals["pure"][0](x)
    channels = square.irreps_in[0].mul
    blocks = [
        (channels, 2 * l3 + 1) for l3, members in groupby(square.paths, key=lambda p: p[2]) for _ in members
    ]
    for name, (form, given) in rivals.items():
        expected = channels_last(wanted, blocks) if name == "cuEquivariance" else wanted
        error = ((form(given) - expected).abs().max() / wanted.abs().max()).item()
        if error > 1e-4:
            raise SystemExit(f"{name} differs by {error:.1e}")
    gradient = torch.randn_like(wanted)
    moved = {"forward": x.numel() + wanted.numel(), "forward + backward": 3 * x.numel() + 2 * wanted.numel()}
    for what, numbers in moved.items():
        taken: dict[str, list[float]] = {name: [] for name in rivals}
        for _ in range(rounds + 2):
            for name, (form, given) in rivals.items():
                leaf = given.detach().requires_grad_(what != "forward")

                def call(form: Callable[[Tensor], Tensor] = form, leaf: Tensor = leaf) -> None:
                    y = form(leaf)
                    if leaf.requires_grad:
                        y.backward(gradient)

                taken[name].append(seconds(call))
        medians = {name: statistics.median(values[2:]) for name, values in taken.items()}
        words = ", ".join(
            f"{name} {1e6 * each:,.0f} µs"
            + (f" ({each / medians['holo']:.1f} times)" if name != "holo" else "")
            for name, each in medians.items()
        )
        share = 4 * numbers / medians["holo"] / bandwidth
        print(
            f"{channels} channels, lmax {len(square.irreps_in) - 1}, batch {batch}, {what}: {words}; "
            f"{share:.0%} of the bandwidth",
            flush=True,
        )


def main() -> None:
    """Print two lines for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    arguments, _ = parser.parse_known_args()  # others are of the package's other benchmarks
    if not torch.cuda.is_available():
        print("the tensor square on a GPU: there is none here")
        return
    bandwidth = copied_bytes_a_second()
    print(f"{torch.cuda.get_device_name()}, copies {bandwidth / 1e12:.2f} TB/s, median of {arguments.rounds}")
    for channels, lmax in SETTINGS:
        irreps = o3.Irreps([(channels, (degree, 1)) for degree in range(lmax + 1)])
        square = TensorSquare(irreps).cuda()
        for batch in BATCHES:
            compare(square, batch, bandwidth, arguments.rounds)


if __name__ == "__main__":
    main()
