"""The library ``tensor_square`` as Python calls it: structures, and functions with their arguments' types.

Nothing here knows of arrays: pointers are whole numbers, as ``Tensor.data_ptr()`` or ``ndarray.ctypes.data``
give them. What each function computes stands above it in ``csrc/tensor_square.h``.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = ["Chunk", "Functions", "Plan", "Precision", "Sum", "TermFloat32", "TermFloat64", "functions"]

Precision = Literal["float32", "float64"]


class Sum(ctypes.Structure):
    """One sum of products: the row it goes to, how many terms of two products it has, how many of one."""

    _fields_ = (("row", c_int32), ("pairs", c_int32), ("singles", c_int32))


class TermFloat32(ctypes.Structure):
    """A term ``factor * (p * first + q * second)``; the three are rows."""

    _fields_ = (
        ("factor", c_int32),
        ("first", c_int32),
        ("second", c_int32),
        ("p", c_float),
        ("q", c_float),
    )


class TermFloat64(ctypes.Structure):
    """The same in float64."""

    _fields_ = (
        ("factor", c_int32),
        ("first", c_int32),
        ("second", c_int32),
        ("p", c_double),
        ("q", c_double),
    )


class Chunk(ctypes.Structure):
    """Some orders of one output degree, and where their sums and terms begin."""

    _fields_ = (
        ("degree", c_int32),
        ("first", c_int32),
        ("count", c_int32),
        ("paths", c_int32),
        ("sums", c_int64),
        ("sum_count", c_int64),
        ("terms", c_int64),
        ("back_sums", c_int64),
        ("back_sum_count", c_int64),
        ("back_terms", c_int64),
    )


class Plan(ctypes.Structure):
    """What a block computes; its pointers must outlive it."""

    _fields_ = (
        ("channels", c_int64),
        ("degrees_in", c_int64),
        ("degrees_out", c_int64),
        ("chunks", c_int64),
        ("widths", c_void_p),
        ("paths", c_void_p),
        ("chunk", c_void_p),
        ("sums", c_void_p),
        ("terms", c_void_p),
    )


_Function = Callable[..., int]


class Functions(NamedTuple):
    """The functions of one precision."""

    packed_numbers: _Function
    work_numbers: _Function
    gradient_numbers: _Function
    pack: _Function
    block_forward: _Function
    block_backward: _Function
    finish_backward: _Function
    finish_weights: _Function
    sums: _Function
    squares: _Function
    square_forward: _Function
    square_backward: _Function
    to_rows: _Function
    from_rows: _Function


# One letter an argument: a plan, a pointer, a whole number (64 or 32 bits), a real number.
_SIGNATURES = {
    "packed_numbers": "P",
    "work_numbers": "Pi",
    "gradient_numbers": "P",
    "pack": "Pppsp",
    "block_forward": "Ppppppprsiiiipppp",
    "block_backward": "Ppppppppp" + "iiii" + "pppppp",
    "finish_backward": "Ppppppsiiip",
    "finish_weights": "Ppppipiipp",
    "sums": "Ppiip",
    "squares": "Pppiiip",
    "square_forward": "Ppiiipp",
    "square_backward": "Pppiiipp",
    "to_rows": "ipppiii",
    "from_rows": "ipppiii",
}


@cache
def functions(precision: Precision) -> Functions | None:
    """Give the functions of a precision; None where no library serves this processor.

    Examples
    --------
    >>> found = functions("float32")
    >>> found is None or found.packed_numbers.restype is c_int64
    True
    """
    library = load("tensor_square")
    if library is None:
        return None
    types = {
        "P": POINTER(Plan),
        "p": c_void_p,
        "i": c_int64,
        "s": c_int32,
        "r": c_float if precision == "float32" else c_double,
    }

    def function(name: str) -> _Function:
        found = getattr(library, f"{name}_{precision}")
        found.argtypes = [types[letter] for letter in _SIGNATURES[name]]
        found.restype = c_int64 if name.endswith("_numbers") else None
        return found  # type: ignore[no-any-return]

    return Functions(*(function(name) for name in Functions._fields))
