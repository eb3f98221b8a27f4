"""Batch normalization of equivariant features."""

import torch
from torch import Tensor, nn

from holo_nn.kernels.global_batch import global_statistics
from holo_nn.so3.irreps import IrrepsLike

from .norms import Affine, Norm, Normalization

__all__ = ["BatchNorm", "synchronize_batch_norms"]


class BatchNorm(Norm):
    """Divide each channel of each degree by its root mean square over the batch: y = w x / sqrt(V + eps) + b.

    V of a channel is the mean over the batch of Σ_m x²/(2l+1) or Σ_m x² (the biased estimate); scalars (0e) are
    centered first. In evaluation, and for a batch without samples, which has no statistics, the running statistics are
    used instead. The sum of x² over m does not change when samples are rotated, so the layer is equivariant in training
    too.

    Parameters
    ----------
    irreps
        The irreps of the features.
    normalization
        The power of a channel: ``"component"``, Σ_m x²/(2l+1); ``"norm"``, Σ_m x².
    affine
        ``"channel"``: each channel gets a learned weight, and each scalar channel a learned bias; ``"degree"``: each
        degree gets a weight, and all scalar channels share one bias; None: nothing is learned.
    momentum
        The weight of the batch's statistics in each update of the running ones.
    eps
        Added to V.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.
    running_var : torch.Tensor
        The running mean of V for each channel, in the order of the irreps' terms.
    running_mean : torch.Tensor
        The running mean of each scalar channel.
    synchronized : bool
        Whether the statistics in training are those of all processes; see `synchronize_batch_norms`.

    Raises
    ------
    ValueError
        If irreps cannot be read, or an option is unknown.

    Notes
    -----
    Ioffe and Szegedy, Batch normalization, ICML 2015; the results are those of ``e3nn.nn.BatchNorm``.

    Examples
    --------
    >>> norm = BatchNorm("4x0e+4x1e")
    >>> y = norm(7 * torch.randn(100, 16) + 3)
    >>> bool(((y**2).mean(0)[:4] - 1).abs().max() < 1e-4)
    True
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        irreps: IrrepsLike,
        normalization: Normalization = "component",
        affine: Affine | None = "channel",
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(irreps, normalization, affine, eps)
        self.momentum = momentum
        self.synchronized = False
        self.register_buffer("running_mean", torch.empty(self._scalars))
        self.register_buffer("running_var", torch.empty(sum(self._counts)))
        self.reset_running_stats()

    def reset_parameters(self) -> None:
        """Reset weights and variances to one, and biases and means to zero."""
        super().reset_parameters()
        if "running_var" in self._buffers:  # not yet there when the base class calls this
            self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Reset the running statistics."""
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)

    def _like(self) -> Tensor | None:
        return self.running_var if self.weight is None else self.weight

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features with scalars centered, and the mean power of each channel over the batch."""
        # The statistics of an empty batch would be NaN, and would make the running ones NaN for good.
        if not self.training or not (len(features) or self.synchronized):
            mean, variance = self.running_mean.to(features), self.running_var.to(features)
            return self.shift_scalars(features, mean), variance[None]
        mean = self.scalars(features).mean(0)
        centered = self.shift_scalars(features, mean)
        variance = self.powers((centered * centered).mean(0, keepdim=True))
        if self.synchronized:
            _, mean, merged = global_statistics(len(features), mean, variance[0])
            centered, variance = self.shift_scalars(features, mean), merged[None]
        self.remember(mean, variance[0])
        return centered, variance

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics by those of a batch."""
        # Equal to lerp_, in operations that torch.vmap supports.
        for running, found in ((self.running_mean, mean), (self.running_var, variance)):
            running.add_(found.to(running) - running, alpha=self.momentum)

    def extra_repr(self) -> str:
        """Return the irreps and settings, for printing."""
        return f"{super().extra_repr()}, momentum={self.momentum}"


def synchronize_batch_norms(module: nn.Module, synchronized: bool = True) -> None:
    """Make every `BatchNorm` of a module use, in training, the statistics of the samples of all processes.

    Several processes, each with a part of a batch (of any size), then normalize, differentiate and update the running
    statistics as one process with the whole batch would. Compiled loops can still be used: each norm takes one small
    collective in the forward and one in the backward, in the default process group. All processes must call the module
    equally often, on the same kind of device and in the same form (compiled or pure), and none with an empty part.

    Parameters
    ----------
    module
        The module whose norms are set; it may be a `BatchNorm` itself.
    synchronized
        False undoes it.

    Examples
    --------
    >>> from holo_nn import Block
    >>> block = Block("4x0e+4x1e", "2x0e+2x1e")
    >>> synchronize_batch_norms(block)
    >>> block.batch_norm.synchronized
    True
    """
    for each in module.modules():
        if isinstance(each, BatchNorm):
            each.synchronized = synchronized
