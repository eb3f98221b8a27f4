"""Weighted tensor products agree with e3nn's, row by row and along edges, compiled and in plain PyTorch."""

import pytest
import torch
from e3nn import o3

from holo_nn import Edges, WeightedTensorProduct
from holo_nn.kernels.dispatch import pure_form
from holo_nn.testing import LayerTests

NODES, ATTRIBUTES = "5x0e+3x1o+4x2e+2x1e", "1x0e+1x1o+1x2e+1x3o"
TARGETS = "0e+1o+2e+0o+3o"


@pytest.fixture(autouse=True)
def float64_by_default():
    """Make e3nn's products have float64 coefficients, which are float32 by default."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def theirs_of(product, **options):
    instructions = [(i, j, k, mode, True, weight) for i, j, k, mode, weight in product.instructions]
    return o3.TensorProduct(
        o3.Irreps(product.irreps_in1),
        o3.Irreps(product.irreps_in2),
        o3.Irreps(product.irreps_out),
        instructions,
        internal_weights=False,
        shared_weights=False,
        **options,
    )


def graph(nodes=6, edges=17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    # The last node neither sends nor receives.
    return Edges(*torch.randint(nodes - 1, (2, edges), generator=generator), nodes=nodes)


MIXED_INSTRUCTIONS = [(0, 0, 0, "uvu", True, 2.0), (1, 1, 0, "uvw", True), (0, 1, 1, "uvw", True, 0.5)]


@pytest.mark.parametrize("form", ["compiled", "pure"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["channelwise", "fully connected", "several v", "mixed"])
def test_values_and_derivatives_are_those_of_e3nn(kind, shared, form):
    if kind == "channelwise":
        product = WeightedTensorProduct.channelwise(NODES, ATTRIBUTES, TARGETS)
    elif kind == "fully connected":
        product = WeightedTensorProduct.fully_connected(
            NODES, "2x0e+3x1o", "4x0e+2x1o+3x2e", internal_weights=False
        )
    elif kind == "several v":
        product = WeightedTensorProduct.channelwise("17x0e+3x1o", "2x0e+3x1o+0x2e", TARGETS)
    else:
        product = WeightedTensorProduct(
            "3x0e+2x1o", "2x0e+1x1o", "3x0e+2x1o", MIXED_INSTRUCTIONS, internal_weights=False
        )
    theirs = theirs_of(product)
    assert theirs.weight_numel == product.weight_numel
    edges = graph()
    x, y = random(6, product.irreps_in1.dim), random(17, product.irreps_in2.dim, seed=1)
    w = random(*(() if shared else (17,)), product.weight_numel, seed=2)
    weights = [random(*each.shape, seed=3 + n) for n, each in enumerate((x, y, w))]

    def of_edges(x, y, w):
        return product.along_edges(x, y, edges, w)

    def of_rows(x, y, w):
        return torch.zeros(6, product.irreps_out.dim).index_add(
            0, edges.receivers, product(x[edges.senders], y, w)
        )

    def of_e3nn(x, y, w):
        rows = theirs(x[edges.senders], y, w if w.ndim == 2 else w.expand(len(y), -1))
        return torch.zeros(6, product.irreps_out.dim).index_add(0, edges.receivers, rows)

    results = []
    for function in (of_e3nn, of_edges, of_rows):
        factors = [each.clone().requires_grad_() for each in (x, y, w)]
        with pure_form() if form == "pure" else torch.enable_grad():
            out = function(*factors)
            first = torch.autograd.grad(out.square().sum(), factors, create_graph=True)
            inner = sum((each * weight).sum() for each, weight in zip(first, weights, strict=True))
            second = torch.autograd.grad(inner, factors)
        results.append([out, *first, *second])
    for ours in results[1:]:
        for mine, expected in zip(ours, results[0], strict=True):
            torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("irrep_normalization", ["component", "norm", "none"])
@pytest.mark.parametrize("path_normalization", ["element", "path", "none"])
def test_normalizations_are_those_of_e3nn(irrep_normalization, path_normalization):
    options = {"irrep_normalization": irrep_normalization, "path_normalization": path_normalization}
    product = WeightedTensorProduct(
        "3x0e+2x1o", "2x0e+1x1o", "3x0e+2x1o", MIXED_INSTRUCTIONS, internal_weights=False, **options
    )
    x, y, w = random(4, 9), random(4, 5, seed=1), random(4, product.weight_numel, seed=2)
    torch.testing.assert_close(product(x, y, w), theirs_of(product, **options)(x, y, w), rtol=0, atol=1e-13)


def test_fully_connected_has_the_order_of_e3nn():
    irreps = "3x0e+2x1o+0x2e+1x1e", "2x1o+1x0e", "2x1o+4x0e+1x2e"
    ours, theirs = WeightedTensorProduct.fully_connected(*irreps), o3.FullyConnectedTensorProduct(*irreps)
    with torch.no_grad():
        ours.weight.copy_(theirs.weight)
    x, y = random(2, 3, ours.irreps_in1.dim), random(2, 3, ours.irreps_in2.dim, seed=1)
    torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=0, atol=1e-13)


def test_channelwise_sorts_as_e3nn_does():
    product = WeightedTensorProduct.channelwise(NODES, ATTRIBUTES, "0e+1o+1e+2e+2o+0o")
    assert o3.Irreps(product.irreps_out) == o3.Irreps(product.irreps_out).sort().irreps
    assert [(each.i_in1, each.i_in2) for each in product.instructions] == sorted(
        (each.i_in1, each.i_in2) for each in product.instructions
    )


def test_variances_stay():
    product = WeightedTensorProduct.fully_connected("64x0e+64x1o", "8x0e+8x1o", "32x0e+32x1o")
    out = product(random(300, 256), random(300, 32, seed=1))
    assert abs(out.square().mean().item() - 1) < 0.1


class TestChannelwise(LayerTests):
    has_parameters = False

    def make(self):
        product = WeightedTensorProduct.channelwise("3x0e+2x1o", "1x0e+1x1o+1x2e", "0e+1o+2e+1e")
        return (
            product,
            (product.irreps_in1, product.irreps_in2, f"{product.weight_numel}x0e"),
            product.irreps_out,
        )


class TestFullyConnected(LayerTests):
    def make(self):
        product = WeightedTensorProduct.fully_connected("3x0e+2x1o", "2x0e+1x1o", "2x0e+2x1o+1x1e")
        return product, (product.irreps_in1, product.irreps_in2), product.irreps_out


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ((0, 0, 2, "uvu", True), "names term 2 of '3x0e\\+2x1o', which has 2"),
        ((0, 1, 0, "uvu", True), "couples 0e and 1o to 0e, which cannot be"),
        ((1, 0, 1, "uuu", True), "has mode 'uuu'"),
        ((0, 1, 1, "uvu", True), "gives 3 channels to 2x1o; in mode 'uvu' they must be as many"),
        ((0, 0, 0, "uvu", False), "has no weight"),
    ],
)
def test_paths_that_cannot_be_are_refused(instruction, message):
    with pytest.raises(ValueError, match=message):
        WeightedTensorProduct("3x0e+2x1o", "2x0e+1x1o", "3x0e+2x1o", [instruction])


def test_what_does_not_fit_is_refused():
    product = WeightedTensorProduct.channelwise("3x0e+2x1o", "1x1o", "0e+1o")
    edges = graph()
    x, y, w = random(6, 9), random(17, 3), random(17, product.weight_numel)
    with pytest.raises(ValueError, match="it has no weights of its own"):
        product.along_edges(x, y, edges)
    with pytest.raises(ValueError, match=r"nodes has shape \[5, 9\]; it must be \[6, 9\]"):
        product.along_edges(x[:5], y, edges, w)
    with pytest.raises(ValueError, match=r"edge_features has shape \[16, 3\]; it must be \[17, 3\]"):
        product.along_edges(x, y[:16], edges, w)
    with pytest.raises(ValueError, match=r"weights has shape \[16, 5\]; it must be \[5\] or \[17, 5\]"):
        product.along_edges(x, y, edges, w[:16])
    with pytest.raises(ValueError, match="receivers has nodes from 0 to 7; they must be from 0 to 5"):
        Edges(torch.tensor([0, 1]), torch.tensor([0, 7]), nodes=6)


def test_a_graph_without_edges():
    product = WeightedTensorProduct.channelwise("3x0e+2x1o", "1x1o", "0e+1o")
    edges = Edges(*torch.zeros(2, 0, dtype=torch.int64), nodes=4)
    out = product.along_edges(random(4, 9), random(0, 3), edges, random(0, product.weight_numel))
    assert out.shape == (4, product.irreps_out.dim)
    assert not out.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit_of_messages(threads):
    product = WeightedTensorProduct.channelwise("32x0e+32x1o", "1x0e+1x1o+1x2e", "0e+1o+2e")
    edges = graph(nodes=200, edges=3000)
    x, y, w = random(200, 128), random(3000, 9), random(3000, product.weight_numel)
    before = torch.get_num_threads()
    results = []
    for count in (1, threads):
        torch.set_num_threads(count)
        factors = [each.clone().requires_grad_() for each in (x, y, w)]
        out = product.along_edges(*factors[:2], edges, factors[2])
        results.append([out, *torch.autograd.grad(out.square().sum(), factors)])
    torch.set_num_threads(before)
    assert all(map(torch.equal, *results))


def test_edges_stay_what_was_checked_when_their_tensors_change() -> None:
    senders, receivers = torch.tensor([0, 1]), torch.tensor([1, 0])
    edges = Edges(senders, receivers, nodes=2)
    senders.fill_(10**9)
    receivers.fill_(10**9)
    assert edges.senders.tolist() == [0, 1]
    assert edges.receivers.tolist() == [1, 0]
