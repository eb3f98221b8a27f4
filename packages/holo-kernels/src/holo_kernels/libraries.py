"""Find and load the compiled library that suits this machine."""

import ctypes
import platform
from functools import cache
from pathlib import Path

__all__ = ["load"]

_FOLDER = Path(__file__).parent / "lib"
_SUFFIXES = {"Linux": ".so", "Darwin": ".dylib", "Windows": ".dll"}


def _open(name: str) -> ctypes.CDLL | None:
    path = _FOLDER / (name.lower() + _SUFFIXES.get(platform.system(), ".so"))
    try:
        return ctypes.CDLL(str(path)) if path.exists() else None
    except OSError:  # a system that has the file's format but refuses to load it
        return None


@cache
def _levels() -> tuple[str, ...]:
    """Name the instruction sets that this processor has, best first."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ("base",)
    cpu = _open(f"cpu_{platform.system()}_{platform.machine()}")
    level = 0 if cpu is None else cpu.x86_64_level()
    return tuple(f"v{number}" for number in (4, 3) if number <= level)


@cache
def load(name: str) -> ctypes.CDLL | None:
    """Load a library of kernels in the best form that this processor can run.

    Parameters
    ----------
    name
        Of the C file, without its suffix.

    Returns
    -------
    ctypes.CDLL or None
        None where there is none for this system or processor: callers then compute without it.

    Examples
    --------
    >>> load("no such kernel") is None
    True
    """
    libraries = (_open(f"{name}_{platform.system()}_{platform.machine()}_{level}") for level in _levels())
    return next((library for library in libraries if library is not None), None)
