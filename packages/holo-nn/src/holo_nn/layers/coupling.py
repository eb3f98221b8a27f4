"""Clebsch-Gordan products as matrix products, one for each pair of input degrees."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from holo_nn.so3.clebsch_gordan import clebsch_gordan
from holo_nn.so3.precision import full_precision

__all__ = ["Coupled", "Pair"]


class Pair(NamedTuple):
    """Two degrees whose products are formed once, and the output degrees that one matrix turns them into."""

    l1: int
    l2: int
    degrees: tuple[int, ...]

    @property
    def name(self) -> str:
        """What the buffer of the matrix is called."""
        return f"_coupling_{self.l1}_{self.l2}_{self.degrees[0]}"

    def matrix(self) -> Tensor:
        """Put the Clebsch-Gordan tensors of all output degrees below each other, ``[ΣM, m n]``, float64."""
        tensors = [clebsch_gordan(self.l1, self.l2, l3).flatten(0, 1) for l3 in self.degrees]
        return torch.cat(tensors, dim=1).T.contiguous()


class Coupled(nn.Module):
    """A module that holds the matrices of pairs of degrees, exact in every precision that it is moved to."""

    _pairs: tuple[Pair, ...] = ()

    def hold_couplings(self, pairs: Iterable[Pair]) -> None:
        """Register the matrices as buffers that no checkpoint carries."""
        self._pairs = tuple(pairs)
        for pair in self._pairs:
            matrix = pair.matrix().to(torch.get_default_device(), torch.get_default_dtype())
            self.register_buffer(pair.name, matrix, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Coupled":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # From float64 again, not from what the buffers held: a module that was float32 once would
        # keep coefficients of float32 in float64.
        for pair in self._pairs:
            buffer = getattr(self, pair.name)
            setattr(self, pair.name, pair.matrix().to(buffer))
        return self

    def couple(self, pair: Pair, products: Tensor) -> tuple[Tensor, ...]:
        """Turn products ``[2 l1 + 1, 2 l2 + 1, batch, rows]`` into ``[batch, rows, 2 l3 + 1]`` for each l3."""
        with full_precision(products.device):
            coupled = getattr(self, pair.name) @ products.flatten(0, 1).flatten(1)
        sizes = [2 * degree + 1 for degree in pair.degrees]
        return tuple(
            output.reshape(len(output), *products.shape[2:]).permute(1, 2, 0)
            for output in torch.split(coupled, sizes)
        )
