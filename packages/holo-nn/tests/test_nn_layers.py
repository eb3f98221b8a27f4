"""Every layer passes the tests that the library ships for everyone's layers."""

import pytest
import torch
from torch import nn

import holo_nn
from holo_nn.testing import LayerTests

IRREPS = "3x0e+3x1e+3x2e+3x3e"
UNEVEN = "4x0e+1x1e+2x2e"


class TestLinear(LayerTests):
    def make(self):
        return holo_nn.Linear(IRREPS, "2x0e+5x1e+1x3e"), IRREPS, "2x0e+5x1e+1x3e"


class TestLinearWithBias(LayerTests):
    def make(self):
        return holo_nn.Linear("3x0e+2x2e", "2x0e+2x1e+1x2e", bias=True), "3x0e+2x2e", "2x0e+2x1e+1x2e"


class TestBatchNorm(LayerTests):
    def make(self):
        return holo_nn.BatchNorm(UNEVEN), UNEVEN, UNEVEN


class TestBatchNormWithoutScalars(LayerTests):
    def make(self):
        return holo_nn.BatchNorm("2x1e+3x2e"), "2x1e+3x2e", "2x1e+3x2e"


class TestBatchNormNotAffine(LayerTests):
    has_parameters = False

    def make(self):
        return holo_nn.BatchNorm(UNEVEN, affine=None), UNEVEN, UNEVEN


class TestSignalNorm(LayerTests):
    def make(self):
        return holo_nn.SignalNorm(UNEVEN), UNEVEN, UNEVEN


class TestSignalNormWithoutScalars(LayerTests):
    def make(self):
        return holo_nn.SignalNorm("2x1e+3x2e"), "2x1e+3x2e", "2x1e+3x2e"


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


class Frames(nn.Module):
    """A frame from two vectors, as a network ends in it."""

    def forward(self, vectors):
        return holo_nn.orthonormal_frame(vectors[:, :3], vectors[:, 3:]).axes


class TestFrame(LayerTests):
    has_parameters = False

    def make(self):
        return Frames(), "2x1e", "3x1e"


class Broken(nn.Module):
    """A layer with a flaw: a bias on a vector, a dead weight, or state that is not saved."""

    def __init__(self, flaw):
        super().__init__()
        self.flaw = flaw
        self.weight = nn.Parameter(torch.ones(2))
        self.offset = torch.rand(1, dtype=torch.float64)

    def forward(self, x):
        if self.flaw == "bias":
            return x * self.weight[0] + self.weight[1]
        if self.flaw == "dead":
            return x * self.weight[0]
        if self.flaw == "state":
            return x * self.weight.sum() * self.offset.to(x)
        if self.flaw == "zero":
            return x * self.weight.sum() / x.norm(dim=1, keepdim=True)
        if self.flaw == "batch":
            return x * self.weight.sum() * x[:1].norm()
        raise ValueError(self.flaw)


@pytest.mark.parametrize(
    ("flaw", "test"),
    [
        ("bias", LayerTests.test_equivariance_float32),
        ("bias", LayerTests.test_equivariance_float64),
        ("dead", LayerTests.test_every_parameter_learns),
        ("state", LayerTests.test_state_round_trip),
        ("zero", LayerTests.test_zero_input),
        ("batch", LayerTests.test_samples_keep_their_order),
    ],
)
def test_the_tests_find_a_flaw(flaw, test):
    class BrokenTests(LayerTests):
        def make(self):
            return Broken(flaw), "2x1e", "2x1e"

    with pytest.raises(AssertionError):
        test(BrokenTests())
