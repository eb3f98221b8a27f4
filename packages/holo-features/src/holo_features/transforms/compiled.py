"""The Zernike transform by the compiled library of holo-kernels."""

import ctypes
import math
from collections import defaultdict
from functools import lru_cache
from typing import TypeAlias

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

# Clouds of one thread in one call, during which Ctrl-C is not handled: some hundredths of a second.
_CLOUDS = 2048


# Addresses for each thread, and the memory that they point to.
_Memory: TypeAlias = tuple["ctypes.Array[ctypes.c_void_p]", NDArray[np.uint8]]


@attrs.frozen(eq=False)
class _Tables:
    """A plan, the arrays that it points to, and unused working memory for each number of threads."""

    plan: zernike.Plan
    arrays: tuple[NDArray[np.floating], ...]
    free: defaultdict[int, list[_Memory]] = attrs.field(factory=lambda: defaultdict(list))

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
        envelope = 0.0 if radial.envelope is None else radial.cutoff / radial.envelope
        plan = zernike.Plan(lmax, radial.nmax, len(basis.channels), radial.cutoff, *addresses, envelope)
        return cls(plan, tables)

    def memory(self, threads: int, functions: zernike.Functions) -> _Memory:
        """Return working memory for some threads. New pages at each call would cost as much as two clouds."""
        try:
            return self.free[threads].pop()
        except IndexError:
            each = functions.memory(self.plan)
            memory = np.empty(threads * each + 64, dtype=np.uint8)
            first = memory.ctypes.data + -memory.ctypes.data % 64
            addresses = [first + thread * each for thread in range(threads)]
            for address in addresses:
                functions.prepare(self.plan, address)
            return (ctypes.c_void_p * threads)(*addresses), memory


_tables = lru_cache(maxsize=32)(_Tables.of)


def compiled_transform(
    clouds: PointClouds, basis: Basis, kind: np.dtype[np.floating], workers: int
) -> tuple[Float[np.ndarray, "n dim"], bool] | None:
    """Compute the coefficients of point clouds by the compiled library, or return None if this machine has none.

    Parameters
    ----------
    clouds
        Clouds with the channels of the basis.
    basis
        A basis with a Zernike radial part.
    kind
        float32 or float64.
    workers
        Number of threads, >= 1.

    Returns
    -------
    coefficients : Float[ndarray, "n dim"]
    finite : bool
        Whether every coefficient is a finite number.

    None if there is no such library.
    """
    functions = zernike.functions(32 if kind == np.float32 else 64)
    if functions is None:
        return None
    tables = _tables(basis, kind)
    coordinates = np.ascontiguousarray(clouds.coordinates, np.float64)
    weights = np.ascontiguousarray(clouds.weights, kind)
    offsets = np.ascontiguousarray(clouds.offsets)
    coefficients = np.empty((len(clouds), basis.dim), dtype=kind)
    threads = max(1, min(workers, len(clouds)))
    memory = tables.memory(threads, functions)
    sources = coordinates.ctypes.data, weights.ctypes.data
    first, target = offsets.ctypes.data, coefficients.ctypes.data
    overflowed = False
    try:
        for start in range(0, len(clouds), threads * _CLOUDS):
            call = zernike.Call(
                ctypes.addressof(tables.plan),
                *sources,
                first + start * offsets.itemsize,
                min(threads * _CLOUDS, len(clouds) - start),
                basis.dim,
                ctypes.addressof(memory[0]),
                target + start * coefficients.strides[0],
            )
            in_parts([(functions.part, ctypes.addressof(call), threads)])
            overflowed |= bool(call.overflowed)
    finally:
        tables.free[threads].append(memory)
    return coefficients, not overflowed
