"""The numbers of the layers agree with plain evaluations written here."""

import numpy as np
import pytest
import torch
from e3nn import nn, o3

from holo_nn import (
    BatchNorm,
    Block,
    Blocks,
    InstanceNorm,
    LayerNorm,
    Linear,
    NormGate,
    SignalNorm,
    TensorProduct,
    TensorSquare,
    connectivity,
)
from holo_nn.so3.irreps import check_features

GENERATOR = torch.Generator().manual_seed(0)


def pieces(features, irreps):
    """Return one tensor [batch, channels, m] for each degree, by plain slices."""
    irreps = o3.Irreps(irreps)
    return {
        term.ir.l: features[:, where].reshape(-1, term.mul, term.ir.dim)
        for term, where in zip(irreps, irreps.slices(), strict=True)
    }


def flat(parts):
    return torch.cat([parts[degree].flatten(1) for degree in sorted(parts)], dim=1)


def plain_square(x, lmax_out, rule, channels):
    """Compute path by path and channel by channel: the rows of each degree in the order of the paths."""
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
    """Convert to float64 and evaluation, with every parameter and statistic away from its initial value."""
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


@pytest.mark.parametrize("normalization", ["component", "norm"])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_e3nn(normalization, training):
    ours = randomized(BatchNorm(UNEVEN, normalization=normalization))
    theirs = nn.BatchNorm(o3.Irreps(UNEVEN), normalization=normalization).double()
    theirs.load_state_dict({name: getattr(ours, name).data for name in theirs.state_dict()})
    x = random_features(UNEVEN, batch=20)
    torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=0, atol=1e-13)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-13)


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_instance_norm_is_that_of_e3nn_above_scalars(normalization):
    ours = randomized(InstanceNorm("3x1e+2x2e", normalization=normalization))
    theirs = nn.BatchNorm(o3.Irreps("3x1e+2x2e"), instance=True, normalization=normalization).double()
    theirs.load_state_dict({"weight": ours.weight.data, "bias": torch.zeros(0)})
    x = random_features("3x1e+2x2e")
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-13)


def test_instance_norm_keeps_the_sign_of_a_scalar():
    x = torch.tensor([[3.0, -0.002]], dtype=torch.float64)
    expected = x / (x**2 + 1e-5).sqrt()
    torch.testing.assert_close(InstanceNorm("2x0e", affine=None)(x), expected, rtol=0, atol=1e-15)


def test_layer_norm_of_scalars_is_that_of_torch():
    ours, theirs = randomized(LayerNorm("6x0e")), torch.nn.LayerNorm(6).double()
    theirs.load_state_dict(ours.state_dict())
    x = random_features("6x0e") + 3
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("normalization", ["component", "norm"])
def test_layer_norm(normalization):
    norm = randomized(LayerNorm(UNEVEN, normalization=normalization))
    x = random_features(UNEVEN)
    parts = pieces(x, UNEVEN)
    parts[0] = parts[0] - parts[0].mean(1, keepdim=True)
    weights = dict(zip((0, 1, 2), norm.weight.split([3, 1, 2]), strict=True))
    for degree, part in parts.items():
        power = (part**2).sum(2) / (2 * degree + 1 if normalization == "component" else 1)
        parts[degree] = part / (power.mean(1) + 1e-5).sqrt()[:, None, None] * weights[degree][:, None]
    parts[0] = parts[0] + norm.bias[:, None]
    torch.testing.assert_close(norm(x), flat(parts), rtol=0, atol=1e-13)


