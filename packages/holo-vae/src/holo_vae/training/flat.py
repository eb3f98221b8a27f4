"""All weights of a network in one tensor, so that an optimizer has one tensor to step instead of some hundred."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["FlatParameters"]


class FlatParameters:
    """The parameters of a network as one tensor, and their gradients as another.

    Each parameter, and its gradient, becomes a slice of these, so that an operation on the whole applies to all of
    them. Gradients are accumulated, so they must be set to zero before each backward pass.

    Parameters
    ----------
    network
        The network whose trainable parameters are used; all must have one dtype and be on one device.

    Attributes
    ----------
    values : torch.nn.Parameter
        The values of all parameters, ``[weights]``; its ``grad`` holds their gradients.

    Examples
    --------
    >>> network = nn.Linear(2, 1)
    >>> flat = FlatParameters(network)
    >>> optimizer = torch.optim.Adam([flat.values], lr=0.1)
    >>> network(torch.ones(1, 2)).sum().backward()
    >>> flat.values.grad
    tensor([1., 1., 1.])
    >>> before = network.weight.sum().item()
    >>> optimizer.step()
    >>> round(before - network.weight.sum().item(), 4)
    0.2
    """

    def __init__(self, network: nn.Module) -> None:
        self._parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.values = nn.Parameter(torch.cat([p.detach().flatten() for p in self._parameters.values()]))
        self.values.grad = torch.zeros_like(self.values)
        values, gradients = self.pieces(self.values.detach()), self.pieces(self.values.grad)
        for name, parameter in self._parameters.items():
            parameter.data, parameter.grad = values[name], gradients[name]

    def pieces(self, tensor: Float[Tensor, " weights"]) -> dict[str, Tensor]:
        """Split a tensor as long as all parameters into tensors of their shapes, by name; they share its memory."""
        pieces = torch.split(tensor, [p.numel() for p in self._parameters.values()])
        return {
            name: piece.view_as(p) for (name, p), piece in zip(self._parameters.items(), pieces, strict=True)
        }

    @property
    def gradient(self) -> Float[Tensor, " weights"]:
        """The gradient of all parameters."""
        assert self.values.grad is not None
        return self.values.grad

    def clip(self, longest: float) -> Float[Tensor, ""]:
        """Scale the gradient down to a norm if it is longer, and return its norm before that.

        It does the same as `torch.nn.utils.clip_grad_norm_`, in a quarter of the time.
        """
        norm: Tensor = torch.linalg.vector_norm(self.gradient)
        self.gradient.mul_((longest / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Tensor]]:
        """Return the state that an optimizer of `values` keeps for each parameter, by name."""
        found: dict[str, dict[str, Tensor]] = {name: {} for name in self._parameters}
        for key, tensor in optimizer.state[self.values].items():
            pieces = self.pieces(tensor) if tensor.shape == self.values.shape else None
            for name, state in found.items():
                state[key] = tensor if pieces is None else pieces[name]
        return found

    def load_state(self, optimizer: torch.optim.Optimizer, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restore the state of an optimizer of `values` that `state` returned."""
        pieces = {key: [state[name][key] for name in self._parameters] for key in next(iter(state.values()))}
        optimizer.state[self.values] = {
            # A tensor as large as the parameter is specific to it; the number of steps is common to all.
            key: (torch.cat([each.flatten() for each in some]) if self._fits(some) else some[0]).to(
                self.values.device
            )
            for key, some in pieces.items()
        }

    def _fits(self, tensors: Sequence[Tensor]) -> bool:
        return all(t.shape == p.shape for t, p in zip(tensors, self._parameters.values(), strict=True))

    def release(self) -> None:
        """Give each parameter its own memory again."""
        for parameter in self._parameters.values():
            parameter.data, parameter.grad = parameter.data.clone(), None
