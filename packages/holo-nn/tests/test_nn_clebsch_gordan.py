"""The Clebsch-Gordan coefficients are the recorded ones, are exact, and couple the degrees that they claim to."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from e3nn import o3

from holo_nn import clebsch_gordan, clebsch_gordan_digest, wigner_D
from holo_nn.so3.coupling_table import TABLE, read_table, write_table
from holo_nn.testing import random_rotations

GOLDEN = json.loads((Path(__file__).parent / "golden/clebsch_gordan.json").read_text())


@pytest.mark.parametrize("lmax", GOLDEN["digest"])
def test_golden_digest(lmax):
    # Another sign or basis upstream would spoil every trained weight in silence.
    assert clebsch_gordan_digest(int(lmax)) == GOLDEN["digest"][lmax]


def test_the_table_is_frozen_to_the_bit():
    values = b"".join(piece.astype("<f8").tobytes() for piece in read_table().values())
    assert hashlib.sha256(values).hexdigest() == GOLDEN["table"]


def test_the_table_is_what_is_computed(tmp_path):
    # To rounding: the eigenvectors of another LAPACK, or on another processor, differ in their last bits.
    write_table(tmp_path / "table.npz")
    with np.load(TABLE) as shipped, np.load(tmp_path / "table.npz") as computed:
        assert (shipped["nonzero"] == computed["nonzero"]).all()
        np.testing.assert_allclose(shipped["values"], computed["values"], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("l1", "l2", "l3"),
    [
        *((l1, l2, l3) for l1 in range(5) for l2 in range(5) for l3 in range(abs(l1 - l2), l1 + l2 + 1)),
        (6, 10, 8),
        (12, 13, 1),
        (14, 14, 0),
        (14, 14, 13),
        (11, 12, 23),
    ],
)
def test_equals_e3nn(l1, l2, l3):
    expected = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    torch.testing.assert_close(clebsch_gordan(l1, l2, l3), expected, rtol=0, atol=1e-14)


def test_zeros_are_exact():
    # Between m that do not couple; sums over the others alone then leave nothing out.
    coefficients = clebsch_gordan(8, 7, 6)
    assert coefficients[coefficients != 0].abs().min() > 1e-6
    assert (coefficients == 0).sum() > 0.8 * coefficients.numel()


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
