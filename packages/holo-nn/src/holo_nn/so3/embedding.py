"""The input features of a network on vectors between points: spherical harmonics, and functions of the length."""

from math import pi, sqrt
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .clebsch_gordan import clebsch_gordan
from .constants import kept
from .irreps import IrrepsLike, read_irreps
from .precision import full_precision

__all__ = ["bessel_basis", "polynomial_envelope", "spherical_harmonics"]

Normalization = Literal["component", "norm", "integral"]


@kept
def _step(degree: int) -> Tensor:
    """Return the coefficients that couple a vector and harmonics of degree l-1 to those of degree l, float64."""
    # At the pole (0, 1, 0), all harmonics vanish except m = 0, which are 1: this fixes the scale and the sign.
    coefficients = clebsch_gordan(1, degree - 1, degree)
    return coefficients / coefficients[1, degree - 1, degree]


def spherical_harmonics(
    irreps: IrrepsLike,
    vectors: Float[Tensor, "*batch 3"],
    normalize: bool = True,
    normalization: Normalization = "component",
) -> Float[Tensor, "*batch dim"]:
    """Return the real spherical harmonics of vectors, in e3nn's basis.

    Parameters
    ----------
    irreps
        The irreps of the result, each with the parity of its degree, (-1)^l, or all of them even, which means SO(3).
    vectors
        ``[..., 3]``, the components x, y, z.
    normalize
        Whether only directions count, so that zero vectors yield zeros above degree 0. Otherwise the harmonics are
        multiplied by the length to the power of the degree, which makes them polynomials.
    normalization
        ``"component"``: Σ_m Y² of a unit vector is 2l+1; ``"norm"``: it is 1; ``"integral"``: the integral of Y² over
        the sphere is 1.

    Returns
    -------
    Tensor
        ``[..., irreps.dim]``; a multiplicity repeats the harmonics of its degree.

    Raises
    ------
    ValueError
        If irreps cannot be read or have other parities, the shape does not fit, or the normalization is unknown.

    Notes
    -----
    They are computed by coupling a vector with the harmonics of the next lower degree. Derivatives of any order exist
    everywhere, except at zero if only directions count.

    Examples
    --------
    >>> spherical_harmonics("1x0e+1x1o", torch.tensor([0.0, 2.0, 0.0])).round(decimals=4)
    tensor([1.0000, 0.0000, 1.7321, 0.0000])
    """
    read = read_irreps(irreps)
    if any(term.ir.p != (-1) ** term.ir.l for term in read) and any(term.ir.p != 1 for term in read):
        raise ValueError(
            f"spherical_harmonics: irreps {read} must have the parities of spherical harmonics, (-1)^l, or all be even"
        )
    if vectors.ndim < 1 or vectors.shape[-1] != 3:
        raise ValueError(f"spherical_harmonics: vectors has shape {list(vectors.shape)}; it must be [..., 3]")
    if normalization not in ("component", "norm", "integral"):
        raise ValueError(
            f"spherical_harmonics: normalization is {normalization!r}; it must be 'component', 'norm' or 'integral'"
        )
    if normalize:
        squares = vectors.square().sum(-1, keepdim=True)
        some = squares > 0
        # The root of one where there is no direction, because that of zero has no derivative.
        vectors = torch.where(some, vectors * torch.where(some, squares, 1.0).rsqrt(), 0.0)
    highest = max((term.ir.l for term in read), default=0)
    harmonics = [torch.ones_like(vectors[..., :1])]
    with full_precision(vectors.device):
        for degree in range(1, highest + 1):
            step = _step(degree).to(vectors)
            # [..., 3] and [..., 2l-1] to [..., 2l+1], as one matrix product of all their products.
            products = (vectors[..., :, None] * harmonics[-1][..., None, :]).flatten(-2)
            harmonics.append(products @ step.flatten(0, 1))
    pieces = [
        _scale(term.ir.dim, normalization) * harmonics[term.ir.l] for term in read for _ in range(term.mul)
    ]
    return torch.cat(pieces, dim=-1) if pieces else vectors[..., :0]


def _scale(orders: int, normalization: Normalization) -> float:
    if normalization == "norm":
        return 1.0
    return sqrt(orders) if normalization == "component" else sqrt(orders / (4 * pi))


def bessel_basis(
    distances: Float[Tensor, "*batch"], cutoff: float, count: int
) -> Float[Tensor, "*batch count"]:
    """Return the radial Bessel functions sqrt(2/c) sin(nπ r/c) / r, n = 1..count, orthonormal on the ball of radius c.

    Parameters
    ----------
    distances
        r, in Å or in the unit of the cutoff, ``[...]``.
    cutoff
        c, where all functions are zero.
    count
        Number of functions.

    Raises
    ------
    ValueError
        If the cutoff is not above 0 or the count not at least 1.

    Notes
    -----
    Gasteiger, Groß, Günnemann, Directional message passing, ICLR 2020, equation 7. At r = 0 they take their limit, and
    their derivative is zero.

    Examples
    --------
    >>> bessel_basis(torch.tensor([0.0, 2.5, 5.0]), cutoff=5.0, count=2).round(decimals=4).abs()
    tensor([[0.3974, 0.7948],
            [0.2530, 0.0000],
            [0.0000, 0.0000]])
    """
    if not cutoff > 0 or count < 1:
        raise ValueError(
            f"bessel_basis: cutoff is {cutoff} and count {count}; they must be above 0 and at least 1"
        )
    orders = torch.arange(1, count + 1, dtype=distances.dtype, device=distances.device)
    factors = orders * (pi / cutoff * sqrt(2 / cutoff))
    return factors * torch.sinc(distances[..., None] * (orders / cutoff))


def polynomial_envelope(
    distances: Float[Tensor, "*batch"], cutoff: float, exponent: int = 6
) -> Float[Tensor, "*batch"]:
    """Return a smooth envelope for functions of a distance: 1 at zero, and 0 with two derivatives from the cutoff on.

    With u = r / c and the exponent p it is 1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2).

    Parameters
    ----------
    distances
        r, in Å or in the unit of the cutoff, ``[...]``.
    cutoff
        c, the distance from which the envelope is zero.
    exponent
        p, the exponent.

    Raises
    ------
    ValueError
        If the cutoff is not above 0 or the exponent not at least 2.

    Notes
    -----
    Gasteiger, Groß, Günnemann, Directional message passing, ICLR 2020, equation 8.

    Examples
    --------
    >>> polynomial_envelope(torch.tensor([0.0, 2.5, 5.0, 7.0]), cutoff=5.0).round(decimals=4)
    tensor([1.0000, 0.8555, 0.0000, 0.0000])
    """
    if not cutoff > 0 or exponent < 2:
        raise ValueError(
            f"polynomial_envelope: cutoff is {cutoff} and exponent {exponent}; they must be above 0 and at least 2"
        )
    p = exponent
    u = (distances / cutoff).clamp(max=1.0)
    inner = (p + 1) * (p + 2) / 2 - p * (p + 2) * u + p * (p + 1) / 2 * u.square()
    return torch.where(u < 1, 1 - u.pow(p) * inner, 0.0)
