"""Find and load the compiled library that suits this machine."""

import ctypes
import os
import platform
from functools import cache
from pathlib import Path

__all__ = ["load"]

_FOLDER = Path(__file__).parent / "lib"
_VARIABLE = "HOLO_KERNELS_LEVEL"
_SUFFIXES = {"Linux": ".so", "Darwin": ".dylib", "Windows": ".dll"}


def _open(name: str) -> ctypes.CDLL | None:
    path = _FOLDER / (name.lower() + _SUFFIXES.get(platform.system(), ".so"))
    try:
        return ctypes.CDLL(str(path)) if path.exists() else None
    except OSError:  # a system that has the file's format but refuses to load it
        return None


@cache
def _levels() -> tuple[str, ...]:
    """Name the instruction sets that this processor has, best first, or of them the one that is asked for."""
    if platform.machine() in ("x86_64", "AMD64"):
        cpu = _open(f"cpu_{platform.system()}_{platform.machine()}")
        level = 0 if cpu is None else cpu.x86_64_level()
        levels = tuple(f"v{number}" for number in (4, 3) if number <= level)
    else:
        levels = ("base",)
    wanted = os.environ.get(_VARIABLE)
    if wanted is None:
        return levels
    if wanted not in levels:
        raise ValueError(
            f"{_VARIABLE} is {wanted!r}; this processor has {', '.join(levels) or 'none of them'}"
        )
    return (wanted,)


@cache
def load(name: str) -> ctypes.CDLL | None:
    """Load a library of kernels in the best form that this processor can run.

    Where the environment variable ``HOLO_KERNELS_LEVEL`` names an instruction set, such as ``v3``, a process
    loads that form of every library: to test and measure it on a processor that has a better one.

    Parameters
    ----------
    name
        The name of the C file, without its suffix.

    Returns
    -------
    ctypes.CDLL or None
        None where there is none for this system or processor: callers then compute without it.

    Raises
    ------
    ValueError
        If the processor does not have the instruction set of ``HOLO_KERNELS_LEVEL``.

    Examples
    --------
    >>> load("no such kernel") is None
    True
    """
    here = f"{name}_{platform.system()}_{platform.machine()}"
    # The last has no vectors, and so no more than one form.
    libraries = (_open(form) for form in (*(f"{here}_{level}" for level in _levels()), here))
    return next((library for library in libraries if library is not None), None)
