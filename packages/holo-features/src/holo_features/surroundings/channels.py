"""What the channels of a neighborhood hold: chemical elements, and weights of atoms."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from holo_features.readers.symbols import ELEMENTS, HYDROGENS
from holo_types import HoloError

if TYPE_CHECKING:
    from biotite.structure import AtomArray

__all__ = ["channel_weights", "check_channels", "element_memberships"]

_OTHER, _AREA, _CHARGE = "other", "sasa", "charge"


def check_channels(channels: Sequence[str]) -> None:
    """Refuse names that are no channels of a neighborhood.

    A channel is a chemical element, in whatever case (``"Se"`` is ``"SE"``); ``"other"``, all elements that
    are not named; ``"sasa"`` or ``"charge"``. Those three are in lower case.

    Parameters
    ----------
    channels
        Names of channels.

    Raises
    ------
    HoloError
        If there is none, one is not known, or two are the same.

    Examples
    --------
    >>> check_channels(("C", "N", "O", "S", "other", "sasa"))
    >>> check_channels(("C", "Calpha"))
    Traceback (most recent call last):
        ...
    holo_types.errors.HoloError: channel 'Calpha' is not known; a channel is a chemical element ...
    """
    if isinstance(channels, str):  # its letters would become the names
        raise HoloError(
            f"channels are {channels!r}; they must be a sequence of names, such as ({channels!r},)"
        )
    keys = list(map(_key, channels))
    if not keys or "" in keys or len(set(keys)) < len(keys):
        raise HoloError(f"channels is {tuple(channels)!r}; it must hold at least one name, each once")
    for name, key in zip(channels, keys, strict=True):
        if key not in ELEMENTS and key not in (_OTHER, _AREA, _CHARGE):
            raise HoloError(
                f"channel {name!r} is not known; a channel is a chemical element (C, N, Se, ...), "
                "'other' (the elements that are not named), 'sasa' or 'charge'"
            )


def _key(name: str) -> str:
    """Give what tells channels apart: symbols in upper case, isotopes of hydrogen as hydrogen."""
    if name in (_OTHER, _AREA, _CHARGE):
        return name
    symbol = name.upper()
    return "H" if symbol in HYDROGENS else symbol


def element_memberships(atoms: "AtomArray", channels: Sequence[str]) -> Bool[np.ndarray, "atoms channels"]:
    """Say which atoms are in which channel of elements.

    Parameters
    ----------
    atoms
        Elements in upper case.
    channels
        Chemical elements, ``"other"``; any other channel has no atom.

    Returns
    -------
    Bool[ndarray, "atoms channels"]
        Each atom is in one channel at most.
    """
    elements = atoms.element
    keys = list(map(_key, channels))
    members = np.zeros((len(elements), len(keys)), dtype=bool)
    for column, key in enumerate(keys):
        symbols = HYDROGENS if key == "H" else (key,)
        for symbol in symbols:
            members[:, column] |= elements == symbol
    if _OTHER in keys:
        members[:, keys.index(_OTHER)] = ~members.any(axis=1)
    return members


def channel_weights(atoms: "AtomArray", channels: Sequence[str]) -> Float[np.ndarray, "atoms channels"]:
    """Give the weight of each atom in each channel.

    The weight in an element's channel is 1 for its atoms; hydrogen's has deuterium and tritium too.
    ``"other"`` takes the atoms of all elements that are no channel, hydrogen too where it was read.
    ``"sasa"`` is the atom's solvent-accessible surface area, see `holo_features.structures.surface.surface_areas`,
    ``"charge"`` its partial charge, see `holo_features.structures.charges.partial_charges`; both count every atom,
    whatever its element.

    Parameters
    ----------
    atoms
        All atoms of a structure, elements in upper case.
    channels
        Names, see `check_channels`.

    Returns
    -------
    Float[ndarray, "atoms channels"]
        float32; areas in Å², charges in units of the elementary charge.

    Raises
    ------
    HoloError
        If a channel is not known or named twice.

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
