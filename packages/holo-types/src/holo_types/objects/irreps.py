"""Irreducible representations of SO(3): which degrees a feature has, and how many channels of each."""

import re
from collections.abc import Iterable, Iterator

import attrs

from holo_types.errors import HoloError

__all__ = ["Irreps"]

_TERM = re.compile(r"(?:(?P<multiplicity>\d+)x)?(?P<degree>\d+)(?P<parity>[eo])")


def _read(value: "Irreps | str | Iterable[tuple[int, int]]") -> tuple[tuple[int, int], ...]:
    if isinstance(value, Irreps):
        return value.blocks
    if not isinstance(value, str):
        return tuple((int(multiplicity), int(degree)) for multiplicity, degree in value)
    blocks = []
    for term in value.replace(" ", "").split("+"):
        match = _TERM.fullmatch(term)
        if match is None:
            raise HoloError(f"irreps: {term!r} in {value!r} is not a term such as '4x1e'")
        if match["parity"] == "o":
            raise HoloError(
                f"irreps: {term!r} in {value!r} has odd parity; Holo supports SO(3) only, where every parity is even"
            )
        blocks.append((int(match["multiplicity"] or 1), int(match["degree"])))
    return tuple(blocks)


@attrs.frozen
class Irreps:
    """A direct sum of irreducible representations of SO(3), in storage order.

    Parameters
    ----------
    blocks
        ``((multiplicity, l), ...)``, or e3nn's notation for it as text, with even parity throughout.

    Raises
    ------
    HoloError
        If the text cannot be read, a parity is odd, or a multiplicity or degree is out of range.

    Examples
    --------
    >>> irreps = Irreps("2x0e + 1x1e")
    >>> irreps.blocks, irreps.dim, irreps.lmax
    (((2, 0), (1, 1)), 5, 1)
    >>> str(irreps)
    '2x0e+1x1e'
    """

    blocks: tuple[tuple[int, int], ...] = attrs.field(converter=_read)

    @blocks.validator
    def _check(self, _attribute: object, blocks: tuple[tuple[int, int], ...]) -> None:
        if not blocks:
            raise HoloError("irreps: there are none; at least one term such as '4x1e' is needed")
        for multiplicity, degree in blocks:
            if multiplicity < 1 or degree < 0:
                raise HoloError(
                    f"irreps: {multiplicity}x{degree}e must have a multiplicity >= 1 and a degree >= 0"
                )

    def __str__(self) -> str:
        return "+".join(f"{multiplicity}x{degree}e" for multiplicity, degree in self.blocks)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def dim(self) -> int:
        """The number of coefficients: the sum of multiplicity × (2l+1)."""
        return sum(multiplicity * (2 * degree + 1) for multiplicity, degree in self.blocks)

    @property
    def lmax(self) -> int:
        """The highest degree."""
        return max(degree for _, degree in self.blocks)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The slice of each block in the flat layout."""
        slices, start = [], 0
        for multiplicity, degree in self.blocks:
            stop = start + multiplicity * (2 * degree + 1)
            slices.append(slice(start, stop))
            start = stop
        return tuple(slices)
