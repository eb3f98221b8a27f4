"""The channels of a neighborhood: chemical elements, optionally of one side, and weights of atoms."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from holo_features.readers.symbols import ELEMENTS, HYDROGENS, METALS
from holo_types import HoloError

if TYPE_CHECKING:
    from biotite.structure import AtomArray

__all__ = ["SIDES", "channel_weights", "check_channels", "element_memberships", "sides_of"]

SIDES = ("protein", "ligand", "metal", "water")
_OTHER, _AREA, _CHARGE = "other", "sasa", "charge"


def check_channels(channels: Sequence[str]) -> None:
    """Refuse names that are not channels of a neighborhood.

    A channel is a chemical element, in any case (``"Se"`` is ``"SE"``), or ``"other"``, all elements that are not
    named. Either may have a side before it, such as ``"ligand:N"`` or ``"metal:other"``; see `sides_of`. Or it is
    ``"sasa"`` or ``"charge"``. All names except elements are in lower case.

    Parameters
    ----------
    channels
        Names of channels.

    Raises
    ------
    HoloError
        If there is none, one is unknown, or two are the same.

    Examples
    --------
    >>> check_channels(("C", "N", "O", "S", "other", "sasa"))
    >>> check_channels(("protein:C", "protein:other", "ligand:C", "ligand:other"))
    >>> check_channels(("C", "Calpha"))
    Traceback (most recent call last):
        ...
    holo_types.errors.HoloError: channel 'Calpha' is not known; a channel is a chemical element ...
    """
    if isinstance(channels, str):  # its characters would become the names
        raise HoloError(
            f"channels are {channels!r}; they must be a sequence of names, such as ({channels!r},)"
        )
    keys = [_Key.of(name) for name in channels]
    if not keys or "" in channels or len(set(keys)) < len(keys):
        raise HoloError(f"channels is {tuple(channels)!r}; it must hold at least one name, each once")
    for name, key in zip(channels, keys, strict=True):
        if ":" in name and key.side not in SIDES:
            raise HoloError(
                f"channel {name!r} is not known; before the colon it must be one of {', '.join(SIDES)}"
            )
        weighted = key.element in (_AREA, _CHARGE) and not key.side
        if key.element not in ELEMENTS and key.element != _OTHER and not weighted:
            raise HoloError(
                f"channel {name!r} is not known; a channel is a chemical element (C, N, Se, ...), "
                "'other' (the elements that are not named), either also with a side (ligand:N), 'sasa' or 'charge'"
            )


@attrs.frozen
class _Key:
    """What distinguishes channels: the side, and symbols in upper case, with isotopes of hydrogen as hydrogen."""

    side: str
    element: str

    @classmethod
    def of(cls, name: str) -> "_Key":
        side, _, element = name.rpartition(":")
        if element in (_OTHER, _AREA, _CHARGE):
            return cls(side, element)
        symbol = element.upper()
        return cls(side, "H" if symbol in HYDROGENS else symbol)


def sides_of(atoms: "AtomArray") -> Shaped[np.ndarray, "atoms"]:
    """Return the side of a complex that each atom belongs to.

    Parameters
    ----------
    atoms
        Atoms with elements in upper case. The annotation ``ligand`` marks the atoms of the complex's ligand; without
        it, the ligand is everything that is not an amino acid residue of a chain, water or a metal. Without
        ``amino_acid``, all atoms count as amino acids.

    Returns
    -------
    Shaped[ndarray, "atoms"]
        ``"ligand"``; ``"water"``; ``"metal"``, all metals that do not belong to the ligand; ``"protein"``, everything
        else, which in a complex includes cofactors and nucleic acids.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> glycine = residue("GLY")
    >>> glycine.set_annotation("ligand", glycine.element == "N")
    >>> sides_of(glycine)[:3].tolist()
    ['ligand', 'protein', 'protein']
    """
    count = len(atoms)
    given = atoms.get_annotation_categories()
    nothing = np.zeros(count, dtype=bool)
    water = atoms.water if "water" in given else nothing
    metal = np.isin(atoms.element, list(METALS))
    if "ligand" in given:
        ligand = atoms.ligand
    else:
        ligand = ~atoms.amino_acid & ~water & ~metal if "amino_acid" in given else nothing
    return np.select([ligand, water, metal], ["ligand", "water", "metal"], "protein")


def element_memberships(atoms: "AtomArray", channels: Sequence[str]) -> Bool[np.ndarray, "atoms channels"]:
    """Return which atoms are in which channel of elements.

    Parameters
    ----------
    atoms
        As in `sides_of`.
    channels
        Chemical elements and ``"other"``, with or without a side; any other channel has no atoms.

    Returns
    -------
    Bool[ndarray, "atoms channels"]
        Each atom is in at most one channel. A channel with a side takes precedence over one without: ``"C"`` beside
        ``"ligand:C"`` has the carbon atoms of all other sides.
    """
    keys = [_Key.of(name) for name in channels]
    members = np.zeros((len(atoms), len(keys)), dtype=bool)
    free = np.ones(len(atoms), dtype=bool)
    sides = sides_of(atoms) if any(key.side for key in keys) else None
    # Channels with a side first; within each group, "other" is last.
    order = sorted(
        range(len(keys)), key=lambda column: (not keys[column].side, keys[column].element == _OTHER)
    )
    for column in order:
        key = keys[column]
        of_element = (
            free
            if key.element == _OTHER
            else np.isin(atoms.element, HYDROGENS if key.element == "H" else (key.element,))
        )
        there = of_element & free
        if key.side:
            assert sides is not None
            there = there & (sides == key.side)
        members[:, column] = there
        free = free & ~there
    return members


def channel_weights(atoms: "AtomArray", channels: Sequence[str]) -> Float[np.ndarray, "atoms channels"]:
    """Return the weight of each atom in each channel.

    In an element's channel, the weight is 1 for its atoms, or with a side, for its atoms of that side; hydrogen
    includes deuterium and tritium. ``"other"`` contains the atoms of all elements that have no channel, including
    hydrogen if it was read. ``"sasa"`` is the atom's solvent-accessible surface area, see
    `holo_features.structures.surface.surface_areas`, and ``"charge"`` is its partial charge, see
    `holo_features.structures.charges.partial_charges`; both include every atom, whatever its element.

    Parameters
    ----------
    atoms
        All atoms of a structure, as in `sides_of`.
    channels
        Names; see `check_channels`.

    Returns
    -------
    Float[ndarray, "atoms channels"]
        Weights in float32; areas in Å², charges in units of the elementary charge.

    Raises
    ------
    HoloError
        If a channel is unknown or named twice.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> channel_weights(residue("MSE"), ("C", "se", "other"))[:6].tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    check_channels(channels)
    weights = element_memberships(atoms, channels).astype(np.float32)
    for column, values in _weighted(atoms, channels):
        weights[:, column] = values
    return weights


def _weighted(atoms: "AtomArray", channels: Sequence[str]) -> Iterable[tuple[int, NDArray[Any]]]:
    # Both modules import biotite, which `check_channels` does not need.
    if _AREA in channels:
        from holo_features.structures.surface import surface_areas  # noqa: PLC0415

        yield channels.index(_AREA), surface_areas(atoms)
    if _CHARGE in channels:
        from holo_features.structures.charges import partial_charges  # noqa: PLC0415

        yield channels.index(_CHARGE), partial_charges(atoms)
