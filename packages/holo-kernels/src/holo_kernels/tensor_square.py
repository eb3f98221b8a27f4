"""The interface of the library ``tensor_square``: its structures, and its functions with their argument types.

This module does not know arrays: pointers are integers, as returned by ``Tensor.data_ptr()`` or
``ndarray.ctypes.data``. What each function computes is described above it in ``csrc/tensor_square/``.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = [
    "Block",
    "Chunk",
    "Frames",
    "Functions",
    "Layout",
    "Plan",
    "Precision",
    "Square",
    "Sum",
    "TermFloat32",
    "TermFloat64",
    "functions",
]

Precision = Literal["float32", "float64"]


class Sum(ctypes.Structure):
    """One sum of products: its row, its number of terms with two products, and its number of terms with one."""

    _fields_ = (("row", c_int32), ("pairs", c_int32), ("singles", c_int32))


class TermFloat32(ctypes.Structure):
    """A term ``factor * (p * first + q * second)`` in float32; factor, first and second are rows."""

    _fields_ = (
        ("factor", c_int32),
        ("first", c_int32),
        ("second", c_int32),
        ("p", c_float),
        ("q", c_float),
    )


class TermFloat64(ctypes.Structure):
    """A term ``factor * (p * first + q * second)`` in float64; factor, first and second are rows."""

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
    """The plan of a block; the arrays that it points to must outlive it."""

    _fields_ = (
        ("channels", c_int64),
        ("degrees_in", c_int64),
        ("degrees_out", c_int64),
        ("chunks", c_int64),
        ("widths", c_void_p),
        ("paths", c_void_p),
        ("tile", c_int64),
        ("chunk", c_void_p),
        ("sums", c_void_p),
        ("terms", c_void_p),
    )


class Block(ctypes.Structure):
    """One call of a block; the arrays that it points to must outlive it."""

    _fields_ = (
        ("plan", c_void_p),
        ("batch", c_int64),
        ("skip", c_int64),
        ("differentiable", c_int64),
        ("signal_eps", c_double),
        ("norm_eps", c_double),
        ("momentum", c_double),
        ("samples", c_double),
        ("work", c_void_p),
        ("work_numbers", c_int64),
        ("norm_weight", c_void_p),
        ("norm_bias", c_void_p),
        ("running_mean", c_void_p),
        ("running_var", c_void_p),
        ("signal_weight", c_void_p),
        ("signal_bias", c_void_p),
        ("weights", POINTER(c_void_p)),
        ("x", c_void_p),
        ("out", c_void_p),
        ("mapped", c_void_p),
        ("factor", c_void_p),
        ("packed", c_void_p),
        ("partial", c_void_p),
        ("moments", c_void_p),
        ("normalization", c_void_p),
        ("prepared", c_void_p),
        ("gradient", c_void_p),
        ("dx", c_void_p),
        ("found", c_void_p),
        ("inner", c_void_p),
        ("dbias", c_void_p),
        ("through", c_void_p),
        ("norm_weight_gradient", c_void_p),
        ("norm_bias_gradient", c_void_p),
        ("signal_weight_gradient", c_void_p),
        ("signal_bias_gradient", c_void_p),
        ("weight_gradients", POINTER(c_void_p)),
    )


class Square(ctypes.Structure):
    """One call of the tensor square alone."""

    _fields_ = (
        ("plan", c_void_p),
        ("batch", c_int64),
        ("x", c_void_p),
        ("y", c_void_p),
        ("gradient", c_void_p),
        ("dx", c_void_p),
        ("work", c_void_p),
        ("work_numbers", c_int64),
    )


class Layout(ctypes.Structure):
    """One conversion between flat features and rows."""

    _fields_ = (
        ("terms", c_int64),
        ("widths", c_void_p),
        ("degrees", c_void_p),
        ("batch", c_int64),
        ("flat", c_void_p),
        ("rows", c_void_p),
    )


class Frames(ctypes.Structure):
    """One call that computes the frames of pairs of vectors."""

    _fields_ = (
        ("count", c_int64),
        ("tolerance", c_double),
        ("x", c_void_p),
        ("p", c_void_p),
        ("scale", c_void_p),
        ("axes", c_void_p),
        ("defined", c_void_p),
        ("gradient", c_void_p),
        ("dx", c_void_p),
        ("dp", c_void_p),
    )


_Function = Callable[..., int]


class Functions(NamedTuple):
    """The functions of one precision.

    The functions named ``..._numbers`` are called with a plan and return the size of an array. The integers are
    addresses that `holo_kernels.threads.in_parts` runs with a `Block`, a `Square` or a `Layout`. The others are called
    with `Frames`.
    """

    packed_numbers: _Function
    work_numbers: _Function
    gradient_numbers: _Function
    normalization_numbers: _Function
    partial_numbers: _Function
    through_numbers: _Function
    frames_forward: _Function
    frames_backward: _Function
    block_prepare: int
    block_moments: int
    block_normalization: int
    block_forward: int
    block_backward: int
    block_sums: int
    block_slopes: int
    block_finish: int
    block_signal: int
    square_forward: int
    square_backward: int
    to_rows: int
    from_rows: int


@cache
def functions(precision: Precision) -> Functions | None:
    """Return the functions of a precision, or None if there is no library for this processor.

    Examples
    --------
    >>> found = functions("float32")
    >>> found is None or found.packed_numbers.restype is c_int64
    True
    """
    library = load("tensor_square")
    if library is None:
        return None

    def function(name: str) -> _Function | int:
        found = getattr(library, f"{name}_{precision}")
        if name.endswith("_numbers"):
            found.argtypes, found.restype = (POINTER(Plan),), c_int64
        elif name.startswith("frames_"):
            found.argtypes, found.restype = (POINTER(Frames),), None
        else:
            return ctypes.cast(found, c_void_p).value or 0
        return found  # type: ignore[no-any-return]

    return Functions(*(function(name) for name in Functions._fields))  # type: ignore[arg-type]
