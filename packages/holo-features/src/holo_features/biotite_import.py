"""A lighter import of biotite, without matplotlib and networkx, which take longer than all the rest of it.

biotite needs them only to draw and to find cycles of bonds. Both are imported when they are first used.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["import_biotite_lightly"]

# What a package imports for a few of its functions.
_LATER = {"biotite": "biotite.visualize", "biotite.structure": "networkx"}


class _Later(ModuleType):
    """A stand-in for a module until something of it is used."""

    __all__: Sequence[str] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # attributes that the import system requests from every module
            raise AttributeError(name)
        self.leave()
        return getattr(import_module(self.__name__), name)

    def leave(self) -> None:
        """Make later imports of the module return the module itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


class _Loader:
    """Execute a package while stand-ins are in the place of modules that it can import later."""

    def __init__(self, spec: ModuleSpec) -> None:
        self.loader: Any = spec.loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        name = _LATER[module.__name__]
        stand_in = _Later(name)
        sys.modules.setdefault(name, stand_in)
        try:
            self.loader.exec_module(module)
        finally:
            stand_in.leave()
        if module.__name__ == "biotite":
            module.__getattr__ = _of_visualize  # type: ignore[method-assign]


def _of_visualize(name: str) -> Any:
    """Return what biotite itself would have imported from its module for drawing."""
    if name.startswith("__") or find_spec("biotite.visualize") is None:
        raise AttributeError(name)
    drawing = import_module("biotite.visualize")
    return drawing if name == "visualize" else getattr(drawing, name)


class _Finder:
    """Find the packages of `_LATER`, and load them with `_Loader`."""

    @staticmethod
    def find_spec(name: str, path: Any = None, _target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in _LATER else None
        if spec is not None:
            spec.loader = _Loader(spec)  # type: ignore[assignment]
        return spec


def import_biotite_lightly() -> None:
    """Make imports of biotite light from now on, unless it has already been imported."""
    sys.meta_path.insert(0, _Finder)
