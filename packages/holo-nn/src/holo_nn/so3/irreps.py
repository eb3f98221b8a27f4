"""Irreps as the layers read them, and features cut into their terms and put together again."""

from collections.abc import Iterable
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from .precision import autocasts
from .representation import Irreps

__all__ = [
    "IrrepsLike",
    "Terms",
    "as_rows",
    "check_features",
    "join_terms",
    "like_input",
    "read_ascending",
    "read_irreps",
    "split_degrees",
    "split_terms",
    "terms_of",
]

# Irreps, their text, e3nn's irreps, or pairs (mul, (l, p)).
IrrepsLike: TypeAlias = Irreps | str | Iterable[Any]
# How many channels, of which degree: the terms of irreps that have channels, in their order. Layers keep them:
# `torch.compile` need not look into irreps.
Terms: TypeAlias = tuple[tuple[int, int], ...]


def read_irreps(irreps: IrrepsLike, name: str = "irreps") -> Irreps:
    """Read irreps: of any parity and order, with repeats, multiplicities of zero, or without terms.

    Parameters
    ----------
    irreps
        Irreps, those of e3nn, or their text.
    name
        What an error message calls them.

    Raises
    ------
    ValueError
        If they cannot be read.

    Examples
    --------
    >>> read_irreps("4x0e + 2x1o")
    4x0e+2x1o
    """
    try:
        return Irreps(irreps)
    except ValueError as error:
        raise ValueError(f"{name}: {irreps!r} cannot be read; it must be text such as '4x0e+4x1e'") from error


def read_ascending(irreps: IrrepsLike, name: str = "irreps") -> Irreps:
    """Read irreps whose degrees ascend, each with channels and once: those of a feature that is its degrees.

    Raises
    ------
    ValueError
        If they cannot be read, there are none, a multiplicity is zero, or the degrees do not ascend.

    Examples
    --------
    >>> read_ascending("2x1e+4x0e", name="irreps_in")
    Traceback (most recent call last):
    ...
    ValueError: irreps_in: the degrees of '2x1e+4x0e' are (1, 0); they must ascend, each degree once
    """
    read = read_irreps(irreps, name)
    degrees = tuple(term.ir.l for term in read)
    if not degrees:
        raise ValueError(f"{name}: there are none; at least one term such as '4x0e' is needed")
    for term in read:
        if term.mul < 1:
            raise ValueError(f"{name}: {term} has multiplicity {term.mul}; it must be at least 1")
    if any(low >= high for low, high in pairwise(degrees)):
        raise ValueError(
            f"{name}: the degrees of {str(read)!r} are {degrees}; they must ascend, each degree once"
        )
    return read


def terms_of(irreps: Irreps) -> Terms:
    """Return the terms of irreps that have channels, as many numbers as they are.

    Examples
    --------
    >>> terms_of(Irreps("4x0e+0x1e+2x2o"))
    ((4, 0), (2, 2))
    """
    return tuple((term.mul, term.ir.l) for term in irreps if term.mul)


def _counted(irreps: IrrepsLike | Terms) -> Terms:
    # The terms of irreps are pairs of plain numbers, and cannot be taken for irreps, whose second is a pair.
    plain = type(irreps) is tuple and all(type(term[1]) is int for term in irreps)
    return irreps if plain else terms_of(Irreps(irreps))  # type: ignore[return-value]


def _text(terms: Terms) -> str:
    return " + ".join(f"{count} of degree {degree}" for count, degree in terms) or "no irreps"


