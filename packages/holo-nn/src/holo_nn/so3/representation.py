"""Representations of O(3): direct sums of irreducible ones, in storage order."""

import re
from collections.abc import Iterable
from operator import index
from typing import Any, NamedTuple, SupportsIndex, overload

__all__ = ["Irrep", "Irreps", "Term"]

_IRREP = re.compile(r"(\d+)([eoy])")


class Irrep(NamedTuple):
    """An irreducible representation.

    Attributes
    ----------
    l
        The degree.
    p
        The parity: 1 for even, -1 for odd.
    """

    l: int  # noqa: E741
    p: int

    @property
    def dim(self) -> int:
        """The number of its orders m: 2 l + 1."""
        return 2 * self.l + 1

    def __repr__(self) -> str:
        return f"{self.l}{'e' if self.p == 1 else 'o'}"


class Term(NamedTuple):
    """A number of channels that share one irreducible representation.

    Attributes
    ----------
    mul
        The multiplicity, which is the number of channels.
    ir
        The irreducible representation that they share.
    """

    mul: int
    ir: Irrep

    @property
    def dim(self) -> int:
        """The number of coefficients."""
        return self.mul * self.ir.dim

    def __repr__(self) -> str:
        return f"{self.mul}x{self.ir}"


class Irreps(tuple[Term, ...]):
    """A direct sum of irreducible representations of O(3), of any order and parity; repeats and zeros are allowed.

    It equals the ``e3nn.o3.Irreps`` of the same text, and each is accepted in place of the other. e3nn itself, which
    takes longer to import than torch, is not needed.

    Parameters
    ----------
    terms
        Text such as ``"4x0e+2x1o"``, e3nn's irreps, or pairs ``(mul, (l, p))``.

    Raises
    ------
    ValueError
        If a term cannot be read, or a multiplicity, degree or parity is out of range.

    Examples
    --------
    >>> irreps = Irreps("4x0e + 2x1o")
    >>> irreps, irreps.dim, irreps.lmax
    (4x0e+2x1o, 10, 1)
    >>> [(term.mul, term.ir.l, term.ir.p) for term in irreps]
    [(4, 0, 1), (2, 1, -1)]
    >>> irreps + Irreps([(3, (2, 1))])
    4x0e+2x1o+3x2e
    """

    __slots__ = ()

    def __new__(cls, terms: "Irreps | str | Iterable[Any]" = ()) -> "Irreps":
        """Read the terms."""
        if isinstance(terms, str):
            terms = terms.split("+") if terms.strip() else ()
        return super().__new__(cls, map(_term, terms))

    def __repr__(self) -> str:
        return "+".join(map(repr, self))

    @overload
    def __getitem__(self, key: SupportsIndex) -> Term: ...
    @overload
    def __getitem__(self, key: slice) -> "Irreps": ...
    def __getitem__(self, key: SupportsIndex | slice) -> "Term | Irreps":
        """Return one term, or the irreps of a slice."""
        return Irreps(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def __add__(self, other: "Irreps | str | Iterable[Any]") -> "Irreps":
        """Append the terms of other irreps."""
        return Irreps((*self, *Irreps(other)))

    def __contains__(self, ir: object) -> bool:
        """Return whether a term has an irreducible representation, such as ``"1o"``, even with multiplicity zero."""
        return any(term.ir == _irrep(ir) for term in self)

    def count(self, ir: object) -> int:
        """Return the number of channels of an irreducible representation, such as ``"1o"``, over all terms.

        Examples
        --------
        >>> Irreps("2x0e+3x1e+4x0e").count("0e")
        6
        """
        wanted = _irrep(ir)
        return sum(term.mul for term in self if term.ir == wanted)

    @property
    def dim(self) -> int:
        """The number of coefficients: the sum of mul (2 l + 1)."""
        return sum(term.dim for term in self)

    @property
    def num_irreps(self) -> int:
        """The number of channels: the sum of the multiplicities."""
        return sum(term.mul for term in self)

    @property
    def lmax(self) -> int:
        """The highest degree that has a channel.

        Raises
        ------
        ValueError
            If no term has channels.
        """
        degrees = [term.ir.l for term in self if term.mul]
        if not degrees:
            raise ValueError(f"irreps: '{self}' has no channel, and so no highest degree")
        return max(degrees)

    def slices(self) -> list[slice]:
        """Return the slice of each term in flat features.

        Examples
        --------
        >>> Irreps("4x0e+2x1o").slices()
        [slice(0, 4, None), slice(4, 10, None)]
        """
        slices, start = [], 0
        for term in self:
            slices.append(slice(start, start + term.dim))
            start += term.dim
        return slices


def _term(value: Any) -> Term:
    """Read ``"4x1e"``, ``"1e"`` or ``(4, (1, 1))``."""
    if isinstance(value, Term):
        return value
    try:
        if isinstance(value, str):
            text, x, ir = value.rpartition("x")
            mul = int(text) if x else 1
        else:
            mul, ir = value
        read = Term(index(mul), _irrep(ir))
    except (TypeError, ValueError):
        raise ValueError(
            f"irreps: {value!r} is not a term; it must be text such as '4x1e', or (mul, (l, p))"
        ) from None
    if read.mul < 0:
        raise ValueError(f"irreps: {read} has multiplicity {read.mul}; it must be at least 0")
    return read


def _irrep(value: Any) -> Irrep:
    """Read ``"1o"`` or ``(1, -1)``; the parity "y" is that of the spherical harmonics."""
    if isinstance(value, str):
        match = _IRREP.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"irreps: {value!r} is not a degree and parity such as '1e' or '1o'")
        degree = int(match[1])
        return Irrep(degree, {"e": 1, "o": -1, "y": (-1) ** degree}[match[2]])
    degree, parity = map(index, value)
    if degree < 0 or parity not in (1, -1):
        raise ValueError(f"irreps: ({degree}, {parity}) must have a degree l >= 0 and a parity of 1 or -1")
    return Irrep(degree, parity)
