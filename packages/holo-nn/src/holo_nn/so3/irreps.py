"""Irreps in the form that layers read, and features that are split into their terms and joined again."""

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
# (number of channels, degree) of the terms of irreps that have channels, in their order. Layers keep these, so that
# `torch.compile` need not trace irreps.
Terms: TypeAlias = tuple[tuple[int, int], ...]


def read_irreps(irreps: IrrepsLike, name: str = "irreps") -> Irreps:
    """Read irreps of any parity and order, with repeats, multiplicities of zero, or without terms.

    Parameters
    ----------
    irreps
        Irreps, those of e3nn, or their text.
    name
        Their name in an error message.

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
    """Read irreps whose degrees ascend, each once and with channels.

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
    """Return the terms of irreps that have channels, as pairs of numbers.

    Examples
    --------
    >>> terms_of(Irreps("4x0e+0x1e+2x2o"))
    ((4, 0), (2, 2))
    """
    return tuple((term.mul, term.ir.l) for term in irreps if term.mul)


def _counted(irreps: IrrepsLike | Terms) -> Terms:
    # Pairs of plain numbers cannot be confused with pairs (mul, (l, p)), whose second item is a pair.
    plain = type(irreps) is tuple and all(type(term[1]) is int for term in irreps)
    return irreps if plain else terms_of(Irreps(irreps))  # type: ignore[return-value]


def _text(terms: Terms) -> str:
    return " + ".join(f"{count} of degree {degree}" for count, degree in terms) or "no irreps"


def check_features(
    features: object, irreps: IrrepsLike | Terms, name: str = "features", like: Tensor | None = None
) -> None:
    """Refuse features that are not ``[..., irreps.dim]``, or whose precision is not that of the module.

    Parameters
    ----------
    features
        The input of a layer.
    irreps
        The irreps that it must have.
    name
        Name of the features in an error message.
    like
        A parameter or buffer of the layer whose precision the features must have. Under autocast they may differ.

    Raises
    ------
    TypeError
        If the features are not a tensor but, for example, a NumPy array.
    ValueError
        If the shape or the precision does not fit; the message names what it is and what it must be.

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
    """Return features with a single dimension of samples in place of any number of them.

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
    """Restore the dimensions of samples of some features in what was computed from their rows."""
    return rows if features.ndim == 2 else rows.reshape(*features.shape[:-1], rows.shape[1])


def split_terms(features: Float[Tensor, "rows dim"], terms: Terms) -> list[Tensor]:
    """Split flat features into one view ``[rows, channels, 2l+1]`` for each term, in their order.

    Examples
    --------
    >>> [tuple(x.shape) for x in split_terms(torch.zeros(5, 10), ((2, 1), (4, 0)))]
    [(5, 2, 3), (5, 4, 1)]
    """
    # One split rather than slices: the gradient of each slice would be a zero-filled buffer of the whole.
    pieces = torch.split(features, [count * (2 * degree + 1) for count, degree in terms], dim=1)
    return [
        piece.reshape(features.shape[0], count, 2 * degree + 1)
        for (count, degree), piece in zip(
            terms, pieces, strict=False
        )  # without terms there is one empty piece
    ]


def split_degrees(features: Float[Tensor, "*batch dim"], irreps: IrrepsLike) -> dict[int, Tensor]:
    """Split flat features into one view ``[..., channels, 2l+1]`` for each degree, in ascending order.

    Parameters
    ----------
    features
        ``[..., irreps.dim]``.
    irreps
        The irreps of the features; their degrees ascend, each once and with channels.

    Raises
    ------
    ValueError
        If the irreps are not of this form, or the shape does not fit.

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
    """Join the pieces of `split_terms` again, in the order in which they come.

    Parameters
    ----------
    pieces
        The pieces, all of the same rows.
    like
        The features from which they were computed; they determine the number of rows if there are no pieces.

    Examples
    --------
    >>> x, terms = torch.arange(20.0).reshape(2, 10), ((4, 0), (2, 1))
    >>> torch.equal(join_terms(split_terms(x, terms), x), x)
    True
    """
    flat = [piece.flatten(1) for piece in pieces]
    return torch.cat(flat, dim=1) if flat else like.new_zeros(like.shape[0], 0)
