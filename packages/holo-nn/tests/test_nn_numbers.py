"""The numbers that the layers compute, against evaluations written out plainly here."""

import pytest
import torch
from e3nn import o3

from holo_nn import BatchNorm, Block, Linear, SignalNorm, TensorSquare, connectivity
from holo_nn.irreps import check_features

GENERATOR = torch.Generator().manual_seed(0)


def pieces(features, irreps):
    """One tensor [batch, channels, m] per degree, by plain slices."""
    irreps = o3.Irreps(irreps)
    return {
        term.ir.l: features[:, where].reshape(-1, term.mul, term.ir.dim)
        for term, where in zip(irreps, irreps.slices(), strict=True)
    }


def flat(parts):
    return torch.cat([parts[degree].flatten(1) for degree in sorted(parts)], dim=1)


def plain_square(x, lmax_out, rule, channels):
    """Path by path, channel by channel: rows of each degree in the order of the paths."""
    rows = {}
    for l1, l2, l3 in connectivity(max(x), lmax_out, rule):
        coefficients = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
        for c1 in range(x[l1].shape[1]):
            for c2 in range(x[l2].shape[1]):
                if channels == "elementwise":
                    live = c1 == c2 and not (l1 == l2 and l3 % 2)
                else:
                    live = l1 != l2 or c1 < c2 or (c1 == c2 and l3 % 2 == 0)
                if live:
                    row = torch.einsum("mnp,bm,bn->bp", coefficients, x[l1][:, c1], x[l2][:, c2])
                    rows.setdefault(l3, []).append(row)
    return {degree: torch.stack(parts, dim=1) for degree, parts in rows.items()}


def randomized(module):
    """Float64, evaluation, and no parameter or statistic at its start value."""
    module.double().eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *(b for n, b in module.named_buffers() if "running" in n)):
            tensor.copy_(torch.rand(tensor.shape, generator=GENERATOR, dtype=torch.float64) + 0.5)
    return module


def random_features(irreps, batch=4):
    return torch.randn(batch, o3.Irreps(irreps).dim, generator=GENERATOR, dtype=torch.float64)


EVEN, UNEVEN = "2x0e+2x1e+2x2e+2x3e", "3x0e+1x1e+2x2e"


@pytest.mark.parametrize("rule", ["efficient", "full"])
@pytest.mark.parametrize(("irreps", "channels"), [(EVEN, "elementwise"), (EVEN, "full"), (UNEVEN, "full")])
@pytest.mark.parametrize("lmax", [0, 1, 3, 4])
def test_tensor_square(irreps, channels, rule, lmax):
    square = TensorSquare(irreps, lmax, connectivity=rule, channels=channels).double()
    x = random_features(irreps)
    expected = flat(plain_square(pieces(x, irreps), lmax, rule, channels))
    assert square.irreps_out.dim == expected.shape[1]
    torch.testing.assert_close(square(x), expected, rtol=0, atol=1e-13)


def test_paths_left_out_are_zero_and_paths_kept_are_not():
    square = TensorSquare(EVEN, 6)
    x = pieces(random_features(EVEN), EVEN)
    for l1, l2, l3 in connectivity(3, 6):
        product = torch.einsum(
            "mnp,bcm,bcn->bcp", o3.wigner_3j(l1, l2, l3, dtype=torch.float64), x[l1], x[l2]
        )
        assert (product.abs().max() > 1e-3) == ((l1, l2, l3) in square.paths)
    assert square.paths == tuple(sorted(square.paths, key=lambda path: path[2]))


def test_tensor_square_is_exact_in_float64_after_float32():
    x = random_features(EVEN)
    square = TensorSquare(EVEN)
    torch.testing.assert_close(square.float().double()(x), TensorSquare(EVEN).double()(x), rtol=0, atol=0)
    assert not square.state_dict()


def test_linear():
    linear = randomized(Linear("3x0e+2x1e+1x2e", "2x0e+3x1e+2x3e", bias=True))
    x = random_features("3x0e+2x1e+1x2e")
    x_0, x_1, _ = pieces(x, "3x0e+2x1e+1x2e").values()
    y_0 = torch.einsum("bim,ij->bjm", x_0, linear.weights["0"]) + linear.bias[None, :, None]
    y_1 = torch.einsum("bim,ij->bjm", x_1, linear.weights["1"])
    expected = flat({0: y_0, 1: y_1, 3: torch.zeros(4, 2, 7, dtype=torch.float64)})
    torch.testing.assert_close(linear(x), expected, rtol=0, atol=1e-14)


def test_linear_starts_xavier_uniform():
    linear = Linear("30x0e+50x1e", "40x0e+20x1e", bias=True)
    for degree, (fan_in, fan_out) in {"0": (30, 40), "1": (50, 20)}.items():
        bound = (6 / (fan_in + fan_out)) ** 0.5
        weight = linear.weights[degree]
        assert weight.shape == (fan_in, fan_out)
        assert 0.95 * bound < weight.abs().max() <= bound
        assert abs(weight.var().item() - bound**2 / 3) < 0.1 * bound**2 / 3
    assert not linear.bias.any()


def test_batch_norm_in_evaluation():
    norm = randomized(BatchNorm(UNEVEN))
    x = random_features(UNEVEN)
    parts = pieces(x, UNEVEN)
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    expected = {
        0: (parts[0] - norm.running_mean[:, None]) * scale[:3, None] + norm.bias[:, None],
        1: parts[1] * scale[3:4, None],
        2: parts[2] * scale[4:, None],
    }
    torch.testing.assert_close(norm(x), flat(expected), rtol=0, atol=1e-13)


