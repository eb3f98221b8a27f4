"""The three terms of VICReg on z of two views of the same rows, over the batch of all processes."""

import torch
from jaxtyping import Float
from torch import Tensor

from holo_nn import sum_over_processes

__all__ = ["view_terms"]

_LEAST_VARIANCE = 1e-4  # below this, the square root of a variance is too steep


def view_terms(first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]) -> Float[Tensor, "n 3"]:
    """Return invariance, variance and covariance for each row; the last two are the same for all rows.

    Invariance is the mean squared difference between the two z of a row. Variance is the mean over dimensions and views
    of max(0, 1 - s), with s the standard deviation over the batch. Covariance is the sum of the squared covariances of
    different dimensions, divided by d, averaged over both views.

    Parameters
    ----------
    first, second
        z of the two views of the same rows. With several processes, each passes its own rows; the batch is that of all
        processes, and all of them must run the backward pass.

    Notes
    -----
    Bardes, Ponce, LeCun, *VICReg*, ICLR (2022), equations 1 to 5.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> view_terms(z, z)[0].round(decimals=2)
    tensor([0.0000, 0.5000, 0.0000])
    """
    views = (
        torch.stack([first, second]).float()
        if first.dtype == torch.bfloat16
        else torch.stack([first, second])
    )
    invariance = (views[0] - views[1]).square().mean(dim=1)
    sums = torch.cat([views.sum(dim=1), views.new_full((2, 1), views.shape[1])], dim=1)
    sums = sum_over_processes(sums)
    count = sums[0, -1].detach()
    centered = views - (sums[:, :-1] / count)[:, None]
    covariances = sum_over_processes(centered.mT @ centered) / (count - 1)
    variances = covariances.diagonal(dim1=1, dim2=2)
    deviations = (variances + _LEAST_VARIANCE).sqrt()
    variance = (1 - deviations).clamp(min=0).mean()
    others = covariances.square().sum(dim=(1, 2)) - variances.square().sum(dim=1)
    covariance = (others / views.shape[2]).mean()
    return torch.stack([invariance, variance.expand_as(invariance), covariance.expand_as(invariance)], dim=1)
