"""Every layer passes the tests that the library ships for any layer."""

import copy
import pickle
from contextlib import nullcontext

import pytest
import torch
from e3nn import o3
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel

import holo_nn
from holo_nn.kernels import plan, threads
from holo_nn.kernels.dispatch import pure_form
from holo_nn.so3 import wigner
from holo_nn.testing import LayerTests, random_rotations

IRREPS = "3x0e+3x1e+3x2e+3x3e"
UNEVEN = "4x0e+1x1e+2x2e"
# As e3nn has them: both parities, in any order, with repeats and a multiplicity of zero.
MIXED = "2x1o+1x0e+3x1e+0x3e+2x0o+1x1o+2x2o+2x0e+1x2e"


class TestLinear(LayerTests):
    def make(self):
        return holo_nn.Linear(IRREPS, "2x0e+5x1e+1x3e"), IRREPS, "2x0e+5x1e+1x3e"


class TestLinearWithBias(LayerTests):
    def make(self):
        return holo_nn.Linear("3x0e+2x2e", "2x0e+2x1e+1x2e", bias=True), "3x0e+2x2e", "2x0e+2x1e+1x2e"


class TestLinearFanIn(LayerTests):
    def make(self):
        return (
            holo_nn.Linear(MIXED, "2x1o+2x0e+1x1e+1x1o", initialization="fan_in"),
            MIXED,
            "2x1o+2x0e+1x1e+1x1o",
        )


class TestLinearOfMixedIrreps(LayerTests):
    def make(self):
        irreps_out = "2x0o+1x1o+2x0e+3x2e+0x4e+2x1o+1x0e"
        return holo_nn.Linear(MIXED, irreps_out, bias=True), MIXED, irreps_out


class TestBatchNormOfMixedIrreps(LayerTests):
    def make(self):
        return holo_nn.BatchNorm(MIXED), MIXED, MIXED


class TestBatchNormOfMixedIrrepsPerDegree(LayerTests):
    def make(self):
        return holo_nn.BatchNorm(MIXED, affine="degree"), MIXED, MIXED


class TestInstanceNormOfMixedIrreps(LayerTests):
    def make(self):
        return holo_nn.InstanceNorm(MIXED), MIXED, MIXED


class TestLayerNormOfMixedIrreps(LayerTests):
    def make(self):
        return holo_nn.LayerNorm(MIXED), MIXED, MIXED


class TestSignalNormOfMixedIrreps(LayerTests):
    def make(self):
        return holo_nn.SignalNorm(MIXED), MIXED, MIXED


class TestNormGateOfMixedIrreps(LayerTests):
    def make(self):
        return holo_nn.NormGate(MIXED), MIXED, MIXED


class TestBatchNorm(LayerTests):
    def make(self):
        return holo_nn.BatchNorm(UNEVEN), UNEVEN, UNEVEN


class TestBatchNormWithoutScalars(LayerTests):
    def make(self):
        return holo_nn.BatchNorm("2x1e+3x2e", normalization="norm"), "2x1e+3x2e", "2x1e+3x2e"


class TestBatchNormPerDegree(LayerTests):
    def make(self):
        return holo_nn.BatchNorm(UNEVEN, affine="degree"), UNEVEN, UNEVEN


class TestBatchNormNotAffine(LayerTests):
    has_parameters = False

    def make(self):
        return holo_nn.BatchNorm(UNEVEN, affine=None), UNEVEN, UNEVEN


class TestSignalNorm(LayerTests):
    def make(self):
        return holo_nn.SignalNorm(UNEVEN), UNEVEN, UNEVEN


class TestSignalNormWithoutScalars(LayerTests):
    def make(self):
        return holo_nn.SignalNorm("2x1e+3x2e", normalization="norm"), "2x1e+3x2e", "2x1e+3x2e"


class TestSignalNormPerChannel(LayerTests):
    def make(self):
        return holo_nn.SignalNorm(UNEVEN, affine="channel"), UNEVEN, UNEVEN


