"""The interface of the library ``tensor_product``: its structures, and its functions with their argument types.

This module does not know arrays: pointers are integers, as returned by ``Tensor.data_ptr()`` or
``ndarray.ctypes.data``. What each function computes is described above it in ``csrc/tensor_product.h``.
"""

import ctypes
from ctypes import c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = [
    "EntryFloat32",
    "EntryFloat64",
    "Functions",
    "Path",
    "Product",
    "ProductPlan",
    "Term",
    "functions",
    "vector_bytes",
]

Precision = Literal["float32", "float64"]


class Path(ctypes.Structure):
    """The coupling of one degree of some channels of the first factor with one channel of the second."""

    _fields_ = (
        ("orders1", c_int64),
        ("orders2", c_int64),
        ("orders3", c_int64),
        ("width", c_int64),
        ("x", c_int64),
        ("y", c_int64),
        ("out", c_int64),
        ("weight", c_int64),
        ("weight_stride", c_int64),
        ("cells", c_int64),
    )


class Term(ctypes.Structure):
    """Some channels of one degree, and where they begin in flat features and in lanes."""

    _fields_ = (("width", c_int64), ("orders", c_int64), ("flat", c_int64), ("lanes", c_int64))


class EntryFloat32(ctypes.Structure):
    """A coefficient, and the order of the second factor that it multiplies, in float32."""

    _fields_ = (("order", c_int32), ("coefficient", c_float))


class EntryFloat64(ctypes.Structure):
    """A coefficient, and the order of the second factor that it multiplies, in float64."""

    _fields_ = (("order", c_int32), ("coefficient", c_double))


class ProductPlan(ctypes.Structure):
    """The plan of a product; the arrays that it points to must outlive it."""

    _fields_ = (
        ("paths", c_int64),
        ("terms_in", c_int64),
        ("terms_out", c_int64),
        ("path", c_void_p),
        ("term_in", c_void_p),
        ("term_out", c_void_p),
        ("cells", c_void_p),
        ("entries", c_void_p),
        ("dim_in", c_int64),
        ("dim_y", c_int64),
        ("dim_out", c_int64),
        ("dim_weights", c_int64),
        ("lanes_in", c_int64),
        ("lanes_out", c_int64),
        ("most_width", c_int64),
        ("most_matrix", c_int64),
    )


class Product(ctypes.Structure):
    """One call of a product; the arrays that it points to must outlive it."""

    _fields_ = (
        ("plan", c_void_p),
        ("nodes_in", c_int64),
        ("nodes_out", c_int64),
        ("senders", c_void_p),
        ("receivers", c_void_p),
        ("start_out", c_void_p),
        ("order_out", c_void_p),
        ("start_in", c_void_p),
        ("order_in", c_void_p),
        ("x", c_void_p),
        ("y", c_void_p),
        ("w", c_void_p),
        ("gradient", c_void_p),
        ("weight_row", c_int64),
        ("x_lanes", c_void_p),
        ("gradient_lanes", c_void_p),
        ("out", c_void_p),
        ("dx", c_void_p),
        ("dy", c_void_p),
        ("dw", c_void_p),
        ("work", c_void_p),
        ("work_numbers", c_int64),
    )


class Functions(NamedTuple):
    """The functions of one precision, as addresses; `holo_kernels.threads.in_parts` runs them with a `Product`."""

    product_turn_x: int
    product_turn_gradient: int
    product_forward: int
    product_backward_nodes: int
    product_backward_edges: int


@cache
def functions(precision: Precision) -> Functions | None:
    """Return the functions of a precision, or None if there is no library for this processor.

    Examples
    --------
    >>> found = functions("float32")
    >>> found is None or found.product_forward > 0
    True
    """
    library = load("tensor_product")
    if library is None:
        return None
    addresses = (
        ctypes.cast(getattr(library, f"{name}_{precision}"), c_void_p).value or 0
        for name in Functions._fields
    )
    return Functions(*addresses)


@cache
def vector_bytes() -> int:
    """Return how many bytes the library computes with at a time; channels are padded to whole vectors.

    Examples
    --------
    >>> vector_bytes() in (0, 16, 32, 64)
    True
    """
    library = load("tensor_product")
    if library is None:
        return 0
    ask = library.product_vector_bytes
    ask.argtypes, ask.restype = (), c_int64
    return int(ask())
