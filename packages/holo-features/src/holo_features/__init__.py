"""Protein structures and point clouds to Zernike holograms."""

from ._version import __version__
from .zernike import inverse_zernike_transform, zernike_transform

__all__ = ["__version__", "inverse_zernike_transform", "zernike_transform"]