class TestSignalNormNotAffine(LayerTests):
    has_parameters = False

    def make(self):
        return holo_nn.SignalNorm(UNEVEN, affine=None), UNEVEN, UNEVEN


class TestLayerNorm(LayerTests):
    def make(self):
        return holo_nn.LayerNorm(UNEVEN), UNEVEN, UNEVEN


class TestLayerNormWithoutScalars(LayerTests):
    def make(self):
        return holo_nn.LayerNorm("2x1e+3x2e", normalization="norm"), "2x1e+3x2e", "2x1e+3x2e"


class TestLayerNormPerDegree(LayerTests):
    def make(self):
        return holo_nn.LayerNorm(UNEVEN, affine="degree"), UNEVEN, UNEVEN


class TestInstanceNorm(LayerTests):
    def make(self):
        return holo_nn.InstanceNorm(UNEVEN), UNEVEN, UNEVEN


class TestInstanceNormPerDegree(LayerTests):
    def make(self):
        return holo_nn.InstanceNorm(UNEVEN, normalization="norm", affine="degree"), UNEVEN, UNEVEN


class TestInstanceNormNotAffine(LayerTests):
    has_parameters = False

    def make(self):
        return holo_nn.InstanceNorm("2x1e+3x2e", affine=None), "2x1e+3x2e", "2x1e+3x2e"


class TestNormGate(LayerTests):
    def make(self):
        return holo_nn.NormGate(UNEVEN), UNEVEN, UNEVEN


class TestTensorSquare(LayerTests):
    has_parameters = False

    def make(self):
        square = holo_nn.TensorSquare(IRREPS, lmax=6)
        return square, square.irreps_in, square.irreps_out


class TestTensorSquareFullConnectivity(LayerTests):
    has_parameters = False

    def make(self):
        square = holo_nn.TensorSquare(IRREPS, lmax=2, connectivity="full")
        return square, square.irreps_in, square.irreps_out


class TestTensorSquareFullChannels(LayerTests):
    has_parameters = False

    def make(self):
        square = holo_nn.TensorSquare(UNEVEN, lmax=3, channels="full")
        return square, square.irreps_in, square.irreps_out


class TestTensorProduct(LayerTests):
    has_parameters = False

    def make(self):
        product = holo_nn.TensorProduct(IRREPS, "3x0e+3x1e+3x2e", lmax=5)
        return product, (product.irreps_in1, product.irreps_in2), product.irreps_out


class TestTensorProductFullConnectivity(LayerTests):
    has_parameters = False

    def make(self):
        product = holo_nn.TensorProduct("2x1e+2x3e", "2x0e+2x1e", connectivity="full")
        return product, (product.irreps_in1, product.irreps_in2), product.irreps_out


class TestTensorProductFullChannels(LayerTests):
    has_parameters = False

    def make(self):
        product = holo_nn.TensorProduct(UNEVEN, "1x1e+3x2e", channels="full")
        return product, (product.irreps_in1, product.irreps_in2), product.irreps_out


class TestTensorProductOfParities(LayerTests):
    has_parameters = False

    def make(self):
        product = holo_nn.TensorProduct("3x0o+3x1o+3x2e", "3x0e+3x1o+3x2o", connectivity="full")
        return product, (product.irreps_in1, product.irreps_in2), product.irreps_out


class TestTensorSquareOfParities(LayerTests):
    has_parameters = False

    def make(self):
        square = holo_nn.TensorSquare("3x0e+3x1o+3x2e+3x3o", lmax=4)
        return square, square.irreps_in, square.irreps_out


class TestTensorSquareOfParitiesFullChannels(LayerTests):
    has_parameters = False

    def make(self):
        square = holo_nn.TensorSquare("2x0o+1x1o+2x2e", lmax=3, channels="full")
        return square, square.irreps_in, square.irreps_out


