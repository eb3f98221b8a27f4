"""Statistics of a batch that is distributed over processes."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from .autograd import apply

__all__ = ["GlobalStatistics", "global_statistics", "sum_over_processes"]


class _Sum(torch.autograd.Function):
    """The sum over processes; each tensor affects the result of every process, so gradients are summed as well."""

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
    """Sum a tensor over the processes of the default group; every process gets identical bits.

    The sum is differentiable any number of times; all processes must then run the backward as they ran the forward.
    Without a process group, the process is alone and the tensor is its own sum.

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
        The total number of samples, ``[]``.
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
    """Merge the statistics of each process's own samples, by one collective here and one in the backward.

    Parameters
    ----------
    samples
        Number of samples of this process; processes may have different numbers.
    mean
        Mean of these samples in each channel of degree 0.
    variance
        Mean power of these samples in each channel, where scalars are centered by that mean.

    Raises
    ------
    ValueError
        If there is no process group, or this process has no samples.

    Notes
    -----
    Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979: the total
    variance is the mean of the variances plus the variance of the means. This does not cancel digits, as the difference
    of the mean of squares and the square of the mean does.
    """
    if not _in_processes():
        raise ValueError(
            "BatchNorm: it is to take its statistics over all processes, and there is no process group; "
            "torch.distributed.init_process_group must come first"
        )
    if samples == 0:
        raise ValueError("BatchNorm: this process has no samples of the batch; it must have one at least")
    own = torch.cat([mean.new_full((1,), samples), mean, variance])
    # A sum of rows that are zero elsewhere is exact, and every backend supports sums.
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
