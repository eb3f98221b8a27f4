"""The sums of Clebsch-Gordan products of a tensor square, as the compiled loops read them."""

import ctypes
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from holo_kernels.tensor_square import Chunk, Functions, Plan, Sum, TermFloat32, TermFloat64
from holo_nn.so3.clebsch_gordan import clebsch_gordan
from holo_nn.so3.connectivity import Path

from .dispatch import compiled_functions

__all__ = ["BlockPlan", "block_plan"]

# The approximate number of lanes (samples times channels) of a tile, its largest number of samples, and the bytes that
# the products of a chunk may take, so that they and the weights that they meet stay in a core's second-level cache.
_LANES = 960
_MOST_SAMPLES = 32
_CHUNK_BYTES = 320_000
# The same for a tensor square alone, which has no weights to reuse for many samples.
_SQUARE_LANES = 128
_SQUARE_CHUNK_BYTES = 64_000
# Coefficients are either zero or larger than this; rounding errors may stand in place of zeros.
_ZERO = 1e-10

# (factor, first, second, p, q): factor * (p * first + q * second); second is None if there is one product.
_Term = tuple[int, int, int | None, float, float]


class BlockPlan(NamedTuple):
    """The plan of a block for the compiled functions, in one precision.

    Attributes
    ----------
    functions
        The functions of the precision.
    structure, address
        The structure that the functions read, and its address.
    packed_numbers, work_numbers, gradient_numbers, normalization_numbers, partial_numbers, through_numbers
        The sizes of packed weights and of the other arrays; see `holo_kernels.tensor_square.Block`.
    moment_numbers
        The size of the moments.
    products
        The approximate number of products for each sample: of features, and of features and weights.
    weight_shapes
        The shape of the linear map's weight of each degree.
    dim_out
        The dimension of the output features.
    arrays
        The arrays that the structure points to.
    """

    functions: Functions
    structure: Plan
    address: int
    packed_numbers: int
    work_numbers: int
    gradient_numbers: int
    normalization_numbers: int
    partial_numbers: int
    through_numbers: int
    moment_numbers: int
    products: int
    weight_shapes: tuple[tuple[int, int], ...]
    dim_out: int
    arrays: tuple[object, ...]


def _terms(products: dict[int, list[tuple[int, float]]]) -> list[_Term]:
    """Gather Σ factor × Σ p × row into terms of two rows and terms of one row, with the former first."""
    pairs, singles = [], []
    for factor, summands in products.items():
        for (first, p), (second, q) in zip(summands[0::2], summands[1::2], strict=False):
            pairs.append((factor, first, second, p, q))
        if len(summands) % 2:
            first, p = summands[-1]
            singles.append((factor, first, None, p, 0.0))
    return [*pairs, *singles]


def _loads(terms: list[_Term]) -> int:
    return sum(2 if second is None else 3 for _, _, second, _, _ in terms)


def _summands(indices: Iterator[tuple[int, int, float]]) -> dict[int, list[tuple[int, float]]]:
    found: dict[int, list[tuple[int, float]]] = {}
    for factor, row, coefficient in indices:
        found.setdefault(factor, []).append((row, coefficient))
    return found


