"""The library `zernike` through its C interface: sizes, addresses, and memory that it must not touch."""

import ctypes
import itertools

import numpy as np
import pytest

from holo_kernels import zernike
from holo_kernels.threads import in_parts

BITS = {np.float32: 32, np.float64: 64}


def plan_of_one_function(channels, kind):
    """l = n = 0 with the cutoff 2: the coefficient is the sum of weights within it, times 3/4."""
    tables = [np.array([0.5]), np.zeros(1), np.zeros(1), np.array([1.5], kind)]
    addresses = [table.ctypes.data for table in tables]
    return zernike.Plan(0, 0, channels, 2.0, None, *addresses, 0.0), tables


def transform(kind, points, weights, offsets):
    functions = zernike.functions(BITS[kind])
    if functions is None:
        pytest.skip("there is no library for this machine")
    channels = weights.shape[1]
    plan, tables = plan_of_one_function(channels, kind)
    assert len(tables) == 4
    size = functions.memory(plan)
    guard = 64
    working = np.full(size + 3 * guard, 0xA5, np.uint8)
    start = -working.ctypes.data % 64 + guard
    clouds = len(offsets) - 1
    coefficients = np.full(clouds * channels + 16, np.nan, kind)
    address = (ctypes.c_void_p * 1)(working.ctypes.data + start)
    functions.prepare(plan, address[0])
    arrays = [array.ctypes.data for array in (points, weights, offsets)]
    call = zernike.Call(
        ctypes.addressof(plan), *arrays, clouds, channels, ctypes.addressof(address), coefficients.ctypes.data
    )
    in_parts([(functions.part, ctypes.addressof(call), 1)])
    assert call.overflowed == 0
    # Nothing beyond the arrays is written, though whole registers are.
    assert (working[:start] == 0xA5).all()
    assert (working[start + size :] == 0xA5).all()
    assert np.isnan(coefficients[clouds * channels :]).all()
    return coefficients[: clouds * channels].reshape(clouds, channels)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4, 17])
def test_sums_the_weights_within_the_cutoff(kind, channels):
    generator = np.random.default_rng(channels)
    sizes = [0, 1, 7, 8, 9, 63, 64, 65, 1500]
    offsets = np.cumsum([0, *sizes])
    points = generator.uniform(-2, 2, size=(offsets[-1], 3))
    weights = np.rint(generator.normal(size=(offsets[-1], channels))).astype(kind)  # many are 0 or -0
    inside = np.linalg.norm(points, axis=1) <= 2
    expected = [0.75 * (weights[a:b] * inside[a:b, None]).sum(axis=0) for a, b in itertools.pairwise(offsets)]
    value = transform(kind, points, weights, offsets)
    np.testing.assert_allclose(value, expected, rtol=1e-6 if kind == np.float32 else 1e-14, atol=1e-12)


def test_no_clouds_at_all():
    value = transform(np.float32, np.zeros((0, 3)), np.zeros((0, 2), np.float32), np.zeros(1, np.int64))
    assert value.shape == (0, 2)


def test_the_structure_has_the_size_of_ten_words():
    assert ctypes.sizeof(zernike.Plan) == 10 * 8
