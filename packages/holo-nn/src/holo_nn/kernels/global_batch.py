"""Statistics of a batch of which each process has a part."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from .autograd import apply

__all__ = ["GlobalStatistics", "global_statistics", "sum_over_processes"]


class _Sum(torch.autograd.Function):
    """The sum over processes; what each gives acts on the result of all, so gradients are summed as well."""

    @staticmethod
    def forward(_ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return sum_over_processes(gradient)


def _in_processes() -> bool:
    return dist.is_available() and dist.is_initialized()


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Sum a tensor over the processes of the default group; every one gets the same bits.

    Differentiable, any number of times: all processes must then go backward, as all went forward. Where there is no
    group, a process is alone and the tensor is the sum.

    Examples
    --------
    >>> import torch
    >>> sum_over_processes(torch.ones(2))
    tensor([1., 1.])
    """
    return apply(_Sum, tensor) if _in_processes() else tensor


class GlobalStatistics(NamedTuple):
    """Statistics of the samples of all processes.

    Attributes
    ----------
    samples
        How many there are, ``[]``.
    mean
        The mean of the channels of degree 0, ``[scalars]``.
    variance
        The variance of all channels, those of degree 0 first, ``[channels]``.
    """

    samples: Float[Tensor, ""]
    mean: Float[Tensor, " scalars"]
    variance: Float[Tensor, " channels"]


def global_statistics(
    samples: int, mean: Float[Tensor, " scalars"], variance: Float[Tensor, " channels"]
) -> GlobalStatistics:
    """Merge the statistics that each process took of its own samples: one collective, and one in the backward.

    Parameters
    ----------
    samples
        How many this process has; not all need have as many.
    mean
        Their mean in each channel of degree 0.
    variance
        Their mean power in each channel, scalars centered by that mean.

    Raises
    ------
    ValueError
        If there is no process group, or this process has no samples.

    Notes
    -----
    Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979: the
    variance of all is the mean of the variances and the variance of the means. No digits cancel, as they would
    between the mean of squares and the square of the mean.
    """
    if not _in_processes():
        raise ValueError(
            "BatchNorm: it is to take its statistics over all processes, and there is no process group; "
            "torch.distributed.init_process_group must come first"
        )
    if samples == 0:
        raise ValueError("BatchNorm: this process has no samples of the batch; it must have one at least")
    own = torch.cat([mean.new_full((1,), samples), mean, variance])
    # A sum of rows that are zero elsewhere: exact, and every backend can sum.
    rank, processes = dist.get_rank(), dist.get_world_size()
    table = sum_over_processes(nn.functional.pad(own[None], (0, 0, rank, processes - rank - 1)))
    counts, means, variances = torch.split(table, [1, len(mean), len(variance)], dim=1)
    shares = counts / counts.sum()
    total_mean = (shares * means).sum(0)
    between = (shares * (means - total_mean).square()).sum(0)
    return GlobalStatistics(
        counts.sum(),
        total_mean,
        (shares * variances).sum(0) + nn.functional.pad(between, (0, len(variance) - len(mean))),
    )