class TestBlocks(LayerTests):
    def make(self):
        blocks = holo_nn.Blocks(
            holo_nn.Block(IRREPS, "2x0e+2x1e+2x2e"), holo_nn.Block("2x0e+2x1e+2x2e", UNEVEN)
        )
        return blocks, blocks.irreps_in, blocks.irreps_out


class TestBlock(LayerTests):
    def make(self):
        return holo_nn.Block(IRREPS, "5x0e+2x1e+3x2e+1x3e+4x4e"), IRREPS, "5x0e+2x1e+3x2e+1x3e+4x4e"


class TestBlockWithFullRules(LayerTests):
    def make(self):
        block = holo_nn.Block(UNEVEN, "3x0e+3x1e", connectivity="full", channels="full")
        return block, UNEVEN, "3x0e+3x1e"


class TestBlockWithoutNormAndSkip(LayerTests):
    def make(self):
        return holo_nn.Block(IRREPS, IRREPS, batch_norm=False, skip=False), IRREPS, IRREPS


class TestBlockWithLayerNorm(LayerTests):
    def make(self):
        return holo_nn.Block(IRREPS, UNEVEN, norm="layer"), IRREPS, UNEVEN


class TestBlockWithInstanceNorm(LayerTests):
    def make(self):
        return holo_nn.Block(IRREPS, UNEVEN, norm="instance"), IRREPS, UNEVEN


class TestBlockWithoutNorm(LayerTests):
    def make(self):
        return holo_nn.Block(IRREPS, UNEVEN, norm=None), IRREPS, UNEVEN


class Frames(nn.Module):
    """A frame from two vectors, as at the end of a network."""

    def forward(self, vectors):
        return holo_nn.orthonormal_frame(vectors[..., :3], vectors[..., 3:]).axes


class TestFrame(LayerTests):
    has_parameters = False

    def make(self):
        return Frames(), "2x1e", "3x1e"


class Rotated(nn.Module):
    """Invariants used as coefficients in a frame, and rotated out of it, as a decoder may do."""

    def forward(self, coefficients, vectors):
        axes = holo_nn.orthonormal_frame(vectors[..., :3], vectors[..., 3:]).axes
        return holo_nn.rotate(coefficients, IRREPS, axes.mT)


class TestRotate(LayerTests):
    has_parameters = False

    def make(self):
        return Rotated(), (f"{o3.Irreps(IRREPS).dim}x0e", "2x1e"), IRREPS

    def test_zero_input(self):
        with pytest.raises(ValueError, match="R Rᵀ differs from the identity"):
            super().test_zero_input()


class Matrices(nn.Module):
    """The D matrices of the frames of two vectors."""

    def forward(self, vectors):
        axes = holo_nn.orthonormal_frame(vectors[..., :3], vectors[..., 3:]).axes
        # D(R' R) = D(R') D(R): each column turns. Columns as channels.
        return holo_nn.wigner_D(4, axes.mT).mT.flatten(-2)


class TestWignerD(LayerTests):
    has_parameters = False

    def make(self):
        return Matrices(), "2x1e", "9x4e"

    def test_zero_input(self):
        with pytest.raises(ValueError, match="R Rᵀ differs from the identity"):
            super().test_zero_input()


