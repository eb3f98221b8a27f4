"""The library ``zernike``: coefficients of weighted points."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = ["Call", "Functions", "Plan", "functions"]


class Plan(ctypes.Structure):
    """What the coefficients are: ``struct plan`` of ``csrc/zernike.c``.

    The tables are addresses, and whoever makes a plan keeps what they point to.
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

    Whoever makes one keeps what its addresses point to: coordinates [points, 3], weights [points, channels], offsets
    [clouds + 1], coefficients [clouds, dim], and an array with the address of each part's working memory.
    ``overflowed`` starts as 0, and is 1 afterwards where a coefficient is not finite.
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
        Takes a plan and gives the bytes of working memory that a part needs, at an address that 64 divides.
    prepare
        Takes a plan and the address of working memory, which then serves any number of transforms by the plan.
    part
        Address of what `holo_kernels.threads.in_parts` runs with a `Call`.
    """

    memory: Callable[..., int]
    prepare: Callable[..., None]
    part: int


@cache
def functions(bits: Literal[32, 64]) -> Functions | None:
    """Return the transform in single or double precision; None where no library suits the machine.

    Parameters
    ----------
    bits
        The number of bits of each weight and coefficient. Coordinates are in double precision in any case.
    """
    library = load("zernike")
    if library is None:
        return None
    memory, prepare = library[f"zernike_memory_f{bits}"], library[f"zernike_prepare_f{bits}"]
    memory.argtypes, memory.restype = (ctypes.POINTER(Plan),), ctypes.c_int64
    prepare.argtypes, prepare.restype = (ctypes.POINTER(Plan), ctypes.c_void_p), None
    part = ctypes.cast(library[f"zernike_part_f{bits}"], ctypes.c_void_p).value or 0
    return Functions(memory, prepare, part)
