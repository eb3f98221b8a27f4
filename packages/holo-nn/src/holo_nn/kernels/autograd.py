"""Autograd functions, called with a type; and gradients that they add to ``grad`` themselves."""

from collections.abc import Sequence
from threading import local

import torch
from torch import Tensor

__all__ = ["accumulate_gradients", "apply", "places_of_gradients"]

_state = local()


class _Unused:
    """In the place of an autograd function's context where nothing is to be differentiated."""

    def save_for_backward(self, *_tensors: Tensor | None) -> None:
        """Save nothing."""


def apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """Call a function that gives one tensor; torch's own `apply` is without types.

    Where no gradients are wanted, its forward is called as it is: torch's way there takes 20 µs.
    """
    if torch.is_grad_enabled():
        result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    else:
        result = function.forward(_Unused(), *arguments)
    return result


def accumulate_gradients(loss: Tensor) -> None:
    """Do what ``loss.backward()`` does, and faster where parameters have gradients already, such as zeros.

    Compiled blocks then add to ``grad`` of their parameters themselves, and hand nothing over: a network has a hundred
    parameters, and each takes autograd some microseconds. So who listens to autograd hears nothing of them
    (`torch.nn.parallel.DistributedDataParallel`); hooks of the parameters themselves are called.

    Parameters
    ----------
    loss
        One number, ``[]``.

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
    """Return ``grad`` of each of these, where within `accumulate_gradients` it may be added to; else None."""
    if not getattr(_state, "in_place", False):
        return None
    places = [None if each is None or not _is_plain(each) else each.grad for each in parameters]
    served = all((place is None) is (each is None) for place, each in zip(places, parameters, strict=True))
    return places if served else None


def _is_plain(parameter: Tensor) -> bool:
    """Say whether a parameter has a gradient to add to, in its own layout, and nobody wants to be told."""
    return (
        parameter.is_leaf
        and parameter.requires_grad
        and parameter.grad is not None
        and parameter.grad.is_contiguous()
        and not parameter._backward_hooks
        and not parameter._post_accumulate_grad_hooks
    )
