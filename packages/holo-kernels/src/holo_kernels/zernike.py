"""The library ``zernike``: coefficients of weighted points."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Literal

from .libraries import load

__all__ = ["Plan", "functions"]


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


@cache
def functions(bits: Literal[32, 64]) -> tuple[Callable[..., int], Callable[..., None]] | None:
    """Give the transform in single or double precision.

    Parameters
    ----------
    bits
        Of each weight and coefficient. Coordinates are in double precision in any case.

    Returns
    -------
    tuple of callables, or None
        The first takes a plan and gives the bytes of working memory that the second needs. The second takes the
        plan, the addresses of coordinates [points, 3], weights [points, channels] and offsets [clouds + 1], the
        number of clouds, that of coefficients of a cloud, and the addresses of the working memory, which 64
        must divide, and of the coefficients [clouds, coefficients]. None where no library suits the machine.
    """
    library = load("zernike")
    if library is None:
        return None
    plan, address, number = ctypes.POINTER(Plan), ctypes.c_void_p, ctypes.c_int64
    memory, transform = library[f"zernike_memory_f{bits}"], library[f"zernike_f{bits}"]
    memory.argtypes, memory.restype = (plan,), number
    transform.argtypes = (plan, address, address, address, number, number, address, address)
    transform.restype = None
    return memory, transform
