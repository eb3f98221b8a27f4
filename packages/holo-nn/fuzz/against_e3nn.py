"""Compare layers with e3nn's in random cases, their values and first derivatives, in float64.

``nox -s e3nn`` runs 2,000 cases, ``nox -s e3nn -- --cases 500 --seed 3`` 500 other ones, and ``nox -s e3nn -- --case
17`` a single one, by the number under which it was reported. Layers take turns; every second case on average, at
random, is computed in pure form. The exit status is 1 if a case fails or deviates by more than 1e-11 of its largest
number (`rotate`: 1e-9).
"""

import argparse
import sys
from collections import Counter, defaultdict
from random import Random

import e3nn
import torch
from comparisons import COMPARISONS, Comparison, Function
from draws import KINDS, features, kinds_of
from torch import Tensor

from holo_nn import pure_form

# e3nn's matrices of rotations, exponentials, differ from orthogonal ones by 1e-10 at some angles.
_TOLERANCES = {"rotate": 1e-9}
_TOLERANCE = 1e-11
_SOME = "not all zero"
_STRIDE = 10_000_000  # cases of a run begin at its seed times this


def drawn(number: int) -> tuple[str, Random, Comparison]:
    """Return the layer of a case, its random numbers, and the comparison."""
    layer = list(COMPARISONS)[number % len(COMPARISONS)]
    random = Random(f"{layer} {number}")
    return layer, random, COMPARISONS[layer](random)


def values_and_gradients(
    function: Function, inputs: tuple[Tensor, ...], random: Random
) -> tuple[list[Tensor], list[Tensor]]:
    """Compute a function, and the gradients of a random sum of its first outputs for all inputs."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    values = function(*leaves)
    weights = features(random, *values[0].shape)
    total = (values[0] * weights).sum()
    # Inputs of which no output channel depends have no gradient.
    gradients = (
        torch.autograd.grad(total, leaves, allow_unused=True) if total.requires_grad else [None] * len(leaves)
    )
    found = [
        torch.zeros_like(leaf) if each is None else each for each, leaf in zip(gradients, leaves, strict=True)
    ]
    return [each.detach() for each in values], found


def deviation(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Return the largest difference, relative to the largest number of each tensor, or to 1 where that is smaller."""
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape:
            raise ValueError(f"shapes are {list(one.shape)} and {list(other.shape)}")
        if one.numel():
            size = max(float(other.abs().max()), 1.0)
            apart = (one - other).abs().max() / size
            worst = max(worst, float(apart.nan_to_num(nan=float("inf"))))
    return worst


def compared(random: Random, comparison: Comparison) -> tuple[float, float, bool]:
    """Return how far apart values and gradients of a case are, and whether any were not zero."""
    seed, in_pure_form = random.random(), random.random() < 0.5
    with pure_form() if in_pure_form else torch.enable_grad():
        ours = values_and_gradients(comparison.ours, comparison.inputs, Random(seed))
    theirs = values_and_gradients(comparison.theirs, comparison.inputs, Random(seed))
    some = bool(theirs[0][0].any()) and any(bool(each.any()) for each in theirs[1])
    return deviation(ours[0], theirs[0]), deviation(ours[1], theirs[1]), some


def main() -> int:
    """Run the cases, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="others for each")
    parser.add_argument("--case", type=int, help="this one alone")
    given = parser.parse_args()
    torch.set_num_threads(1)
    # e3nn's coefficients are float32 otherwise, also in a module that is float64.
    torch.set_default_dtype(torch.float64)
    e3nn.set_optimization_defaults(jit_script_fx=False, optimize_einsums=False)
    counts: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    worst: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    failures = 0
    start = given.seed * _STRIDE
    for number in range(start, start + given.cases) if given.case is None else [given.case]:
        layer = list(COMPARISONS)[number % len(COMPARISONS)]
        counts[layer] += 1
        try:
            layer, random, comparison = drawn(number)
            kinds[layer].update(set().union(*map(kinds_of, comparison.irreps)))
            *apart, some = compared(random, comparison)
        except Exception as error:
            if given.case is not None:
                raise
            failures += 1
            print(f"case {number}, {layer}: {type(error).__name__}: {error}")
            continue
        kinds[layer][_SOME] += some
        worst[layer] = (max(worst[layer][0], apart[0]), max(worst[layer][1], apart[1]))
        if max(apart) > _TOLERANCES.get(layer, _TOLERANCE):
            failures += 1
            print(
                f"case {number}, {layer} of {comparison.irreps}: apart by {apart[0]:.1e}, gradients {apart[1]:.1e}"
            )
    columns = (*KINDS, _SOME)
    print(f"| layer | cases | {' | '.join(columns)} | values apart by | gradients |")
    print(f"| --- | ---: | {' | '.join('---:' for _ in columns)} | ---: | ---: |")
    for layer in filter(counts.get, COMPARISONS):
        shown = " | ".join(f"{kinds[layer][kind]:,}" for kind in columns)
        print(f"| {layer} | {counts[layer]:,} | {shown} | {worst[layer][0]:.1e} | {worst[layer][1]:.1e} |")
    print(f"{counts.total():,} cases, {failures:,} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
