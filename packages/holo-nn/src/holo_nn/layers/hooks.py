"""Detect code that observes or changes a module from outside."""

from typing import TypeGuard, TypeVar

from torch import nn
from torch.nn.modules import module as torch_module

__all__ = ["as_made"]

_Module = TypeVar("_Module", bound=nn.Module)


def _has_hooks(module: nn.Module) -> bool:
    """Return whether any hook observes or changes what passes through a module, or through all modules."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or torch_module._has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def as_made(module: nn.Module | None, kind: type[_Module]) -> TypeGuard[_Module]:
    """Return whether a module is still the one that a layer made.

    Somebody may have replaced it, attached a hook to it, or parametrized it: a parametrization changes the class.
    """
    return type(module) is kind and not _has_hooks(module)
