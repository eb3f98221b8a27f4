"""Clebsch-Gordan products as matrix products, one for each pair of input degrees."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from holo_nn.kernels.dispatch import is_plain
from holo_nn.so3.clebsch_gordan import clebsch_gordan
from holo_nn.so3.constants import kept
from holo_nn.so3.precision import full_precision

__all__ = ["Couplings", "Pair"]


class Pair(NamedTuple):
    """Two degrees whose products are computed once, and the output degrees that one matrix maps them to."""

    l1: int
    l2: int
    degrees: tuple[int, ...]


@kept
def _matrix(pair: Pair) -> Tensor:
    """Stack the Clebsch-Gordan tensors of all output degrees, ``[ΣM, m n]``, float64."""
    tensors = [clebsch_gordan(pair.l1, pair.l2, l3).numpy() for l3 in pair.degrees]
    rows = [tensor.reshape(-1, tensor.shape[2]).T for tensor in tensors]
    return torch.from_numpy(np.concatenate(rows))


class Couplings:
    """The coupling matrices of pairs of degrees, exact in every precision and on every device.

    They are derived from irreps, so they are not buffers of a module: averaging, emptying, converting or loading a
    module cannot change them. They are converted to the precision and device of the features.

    Parameters
    ----------
    pairs
        The pairs of degrees.
    """

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = tuple(pairs)
        self._exact = tuple(map(_matrix, self.pairs))
        self._kept: dict[tuple[torch.dtype, torch.device], tuple[Tensor, ...]] = {}

    def __reduce__(self) -> tuple[type["Couplings"], tuple[tuple[Pair, ...]]]:
        """Copy and pickle the pairs alone."""
        return Couplings, (self.pairs,)

    def _like(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return the matrices in the precision and on the device of a tensor."""
        if not is_plain(tensor):  # tensors made during tracing or a transform cannot be used afterwards
            return tuple(matrix.to(tensor.device, tensor.dtype) for matrix in self._exact)
        key = tensor.dtype, tensor.device
        if key not in self._kept:
            with torch.inference_mode(False):
                self._kept[key] = tuple(matrix.to(tensor.device, tensor.dtype) for matrix in self._exact)
        return self._kept[key]

    def couple(self, products: Iterable[Tensor]) -> list[tuple[Tensor, ...]]:
        """Map products ``[2 l1 + 1, 2 l2 + 1, batch, rows]`` of each pair to ``[batch, rows, 2 l3 + 1]`` per l3."""
        matrices: tuple[Tensor, ...] | None = None
        coupled = []
        for number, (pair, each) in enumerate(zip(self.pairs, products, strict=True)):
            matrices = self._like(each) if matrices is None else matrices
            with full_precision(each.device):
                outputs = matrices[number] @ each.flatten(0, 1).flatten(1)
            sizes = [2 * degree + 1 for degree in pair.degrees]
            coupled.append(
                tuple(
                    output.reshape(len(output), *each.shape[2:]).permute(1, 2, 0)
                    for output in torch.split(outputs, sizes)
                )
            )
        return coupled