@pytest.mark.parametrize("layer", [BatchNorm, InstanceNorm, LayerNorm, SignalNorm])
def test_what_a_norm_learns(layer):
    plain = layer(UNEVEN, affine=None).double()
    per_degree = randomized(layer(UNEVEN, affine="degree"))
    per_channel = randomized(layer(UNEVEN, affine="channel"))
    shapes = [[each.shape for each in norm.parameters()] for norm in (plain, per_degree, per_channel)]
    assert shapes == [[], [(3,), (1,)], [(6,), (3,)]]
    x = random_features(UNEVEN)
    parts = pieces(plain.train()(x), UNEVEN)
    for norm, weights, bias in (
        (per_degree, per_degree.weight[[0, 0, 0, 1, 2, 2]], per_degree.bias.expand(3)),
        (per_channel, per_channel.weight, per_channel.bias),
    ):
        expected = {
            degree: parts[degree] * weight[:, None] for degree, weight in enumerate(weights.split([3, 1, 2]))
        }
        expected[0] = expected[0] + bias[:, None]
        torch.testing.assert_close(norm.train()(x), flat(expected), rtol=0, atol=1e-13)


def test_signal_norm_by_norm():
    norm = SignalNorm(UNEVEN, normalization="norm", affine=None).double()
    x = random_features(UNEVEN)
    expected = x / (x.norm(dim=1, keepdim=True) ** 2 + 1e-8).sqrt()
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-14)


def test_norm_gate():
    gate = randomized(NormGate(UNEVEN))
    x = random_features(UNEVEN)
    expected = {}
    for (degree, part), weight, bias in zip(
        pieces(x, UNEVEN).items(), gate.weight.split([3, 1, 2]), gate.bias.split([3, 1, 2]), strict=True
    ):
        size = part if degree == 0 else ((part**2).mean(2, keepdim=True)).sqrt()
        expected[degree] = part / (1 + torch.exp(-(weight[:, None] * size + bias[:, None])))
    torch.testing.assert_close(gate(x), flat(expected), rtol=0, atol=1e-11)


def test_norm_gate_is_swish_on_scalars():
    x = random_features("5x0e")
    torch.testing.assert_close(NormGate("5x0e").double()(x), torch.nn.functional.silu(x), rtol=0, atol=1e-14)


@pytest.fixture
def float64_by_default():
    """Make e3nn's product have float64 coefficients, which are float32 by default."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("rule", ["efficient", "full"])
@pytest.mark.parametrize(
    ("irreps", "lmax", "channels"),
    [
        ((EVEN, EVEN), 3, "elementwise"),
        ((EVEN, "2x0e+2x1e"), 4, "elementwise"),
        (("2x1e", "2x1e+2x3e"), 4, "elementwise"),
        ((UNEVEN, "1x1e+2x2e"), 2, "full"),
        (("2x0e", "1x2e"), None, "full"),
    ],
)
def test_tensor_product_is_that_of_e3nn(float64_by_default, irreps, lmax, channels, rule):
    """Return each path as an instruction of e3nn's TensorProduct, which lists their results in order."""
    product = TensorProduct(*irreps, lmax, connectivity=rule, channels=channels).double()
    first, second = product.irreps_in1, product.irreps_in2
    place1, place2 = ({term.ir.l: i for i, term in enumerate(each)} for each in (first, second))
    out, instructions = [], []
    for number, (l1, l2, l3) in enumerate(product.paths):
        count = first[place1[l1]].mul * (second[place2[l2]].mul if channels == "full" else 1)
        out.append((count, (l3, 1)))
        mode = "uvuv" if channels == "full" else "uuu"
        instructions.append((place1[l1], place2[l2], number, mode, False))
    theirs = o3.TensorProduct(
        first, second, o3.Irreps(out), instructions, irrep_normalization="none", path_normalization="none"
    )
    x, y = random_features(first), random_features(second)
    torch.testing.assert_close(product(x, y), theirs(x, y), rtol=0, atol=1e-12)
    assert product.irreps_out == o3.Irreps(out).simplify()


def test_no_path_of_a_product_is_zero():
    product = TensorProduct(EVEN, EVEN, 6, connectivity="full").double()
    outputs = product(random_features(EVEN), random_features(EVEN))
    sizes = [2 * (2 * l3 + 1) for _, _, l3 in product.paths]
    assert min(part.abs().max() for part in outputs.split(sizes, dim=1)) > 1e-3
    assert len(product.paths) == sum(
        1 for l1 in range(4) for l2 in range(4) for l3 in range(7) if abs(l1 - l2) <= l3 <= l1 + l2
    )


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


