"""Tensors that are computed once and cached."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch
from torch.utils._python_dispatch import _disable_current_modes

__all__ = ["kept"]

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


def kept(function: Callable[[_Argument], _Result]) -> Callable[[_Argument], _Result]:
    """Cache the results of a function of one argument, and make them plain tensors, whoever calls it first.

    A tensor made in inference mode could not be trained through, and one made during tracing, as by `torch.export`, has
    no numbers.

    Examples
    --------
    >>> @kept
    ... def ones(count):
    ...     return torch.ones(count)
    >>> with torch.inference_mode():
    ...     ones(3).is_inference(), ones(3) is ones(3)
    (False, True)
    """

    @cache
    def make(argument: _Argument) -> _Result:
        with _disable_current_modes(), torch.inference_mode(False):
            return function(argument)

    make.__doc__, make.__name__ = function.__doc__, function.__name__
    return make
