"""Typed data around a point in 3D, and its HDF5 form."""

import lazy_loader

# numpy and h5py take a fifth of a second to import, so each name brings its module when it is first used.
# The names and their modules are in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
