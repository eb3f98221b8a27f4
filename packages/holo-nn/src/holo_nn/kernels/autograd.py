"""Typed calls of autograd functions, and compiled gradients that are added to ``grad`` directly."""

from collections.abc import Sequence
from threading import local

import torch
from torch import Tensor

__all__ = ["accumulate_gradients", "apply", "places_of_gradients"]

_state = local()


class _Unused:
    """A substitute for the context of an autograd function if nothing is to be differentiated."""

    def save_for_backward(self, *_tensors: Tensor | None) -> None:
        """Save nothing."""


def apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """Call an autograd function that returns one tensor; torch's own `apply` has no types.

    If no gradients are required, the forward is called directly, because torch's `apply` takes 20 µs.
    """
    if torch.is_grad_enabled():
        result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    else:
        result = function.forward(_Unused(), *arguments)
    return result


def accumulate_gradients(loss: Tensor) -> None:
    """Do the same as ``loss.backward()``, faster if parameters already have gradients, such as zeros.

    Compiled blocks then add to ``grad`` of their parameters directly and pass no gradients to autograd: a network has a
    hundred parameters, and autograd takes some microseconds for each. Therefore code that listens to autograd does not
    see these gradients (`torch.nn.parallel.DistributedDataParallel`); hooks of the parameters themselves are called.

    Parameters
    ----------
    loss
        The loss, a single number, ``[]``.

    Examples
    --------
    >>> from holo_nn import Block
    >>> block = Block("4x0e+4x1e", "2x0e+2x1e")
    >>> for parameter in block.parameters():
    ...     parameter.grad = torch.zeros_like(parameter)
    >>> accumulate_gradients(block(torch.randn(5, 16)).square().sum())
    >>> bool(block.linear.weights["0"].grad.any())
    True
    """
    _state.in_place = True
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    finally:
        _state.in_place = False


def places_of_gradients(parameters: Sequence[Tensor | None]) -> list[Tensor | None] | None:
    """Return ``grad`` of each parameter if `accumulate_gradients` is active and allows adding to all; else None."""
    if not getattr(_state, "in_place", False):
        return None
    places = [None if each is None or not _is_plain(each) else each.grad for each in parameters]
    served = all((place is None) is (each is None) for place, each in zip(places, parameters, strict=True))
    return places if served else None


def _is_plain(parameter: Tensor) -> bool:
    """Return whether a parameter has a gradient to add to, in its own layout, and no hooks that must be called."""
    return (
        parameter.is_leaf
        and parameter.requires_grad
        and parameter.grad is not None
        and parameter.grad.is_contiguous()
        and not parameter._backward_hooks
        and not parameter._post_accumulate_grad_hooks
    )