@pytest.mark.parametrize("norm", ["layer", "instance", None])
def test_the_norm_of_a_block(norm):
    block = randomized(Block(EVEN, "3x0e+1x1e+4x2e", norm=norm, batch_norm=False, skip=False))
    assert not hasattr(block, "signal_norm")
    x = random_features(EVEN)
    squared = plain_square(pieces(x, EVEN), 2, "efficient", "elementwise")
    expected, start = {}, 0
    for degree, products in sorted(squared.items()):
        part = products - products.mean(1, keepdim=True) if norm == "layer" and degree == 0 else products
        power = (part**2).mean(2, keepdim=True)
        power = power.mean(1, keepdim=True) if norm == "layer" else power
        if norm is not None:
            module = getattr(block, f"{norm}_norm")
            weight = module.weight[start : start + part.shape[1], None]
            bias = module.bias[:, None] if degree == 0 else 0
            normalized = part / (power + 1e-5).sqrt() * weight + bias
        else:
            normalized = part
        start += products.shape[1]
        expected[degree] = torch.einsum("bim,ij->bjm", normalized, block.linear.weights[str(degree)])
    torch.testing.assert_close(block(x), flat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["layer", "instance"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_norm_makes_no_direction_of_rounding_errors(norm, dtype):
    block = Block("4x0e+4x1e+4x2e", "4x0e+4x1e+4x2e", norm=norm, batch_norm=False, skip=False).to(dtype)
    x = torch.zeros(1, 36, dtype=dtype)
    x[:, :4] = torch.arange(1, 5)
    x[:, 4:] = 8 * torch.finfo(dtype).eps * random_features("4x1e+4x2e")[:1]
    assert not block(x)[:, 4:].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Block("1x0e", "4x0e", norm="layer"), "LayerNorm: irreps 1x0e have one scalar channel"),
        (lambda: TensorSquare("2x1e+4x0e"), r"irreps_in: the degrees of '2x1e\+4x0e' are \(1, 0\)"),
        (lambda: TensorProduct("4x0e", "4x0e+2x0o"), r"the degrees of '4x0e\+2x0o' are \(0, 0\)"),
        (lambda: Linear("4x0", "4x0e"), "irreps_in: '4x0' cannot be read"),
        (
            lambda: Block("4x0e+4x1o", "4x0e"),
            r"irreps_in 4x0e\+4x1o has odd parity; a block is equivariant under",
        ),
        (lambda: Block("", "4x0e"), "irreps_in: there are none"),
        (lambda: TensorSquare("0x0e+1x1e"), "0x0e has multiplicity 0"),
        (lambda: Linear("4x0e", "4x0e", initialization="kaiming"), "kaiming"),
        (lambda: Linear("4x1e", "4x1e", bias=True), "irreps_out 4x1e has no 0e to have a bias"),
        (lambda: TensorSquare("4x0e+2x1e"), r"has multiplicities \(4, 2\)"),
        (lambda: TensorSquare("4x0e+4x2e"), r"has degrees \(0, 2\); it must have every degree from 0 to 2"),
        (lambda: TensorSquare("4x0e+4x1e", lmax=3), "twice lmax_in, 2"),
        (lambda: TensorProduct("4x0e+2x1e", "4x0e"), r"have multiplicities \(4, 2, 4\)"),
        (lambda: TensorProduct("4x1e", "4x2e", lmax=4), "cannot reach 0..4; lmax_out must be from 0 to 3"),
        (lambda: LayerNorm("1x0e+4x1e"), "have one scalar channel"),
        (lambda: Block("4x0e+4x1e", "4x0e+4x1e+4x2e+4x3e"), "has degree 3; it must be at most .* 2"),
        (lambda: Block("4x0e+4x1e", "4x1e"), r"irreps_out 4x1e has degrees \(1,\)"),
    ],
)
def test_irreps_that_cannot_be_used_are_refused(make, message):
    # By the layer, or by jaxtyping where it is on, as in the project's own tests.
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "option"),
    [
        (TensorProduct, {"irreps_in2": "4x1e", "channels": "all"}),
        (TensorProduct, {"irreps_in2": "4x1e", "connectivity": "some"}),
        (TensorSquare, {"channels": "all"}),
        (TensorSquare, {"connectivity": "some"}),
        (LayerNorm, {"normalization": "rms"}),
        (SignalNorm, {"affine": "scalar"}),
    ],
)
def test_unknown_options_are_refused(layer, option):
    *_, (name, value) = option.items()
    # By the layer, or by jaxtyping where it is on, as in the project's own tests.
    with pytest.raises((ValueError, TypeError), match=f"({name}|rule)(?s:.*){value}"):
        layer("4x0e+4x1e", **option)


