"""Modules made from e3nn's compute the same; modules that cannot be converted are refused."""

import pytest
import torch
from e3nn import o3

from holo_nn import (
    Edges,
    WeightedTensorProduct,
    bessel_basis,
    linear_from_e3nn,
    polynomial_envelope,
    product_from_e3nn,
    spherical_harmonics,
)


@pytest.fixture(autouse=True)
def float64_by_default():
    """Make e3nn's products have float64 coefficients, which are float32 by default."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("path_normalization", ["element", "path"])
@pytest.mark.parametrize("biases", [False, True])
def test_a_linear_map(biases, path_normalization):
    irreps = "3x1o+2x0e+1x1o+2x0o+4x2e+3x0e", "2x1o+5x0e+1x2e+1x1o+1x0o+2x0e"
    theirs = o3.Linear(*irreps, biases=biases, path_normalization=path_normalization)
    if biases:
        torch.nn.init.normal_(theirs.bias)
    x = torch.randn(2, 4, theirs.irreps_in.dim)
    torch.testing.assert_close(linear_from_e3nn(theirs)(x), theirs(x), rtol=0, atol=1e-13)


def test_products():
    irreps = "3x0e+2x1o+1x1e", "1x0e+2x1o"
    connected = o3.FullyConnectedTensorProduct(*irreps, "4x0e+2x1o", irrep_normalization="norm")
    channelwise = o3.TensorProduct(
        *irreps,
        "3x0e+2x0e+2x1e",
        [(0, 0, 0, "uvu", True), (1, 1, 1, "uvu", True, 0.3), (1, 1, 2, "uvu", True)],
        internal_weights=False,
        shared_weights=False,
    )
    x, y = torch.randn(5, 12), torch.randn(5, 7)
    torch.testing.assert_close(product_from_e3nn(connected)(x, y), connected(x, y), rtol=0, atol=1e-13)
    w = torch.randn(5, channelwise.weight_numel)
    torch.testing.assert_close(
        product_from_e3nn(channelwise)(x, y, w), channelwise(x, y, w), rtol=0, atol=1e-13
    )


def test_what_has_no_counterpart_is_refused():
    with pytest.raises(
        ValueError, match=r"term 0 of '2x0e\+1x0e' is not connected with term 1 of '2x0e\+1x0e'"
    ):
        linear_from_e3nn(o3.Linear("2x0e+1x0e", "2x0e+1x0e", instructions=[(0, 0), (1, 1)]))
    with pytest.raises(ValueError, match="the module has 0 weights; it must have 4 of its own"):
        linear_from_e3nn(o3.Linear("2x0e", "2x0e", internal_weights=False, shared_weights=False))
    with pytest.raises(ValueError, match="a path has no weights"):
        product_from_e3nn(o3.ElementwiseTensorProduct("2x1o", "2x1o"))
    with pytest.raises(ValueError, match="has mode 'uvv'; it must be 'uvu' or 'uvw'"):
        product_from_e3nn(o3.TensorProduct("2x0e", "3x0e", "3x0e", [(0, 0, 0, "uvv", True)]))


def test_energies_forces_and_their_gradients_of_a_model_that_is_converted():
    """A message-passing layer as in MACE and NequIP, from e3nn's modules and from ours, agrees to 1e-10."""
    irreps, harmonics = "4x0e+4x1o+4x2e", "1x0e+1x1o+1x2e"
    ours = WeightedTensorProduct.channelwise(irreps, harmonics, "0e+1o+2e")
    instructions = [(i, j, k, mode, True) for i, j, k, mode, _ in ours.instructions]
    theirs = {
        "before": o3.Linear(irreps, irreps),
        "product": o3.TensorProduct(
            irreps,
            harmonics,
            o3.Irreps(ours.irreps_out),
            instructions,
            internal_weights=False,
            shared_weights=False,
        ),
        "after": o3.Linear(o3.Irreps(ours.irreps_out), "4x0e+1x1o"),
        "mixed": o3.FullyConnectedTensorProduct("4x0e+1x1o", "3x0e", "1x0e"),
    }
    converted = {name: linear_from_e3nn(theirs[name]) for name in ("before", "after")}
    converted |= {name: product_from_e3nn(theirs[name]) for name in ("product", "mixed")}
    radial = torch.nn.Linear(6, ours.weight_numel)
    edges = Edges(*(torch.ones(7, 7) - torch.eye(7)).nonzero(as_tuple=True), nodes=7)
    start, kinds = torch.randn(7, 36), torch.nn.functional.one_hot(torch.arange(7) % 3).double()
    places = torch.randn(7, 3)

    def results(layers):
        positions = places.clone().requires_grad_()
        vectors = positions[edges.receivers] - positions[edges.senders]
        distances = vectors.norm(dim=1)
        weights = radial(bessel_basis(distances, 9.0, 6) * polynomial_envelope(distances, 9.0)[:, None])
        attributes, nodes = spherical_harmonics(harmonics, vectors), layers["before"](start)
        if layers is converted:
            messages = layers["product"].along_edges(nodes, attributes, edges, weights)
        else:
            each = layers["product"](nodes[edges.senders], attributes, weights)
            messages = torch.zeros(7, each.shape[1]).index_add(0, edges.receivers, each)
        energy = layers["mixed"](layers["after"](messages), kinds).sum()
        (forces,) = torch.autograd.grad(-energy, positions, create_graph=True)
        return [
            energy,
            forces,
            *torch.autograd.grad(forces.square().sum(), [positions, *radial.parameters()]),
        ]

    for mine, expected in zip(results(converted), results(theirs), strict=True):
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-11)