def check_features(
    features: object, irreps: IrrepsLike | Terms, name: str = "features", like: Tensor | None = None
) -> None:
    """Refuse features that are not ``[..., irreps.dim]``, or not of the precision that a module has.

    Parameters
    ----------
    features
        What a layer was given.
    irreps
        What it must be.
    name
        What an error message calls the features.
    like
        A parameter or buffer of the layer, where the precisions must agree. Under autocast they need not.

    Raises
    ------
    TypeError
        If the features are no tensor, such as a NumPy array.
    ValueError
        Naming the shape it was and the shape it must be, or both precisions.

    Examples
    --------
    >>> check_features(torch.zeros(5, 3), "4x0e")
    Traceback (most recent call last):
    ...
    ValueError: features has shape [5, 3]; it must be [..., 4]: 4 of degree 0
    """
    if not isinstance(features, Tensor):
        kind = f"{type(features).__module__}.{type(features).__qualname__}"
        raise TypeError(f"{name} is a {kind}; it must be a torch.Tensor, such as torch.as_tensor gives")
    terms = _counted(irreps)
    dim = sum(count * (2 * degree + 1) for count, degree in terms)
    if features.ndim < 1 or features.shape[-1] != dim:
        raise ValueError(f"{name} has shape {list(features.shape)}; it must be [..., {dim}]: {_text(terms)}")
    if not features.is_floating_point():
        raise ValueError(f"{name} has dtype {features.dtype}; it must be a floating-point one")
    if like is not None and features.dtype != like.dtype and not autocasts(features.device):
        raise ValueError(
            f"{name} has dtype {features.dtype} and the module {like.dtype}; they must be the same: "
            f"call module.to({features.dtype}), or {name}.to({like.dtype})"
        )


def as_rows(features: Float[Tensor, "*batch dim"]) -> Float[Tensor, "rows dim"]:
    """Return features with one dimension of samples in place of any number of them.

    Examples
    --------
    >>> as_rows(torch.zeros(2, 3, 5)).shape, as_rows(torch.zeros(5)).shape
    (torch.Size([6, 5]), torch.Size([1, 5]))
    """
    if features.ndim == 2:
        return features
    *samples, dim = features.shape
    return features.reshape(prod(samples), dim)


def like_input(
    rows: Float[Tensor, "rows dim"], features: Float[Tensor, "*batch _dim"]
) -> Float[Tensor, "*batch dim"]:
    """Return what was computed of the rows of features the dimensions of samples that these have."""
    return rows if features.ndim == 2 else rows.reshape(*features.shape[:-1], rows.shape[1])


def split_terms(features: Float[Tensor, "rows dim"], terms: Terms) -> list[Tensor]:
    """Cut flat features into one view ``[rows, channels, 2l+1]`` per term, in their order.

    Examples
    --------
    >>> [tuple(x.shape) for x in split_terms(torch.zeros(5, 10), ((2, 1), (4, 0)))]
    [(5, 2, 3), (5, 4, 1)]
    """
    # One split, never slices: the gradient of each slice would be a zero-filled buffer of the whole.
    pieces = torch.split(features, [count * (2 * degree + 1) for count, degree in terms], dim=1)
    return [
        piece.reshape(features.shape[0], count, 2 * degree + 1)
        for (count, degree), piece in zip(
            terms, pieces, strict=False
        )  # without terms there is one empty piece
    ]


def split_degrees(features: Float[Tensor, "*batch dim"], irreps: IrrepsLike) -> dict[int, Tensor]:
    """Cut flat features into one view ``[..., channels, 2l+1]`` per degree, degrees ascending.

    Parameters
    ----------
    features
        ``[..., irreps.dim]``.
    irreps
        The irreps of the features; their degrees ascend, each has channels and comes once.

    Raises
    ------
    ValueError
        If the irreps are others, or the shape does not fit.

    Examples
    --------
    >>> {l: tuple(x.shape) for l, x in split_degrees(torch.zeros(5, 10), "4x0e+2x1e").items()}
    {0: (5, 4, 1), 1: (5, 2, 3)}
    """
    terms = terms_of(read_ascending(irreps))
    check_features(features, terms)
    pieces = split_terms(as_rows(features), terms)
    return {
        degree: piece if features.ndim == 2 else piece.reshape(*features.shape[:-1], *piece.shape[1:])
        for (_, degree), piece in zip(terms, pieces, strict=True)
    }


def join_terms(
    pieces: Iterable[Float[Tensor, "rows _channels _m"]], like: Float[Tensor, "rows _dim"]
) -> Float[Tensor, "rows _dim_out"]:
    """Put the pieces of `split_terms` together again, in the order in which they come.

    Parameters
    ----------
    pieces
        The pieces of the same rows.
    like
        What they were computed of; it says how many rows there are where there are no pieces.

    Examples
    --------
    >>> x, terms = torch.arange(20.0).reshape(2, 10), ((4, 0), (2, 1))
    >>> torch.equal(join_terms(split_terms(x, terms), x), x)
    True
    """
    flat = [piece.flatten(1) for piece in pieces]
    return torch.cat(flat, dim=1) if flat else like.new_zeros(like.shape[0], 0)
