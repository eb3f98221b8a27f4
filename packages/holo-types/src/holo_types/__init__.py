"""Typed data around a point in 3D, and its HDF5 form."""

from ._version import __version__
from .basis import AngularNormalization, Basis, PointNormalization, RadialNormalization, Zernike
from .data import Data, Embeddings, Grid, Holograms, ModelReference, PointClouds, SphereImages, concatenate
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