def _nonzero(tensor: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    first, second = np.nonzero(np.abs(tensor) > _ZERO)
    return list(zip(first.tolist(), second.tolist(), tensor[first, second].tolist(), strict=True))


@lru_cache(maxsize=256)
def _coefficients(path: Path) -> NDArray[np.float64]:
    return clebsch_gordan(*path).numpy()


@lru_cache(maxsize=4096)
def _forward(path: Path, order: int) -> list[_Term]:
    """Return the terms of the products that make one order of a path."""
    l1, l2, _ = path
    slab = _coefficients(path)[:, :, order]
    if l1 == l2:  # each pair of orders once
        slab = 2 * np.triu(slab) - np.diag(np.diag(slab))
    entries = _nonzero(slab)
    by_first = _terms(_summands((l1 * l1 + m, l2 * l2 + n, c) for m, n, c in entries))
    by_second = _terms(_summands((l2 * l2 + n, l1 * l1 + m, c) for m, n, c in entries))
    return min(by_first, by_second, key=_loads)


@lru_cache(maxsize=512)
def _occurrences(path: Path) -> list[tuple[int, list[tuple[int, int, float]]]]:
    """List, for each row of x in a path, the products that contain it: the other row, the order, the coefficient."""
    l1, l2, _ = path
    tensor = _coefficients(path)
    sides = [(l1, l2, 2 * tensor)] if l1 == l2 else [(l1, l2, tensor), (l2, l1, tensor.swapaxes(0, 1))]
    return [
        (target * target + m, [(other * other + n, order, c) for n, order, c in _nonzero(coefficients[m])])
        for target, other, coefficients in sides
        for m in range(2 * target + 1)
    ]


def _backward(paths: list[Path], orders: range) -> Iterator[tuple[int, list[_Term]]]:
    """Yield, for each row of x, the terms of its gradient: products of rows of the gradient (order, path) and of x."""
    found: dict[int, list[_Term]] = {}
    for number, path in enumerate(paths):
        for row, entries in _occurrences(path):
            products = _summands(
                ((order - orders.start) * len(paths) + number, other, c)
                for other, order, c in entries
                if order in orders
            )
            found.setdefault(row, []).extend(_terms(products))
    for row, terms in sorted(found.items()):
        if terms:
            yield row, sorted(terms, key=lambda term: term[2] is None)


def _sum(row: int, terms: list[_Term]) -> tuple[int, int, int]:
    singles = sum(second is None for _, _, second, _, _ in terms)
    return row, len(terms) - singles, singles


def _pieces(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut `count` things into pieces of similar size, each with at least one and at most ``most``."""
    pieces = -(-count // max(1, most))
    return pairwise(count * piece // pieces for piece in range(pieces + 1))


def _chunks(paths: tuple[Path, ...], row_bytes: int) -> Iterator[tuple[int, range, list[Path]]]:
    """Cut each output degree into orders, with all paths, because a linear map sums over the paths."""
    for degree, members in groupby(paths, key=lambda path: path[2]):
        together = list(members)
        for first, last in _pieces(2 * degree + 1, _CHUNK_BYTES // (row_bytes * len(together))):
            yield degree, range(first, last), together


def _square_chunks(paths: tuple[Path, ...], row_bytes: int) -> Iterator[tuple[int, range, list[Path]]]:
    """Cut each output degree into paths, with all orders, because orders are contiguous in flat features."""
    for degree, members in groupby(paths, key=lambda path: path[2]):
        together, orders = list(members), 2 * degree + 1
        for first, last in _pieces(len(together), _SQUARE_CHUNK_BYTES // (row_bytes * orders)):
            yield degree, range(orders), together[first:last]


@lru_cache(maxsize=64)
def block_plan(
    paths: tuple[Path, ...], channels: int, degrees_in: int, widths: tuple[int, ...], dtype: torch.dtype
) -> BlockPlan | None:
    """Prepare a tensor square and an optional linear map after it; return None if no compiled library supports it.

    Parameters
    ----------
    paths
        The paths, in the order of their output degrees.
    channels
        Number of channels of each degree of the input.
    degrees_in
        Number of degrees of the input, from 0.
    widths
        Number of output channels of the linear map for each degree; all 0 for the tensor square alone.
    dtype
        float32 or float64.
    """
    single = dtype == torch.float32
    compiled = compiled_functions(dtype)
    if compiled is None:
        return None
    alone = not any(widths)
    tile = max(1, _SQUARE_LANES // channels) if alone else max(4, min(_MOST_SAMPLES, _LANES // channels))
    cut = _square_chunks if alone else _chunks
    sums: list[tuple[int, int, int]] = []
    terms: list[_Term] = []
    chunks = []
    for degree, orders, together in cut(paths, tile * channels * dtype.itemsize):
        chunk = [degree, orders.start, len(orders), len(together)]
        forward = (
            ((order - orders.start) * len(together) + number, _forward(path, order))
            for order in orders
            for number, path in enumerate(together)
        )
        for rows in (forward, _backward(together, orders)):
            before = len(sums), len(terms)
            # Sums of similar length follow each other, so that the processor can predict where their loops end.
            for (row, pairs, singles), row_terms in sorted(
                ((_sum(*row), row[1]) for row in rows), key=lambda entry: entry[0][1:]
            ):
                sums.append((row, pairs, singles))
                terms += row_terms
            chunk += [before[0], len(sums) - before[0], before[1]]
        chunks.append(tuple(chunk))
    counts = np.zeros(len(widths), dtype=np.int64)
    for _, _, degree in paths:
        counts[degree] += 1
    filled = [
        (factor, first, first if second is None else second, p, q) for factor, first, second, p, q in terms
    ]
    arrays = (
        np.array(widths, dtype=np.int64),
        counts,
        np.array(chunks, dtype=np.dtype(Chunk)),
        np.array(sums, dtype=np.dtype(Sum)),
        np.array(filled, dtype=np.dtype(TermFloat32 if single else TermFloat64)),
    )
    weight_shapes = tuple((int(n) * channels, width) for n, width in zip(counts, widths, strict=True))
    addresses = [array.ctypes.data for array in arrays]
    structure = Plan(channels, degrees_in, len(widths), len(chunks), *addresses[:2], tile, *addresses[2:])
    return BlockPlan(
        functions=compiled,
        structure=structure,
        address=ctypes.addressof(structure),
        packed_numbers=compiled.packed_numbers(structure),
        work_numbers=compiled.work_numbers(structure),
        gradient_numbers=compiled.gradient_numbers(structure),
        normalization_numbers=compiled.normalization_numbers(structure),
        partial_numbers=compiled.partial_numbers(structure),
        through_numbers=compiled.through_numbers(structure),
        moment_numbers=(degrees_in + 1) * channels,
        products=2 * channels * sum(pairs + singles for _, pairs, singles in sums)
        + sum((2 * degree + 1) * inputs * width for degree, (inputs, width) in enumerate(weight_shapes)),
        weight_shapes=weight_shapes,
        dim_out=sum((2 * degree + 1) * width for degree, width in enumerate(widths)),
        arrays=arrays,
    )
