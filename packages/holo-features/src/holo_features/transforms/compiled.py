"""The Zernike transform by the compiled library of holo-kernels."""

import ctypes
import math
from functools import lru_cache
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_kernels import zernike
from holo_kernels.threads import in_parts
from holo_types import Basis, PointClouds

from .harmonics import legendre_recurrence
from .radial import chebyshev_series, vector_square_series

__all__ = ["compiled_transform"]

# Clouds of one thread in one call, in which no Ctrl-C is heard: some hundredths of a second.
_CLOUDS = 2048


@attrs.frozen(eq=False)
class _Tables:
    """A plan, and what it points to."""

    plan: zernike.Plan
    arrays: tuple[NDArray[np.floating], ...]

    @classmethod
    def of(cls, basis: Basis, kind: np.dtype[np.floating]) -> "_Tables":
        assert basis.radial is not None
        radial, lmax = basis.radial, basis.lmax
        sectoral, rise, fall = legendre_recurrence(lmax)
        degrees = [
            math.sqrt(basis.angular_squared_norm) * chebyshev_series(radial, degree).T
            for degree in range(lmax + 1)
        ]
        series = np.concatenate([table.ravel() for table in degrees])
        steps = np.triu_indices(lmax)  # m <= l < lmax
        tables = (
            basis.angular_squared_norm * vector_square_series(radial, lmax),
            *(np.ascontiguousarray(table) for table in (sectoral, rise[steps], fall[steps])),
            series.astype(kind),
        )
        addresses: list[int | None] = [table.ctypes.data for table in tables]
        if basis.point_normalization == "none":
            addresses[0] = None
        plan = zernike.Plan(lmax, radial.nmax, len(basis.channels), radial.cutoff, *addresses)
        return cls(plan, tables)


_tables = lru_cache(maxsize=32)(_Tables.of)


def compiled_transform(
    clouds: PointClouds, basis: Basis, kind: np.dtype[np.floating], workers: int
) -> Float[np.ndarray, "n dim"] | None:
    """Compute the coefficients of point clouds where the compiled library has a form for this machine.

    Parameters
    ----------
    clouds
        With the channels of the basis.
    basis
        With a Zernike radial part.
    kind
        float32 or float64.
    workers
        Threads, >= 1.

    Returns
    -------
    Float[ndarray, "n dim"] or None
        The coefficients, or None: there is no such library.
    """
    bits: Literal[32, 64] = 32 if kind == np.float32 else 64
    functions, part = zernike.functions(bits), zernike.part(bits)
    if functions is None or part is None:
        return None
    memory, transform = functions
    tables = _tables(basis, kind)
    coordinates = np.ascontiguousarray(clouds.coordinates, np.float64)
    weights = np.ascontiguousarray(clouds.weights, kind)
    offsets = np.ascontiguousarray(clouds.offsets)
    coefficients = np.empty((len(clouds), basis.dim), dtype=kind)
    threads = max(1, min(workers, len(clouds)))
    working = np.empty(threads * memory(ctypes.byref(tables.plan)) + 64, dtype=np.uint8)
    working_address = working.ctypes.data + -working.ctypes.data % 64
    sources = coordinates.ctypes.data, weights.ctypes.data
    for start in range(0, len(clouds), threads * _CLOUDS):
        count = min(threads * _CLOUDS, len(clouds) - start)
        first = offsets.ctypes.data + start * offsets.itemsize
        target = coefficients.ctypes.data + start * coefficients.strides[0]
        if threads == 1:
            transform(tables.plan, *sources, first, count, basis.dim, working_address, target)
        else:
            plan = ctypes.addressof(tables.plan)
            call = zernike.Call(plan, *sources, first, count, basis.dim, working_address, target, 0)
            in_parts(part, ctypes.addressof(call), threads)
    return coefficients
