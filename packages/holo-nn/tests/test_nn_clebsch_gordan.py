"""The Clebsch-Gordan coefficients are the frozen ones, exact, and couple what they say."""

import json
from pathlib import Path

import pytest
import torch

from holo_nn import clebsch_gordan, clebsch_gordan_digest, wigner_D
from holo_nn.testing import random_rotations

GOLDEN = json.loads((Path(__file__).parent / "golden/clebsch_gordan.json").read_text())


@pytest.mark.parametrize("lmax", GOLDEN["digest"])
def test_golden_digest(lmax):
    # Another sign or basis upstream would spoil every trained weight in silence.
    assert clebsch_gordan_digest(int(lmax)) == GOLDEN["digest"][lmax]


@pytest.mark.parametrize("path", GOLDEN["coefficients"])
def test_golden_coefficients(path):
    coefficients = clebsch_gordan(*map(int, path.split()))
    expected = torch.zeros_like(coefficients)
    for *position, value in GOLDEN["coefficients"][path]:
        expected[tuple(position)] = value
    torch.testing.assert_close(coefficients, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("l1", "l2", "l3"), [(1, 1, 2), (2, 1, 3), (4, 4, 4), (5, 3, 6), (10, 9, 8), (14, 14, 14)]
)
def test_invariant_under_rotation(l1, l2, l3):
    rotation = random_rotations(1, seed=l1)[0]
    matrices = [wigner_D(degree, rotation) for degree in (l1, l2, l3)]
    coefficients = clebsch_gordan(l1, l2, l3)
    turned = torch.einsum("mnp,mi,nj,pk->ijk", coefficients, *matrices)
    torch.testing.assert_close(turned, coefficients, rtol=0, atol=1e-13)
    assert abs(coefficients.norm().item() - 1) < 1e-14


def test_a_copy_is_returned():
    clebsch_gordan(1, 1, 1).zero_()
    assert clebsch_gordan(1, 1, 1).any()


@pytest.mark.parametrize("degrees", [(1, 1, 3), (3, 1, 1), (-1, 1, 1)])
def test_degrees_that_do_not_couple_are_refused(degrees):
    with pytest.raises(ValueError, match=f"degrees {degrees[0]}, {degrees[1]} do not couple to {degrees[2]}"):
        clebsch_gordan(*degrees)
