"""What is asked of z of two views of the same rows: VICReg's three terms, over the batch of all processes."""

import torch
from jaxtyping import Float
from torch import Tensor

from holo_nn import sum_over_processes

__all__ = ["view_terms"]

_LEAST_VARIANCE = 1e-4  # below it the root of a variance is too steep


def view_terms(first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]) -> Float[Tensor, "n 3"]:
    """Return invariance, variance and covariance, the last two the same for each row.

    Invariance is the mean squared difference of a row's two z. Variance is the mean over numbers and views of
    max(0, 1 - s), s the standard deviation over the batch; covariance the sum of squares of the covariances of
    different numbers, over d, the mean of both views.

    Parameters
    ----------
    first, second
        z of the two views of the same rows. Of several processes each has its rows; the batch is that of all, and all
        must go backward.

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
