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
    except OSError:  # a system that knows the file's format but refuses to load it
        return None


@cache
def _levels() -> tuple[str, ...]:
    """Return the instruction sets of this processor, best first, or only the one that the environment asks for."""
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

    If the environment variable ``HOLO_KERNELS_LEVEL`` names an instruction set, such as ``v3``, the process loads that
    form of every library. This is for testing and measuring it on a processor that supports a better one.

    Parameters
    ----------
    name
        Name of the C file, without its suffix.

    Returns
    -------
    ctypes.CDLL or None
        None if there is no library for this system or processor; callers then compute without it.

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
    # The last one has no vectors, and therefore a single form.
    libraries = (_open(form) for form in (*(f"{here}_{level}" for level in _levels()), here))
    return next((library for library in libraries if library is not None), None)
