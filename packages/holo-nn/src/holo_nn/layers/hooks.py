"""What looks at a module, or changes it, from outside."""

from typing import TypeGuard, TypeVar

from torch import nn
from torch.nn.modules import module as torch_module

__all__ = ["as_made"]

_Module = TypeVar("_Module", bound=nn.Module)


def _has_hooks(module: nn.Module) -> bool:
    """Say whether somebody wants to see, or change, what goes through a module, or through every one."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or torch_module._has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def as_made(module: nn.Module | None, kind: type[_Module]) -> TypeGuard[_Module]:
    """Say whether a module is what a layer made.

    Somebody may have put another in its place, look at it by a hook, or have its parameters computed of others:
    a parametrization changes the class.
    """
    return type(module) is kind and not _has_hooks(module)
