"""Zernike holograms of protein structures and point clouds."""

import lazy_loader

from .biotite_import import import_biotite_lightly

import_biotite_lightly()

# numpy, scipy and biotite take long to import, so each name brings its module when it is first used.
# The names and their modules are in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
