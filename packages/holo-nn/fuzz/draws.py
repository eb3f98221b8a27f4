"""Random irreps and features: unsorted, repeated, odd, without channels, or empty."""

from collections.abc import Sequence
from random import Random

import torch
from e3nn import o3
from torch import Tensor

__all__ = ["KINDS", "any_irreps", "ascending_irreps", "features", "generator", "kinds_of"]

KINDS = ("unsorted", "repeated", "odd", "with multiplicity 0", "empty")


def any_irreps(random: Random, *, lmax: int = 3, terms: int = 5, among: Sequence[o3.Irrep] = ()) -> o3.Irreps:
    """Draw irreps of up to `terms` terms in any order; if some irreps are given, most terms are of these."""

    def any_irrep() -> o3.Irrep:
        if among and random.random() < 0.8:
            return random.choice(among)
        return o3.Irrep(random.randint(0, lmax), random.choice((1, -1)))

    count = 0 if random.random() < 0.04 else random.randint(1, terms)
    return o3.Irreps([(random.choice((0, 1, 1, 2, 2, 3, 3, 3)), any_irrep()) for _ in range(count)])


def ascending_irreps(random: Random, degrees: list[int], *, same: bool) -> o3.Irreps:
    """Draw multiplicities and parities for given degrees; if `same`, one multiplicity for all."""
    count = random.randint(1, 4)
    return o3.Irreps(
        [(count if same else random.randint(1, 4), (degree, random.choice((1, -1)))) for degree in degrees]
    )


def kinds_of(irreps: o3.Irreps) -> set[str]:
    """Return the kinds that irreps are of."""
    found = [term.ir for term in irreps]
    tests = (
        found != sorted(found),
        len(set(found)) < len(found),
        any(term.ir.p == -1 for term in irreps),
        any(term.mul == 0 for term in irreps),
        irreps.dim == 0,
    )
    return {kind for kind, true in zip(KINDS, tests, strict=True) if true}


def generator(random: Random) -> torch.Generator:
    """Return torch's random number generator, seeded from Python's."""
    return torch.Generator().manual_seed(random.getrandbits(62))


def features(random: Random, *shape: int) -> Tensor:
    """Draw standard normal numbers, in float64."""
    return torch.randn(shape, generator=generator(random), dtype=torch.float64)
