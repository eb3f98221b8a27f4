"""What of a structure file is taken."""

from collections.abc import Iterable

import attrs

from holo_types import HoloError

__all__ = ["Selection"]


def _names(chains: Iterable[str] | None) -> tuple[str, ...] | None:
    return (chains,) if isinstance(chains, str) else None if chains is None else tuple(chains)


@attrs.frozen(kw_only=True)
class Selection:
    """What `read_structure` takes of a file, by default the amino acid residues of its first model.

    Parameters
    ----------
    model
        Number of the model, as the file gives it; None takes the first.
    chains
        Names of chains, those of the authors of the entry; None takes all. Of an assembly, all copies of
        these chains are taken.
    assembly
        Name of a biological assembly to build, such as ``"1"``; None takes the atoms as they are in the file.
    hydrogens
        Take hydrogen and deuterium too.
    waters
        Take water too.
    hetero
        Take all else that is no amino acid residue of a chain too: ligands, ions, nucleic acids.

    Raises
    ------
    HoloError
        If `chains` names no chain.

    Examples
    --------
    >>> Selection(chains=["A", "B"], hetero=True).chains
    ('A', 'B')
    """

    model: int | None = None
    chains: tuple[str, ...] | None = attrs.field(default=None, converter=_names)
    assembly: str | None = None
    hydrogens: bool = False
    waters: bool = False
    hetero: bool = False

    def __attrs_post_init__(self) -> None:
        if self.chains == ():
            raise HoloError("Selection: chains is empty; it must name a chain, or be None for all")
