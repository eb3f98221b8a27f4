"""Protein structures and point clouds to Zernike holograms."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets
    from .encoding import EncodedStructure, encode_structures
    from .neighbors import SkippedResidue, neighborhoods, skipped_residues
    from .structures import LeftOutAtom, Structure, read_structure
    from .zernike import inverse_zernike_transform, zernike_transform

__all__ = [
    "EncodedStructure",
    "LeftOutAtom",
    "SkippedResidue",
    "Structure",
    "__version__",
    "datasets",
    "encode_structures",
    "inverse_zernike_transform",
    "neighborhoods",
    "read_structure",
    "skipped_residues",
    "zernike_transform",
]

# biotite takes half a second to import, so each name brings its module when it is first used.
_HOMES = {
    "EncodedStructure": "encoding",
    "LeftOutAtom": "structures",
    "SkippedResidue": "neighbors",
    "Structure": "structures",
    "encode_structures": "encoding",
    "inverse_zernike_transform": "zernike",
    "neighborhoods": "neighbors",
    "read_structure": "structures",
    "skipped_residues": "neighbors",
    "zernike_transform": "zernike",
}


def __getattr__(name: str) -> object:
    if name == "datasets":
        return import_module(".datasets", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