@pytest.mark.parametrize(
    "layer",
    [
        Linear(EVEN, UNEVEN),
        BatchNorm(EVEN),
        SignalNorm(EVEN),
        InstanceNorm(EVEN),
        LayerNorm(EVEN),
        NormGate(EVEN),
        TensorSquare(EVEN),
        Block(EVEN, UNEVEN),
    ],
)
def test_features_of_another_shape_are_refused(layer):
    with pytest.raises(ValueError, match=r"features has shape \[3, 31\]; it must be \[..., 32\]"):
        layer(torch.zeros(3, 31))


def test_features_of_a_product_that_do_not_fit_are_refused():
    product = TensorProduct("4x1e", "4x0e")
    with pytest.raises(ValueError, match=r"second has shape \[3, 5\]; it must be \[..., 4\]"):
        product(torch.zeros(3, 12), torch.zeros(3, 5))
    with pytest.raises((ValueError, TypeError), match="second"):  # jaxtyping's, where it is on
        product(torch.zeros(3, 12), torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (torch.zeros(()), ValueError, r"has shape \[\]; it must be \[..., 32\]"),
        (
            torch.zeros(2, 32, dtype=torch.int64),
            ValueError,
            "has dtype torch.int64; it must be a floating-point",
        ),
        (
            np.zeros((2, 32)),
            TypeError,
            "is a numpy.ndarray; it must be a torch.Tensor, such as torch.as_tensor",
        ),
    ],
)
def test_what_are_no_features_is_refused(features, error, message):
    # Asked of the check itself: jaxtyping, on in tests only, would answer before a layer can.
    with pytest.raises(error, match=message):
        check_features(features, o3.Irreps(EVEN))


@pytest.mark.parametrize(
    "layer",
    [
        Linear(EVEN, UNEVEN),
        BatchNorm(EVEN),
        BatchNorm(EVEN, affine=None),
        SignalNorm(EVEN),
        LayerNorm(EVEN),
        NormGate(EVEN),
        Block(EVEN, UNEVEN),
        Blocks(Block(EVEN, UNEVEN)),
    ],
)
def test_another_precision_than_the_module_has_is_refused_by_a_word_on_both(layer):
    message = r"has dtype torch.float64 and the module torch.float32; they must be the same: call module.to"
    with pytest.raises(ValueError, match=message):
        layer(torch.zeros(3, 32, dtype=torch.float64))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(3, 32, dtype=torch.bfloat16)).isfinite().all()


def test_what_fan_in_keeps():
    x = torch.randn(500, 9, generator=torch.Generator().manual_seed(1))
    for channels in (1, 8):
        torch.manual_seed(0)
        variances = [
            Linear("9x0e", f"{channels}x0e", initialization="fan_in")(x).var().item() for _ in range(400)
        ]
        assert abs(sum(variances) / 400 - 1) < 0.15