def test_batch_norm_in_training():
    norm = BatchNorm(UNEVEN).double()
    x = random_features(UNEVEN, batch=50) + 2
    parts = pieces(x, UNEVEN)
    mean = parts[0].mean(0)
    variances = {0: ((parts[0] - mean) ** 2).mean((0, 2))}
    variances |= {degree: (parts[degree] ** 2).mean((0, 2)) for degree in (1, 2)}
    expected = {0: (parts[0] - mean) / (variances[0][:, None] + 1e-5).sqrt()}
    expected |= {degree: parts[degree] / (variances[degree][:, None] + 1e-5).sqrt() for degree in (1, 2)}
    torch.testing.assert_close(norm(x), flat(expected), rtol=0, atol=1e-12)
    variance = torch.cat([variances[degree] for degree in (0, 1, 2)])
    torch.testing.assert_close(norm.running_mean, 0.1 * mean[:, 0])
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * variance)


def test_signal_norm():
    norm = randomized(SignalNorm(UNEVEN))
    x = random_features(UNEVEN)
    parts = pieces(x, UNEVEN)
    power = sum((part**2).mean(2).sum(1) for part in parts.values())
    scale = 1 / (power + 1e-8).sqrt()[:, None, None]
    expected = {degree: parts[degree] * scale * norm.weight[degree] for degree in (0, 1, 2)}
    expected[0] = expected[0] + norm.bias
    torch.testing.assert_close(norm(x), flat(expected), rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", ["efficient", "full"])
@pytest.mark.parametrize("channels", ["elementwise", "full"])
@pytest.mark.parametrize("out", ["3x0e+1x1e", "1x0e+4x1e+2x2e+2x3e+2x4e+2x5e+1x6e"])
def test_block(rule, channels, out):
    block = randomized(Block(EVEN, out, connectivity=rule, channels=channels))
    x = random_features(EVEN)
    parts = pieces(x, EVEN)
    norm = block.batch_norm
    scale = (norm.weight / (norm.running_var + 1e-5).sqrt()).reshape(4, 2, 1)
    normalized = {degree: part * scale[degree] for degree, part in parts.items()}
    normalized[0] = (parts[0] - norm.running_mean[:, None]) * scale[0] + norm.bias[:, None]
    lmax = o3.Irreps(out).lmax
    squared = plain_square(normalized, lmax, rule, channels)
    power = sum((part**2).mean(2).sum(1) for part in squared.values())
    expected = {}
    for term in o3.Irreps(out):
        degree = term.ir.l
        part = squared[degree] / (power + 1e-8).sqrt()[:, None, None] * block.signal_norm.weight[degree]
        part = part + block.signal_norm.bias if degree == 0 else part
        part = torch.einsum("bim,ij->bjm", part, block.linear.weights[str(degree)])
        if degree in parts:
            kept = min(term.mul, 2)
            part[:, :kept] += parts[degree][:, :kept]
        expected[degree] = part
    torch.testing.assert_close(block(x), flat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear("4x1o", "4x0e"), "irreps_in: 4x1o has odd parity"),
        (lambda: Linear("4x0e", "2x1e+4x0e"), r"irreps_out: the degrees of '2x1e\+4x0e' are \(1, 0\)"),
        (lambda: Linear("4x0e+2x0e", "4x0e"), r"the degrees of '4x0e\+2x0e' are \(0, 0\)"),
        (lambda: Linear("4x0", "4x0e"), "irreps_in: '4x0' cannot be read"),
        (lambda: Linear("", "4x0e"), "irreps_in: there are none"),
        (lambda: Linear("0x0e+1x1e", "4x0e"), "0x0e has multiplicity 0"),
        (lambda: Linear("4x1e", "4x1e", bias=True), "irreps_out 4x1e has no degree 0 to have a bias"),
        (lambda: TensorSquare("4x0e+2x1e"), r"has multiplicities \(4, 2\)"),
        (lambda: TensorSquare("4x0e+4x2e"), r"has degrees \(0, 2\); it must have every degree from 0 to 2"),
        (lambda: TensorSquare("4x0e+4x1e", lmax=3), "twice lmax_in, 2"),
        (lambda: Block("4x0e+4x1e", "4x0e+4x1e+4x2e+4x3e"), "has degree 3; it must be at most .* 2"),
        (lambda: Block("4x0e+4x1e", "4x1e"), r"irreps_out 4x1e has degrees \(1,\)"),
    ],
)
def test_irreps_that_cannot_be_used_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "layer",
    [Linear(EVEN, UNEVEN), BatchNorm(EVEN), SignalNorm(EVEN), TensorSquare(EVEN), Block(EVEN, UNEVEN)],
)
def test_features_of_another_shape_are_refused(layer):
    with pytest.raises(ValueError, match=r"features has shape \[3, 31\]; it must be \[batch, 32\]"):
        layer(torch.zeros(3, 31))


@pytest.mark.parametrize("shape", [(32,), (2, 3, 32)])
def test_features_of_other_dimensions_are_refused(shape):
    # Asked of the check itself: jaxtyping, on in tests only, would answer before a layer can.
    with pytest.raises(ValueError, match=r"it must be \[batch, 32\]"):
        check_features(torch.zeros(shape), o3.Irreps(EVEN))
