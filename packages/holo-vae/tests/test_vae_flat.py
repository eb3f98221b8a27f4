"""The parameters of a network as one tensor: the steps are those of the parameters one by one."""

import copy

import pytest
import torch
from torch import nn

from holo_vae.training.flat import FlatParameters


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_steps_are_those_of_the_parameters_one_by_one(kind):
    plain, flat_network = network(), network()
    flat = FlatParameters(flat_network)
    one_by_one = kind(plain.parameters(), lr=0.1, weight_decay=0.01)
    at_once = kind([flat.values], lr=0.1, weight_decay=0.01, fused=True)
    for seed in range(5):
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed))
        one_by_one.zero_grad()
        plain(x).square().sum().backward()
        expected = nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        one_by_one.step()
        flat.gradient.zero_()
        flat_network(x).square().sum().backward()
        torch.testing.assert_close(flat.clip(0.5), expected)
        at_once.step()
    for mine, its in zip(flat_network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


def test_the_state_by_name_is_that_of_the_parameters_and_goes_back():
    plain, flat_network = network(), network()
    flat = FlatParameters(flat_network)
    one_by_one, at_once = torch.optim.Adam(plain.parameters()), torch.optim.Adam([flat.values])
    for each in (plain, flat_network):
        each(torch.ones(2, 5)).sum().backward()
    one_by_one.step()
    at_once.step()
    state = flat.state(at_once)
    for name, parameter in plain.named_parameters():
        assert state[name].keys() == one_by_one.state[parameter].keys()
        for key, tensor in one_by_one.state[parameter].items():
            torch.testing.assert_close(state[name][key], tensor)
    fresh = network()
    again = FlatParameters(fresh)
    resumed = torch.optim.Adam([again.values])
    again.load_state(resumed, copy.deepcopy(state))
    for key, tensor in at_once.state[flat.values].items():
        assert torch.equal(resumed.state[again.values][key], tensor)


def test_what_is_frozen_is_left_alone_and_released_weights_are_their_own():
    module = network()
    module[0].bias.requires_grad_(False)
    before = module[0].bias.clone()
    flat = FlatParameters(module)
    flat.gradient.fill_(1.0)
    torch.optim.AdamW([flat.values], lr=0.1).step()
    assert torch.equal(module[0].bias, before)
    flat.release()
    assert module[0].weight.grad is None
    flat.values.detach().zero_()
    assert module[0].weight.abs().min() > 0
