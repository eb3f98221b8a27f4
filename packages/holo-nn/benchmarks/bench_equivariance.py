"""Measure the equivariance error of each layer at several lmax, in float32 and float64, and the speed of Wigner D.

The error is the largest |f(R x) - D(R) f(x)| of all samples, relative to the largest output.
``nox -s bench -- holo-nn``.
"""

from collections.abc import Callable
from timeit import timeit

import torch
from e3nn import o3
from torch import Tensor, nn

import holo_nn
from holo_nn.testing import equivariance_error, random_rotations

LMAX = (2, 6, 10, 14)
CHANNELS, SAMPLES = 4, 32
REPEATS, ROTATIONS = 7, 1000


class Frames(nn.Module):
    """A frame from the first two vectors of a feature."""

    def __init__(self, irreps: o3.Irreps) -> None:
        super().__init__()
        self.vectors = irreps.slices()[1]

    def forward(self, features: Tensor) -> Tensor:
        """Map features to frames ``[batch, 3, 3]``."""
        vectors = features[:, self.vectors]
        return holo_nn.orthonormal_frame(vectors[:, :3], vectors[:, 3:6]).axes


def layers(lmax: int) -> dict[str, tuple[nn.Module, tuple[o3.Irreps, ...], o3.Irreps]]:
    """Make one of each layer, with the irreps of its inputs and of its output."""
    x = o3.Irreps([(CHANNELS, (degree, 1)) for degree in range(lmax + 1)])
    square, product = holo_nn.TensorSquare(x), holo_nn.TensorProduct(x, x)
    return {
        "Linear": (holo_nn.Linear(x, x, bias=True), (x,), x),
        "TensorSquare": (square, (x,), square.irreps_out),
        "TensorProduct": (product, (x, x), product.irreps_out),
        "BatchNorm": (holo_nn.BatchNorm(x), (x,), x),
        "InstanceNorm": (holo_nn.InstanceNorm(x), (x,), x),
        "LayerNorm": (holo_nn.LayerNorm(x), (x,), x),
        "SignalNorm": (holo_nn.SignalNorm(x), (x,), x),
        "NormGate": (holo_nn.NormGate(x), (x,), x),
        "Block": (holo_nn.Block(x, x), (x,), x),
        "orthonormal_frame": (Frames(x), (x,), o3.Irreps("3x1e")),
    }


def print_errors() -> None:
    """Print a line for each layer, with a column for each degree and precision."""
    print(f"largest relative equivariance error, {CHANNELS} channels, {SAMPLES} samples, training mode")
    print(f"{'lmax':18}" + "".join(f"{lmax:>16}      " for lmax in LMAX))
    print(f"{'':18}" + f"{'float32':>11}{'float64':>11}" * len(LMAX))
    columns = {lmax: layers(lmax) for lmax in LMAX}
    for name in columns[LMAX[0]]:
        line = f"{name:18}"
        for lmax in LMAX:
            module, irreps_in, irreps_out = columns[lmax][name]
            for dtype in (torch.float32, torch.float64):
                error = equivariance_error(
                    module.to(dtype), irreps_in, irreps_out, samples=SAMPLES, dtype=dtype
                )
                line += f"{error:11.1e}"
        print(line)


def e3nn_wigner_D(degree: int, rotations: Tensor) -> Tensor:
    """Compute the same with e3nn: matrix to angles, and three exponentials."""
    return o3.wigner_D(degree, *o3.matrix_to_angles(rotations))


def print_wigner() -> None:
    """Print matrices per second and the errors of both ways, where the test is Y(R x) = D(R) Y(x)."""
    rotations = random_rotations(ROTATIONS)
    points = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=1)
    ways: dict[str, Callable[[int, Tensor], Tensor]] = {"holo-nn": holo_nn.wigner_D, "e3nn": e3nn_wigner_D}
    print(
        f"Wigner D of {ROTATIONS} rotations, float64, {torch.get_num_threads()} thread(s), best of {REPEATS}"
    )
    for degree in LMAX:
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, way in ways.items():
                seconds[name].append(timeit(lambda way=way, degree=degree: way(degree, rotations), number=1))
        line = f"l = {degree:2}:"
        for name, way in ways.items():
            rate = ROTATIONS / min(seconds[name])
            line += f"  {name} {rate:9,.0f}/s"
            if degree < 12:  # e3nn's harmonics end there
                before, after = (
                    o3.spherical_harmonics(degree, x, False, "norm")
                    for x in (points, torch.einsum("rij,pj->rpi", rotations, points))
                )
                error = (after - before @ way(degree, rotations).mT).abs().max()
                line += f" (error {error:.0e})"
        print(f"{line}  ratio {min(seconds['e3nn']) / min(seconds['holo-nn']):.1f}")


if __name__ == "__main__":
    print_errors()
    print_wigner()
