"""Muon: steps of matrices along the nearest orthogonal matrix."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .flat import FlatParameters

__all__ = ["Muon", "orthogonalized"]

# For a x + b x³ + c x⁵, applied five times: singular values from 0.01 to 1 end up between 0.68 and 1.13.
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_MOMENTUM = 0.95
_SECOND_MOMENT = 0.99
# The root mean square of a matrix's step in units of the learning rate: that of a typical Adam step.
_MATRIX_STEP = 0.2


class Muon(torch.optim.Optimizer):
    """Muon for the matrices of a network, Adam for its vectors.

    The momentum of a matrix is replaced by the nearest matrix with orthonormal rows (or columns), so that each step
    moves all of its directions equally; see K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*
    (2024). The root mean square of a step is 0.2 learning rates, as in J. Liu et al. (arXiv:2502.16982).
    `torch.optim.Muon` does the same for one parameter at a time; this optimizer handles all of them together.

    Parameters
    ----------
    flat
        The parameters and their gradients.
    learning_rate
        The learning rate, which may be changed between steps as for other optimizers, ``param_groups[0]["lr"]``.

    Examples
    --------
    >>> network = torch.nn.Linear(2, 2)
    >>> flat = FlatParameters(network)
    >>> muon = Muon(flat, learning_rate=1.0)
    >>> before = network.weight.detach().clone()
    >>> network(torch.eye(2)).diagonal().sum().backward()
    >>> muon.step()
    >>> step = before - network.weight.detach()
    >>> round(step.square().mean().sqrt().item(), 1)
    0.2
    """

    def __init__(self, flat: FlatParameters, learning_rate: float) -> None:
        super().__init__([flat.values], {"lr": learning_rate})
        self._flat = flat

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step along the gradients.

        Raises
        ------
        TypeError
            If there is a closure: this optimizer evaluates the network once per step.
        """
        if closure is not None:
            raise TypeError("Muon.step takes no closure")
        (group,) = self.param_groups
        values, gradient = self._flat.values, self._flat.gradient
        state = self.state[values]
        if not state:
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(gradient)
            state["second_moment"] = torch.zeros_like(gradient)
        state["step"] += 1
        count = int(state["step"])
        momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        second = state["second_moment"].lerp_(gradient.square(), 1 - _SECOND_MOMENT)
        # Adam's step is taken for all parameters; then that of each matrix is overwritten.
        step = momentum / (1 - _MOMENTUM**count)
        step /= (second / (1 - _SECOND_MOMENT**count)).sqrt_().add_(1e-8)
        ahead = self._flat.pieces(gradient.lerp(momentum, _MOMENTUM))  # Nesterov's
        matrices = {name: piece for name, piece in ahead.items() if piece.ndim == 2}
        steps = self._flat.pieces(step)
        for name, matrix in zip(matrices, orthogonalized(list(matrices.values())), strict=True):
            steps[name].copy_(matrix).mul_(_MATRIX_STEP * max(matrix.shape) ** 0.5)
        values.sub_(step, alpha=group["lr"])


def orthogonalized(matrices: Sequence[Float[Tensor, "_ _"]]) -> list[Float[Tensor, "_ _"]]:
    """Return, for each matrix, nearly the nearest matrix with orthonormal rows, or columns where these are fewer.

    This is the Newton-Schulz iteration of Muon. It uses the products of rows with rows, which are small if one side of
    a matrix is much longer than the other, and treats all matrices with shorter sides of equal length together.

    Examples
    --------
    >>> (matrix,) = orthogonalized([torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 0.5]])])
    >>> [round(value, 1) for value in torch.linalg.svdvals(matrix).tolist()]
    [1.0, 0.7]
    """
    wide = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T for matrix in matrices]
    found: list[Tensor] = list(wide)
    for rows in {matrix.shape[0] for matrix in wide}:
        where = [i for i, matrix in enumerate(wide) if matrix.shape[0] == rows]
        products = torch.stack([wide[i] @ wide[i].T for i in where])
        # The trace of each product, the squared norm of the matrix, bounds the square of its largest singular value.
        norms = products.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=torch.finfo(products.dtype).tiny)
        products = products / norms[:, None, None]
        factors = torch.eye(rows, dtype=products.dtype, device=products.device).expand_as(products)
        a, b, c = _POLYNOMIAL
        for _ in range(_ITERATIONS):
            # The odd polynomial of X is this even polynomial of X Xᵀ, times X.
            even = torch.baddbmm(products, products, products, beta=b, alpha=c)
            even.diagonal(dim1=1, dim2=2).add_(a)
            factors = even @ factors
            products = even @ products @ even
        factors = factors / norms.sqrt()[:, None, None]
        for i, factor in zip(where, factors, strict=True):
            found[i] = factor @ wide[i]
    return [
        matrix if matrix.shape == given.shape else matrix.T
        for matrix, given in zip(found, matrices, strict=True)
    ]
