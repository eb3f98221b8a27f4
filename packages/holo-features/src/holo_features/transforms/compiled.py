"""The Zernike transform by the compiled library of holo-kernels."""

import ctypes
import itertools
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import no_type_check

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_kernels import zernike
from holo_types import Basis, PointClouds

from .harmonics import legendre_recurrence
from .radial import chebyshev_series, vector_square_series

__all__ = ["compiled_transform"]

# Clouds of one call, in which no Ctrl-C is heard: some hundredths of a second.
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
        envelope = 0.0 if radial.envelope is None else radial.cutoff / radial.envelope
        plan = zernike.Plan(lmax, radial.nmax, len(basis.channels), radial.cutoff, *addresses, envelope)
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
    functions = zernike.functions(32 if kind == np.float32 else 64)
    if functions is None:
        return None
    memory, transform = functions
    tables = _tables(basis, kind)
    coordinates = np.ascontiguousarray(clouds.coordinates, np.float64)
    weights = np.ascontiguousarray(clouds.weights, kind)
    offsets = np.ascontiguousarray(clouds.offsets)
    coefficients = np.empty((len(clouds), basis.dim), dtype=kind)
    bytes_needed = memory(ctypes.byref(tables.plan))

    @no_type_check  # it is made at each call: the tests' checker of shapes would wrap it each time
    def compute(bounds: Iterable[tuple[int, int]]) -> None:
        working = np.empty(bytes_needed + 64, dtype=np.uint8)
        address = working.ctypes.data
        for start, stop in bounds:
            transform(
                ctypes.byref(tables.plan),
                coordinates.ctypes.data,
                weights.ctypes.data,
                offsets[start:].ctypes.data,
                stop - start,
                basis.dim,
                address + -address % 64,
                coefficients[start:].ctypes.data,
            )

    # Shares of about the same number of points, each in pieces.
    shares = np.searchsorted(offsets, np.linspace(0, offsets[-1], workers + 1)).tolist()
    shares[0], shares[-1] = 0, len(clouds)
    pieces = [
        [(start, min(start + _CLOUDS, stop)) for start in range(first, stop, _CLOUDS)]
        for first, stop in itertools.pairwise(shares)
    ]
    if workers == 1:
        compute(pieces[0])
    else:
        with ThreadPoolExecutor(workers - 1) as threads:
            others = threads.map(compute, pieces[1:])
            compute(pieces[0])
            list(others)  # which raises what they raised
    return coefficients
