"""The edges of a graph, in the orders in which features are gathered and summed along them."""

from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Edges"]


class Edges:
    """The edges of a graph: the nodes that each edge comes from and goes to.

    Make it once for a graph, for use in every layer: the orders of the edges are computed at their first use and kept.

    Parameters
    ----------
    senders, receivers
        The nodes that each edge comes from and goes to, int64, ``[edges]``.
    nodes
        Number of nodes.

    Raises
    ------
    ValueError
        If the two differ in length, are not int64, or name a node that does not exist.

    Examples
    --------
    >>> edges = Edges(torch.tensor([0, 1, 2]), torch.tensor([1, 0, 1]), nodes=3)
    >>> edges.nodes, len(edges)
    (3, 3)
    """

    def __init__(self, senders: Int[Tensor, " edges"], receivers: Int[Tensor, " edges"], nodes: int) -> None:
        if senders.shape != receivers.shape or senders.ndim != 1:
            raise ValueError(
                f"Edges: senders has shape {list(senders.shape)} and receivers {list(receivers.shape)}; "
                "both must be [edges]"
            )
        for name, ends in (("senders", senders), ("receivers", receivers)):
            if ends.dtype != torch.int64:
                raise ValueError(f"Edges: {name} has dtype {ends.dtype}; it must be torch.int64")
            if len(ends) and not (int(ends.min()) >= 0 and int(ends.max()) < nodes):
                raise ValueError(
                    f"Edges: {name} has nodes from {int(ends.min())} to {int(ends.max())}; "
                    f"they must be from 0 to {nodes - 1}"
                )
        # Copies: compiled loops read through these indices, so they may not change after the check.
        self.senders, self.receivers = senders.contiguous().clone(), receivers.contiguous().clone()
        self.nodes = nodes

    def __len__(self) -> int:
        return len(self.senders)

    @cached_property
    def by_receivers(self) -> tuple[Tensor, Tensor]:
        """Where the edges of each receiving node begin, ``[nodes + 1]``, and the order of the edges, ``[edges]``."""
        return _sorted(self.receivers, self.nodes)

    @cached_property
    def by_senders(self) -> tuple[Tensor, Tensor]:
        """Where the edges of each sending node begin, ``[nodes + 1]``, and the order of the edges, ``[edges]``."""
        return _sorted(self.senders, self.nodes)


def _sorted(ends: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    counts = torch.bincount(ends, minlength=nodes)
    start = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    return start, torch.argsort(ends, stable=True)
