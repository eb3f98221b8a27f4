"""The cosine loss between features: how far apart their directions are, whatever their size."""

import torch
from jaxtyping import Float
from torch import Tensor

from holo_nn.so3.irreps import IrrepsLike, as_rows, check_features, read_irreps, split_terms, terms_of
from holo_nn.so3.precision import full_precision, widened

__all__ = ["cosine_loss", "cosine_loss_per_degree"]


def _one_minus_cosine(product: Tensor, norm_x: Tensor, norm_y: Tensor) -> Tensor:
    """Return 1 - <x,y> / (|x| |y|) from <x,y>, <x,x> and <y,y>; 1 where a norm is zero."""
    defined = (norm_x > 0) & (norm_y > 0)
    # Ones in place of zeros before the root, whose derivative at zero would be infinite.
    norm_x, norm_y = torch.where(defined, norm_x, 1.0), torch.where(defined, norm_y, 1.0)
    return 1 - torch.where(defined, product / (norm_x.sqrt() * norm_y.sqrt()), 0.0)


def cosine_loss(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], irreps: IrrepsLike, s: int | float = 1
) -> Float[Tensor, "*batch"]:
    """Return 1 - <x,y> / sqrt(<x,x> <y,y>) of each sample, with <x,y> = Σ_l sqrt(2l+1)^s Σ_c,m x y.

    Parameters
    ----------
    x, y
        Features, ``[..., irreps.dim]``.
    irreps
        The irreps of both.
    s
        The exponent of the weights of the degrees. The published tables were computed with +1.

    Returns
    -------
    Tensor
        Losses from 0 (same direction) to 2 (opposite), ``[...]``; 1 where x or y is zero.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024); the printed formula there has s = -1.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    >>> cosine_loss(x, 3 * x, "1x0e+1x1e").abs().round(decimals=5)
    tensor([0., 1.])
    """
    terms = terms_of(read_irreps(irreps))
    check_features(x, terms, "x")
    check_features(y, terms, "y")
    degree_weights: list[float] = []
    for count, degree in terms:
        size = 2 * degree + 1
        degree_weights += [size ** (s / 2)] * (count * size)
    x, y = widened(x), widened(y)
    weights = torch.tensor(degree_weights, dtype=x.dtype, device=x.device)
    with full_precision(x.device):
        return _one_minus_cosine((x * y) @ weights, (x * x) @ weights, (y * y) @ weights)


def cosine_loss_per_degree(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], irreps: IrrepsLike
) -> Float[Tensor, "*batch degrees"]:
    """Return the cosine loss of each degree by itself.

    Parameters
    ----------
    x, y
        Features, ``[..., irreps.dim]``.
    irreps
        The irreps of both.

    Returns
    -------
    Tensor
        ``[..., degrees]``, in the order in which the degrees first occur in the irreps; 1 where x or y has no component
        of that degree.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Examples
    --------
    >>> x, y = torch.tensor([[1.0, 2.0, 0.0, 0.0]]), torch.tensor([[-1.0, 5.0, 0.0, 0.0]])
    >>> cosine_loss_per_degree(x, y, "1x0e+1x1e")
    tensor([[2., 0.]])
    """
    terms = terms_of(read_irreps(irreps))
    check_features(x, terms, "x")
    check_features(y, terms, "y")
    pieces = zip(*(split_terms(as_rows(widened(each)), terms) for each in (x, y)), strict=True)
    sums: dict[int, list[Tensor]] = {}
    for (_, degree), (a, b) in zip(terms, pieces, strict=True):
        products = [(left * right).sum((1, 2)) for left, right in ((a, b), (a, a), (b, b))]
        before = sums.get(degree)
        sums[degree] = (
            products if before is None else [one + more for one, more in zip(before, products, strict=True)]
        )
    losses = [_one_minus_cosine(*products) for products in sums.values()]
    samples = x.shape[:-1]
    return torch.stack(losses, dim=1).reshape(*samples, len(losses)) if losses else x.new_zeros(*samples, 0)
