"""Typed data around a point in 3D, and its HDF5 form."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .basis import AngularNormalization, Basis, PointNormalization, RadialNormalization, Zernike
    from .data import (
        Data,
        Embeddings,
        Grid,
        Holograms,
        ModelReference,
        PointClouds,
        SphereImages,
        concatenate,
    )
    from .errors import FormatError, HoloError
    from .index import Index, Rows
    from .irreps import Irreps
    from .storage import SCHEMA_VERSION, Reader, Writer, load, open, save
    from .tables import to_table, write_table

__all__ = [
    "SCHEMA_VERSION",
    "AngularNormalization",
    "Basis",
    "Data",
    "Embeddings",
    "FormatError",
    "Grid",
    "HoloError",
    "Holograms",
    "Index",
    "Irreps",
    "ModelReference",
    "PointClouds",
    "PointNormalization",
    "RadialNormalization",
    "Reader",
    "Rows",
    "SphereImages",
    "Writer",
    "Zernike",
    "__version__",
    "concatenate",
    "load",
    "open",
    "save",
    "to_table",
    "write_table",
]

# numpy and h5py take a fifth of a second to import, which a command line's --help need not wait for: each
# name brings its module when it is first used.
_HOMES = {
    "basis": ("AngularNormalization", "Basis", "PointNormalization", "RadialNormalization", "Zernike"),
    "data": (
        "Data",
        "Embeddings",
        "Grid",
        "Holograms",
        "ModelReference",
        "PointClouds",
        "SphereImages",
        "concatenate",
    ),
    "errors": ("FormatError", "HoloError"),
    "index": ("Index", "Rows"),
    "irreps": ("Irreps",),
    "storage": ("SCHEMA_VERSION", "Reader", "Writer", "load", "open", "save"),
    "tables": ("to_table", "write_table"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