class Loss(nn.Module):
    """A loss between two features, as at the end of a training step."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, x, y):
        loss = self.loss(x, y, UNEVEN)
        return loss if loss.ndim == x.ndim else loss[..., None]


class TestCosineLoss(LayerTests):
    has_parameters = False

    def make(self):
        return Loss(holo_nn.cosine_loss), (UNEVEN, UNEVEN), "1x0e"


class TestCosineLossPerDegree(LayerTests):
    has_parameters = False

    def make(self):
        return Loss(holo_nn.cosine_loss_per_degree), (UNEVEN, UNEVEN), "3x0e"


class Broken(nn.Module):
    """A layer with a flaw, which `FLAWS` describes."""

    def __init__(self, flaw):
        super().__init__()
        self.flaw = flaw
        self.weight = nn.Parameter(torch.ones(2))
        self.offset = torch.rand(1, dtype=torch.float64)

    def forward(self, x):
        return FLAWS[self.flaw](x, self.weight, self.offset)


FLAWS = {
    "a bias on a vector": lambda x, w, _: x * w[0] + w[1],
    "a dead weight": lambda x, w, _: x * w[0],
    "state that is not saved": lambda x, w, offset: x * w.sum() * offset.to(x),
    "nan at zero": lambda x, w, _: x * w.sum() / x.norm(dim=1, keepdim=True),
    "one sample in all": lambda x, w, _: x * w.sum() * x[:1].norm(),
    "a tensor that does not move": lambda x, w, offset: x * w.sum() * offset.to(x.dtype),
    "cancellation": lambda x, w, _: (x * w.sum() + 1e3) @ torch.eye(6).to(x) - 1e3,
    "the mean of no samples": lambda x, w, _: x * (w.sum() / (1 + x.square().mean())),
    "a parity forgotten": lambda x, w, _: (
        torch.cat([torch.linalg.cross(x[..., :3], x[..., 3:]), x[..., 3:]], dim=-1) * w.sum()
    ),
    "an index by samples": lambda x, w, _: x * w.sum() / torch.tensor(float(x[:1].norm() >= 0)),
    "one dimension of samples": lambda x, w, _: torch.cat([x[:, :3], x[:, 3:]], dim=1) * w.sum(),
    "a gradient that ends": lambda x, w, _: x * w.sum() * x.detach().norm(),
    "a tensor on the default device": lambda x, w, _: x * w.sum() * torch.ones(1),
}


@pytest.mark.parametrize(
    ("flaw", "test"),
    [
        ("a bias on a vector", LayerTests.test_equivariance_float32),
        ("a bias on a vector", LayerTests.test_equivariance_float64),
        ("a dead weight", LayerTests.test_every_parameter_learns),
        ("state that is not saved", LayerTests.test_state_round_trip),
        ("nan at zero", LayerTests.test_zero_input),
        ("one sample in all", LayerTests.test_samples_keep_their_order),
        ("a tensor that does not move", LayerTests.test_devices),
        ("cancellation", LayerTests.test_autocast),
        ("the mean of no samples", LayerTests.test_empty_batch),
        ("a tensor on the default device", LayerTests.test_defaults),
        ("a parity forgotten", LayerTests.test_equivariance_float64),
        ("an index by samples", LayerTests.test_transforms_of_samples),
        ("one dimension of samples", LayerTests.test_dimensions_of_samples),
        ("state that is not saved", LayerTests.test_made_without_memory),
        ("a gradient that ends", LayerTests.test_second_derivatives),
    ],
)
def test_the_tests_find_a_flaw(flaw, test):
    class BrokenTests(LayerTests):
        def make(self):
            return Broken(flaw), "2x1o", "2x1o"

    with pytest.raises((AssertionError, RuntimeError, IndexError)):
        test(BrokenTests())


def test_what_is_kept_of_a_first_call_under_a_default_device_serves_later_ones():
    block, x = holo_nn.Block("3x0e+3x1e", "2x0e+2x1e"), torch.randn(8, 12)
    rotations = random_rotations(8).float()
    expected = block(x), holo_nn.rotate(x, "12x0e", rotations), holo_nn.wigner_D(3, rotations)
    wigner._recursion.cache_clear()
    plan.block_plan.cache_clear()
    threads._work.clear()
    for default in (torch.device("meta"), nullcontext()):
        with default:
            found = block(x), holo_nn.rotate(x, "12x0e", rotations), holo_nn.wigner_D(3, rotations)
        assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("options", [{}, {"norm": "layer"}, {"channels": "full"}])
def test_a_block_made_without_memory_takes_a_state(options):
    block, x = holo_nn.Block("3x0e+3x1e", "2x0e+2x1e", **options).eval(), torch.randn(8, 12)
    with torch.device("meta"):
        other = holo_nn.Block("3x0e+3x1e", "2x0e+2x1e", **options).eval()
    assert {tensor.device.type for tensor in (*other.parameters(), *other.buffers())} == {"meta"}
    other.to_empty(device="cpu").load_state_dict(block.state_dict())
    assert torch.equal(other(x), block(x))
    with pure_form():
        assert torch.equal(other(x), block(x))


@pytest.mark.parametrize("prune_in", ["linear", "square"])
def test_what_pruning_leaves_follows_what_is_learned(prune_in):
    block = holo_nn.Block("3x0e+3x1e", "2x0e+2x1e").eval()
    weights, name = (block.linear.weights, "1") if prune_in == "linear" else (block.signal_norm, "weight")
    prune.random_unstructured(weights, name, amount=1)
    x = torch.randn(8, 12)
    before = block(x)
    with torch.no_grad():
        getattr(weights, f"{name}_orig").mul_(2)
    expected = copy_without_pruning(block, weights, name)
    torch.testing.assert_close(block(x), expected(x), rtol=1e-6, atol=1e-6)
    assert not torch.equal(block(x), before)


def copy_without_pruning(block, weights, name):
    plain = holo_nn.Block("3x0e+3x1e", "2x0e+2x1e").eval()
    state = block.state_dict()
    prefix = "linear.weights." if isinstance(weights, nn.ParameterDict) else "signal_norm."
    state[prefix + name] = state.pop(f"{prefix}{name}_orig") * state.pop(f"{prefix}{name}_mask")
    plain.load_state_dict(state)
    return plain


@pytest.mark.parametrize(
    "make", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_the_parametrizations_of_torch(make):
    linear = holo_nn.Linear(IRREPS, IRREPS)
    make(linear.weights, "1")
    x = torch.randn(8, 48)
    # Of spectral norms, power iterations go on in training.
    linear.eval()
    plain = holo_nn.Linear(IRREPS, IRREPS)
    with torch.no_grad():
        for key in plain.weights:
            plain.weights[key].copy_(linear.weights[key])
    torch.testing.assert_close(linear(x), plain(x))
    linear(x).square().sum().backward()
    assert all(parameter.grad.any() for parameter in linear.parameters())


def test_statistics_of_a_module_that_is_averaged_are_averaged():
    norm = holo_nn.BatchNorm(UNEVEN)
    average = AveragedModel(norm, use_buffers=True)
    means = []
    for seed in range(3):
        norm(torch.randn(8, 17, generator=torch.Generator().manual_seed(seed)))
        average.update_parameters(norm)
        means.append(norm.running_mean.clone())
    torch.testing.assert_close(average.module.running_mean, torch.stack(means).mean(0))


def test_a_first_call_in_tracing_spoils_no_later_one():
    wigner._recursion.cache_clear()
    product = holo_nn.TensorProduct(IRREPS, IRREPS).double()
    x, rotations = torch.randn(4, 48).double(), random_rotations(4)

    class Turned(nn.Module):
        def forward(self, x, rotations):
            return product(holo_nn.rotate(x, IRREPS, rotations), x)

    exported = torch.export.export(Turned(), (x, rotations), strict=False).module()
    expected = product(holo_nn.rotate(x, IRREPS, rotations), x)
    torch.testing.assert_close(exported(x, rotations), expected, rtol=1e-12, atol=1e-12)


def test_layers_are_copied_and_pickled_without_their_coefficients():
    product = holo_nn.TensorProduct(
        "8x0e+8x1e+8x2e+8x3e+8x4e", "8x0e+8x1e+8x2e+8x3e+8x4e", connectivity="full"
    )
    x, y = torch.randn(3, 200), torch.randn(3, 200)
    expected = product(x, y)
    text = pickle.dumps(product)
    assert len(text) < 40_000
    assert torch.equal(pickle.loads(text)(x, y), expected)
    assert torch.equal(copy.deepcopy(product)(x, y), expected)
