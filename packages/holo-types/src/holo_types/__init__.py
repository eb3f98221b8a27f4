"""Typed data around a point in 3D, and its HDF5 form."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .errors import FormatError, HoloError
    from .files.reader import Reader, load, open
    from .files.schema import SCHEMA_VERSION
    from .files.tables import to_table, write_table
    from .files.writer import Writer, save
    from .objects.basis import AngularNormalization, Basis, PointNormalization, RadialNormalization, Zernike
    from .objects.columns import Index, PointColumns, RowSelection
    from .objects.embeddings import Embeddings, ModelReference
    from .objects.holograms import Holograms
    from .objects.irreps import Irreps
    from .objects.joining import Data, concatenate
    from .objects.named_arrays import NamedArrays
    from .objects.point_clouds import PointClouds
    from .objects.sphere_images import Grid, SphereImages

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
    "NamedArrays",
    "PointClouds",
    "PointColumns",
    "PointNormalization",
    "RadialNormalization",
    "Reader",
    "RowSelection",
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
    "errors": ("FormatError", "HoloError"),
    "files.reader": ("Reader", "load", "open"),
    "files.schema": ("SCHEMA_VERSION",),
    "files.tables": ("to_table", "write_table"),
    "files.writer": ("Writer", "save"),
    "objects.basis": (
        "AngularNormalization",
        "Basis",
        "PointNormalization",
        "RadialNormalization",
        "Zernike",
    ),
    "objects.columns": ("Index", "PointColumns", "RowSelection"),
    "objects.embeddings": ("Embeddings", "ModelReference"),
    "objects.holograms": ("Holograms",),
    "objects.irreps": ("Irreps",),
    "objects.joining": ("Data", "concatenate"),
    "objects.named_arrays": ("NamedArrays",),
    "objects.point_clouds": ("PointClouds",),
    "objects.sphere_images": ("Grid", "SphereImages"),
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
