"""The paths of a tensor square are those of the published weights, in their order."""

import json
from itertools import product
from pathlib import Path

import pytest

from holo_nn import connectivity, product_connectivity

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


def test_the_golden_file_has_every_case():
    assert set(GOLDEN) == {f"{low}->{high}" for low in range(1, 15) for high in range(min(2 * low, 14) + 1)}


@pytest.mark.parametrize(("lmax_in", "lmax_out"), [(0, 0), (1, 2), (4, 3), (6, 12)])
@pytest.mark.parametrize("rule", ["efficient", "full"])
def test_a_product_couples_what_a_square_does_in_both_orders(lmax_in, lmax_out, rule):
    degrees = tuple(range(lmax_in + 1))
    square = connectivity(lmax_in, lmax_out, rule)
    both = {(l1, l2, l3) for l1, l2, l3 in square} | {(l2, l1, l3) for l1, l2, l3 in square}
    product_paths = product_connectivity(degrees, degrees, lmax_out, rule)
    assert product_paths == tuple(sorted(both, key=lambda path: (path[2], path[0], path[1])))


@pytest.mark.parametrize(("degrees1", "degrees2"), [((0, 1, 2, 3), (0, 1)), ((1, 3), (2, 3)), ((5,), (0, 5))])
def test_an_efficient_product_joins_all_degrees_that_can_be_joined(degrees1, degrees2):
    for l3 in range(max(degrees1) + max(degrees2) + 1):
        paths = product_connectivity(degrees1, degrees2, max(degrees1) + max(degrees2), "full")
        kept = product_connectivity(degrees1, degrees2, max(degrees1) + max(degrees2), "efficient")
        assert components(path for path in kept if path[2] == l3) == components(
            path for path in paths if path[2] == l3
        )


def components(paths):
    """Return the connected sets of degrees of a graph."""
    sets = []
    for l1, l2, _ in paths:
        joined = {l1, l2}.union(*(each for each in sets if each & {l1, l2}))
        sets = [each for each in sets if not each & joined] + [joined]
    return {frozenset(each) for each in sets}


@pytest.mark.parametrize("lmax_out", [-1, 4])
def test_products_that_cannot_be_reached_are_refused(lmax_out):
    with pytest.raises(ValueError, match=f"cannot reach 0..{lmax_out}; lmax_out must be from 0 to 3"):
        product_connectivity((1,), (0, 2), lmax_out)
