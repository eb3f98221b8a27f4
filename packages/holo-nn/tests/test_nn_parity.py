"""Irreps of O(3) as in e3nn, through every layer, agree with e3nn's own."""

import pytest
import torch
from e3nn import nn, o3
from hypothesis import Phase, given, settings, strategies as st

from holo_nn import BatchNorm, InstanceNorm, LayerNorm, Linear, NormGate, SignalNorm, TensorProduct, rotate
from holo_nn.testing import random_rotations

SETTINGS = settings(max_examples=60, deadline=None)
TERMS = st.tuples(st.integers(0, 3), st.tuples(st.integers(0, 3), st.sampled_from([1, -1])))
IRREPS = st.lists(TERMS, max_size=5).map(o3.Irreps)
# e3nn's layers fail on a multiplicity of zero, or on no irreps at all, in one place or another.
THEIRS = st.lists(TERMS.filter(lambda term: term[0]), min_size=1, max_size=5).map(o3.Irreps)


def features(irreps, *samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*samples, irreps.dim, generator=generator, dtype=torch.float64)


def randomized(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


@SETTINGS
@given(THEIRS, st.integers(0, 1000))
def test_rotate_is_e3nns_with_inversion(irreps, seed):
    x, rotation = features(irreps, 3, seed=seed), random_rotations(1, seed)[0]
    angles = o3.matrix_to_angles(rotation)
    for inversion in (False, True):
        expected = x @ irreps.D_from_angles(*angles, k=torch.tensor(int(inversion))).T.double()
        # e3nn's chain of angles is accurate to 1e-6.
        torch.testing.assert_close(rotate(x, irreps, rotation, inversion), expected, rtol=0, atol=1e-5)
    both = torch.tensor([True, False, True])
    mixed = rotate(x, irreps, rotation, both)
    for row, inverted in enumerate(both.tolist()):
        torch.testing.assert_close(mixed[row], rotate(x[row], irreps, rotation, inverted), rtol=0, atol=1e-14)


# e3nn's takes a second to make, and fails on a bias that has no scalars beside it.
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(THEIRS, THEIRS)
def test_linear_is_e3nns(irreps_in, irreps_out):
    theirs = randomized(o3.Linear(irreps_in, irreps_out).double())
    ours = Linear(irreps_in, irreps_out).double()
    with torch.no_grad():
        for weight in ours.weights.values():
            weight.zero_()
        starts = [{ir: 0 for _, ir in irreps} for irreps in (irreps_in, irreps_out)]
        places = [[], []]
        for side, irreps in enumerate((irreps_in, irreps_out)):
            for mul, ir in irreps:
                places[side].append(slice(starts[side][ir], starts[side][ir] + mul))
                starts[side][ir] += mul
        for instruction, weight in zip(
            [each for each in theirs.instructions if each.i_in >= 0],
            theirs.weight_views(),
            strict=True,
        ):
            ir = irreps_in[instruction.i_in].ir
            if weight.numel():
                key = f"{ir.l}o" if ir.p == -1 else str(ir.l)
                block = ours.weights[key][places[0][instruction.i_in], places[1][instruction.i_out]]
                block.copy_(weight * instruction.path_weight)
    x = features(irreps_in, 2, 3)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)


@SETTINGS
@given(THEIRS, st.sampled_from(["component", "norm"]), st.booleans())
def test_batch_norm_is_e3nns(irreps, normalization, training):
    theirs = randomized(nn.BatchNorm(irreps, normalization=normalization).double())
    theirs.running_var.copy_(1 + torch.rand(theirs.running_var.shape, dtype=torch.float64))
    ours = BatchNorm(irreps, normalization=normalization).double()
    state = {name: value for name, value in theirs.state_dict().items() if name in ours.state_dict()}
    ours.load_state_dict(state)
    x = features(irreps, 7)
    torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=0, atol=1e-12)


@SETTINGS
@given(IRREPS, st.sampled_from([InstanceNorm, LayerNorm, SignalNorm, NormGate]), st.integers(0, 1000))
def test_the_order_of_terms_says_nothing(irreps, layer, seed):
    """With sorted irreps, where terms of one irrep are adjacent, the result is the same in that order."""
    if layer is LayerNorm and irreps.count("0e") == 1:
        return
    order = sorted(range(len(irreps)), key=lambda place: irreps[place].ir)
    ordered = o3.Irreps([irreps[place] for place in order])
    x = features(irreps, 4, seed=seed)
    pieces = [x[:, where] for where in irreps.slices()]
    sorted_x = torch.cat([x[:, :0], *(pieces[place] for place in order)], dim=1)
    y = layer(irreps).double()(x)
    outputs = [y[:, where] for where in irreps.slices()]
    expected = torch.cat([y[:, :0], *(outputs[place] for place in order)], dim=1)
    for same in (ordered, ordered.simplify()):
        torch.testing.assert_close(layer(same).double()(sorted_x), expected, rtol=0, atol=1e-12)


def test_the_selection_rule_of_a_product():
    product = TensorProduct("2x0e+2x1o", "2x0o+2x1o", connectivity="full")
    # 0e×0o, 1o×1o; 0e×1o, 1o×0o, 1o×1o: even ones of a degree first.
    assert str(product.irreps_out) == "2x0e+2x0o+4x1e+2x1o"
    assert product.paths == ((1, 1, 0), (0, 0, 0), (1, 0, 1), (1, 1, 1), (0, 1, 1))


@pytest.mark.parametrize("layer", [Linear, BatchNorm, InstanceNorm, LayerNorm, SignalNorm, NormGate])
@pytest.mark.parametrize("irreps", ["", "0x1o+0x0e"])
def test_features_of_nothing(layer, irreps):
    module = layer(irreps, irreps) if layer is Linear else layer(irreps)
    assert module.irreps_in == module.irreps_out == o3.Irreps(irreps)
    assert module(torch.zeros(2, 3, 0)).shape == (2, 3, 0)
    assert not module.state_dict() or all(value.numel() == 0 for value in module.state_dict().values())
