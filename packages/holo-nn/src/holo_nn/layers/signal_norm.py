"""Normalization of each sample by the norm of its whole signal."""

from torch import Tensor

from holo_nn.so3.irreps import IrrepsLike, join_terms, split_terms

from .norms import Affine, Norm, Normalization

__all__ = ["SignalNorm"]


class SignalNorm(Norm):
    """Divide each sample by the norm of all its features: y = w x / sqrt(N + eps) + b, N = Σ_l Σ_c Σ_m x²/(2l+1).

    Parameters
    ----------
    irreps
        The irreps of the features.
    normalization
        ``"component"``: N is the sum of x²/(2l+1); ``"norm"``: N is the sum of x².
    affine
        ``"degree"``: each irrep gets a learned weight, and all scalar channels share one bias; ``"channel"``: each
        channel gets a weight, and each scalar channel a bias; None: nothing is learned.
    eps
        Added to N.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter or None
        See `holo_nn.layers.norms.Norm`.

    Raises
    ------
    ValueError
        If irreps cannot be read, or an option is unknown.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024).

    Examples
    --------
    >>> import torch
    >>> norm = SignalNorm("2x0e+1x1e")
    >>> norm(torch.tensor([[0.0, 0.0, 0.0, 5.0, 0.0]])).detach().round(decimals=4)
    tensor([[0.0000, 0.0000, 0.0000, 1.7321, 0.0000]])
    """

    def __init__(
        self,
        irreps: IrrepsLike,
        normalization: Normalization = "component",
        affine: Affine | None = "degree",
        eps: float = 1e-8,
    ) -> None:
        super().__init__(irreps, normalization, affine, eps)

    def center_and_variance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features, and the power of each sample."""
        squares = features * features
        if self.normalization == "norm":
            return features, squares.sum(1, keepdim=True)
        pieces = [piece / piece.shape[2] for piece in split_terms(squares, self._terms)]
        return features, join_terms(pieces, features).sum(1, keepdim=True)
