"""The paths of a tensor square are those of the published weights, in their order."""

import json
from itertools import product
from pathlib import Path

import pytest

from holo_nn import connectivity

GOLDEN = json.loads((Path(__file__).parent / "golden/connectivity_efficient.json").read_text())


@pytest.mark.parametrize("key", GOLDEN)
def test_efficient_equals_the_reference(key):
    lmax_in, lmax_out = map(int, key.split("->"))
    assert connectivity(lmax_in, lmax_out) == tuple(map(tuple, GOLDEN[key]))


@pytest.mark.parametrize(("lmax_in", "lmax_out"), [(0, 0), (1, 2), (4, 3), (5, 10)])
def test_full_lists_every_unordered_pair_that_couples(lmax_in, lmax_out):
    degrees = range(lmax_in + 1)
    every = [
        (l1, l2, l3)
        for l1, l2, l3 in product(degrees, degrees, range(lmax_out + 1))
        if l1 <= l2 and abs(l1 - l2) <= l3 <= l1 + l2
    ]
    assert connectivity(lmax_in, lmax_out, "full") == tuple(every)


@pytest.mark.parametrize(("lmax_in", "lmax_out"), [(-1, 0), (2, 5), (2, -1)])
def test_degrees_out_of_range_are_refused(lmax_in, lmax_out):
    with pytest.raises(ValueError, match=f"cannot reach 0..{lmax_out}"):
        connectivity(lmax_in, lmax_out)
