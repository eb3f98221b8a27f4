"""Holo's compiled loops: plain C, called through ctypes."""

from ._version import __version__
from .libraries import load

__all__ = ["__version__", "load"]
