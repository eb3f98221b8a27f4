"""Modules made of e3nn's compute what these do; what cannot be made is refused."""

import pytest
import torch
from e3nn import o3

from holo_nn import linear_from_e3nn, product_from_e3nn


@pytest.fixture(autouse=True)
def float64_by_default():
    """Without it e3nn's products have coefficients of float32."""
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
