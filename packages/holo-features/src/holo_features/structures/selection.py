"""The choice of what to use of a structure file."""

from collections.abc import Iterable

import attrs

from holo_types import HoloError

__all__ = ["Selection"]


def _names(chains: Iterable[str] | None) -> tuple[str, ...] | None:
    return (chains,) if isinstance(chains, str) else None if chains is None else tuple(chains)


@attrs.frozen(kw_only=True)
class Selection:
    """What `read_structure` uses of a file; by default the amino acid residues of its first model.

    Parameters
    ----------
    model
        Number of the model in the file; None for the first.
    chains
        Names of chains, as given by the authors of the entry; None for all. In an assembly, all copies of these chains
        are used.
    assembly
        Name of a biological assembly to build, such as ``"1"``; None to use the atoms as they are in the file.
    hydrogens
        Include hydrogen and deuterium.
    waters
        Include water.
    hetero
        Include everything else that is not an amino acid residue of a chain: ligands, ions, nucleic acids.

    Raises
    ------
    HoloError
        If `chains` is empty.

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
