"""The library ``zernike``: coefficients of weighted points."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

from .libraries import load

__all__ = ["Call", "Plan", "Shared", "functions", "shared"]


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
    """A transform that several threads share: ``struct call`` of ``csrc/zernike.c``.

    Whoever makes one keeps what its addresses point to. ``working`` is that of an array with the addresses of the
    threads' working memories, each as large as the first of `functions` says and prepared for the plan; ``next``
    and ``overflowed`` start as 0, and a call serves once; ``overflowed`` is then 1 where a coefficient is not finite.
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
        ("next", ctypes.c_int64),
        ("overflowed", ctypes.c_int64),
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


class Shared(NamedTuple):
    """The transform as several threads share it.

    Attributes
    ----------
    prepare
        Takes a plan and the address of working memory, which then serves any number of transforms by the plan.
    part
        Takes a `Call`, which part is done, and how many there are.
    address
        That of ``part``, for `holo_kernels.threads.in_parts`.
    """

    prepare: Callable[..., None]
    part: Callable[..., None]
    address: int


@cache
def shared(bits: Literal[32, 64]) -> Shared | None:
    """Give the transform as several threads share it.

    Parameters
    ----------
    bits
        Of each weight and coefficient.

    Returns
    -------
    Shared or None
        None where no library suits the machine.
    """
    library = load("zernike")
    if library is None:
        return None
    prepare, part = library[f"zernike_prepare_f{bits}"], library[f"zernike_part_f{bits}"]
    prepare.argtypes = (ctypes.POINTER(Plan), ctypes.c_void_p)
    part.argtypes = (ctypes.POINTER(Call), ctypes.c_int64, ctypes.c_int64)
    prepare.restype = part.restype = None
    return Shared(prepare, part, ctypes.cast(part, ctypes.c_void_p).value or 0)
