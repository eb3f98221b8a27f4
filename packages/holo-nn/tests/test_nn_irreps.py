"""Irreps are those of e3nn: equal, of the same sizes, and accepted by its functions."""

import copy

import pytest
import torch
from e3nn import o3
from hypothesis import given, strategies as st

from holo_nn import Irreps, Linear

TERMS = st.lists(
    st.tuples(st.integers(0, 5), st.tuples(st.integers(0, 12), st.sampled_from([1, -1]))), max_size=6
)


@given(TERMS, TERMS)
def test_irreps_equal_those_of_e3nn(terms, more):
    ours, theirs = Irreps(terms), o3.Irreps(terms)
    assert ours == theirs
    assert theirs == ours
    assert hash(ours) == hash(theirs)
    assert o3.Irreps(ours) == theirs
    assert Irreps(theirs) == Irreps(str(theirs)) == Irreps(ours) == ours
    assert str(ours) == str(theirs)
    assert (ours.dim, ours.num_irreps, ours.slices()) == (theirs.dim, theirs.num_irreps, theirs.slices())
    assert ours + more == theirs + o3.Irreps(more)
    assert theirs + Irreps(more) == ours + o3.Irreps(more)
    assert ours[1:] == theirs[1:]
    assert [(term.mul, term.ir.l, term.ir.p, term.dim) for term in ours] == [
        (term.mul, term.ir.l, term.ir.p, term.dim) for term in theirs
    ]
    for ir in ("0e", "1o", "2y"):
        assert (ir in ours, ours.count(ir)) == (ir in theirs, theirs.count(ir))
    if theirs.num_irreps:
        assert ours.lmax == theirs.lmax


@pytest.mark.parametrize("text", ["", "0e", " 4x0e + 2 x 1o", "3x1y+1x2y", "2x1e+0x4o+5x1e"])
def test_texts_are_read_as_e3nn_reads_them(text):
    assert Irreps(text) == o3.Irreps(text)


@pytest.mark.parametrize(
    "value", ["4x", "x0e", "4x0", "-1x0e", "0e+", "1.5x0e", "4x0a", [(4, (1, 0))], [(4, -1)]]
)
def test_what_is_no_term_is_refused(value):
    with pytest.raises(ValueError, match=r"^irreps: "):
        Irreps(value)


def test_no_channel_has_no_highest_degree():
    with pytest.raises(ValueError, match="irreps: '0x3e' has no channel"):
        _ = Irreps("0x3e").lmax


def test_e3nn_takes_ours():
    irreps = Irreps("3x1o+2x0e+0x2e+1x1o")
    x = irreps.slices()[0]
    features = torch.randn(4, irreps.dim)
    assert o3.Linear(irreps, irreps[:2])(features).shape == (4, irreps[:2].dim)
    product = o3.FullTensorProduct(irreps, Irreps("1x1o"))
    assert Irreps(product.irreps_out) == product.irreps_out
    assert o3.Irreps(irreps).D_from_matrix(torch.eye(3)).shape == (irreps.dim, irreps.dim)
    assert features[:, x].shape == (4, 9)


def test_layers_take_those_of_e3nn():
    linear = Linear(o3.Irreps("4x0e+2x1e"), [(3, (1, 1))])
    assert linear.irreps_in == o3.Irreps("4x0e+2x1e")
    assert linear.irreps_out == Irreps("3x1e")
    assert isinstance(linear.irreps_in, Irreps)


def test_copies_are_irreps():
    irreps = Irreps("4x0e+2x1o")
    twin = copy.deepcopy(irreps)
    assert twin == irreps
    assert type(twin) is Irreps
    assert twin[0].ir.dim == 1
