"""How biotite is imported: without matplotlib and networkx, which take longer than all the rest of it.

It draws with the one and seeks cycles of bonds with the other. Both come when they are used, as if they had been there.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["import_biotite_lightly"]

# What a package imports for the few of its functions that need it.
_LATER = {"biotite": "biotite.visualize", "biotite.structure": "networkx"}


class _Later(ModuleType):
    """Stands for a module until something of it is used."""

    __all__: Sequence[str] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks every module
            raise AttributeError(name)
        self.leave()
        return getattr(import_module(self.__name__), name)

    def leave(self) -> None:
        """Let whoever imports the module from now on have itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


class _Loader:
    """Execute a package while a stand-in is in the place of what it may import later."""

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
    """Return what biotite itself would have imported of its module for drawing."""
    if name.startswith("__") or find_spec("biotite.visualize") is None:
        raise AttributeError(name)
    drawing = import_module("biotite.visualize")
    return drawing if name == "visualize" else getattr(drawing, name)


class _Finder:
    """Find the packages of `_LATER`, with a loader of ours."""

    @staticmethod
    def find_spec(name: str, path: Any = None, _target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in _LATER else None
        if spec is not None:
            spec.loader = _Loader(spec)  # type: ignore[assignment]
        return spec


def import_biotite_lightly() -> None:
    """Import biotite so from now on, where nobody has imported it yet."""
    sys.meta_path.insert(0, _Finder)
