"""The interface of the library ``zernike``, which computes the coefficients of weighted points."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = ["Call", "Functions", "Plan", "functions"]


class Plan(ctypes.Structure):
    """The basis of the coefficients: ``struct plan`` of ``csrc/zernike.c``.

    The tables are addresses; the caller keeps the arrays that they point to alive.
    """

    _fields_ = (
        ("lmax", ctypes.c_int64),
        ("nmax", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("cutoff", ctypes.c_double),
        ("inverse_weight", ctypes.c_void_p),
        ("sectoral", ctypes.c_void_p),
        ("rise", ctypes.c_void_p),
        ("fall", ctypes.c_void_p),
        ("series", ctypes.c_void_p),
        ("envelope", ctypes.c_double),
    )


class Call(ctypes.Structure):
    """A transform in parts: ``struct call`` of ``csrc/zernike.c``.

    The caller keeps the arrays alive that the addresses point to: coordinates [points, 3], weights [points, channels],
    offsets [clouds + 1], coefficients [clouds, dim], and an array of the addresses of the working memory of each part.
    ``overflowed`` starts as 0 and becomes 1 if a coefficient is not finite.
    """

    _fields_ = (
        ("plan", ctypes.c_void_p),
        ("coordinates", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("clouds", ctypes.c_int64),
        ("dim", ctypes.c_int64),
        ("working", ctypes.c_void_p),
        ("coefficients", ctypes.c_void_p),
        ("overflowed", ctypes.c_int64),
    )


class Functions(NamedTuple):
    """The transform in one precision.

    Attributes
    ----------
    memory
        Returns, for a plan, the bytes of working memory that a part needs, at an address that is a multiple of 64.
    prepare
        Prepares working memory, given a plan and its address; it then serves any number of transforms with that plan.
    part
        Address of the function that `holo_kernels.threads.in_parts` runs with a `Call`.
    """

    memory: Callable[..., int]
    prepare: Callable[..., None]
    part: int


@cache
def functions(bits: Literal[32, 64]) -> Functions | None:
    """Return the transform in single or double precision, or None if there is no library for this machine.

    Parameters
    ----------
    bits
        Number of bits of each weight and coefficient. Coordinates are always in double precision.
    """
    library = load("zernike")
    if library is None:
        return None
    memory, prepare = library[f"zernike_memory_f{bits}"], library[f"zernike_prepare_f{bits}"]
    memory.argtypes, memory.restype = (ctypes.POINTER(Plan),), ctypes.c_int64
    prepare.argtypes, prepare.restype = (ctypes.POINTER(Plan), ctypes.c_void_p), None
    part = ctypes.cast(library[f"zernike_part_f{bits}"], ctypes.c_void_p).value or 0
    return Functions(memory, prepare, part)
