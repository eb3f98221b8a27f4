"""The plan of a weighted tensor product for the compiled loops: paths, terms of features, and coefficients."""

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from holo_kernels.tensor_product import (
    EntryFloat32,
    EntryFloat64,
    Functions,
    Path,
    ProductPlan,
    Term,
    functions,
    vector_bytes,
)
from holo_nn.so3.clebsch_gordan import clebsch_gordan
from holo_nn.so3.irreps import Terms

__all__ = ["CompiledPath", "PreparedProduct", "prepare_product"]

# The largest number of orders of a degree for which the compiled loops have room.
_MOST_ORDERS = 31


class CompiledPath(NamedTuple):
    """One path of a product: a term of each factor and the term of the result.

    Attributes
    ----------
    term1, term2, term_out
        Positions of the terms.
    weight
        Offset of the weights ``[channels1, channels2]`` of the path; None: the path has no weights, and each channel of
        the second factor goes to a term of its own, ``term_out`` and those after it.
    coefficient
        The coefficient of the whole path.
    """

    term1: int
    term2: int
    term_out: int
    weight: int | None
    coefficient: float


class PreparedProduct(NamedTuple):
    """The plan of a product for the compiled functions, in one precision.

    Attributes
    ----------
    functions
        The functions of the precision.
    address
        Address of the structure that they read.
    dim_in, dim_y, dim_out
        The dimensions of the features.
    lanes_in, lanes_out, work_numbers
        The sizes of the lanes of a node and of the working memory of each part.
    multiplications
        Approximate number of multiplications for each edge.
    arrays
        The structure, and the arrays that it points to.
    """

    functions: Functions
    address: int
    dim_in: int
    dim_y: int
    dim_out: int
    lanes_in: int
    lanes_out: int
    work_numbers: int
    multiplications: int
    arrays: tuple[object, ...]


def _lay_out(terms: Terms, vector: int) -> tuple[NDArray[Any], int]:
    """Return terms in the form that the loops read, and the size of their lanes."""
    flat, lanes, rows = 0, 0, []
    for width, degree in terms:
        orders, padded = 2 * degree + 1, -(-width // vector) * vector
        rows.append((width, orders, flat, lanes))
        flat, lanes = flat + width * orders, lanes + padded * orders
    return np.array(rows, dtype=np.dtype(Term)), lanes


@lru_cache(maxsize=256)
def prepare_product(
    terms1: Terms,
    terms2: Terms,
    terms_out: Terms,
    paths: tuple[CompiledPath, ...],
    *,
    dim_weights: int,
    dtype: torch.dtype,
) -> PreparedProduct | None:
    """Prepare a product; return None if no compiled library supports it, or a degree is too high.

    Parameters
    ----------
    terms1, terms2, terms_out
        The terms of the two factors and of the result.
    paths
        The paths of the product.
    dim_weights
        Size of a set of weights.
    dtype
        float32 or float64.
    """
    single = dtype == torch.float32
    compiled = functions("float32" if single else "float64")
    degrees = [degree for _, degree in (*terms1, *terms2, *terms_out)]
    if compiled is None or not paths or 2 * max(degrees) + 1 > _MOST_ORDERS:
        return None
    vector = vector_bytes() // dtype.itemsize
    rows_in, lanes_in = _lay_out(terms1, vector)
    rows_out, lanes_out = _lay_out(terms_out, vector)
    starts2 = [0, *accumulate(count * (2 * degree + 1) for count, degree in terms2)]
    cells: list[int] = []
    entries: list[tuple[int, float]] = []
    rows, multiplications = [], 0
    for path in paths:
        (width, l1), (count2, l2), (_, l3) = terms1[path.term1], terms2[path.term2], terms_out[path.term_out]
        where = len(cells)
        _add_cells(cells, entries, path.coefficient * clebsch_gordan(l1, l2, l3).numpy())
        for channel in range(count2):
            weight = -1 if path.weight is None else path.weight + channel
            to = path.term_out + (channel if path.weight is None else 0)
            orders = 2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1
            places = (
                rows_in[path.term1]["lanes"],
                starts2[path.term2] + channel * orders[1],
                rows_out[to]["lanes"],
            )
            rows.append((*orders, width, *places, weight, count2, where))
            multiplications += orders[0] * orders[2] * (width + orders[1])
    arrays = (
        np.array(rows, dtype=np.dtype(Path)),
        rows_in,
        rows_out,
        np.array(cells, dtype=np.int32),
        np.array(entries, dtype=np.dtype(EntryFloat32 if single else EntryFloat64)),
    )
    most = max(-(-width // vector) * vector for width, _ in terms1)
    matrix = max(row[0] * row[2] for row in rows)
    structure = ProductPlan(
        len(rows),
        len(terms1),
        len(terms_out),
        *(array.ctypes.data for array in arrays),
        _dim(terms1),
        starts2[-1],
        _dim(terms_out),
        dim_weights,
        lanes_in,
        lanes_out,
        most,
        matrix,
    )
    return PreparedProduct(
        functions=compiled,
        address=ctypes.addressof(structure),
        dim_in=_dim(terms1),
        dim_y=starts2[-1],
        dim_out=_dim(terms_out),
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        work_numbers=max(lanes_in, lanes_out) + 2 * (most + matrix),
        multiplications=multiplications,
        arrays=(structure, *arrays),
    )


def _dim(terms: Sequence[tuple[int, int]]) -> int:
    return sum(count * (2 * degree + 1) for count, degree in terms)


def _add_cells(cells: list[int], entries: list[tuple[int, float]], coefficients: NDArray[np.float64]) -> None:
    """Append, for each pair of orders of the first factor and of the result, where its coefficients begin."""
    for rows in coefficients:
        for column in rows.T:
            cells.append(len(entries))
            entries += [(int(order), float(column[order])) for order in np.nonzero(column)[0]]
    cells.append(len(entries))
