"""Irreps as the layers read them, and features cut into their degrees and put together again."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from .representation import Irreps

__all__ = [
    "IrrepsLike",
    "Multiplicities",
    "check_features",
    "join_degrees",
    "multiplicities",
    "read_irreps",
    "split_degrees",
]

# Irreps, their text, e3nn's irreps, or pairs (mul, (l, p)).
IrrepsLike: TypeAlias = Irreps | str | Iterable[Any]
# The channels of each degree, degrees ascending. Layers keep them: `torch.compile` need not look into irreps.
Multiplicities: TypeAlias = dict[int, int]


def read_irreps(irreps: IrrepsLike, name: str = "irreps") -> Irreps:
    """Read irreps that the layers can use: even parity, degrees ascending, each degree once.

    Parameters
    ----------
    irreps
        Irreps, those of e3nn, or their text.
    name
        What an error message calls them.

    Raises
    ------
    ValueError
        If they cannot be read, there are none, a parity is odd, a multiplicity is zero, or the degrees
        do not ascend.

    Examples
    --------
    >>> read_irreps("4x0e + 2x1e")
    4x0e+2x1e
    >>> read_irreps("2x1e+4x0e", name="irreps_in")
    Traceback (most recent call last):
    ...
    ValueError: irreps_in: the degrees of '2x1e+4x0e' are (1, 0); they must ascend, each degree once
    """
    try:
        read = Irreps(irreps)
    except ValueError as error:
        raise ValueError(f"{name}: {irreps!r} cannot be read; it must be text such as '4x0e+4x1e'") from error
    degrees = tuple(term.ir.l for term in read)
    if not degrees:
        raise ValueError(f"{name}: there are none; at least one term such as '4x0e' is needed")
    for term in read:
        if term.ir.p != 1:
            raise ValueError(f"{name}: {term} has odd parity; the group is SO(3), every parity must be even")
        if term.mul < 1:
            raise ValueError(f"{name}: {term} has multiplicity {term.mul}; it must be at least 1")
    if any(low >= high for low, high in pairwise(degrees)):
        raise ValueError(
            f"{name}: the degrees of {str(read)!r} are {degrees}; they must ascend, each degree once"
        )
    return read


def multiplicities(irreps: IrrepsLike) -> Multiplicities:
    """Count the channels of each degree, degrees ascending.

    Examples
    --------
    >>> multiplicities("4x0e+2x1e")
    {0: 4, 1: 2}
    """
    return {term.ir.l: term.mul for term in Irreps(irreps)}


def _counted(irreps: IrrepsLike | Multiplicities) -> Multiplicities:
    return irreps if isinstance(irreps, dict) else multiplicities(irreps)


def check_features(features: Tensor, irreps: IrrepsLike | Multiplicities, name: str = "features") -> None:
    """Refuse features that are not ``[batch, irreps.dim]``.

    Raises
    ------
    ValueError
        Naming the shape it was and the shape it must be.

    Examples
    --------
    >>> check_features(torch.zeros(5, 3), "4x0e")
    Traceback (most recent call last):
    ...
    ValueError: features has shape [5, 3]; it must be [batch, 4], the dimension of 4x0e
    """
    counts = _counted(irreps)
    dim = sum(count * (2 * degree + 1) for degree, count in counts.items())
    if features.ndim != 2 or features.shape[1] != dim:
        text = "+".join(f"{count}x{degree}e" for degree, count in counts.items())
        raise ValueError(
            f"{name} has shape {list(features.shape)}; it must be [batch, {dim}], the dimension of {text}"
        )


def split_degrees(
    features: Float[Tensor, "batch dim"], irreps: IrrepsLike | Multiplicities
) -> dict[int, Tensor]:
    """Cut flat features into one view ``[batch, channels, 2l+1]`` per degree, degrees ascending.

    Examples
    --------
    >>> {l: tuple(x.shape) for l, x in split_degrees(torch.zeros(5, 10), "4x0e+2x1e").items()}
    {0: (5, 4, 1), 1: (5, 2, 3)}
    """
    # One split, never slices: the gradient of each slice would be a zero-filled buffer of the whole.
    counts = _counted(irreps)
    pieces = torch.split(features, [count * (2 * degree + 1) for degree, count in counts.items()], dim=1)
    return {
        degree: piece.reshape(-1, count, 2 * degree + 1)
        for (degree, count), piece in zip(counts.items(), pieces, strict=True)
    }


def join_degrees(pieces: Iterable[Float[Tensor, "batch _channels _m"]]) -> Float[Tensor, "batch _dim"]:
    """Put the pieces of `split_degrees` together again, in the order in which they come.

    Examples
    --------
    >>> x = torch.arange(20.0).reshape(2, 10)
    >>> torch.equal(join_degrees(split_degrees(x, "4x0e+2x1e").values()), x)
    True
    """
    return torch.cat([piece.flatten(1) for piece in pieces], dim=1)
